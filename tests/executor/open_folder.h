// The folder of a run as it stands, for tests of what is kept there.
#pragma once

#include <string>

#include "engine/executor/run_folder.h"

namespace flowrun::test {

struct OpenFolder : RunFolder {
  explicit OpenFolder(const std::string& path) : RunFolder(path) { look(); }
};

}  // namespace flowrun::test
