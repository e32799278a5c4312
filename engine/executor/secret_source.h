// One secret, read from where it is. Knows variables, files and programs; not what the value is for.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "engine/model/secret.h"

namespace flowrun {

struct SecretFound {
  std::optional<std::string> value;
  std::string why;  ///< without a value: what failed; never what a file or a program says
  bool stopped = false;
};

/// An empty value counts as none. Blocks at most 30 s, and while |stop|, which is asked ten times a second, says no.
SecretFound read_secret(const SecretSource& source, const std::string& folder, const std::function<bool()>& stop);

}  // namespace flowrun
