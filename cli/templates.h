// The workflows of the tour, as they stand in workflows/: what `flowrun init` writes.
#pragma once

#include <string_view>
#include <vector>

namespace flowrun::cli {

struct Template {
  std::string_view name;  ///< `order.yaml`, `parts/pay.yaml`
  std::string_view text;
};

/// In alphabetical order, those in parts/ last.
const std::vector<Template>& templates();

}  // namespace flowrun::cli
