// All keys of a file of scenarios in one table: reader, suggestions and manual agree because they read it here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flowrun {

struct ScenarioKey {
  const char* within;  ///< `top`, `scenario`, `expect`, ...
  const char* name;
  const char* type;  ///< in words
  const char* doc;
};

const std::vector<ScenarioKey>& scenario_keys();
std::vector<std::string> scenario_keys_within(std::string_view where);

}  // namespace flowrun
