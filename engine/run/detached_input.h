// What a run on a Restate server is started with: all that its decisions may depend on, as one text. Whoever has it
// needs no file of the run. Pure.
#pragma once

#include <string>
#include <string_view>

#include "engine/model/event.h"
#include "engine/run/load.h"

namespace flowrun {

struct DetachedInput {
  static constexpr int kVersion = 1;
  int version = kVersion;
  Instant at{};        ///< of the start
  RunStarted started;  ///< the first fact of the run
  std::string text;    ///< of the workflow
  Texts sources;       ///< of its sub-workflows
  std::string admin;   ///< the server's admin interface, as workers reach it
};

std::string to_text(const DetachedInput& input);
/// Throws Corruption for what is no such text, Error(Impossible) for one of a newer version, and for a run whose
/// decisions this flowrun does not know: it is not to be misread, a newer worker can go on with it.
DetachedInput detached_input_from(std::string_view text);

/// The workflow of |input|. Throws Error(Impossible) when this flowrun can not read it.
Loaded load_detached(const DetachedInput& input);

}  // namespace flowrun
