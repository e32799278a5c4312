// What happens in a run, shown on standard error while it is driven: what each way of showing is told.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/questions.h"
#include "engine/machine/machine.h"
#include "engine/model/entry.h"
#include "engine/model/run_state.h"
#include "engine/steps/outline.h"

namespace flowrun::cli {

/// How a drive stands.
struct Standing {
  std::size_t ok = 0, failed = 0;    ///< steps
  const Machine* machine = nullptr;  ///< of the drive; null: another process drives
  std::size_t in_line = 0;           ///< attempts that the machine has started and that wait for a slot
  /// Those that wait for a place of a limit that other runs have, too, by its name.
  std::map<std::string, std::size_t> shared = {};
  std::size_t looked_for = 0;  ///< those that wait for a result of an earlier run

  std::size_t running() const;  ///< attempts that have begun
};

/// How a run ended.
struct Closing {
  std::string run;  ///< its id
  RunState state = RunState::Succeeded;
  Duration took{0};
  std::size_t ok = 0, failed = 0;  ///< steps
};

class Progress {
 public:
  virtual ~Progress() = default;

  /// What is driven, and its |file|. |answers|: what the commands send along that answer steps which wait.
  virtual void plan(std::vector<OutlineRow> /*rows*/, AnswerData /*answers*/, const std::string& /*file*/) {}
  /// Of a resumed run nothing else tells its id.
  virtual void run(const std::string& /*id*/) {}
  /// An entry of an earlier drive.
  virtual void earlier(const Entry& /*entry*/) {}
  /// The entry of an earlier drive with which a step began to wait, which it still does.
  virtual void still_waits(const Entry& /*entry*/) {}
  virtual void entry(const Entry& /*entry*/) {}
  /// Says something of the run itself.
  virtual void note(const std::string& /*text*/) {}
  /// After each turn of the drive.
  virtual void turned(Instant /*now*/, const Standing& /*standing*/) {}
  /// How long a turn may take until the next turned().
  virtual Duration patience() const { return Duration{1000}; }
  /// The drive is over; what stands now stays.
  virtual void over() {}
  /// The run has ended; comes after over().
  virtual void closed(Instant /*now*/, const Closing& /*closing*/) {}
};

void add_progress_option(Command& command, std::string& word);

enum class ProgressKind { None, Plain, Github, Live };

/// The one that |word| of --progress means, at the standard error of this process. Throws Error(Usage) when there can
/// not be such.
ProgressKind progress_kind(const Context& context, const std::string& word);
/// Null: none. |journal|: its path.
std::unique_ptr<Progress> make_progress(const Context& context, ProgressKind kind, const std::string& journal);

}  // namespace flowrun::cli
