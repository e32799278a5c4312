// A workflow ready to run: the tree of steps and what holds for the whole run. Immutable.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/machine/limit.h"
#include "engine/machine/step.h"
#include "engine/model/stream_keys.h"
#include "engine/model/value.h"

namespace flowrun {

/// What a `wait` takes.
struct Signal {
  std::string name;
  Json accept;  ///< JSON Schema of its data
};

/// The for_each over standard input.
struct InputStream {
  std::string path;
  StreamFormat format;
};

struct Workflow {
  std::string name;
  std::string description, version;
  std::unique_ptr<Step> root;  ///< its frame's outcome is that of the run
  int concurrency = 64;        ///< attempts at once
  bool has_output = false;
  bool signals_cancel = false;  ///< an end that is asked for by a signal cancels the run instead of suspending it
  /// The named ones as written, then those of single steps. They change only before a machine has the workflow.
  std::vector<std::unique_ptr<Limit>> limits;
  std::vector<Signal> signals;  ///< that steps wait for
  std::optional<InputStream> stream;
};

}  // namespace flowrun
