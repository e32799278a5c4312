// A workflow ready to run: the tree of steps and what holds for the whole run. Immutable.
#pragma once

#include <memory>
#include <string>

#include "engine/machine/step.h"

namespace flowrun {

struct Workflow {
  std::string name;
  std::string description, version;
  std::unique_ptr<Step> root;  ///< its frame's outcome is that of the run
  int concurrency = 64;        ///< attempts at once
  bool has_output = false;
};

}  // namespace flowrun
