// The page that `report --format html` fills, as it stands in cli/report/page/: CMake puts it into the program.
#pragma once

#include <string_view>
#include <vector>

namespace flowrun::cli {

struct Page {
  std::string_view html;  ///< with {{style}}, {{script}}, {{policy}} and {{data}}, each once
  std::string_view style;
  std::vector<std::string_view> script;  ///< one behind the other
  std::string_view style_hash;           ///< SHA-256 in base64, as a Content-Security-Policy has it
  std::string_view script_hash;
};

const Page& page();

}  // namespace flowrun::cli
