// A command line as a shell reads it while it is typed. Runs nothing, expands nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flowrun::cli {

/// The words of |line| as they are typed, quotes and all; the last is the one that is being typed, maybe empty.
std::vector<std::string> raw_words(std::string_view line);
/// A typed word without its quotes and backslashes; a quote that is not closed yet counts as closed.
std::string unquoted(std::string_view raw);
/// What bash is to put in place of |current|, the end of the typed word |raw|, so that the word becomes |text|.
std::string for_bash(const std::string& text, std::string_view raw, std::string_view current);

}  // namespace flowrun::cli
