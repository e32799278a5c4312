// The environment and files that a process is given. Knows the task and the run; starts nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/executor/executor.h"
#include "engine/executor/run_folder.h"
#include "engine/executor/spawn.h"
#include "engine/model/task.h"

namespace flowrun {

/// The variable in which processes of a nested run carry the marks of the runs around it, the outermost first.
inline constexpr const char* kOuterMarks = "FLOWRUN_OUTER";
/// What it says: a token and the path of a step for each.
std::vector<std::pair<std::string, std::string>> outer_marks(const std::string& text);

/// Names of the files in the run's folder where processes may write JSON begin like this.
constexpr const char* kOutputName = ".flowrun-output-";
/// Where a process may write JSON, in the run's folder: $FLOWRUN_OUTPUT. |number|: no other process of this drive has
/// it.
std::string output_name(const ExecutorOptions& options, std::uint64_t number);

/// What the environments of all processes have in common, made once. Read only once processes run, by any thread.
class BaseEnvironment {
 public:
  explicit BaseEnvironment(const ExecutorOptions& options);

  /// From now on processes inherit |name| as if it had been |value|.
  void set_inherited(std::string_view name, std::string_view value);
  /// NAME=VALUE of everything: inherited, the workflow's, and FLOWRUN_*, of which FLOWRUN_OUTPUT is |output|. Throws
  /// std::runtime_error for what can not be a variable. Most are lent by this object, the others by |own|, which is
  /// empty before. |held|: what the task has of what drives share.
  std::vector<const char*> of(const Task& task, const Process& process, const std::string& output,
                              const std::optional<HeldPlaces>& held, std::vector<std::string>& own) const;
  /// What of() says besides what is inherited, when it has filled |own|.
  std::vector<std::string> told(const std::vector<std::string>& own) const;
  /// For a door that hands on nothing by itself (via.h): all that is inherited, of what is |told| that which it hands
  /// on by name, and FLOWRUN_*. Lent by this object and |told|.
  std::vector<const char*> of_door(const Process& process, const std::vector<std::string>& told) const;

 private:
  std::vector<std::string> inherited_;  ///< without what brought a secret, and what every process is given anew
  std::vector<std::string> of_run_;     ///< FLOWRUN_*
  std::vector<HeldPlaces> held_;        ///< around all of them
};

/// The arguments; a script too long for one goes through a file in |folder|, whose name comes back in |file|.
/// Throws std::runtime_error when that can not be written, or an argument can not be passed on. `via` is not in them.
std::vector<std::string> arguments_of(const RunFolder& folder, const Task& task, const Process& process,
                                      std::string& file);

}  // namespace flowrun
