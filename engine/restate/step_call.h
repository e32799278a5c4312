// What the handler `step` of a worker is asked, and what it answers. Pure text, shared by who asks and who answers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/model/event.h"
#include "engine/model/secret.h"
#include "engine/model/task.h"

namespace flowrun::restate {

/// The newest shape of both texts. A worker refuses a newer one.
constexpr int kStepCallVersion = 2;

/// One attempt to be carried out.
struct StepCall {
  int version = kStepCallVersion;
  std::string run_id;
  /// Where relative paths start for who asks. Paths of the task below it start in the worker's folder instead.
  std::string folder;
  std::string file;                   ///< of the workflow, for messages
  std::vector<SecretSource> secrets;  ///< where values are read, by the worker, from its own sources
  bool repeats = true;                ///< false: what may have begun before is not begun again (`on_crash`)
  Task task;
};

/// The service of a pool: `flowrun`, or `flowrun-POOL`.
std::string service_name(std::string_view pool);

std::string to_text(const StepCall& call);
/// Throws Corruption for what is no such text, and says so of a newer version.
StepCall step_call_from(std::string_view text);

}  // namespace flowrun::restate
