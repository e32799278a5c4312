// The headers of a request as they are collected: names and values are checked, secrets get their places, and the first
// mistake is kept. Knows nothing of URLs and bodies.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/model/outcome.h"
#include "engine/model/task.h"

namespace flowrun {

class RequestHeaders {
 public:
  void add(const std::string& name, const Value& value);
  void add(const std::string& name, std::string text, TaskPlaceholder::In in, const std::vector<Placeholder>& in_it);
  bool has(std::string_view name) const;
  void add_default(const std::string& name, const Value& value) {
    if (!has(name)) add(name, value);
  }
  void add_default(const std::string& name, const char* value) { add_default(name, Value::string(value)); }
  /// `auth` of a step. |optional|: an optional secret is what authenticates, and without it nobody does.
  void add_auth(const Json& auth, bool optional);

  std::vector<std::pair<std::string, std::string>> list;
  TaskPlaceholders placeholders;
  std::optional<Failure> failure;

 private:
  void add_bearer(const Json& token);
  void add_basic(const Json& basic);
};

}  // namespace flowrun
