// One secret, read from where it is. Knows variables, files and programs; not what the value is for.
#pragma once

#include <optional>
#include <string>

#include "engine/model/secret.h"

namespace flowrun {

struct SecretFound {
  std::optional<std::string> value;
  std::string why;  ///< without a value: what failed; never what a file or a program says
};

/// An empty value counts as none. Blocks while a command runs, at most 30 s.
SecretFound read_secret(const SecretSource& source, const std::string& folder);

}  // namespace flowrun
