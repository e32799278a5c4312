// What two requests of a step have in common and where they differ, as the journal writes them. Knows no run.
#pragma once

#include <string>
#include <string_view>

namespace flowrun {

/// |written|, the input of a start entry, without what counts only where it is used: the place of an item in its list,
/// which every process of a for_each is told; and without `via`.
std::string comparable_input(std::string_view written);

/// "`sku` was 4, is 5": the first things in which |is| differs from |was|; empty when that can not be told.
std::string input_difference(std::string_view was, std::string_view is);

}  // namespace flowrun
