// Why a step of a run stands as it does, followed to the cause, and what would change that; as text. Reads entries and
// the plan of the workflow; decides nothing.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/report/past_run.h"
#include "cli/report/step_states.h"
#include "engine/journal/journal.h"
#include "engine/run/waiting_line.h"

namespace flowrun::cli {

struct Explained {
  std::string state;                 ///< how the step stands
  bool in_line = false;              ///< it was started, and has not begun
  std::string place;                 ///< FILE:LINE; empty: not known
  std::string because;               ///< lines, a cause further to the right than what it leads to
  std::vector<std::string> changes;  ///< commands, and words on the file
};

/// One of them explains one step of one run.
class Explanation {
 public:
  Explanation(const Journal& journal, PastRun run)
      : journal_(journal), run_(std::move(run)), states_(run_), line_(journal, run_.record, run_.history) {}
  Explanation(const Explanation&) = delete;
  Explanation& operator=(const Explanation&) = delete;

  /// Notes what the history does not keep. To be called with each entry of the run before of().
  void note(const Entry& entry);
  /// How the step at |path| stands, what led to that, and the changes that would make a difference.
  Explained of(const std::string& path);

 private:
  const StepHistory* find(const std::string& path) const { return run_.history.find(path); }
  State stands(const std::string& path) const { return states_.of(path); }
  bool has_ended() const { return states_.all_over(); }
  bool is_driven() const { return run_.record.state == RunState::Running && run_.record.driver_pid != 0; }
  /// The innermost group around |path| for which |wanted| holds; empty: the run.
  std::string around(const std::string& path, const std::function<bool(const std::string&)>& wanted) const;

  void say(const std::string& line) { text_ += indent_ + line + "\n"; }
  /// Follows |path|, one step further to the right.
  void because(const std::string& path);
  /// Says that the step at |path| has ended, and when, and follows it.
  void because_ended(const std::string& path);
  void tell(const std::string& path);
  void not_begun(const std::string& path);
  void running(const std::string& path);
  /// What the step at |path| stands in line for; empty: it does not.
  std::string waits_for(const std::string& path) const {
    const StepHistory* step = find(path);
    return step && !has_ended() ? line_.waits_for(*step, run_.rows) : "";
  }
  void waiting_for_time(const std::string& path, const StepHistory& step);
  void blocked(const std::string& path, const StepHistory& step);
  void cancelled(const std::string& path);
  void failed(const std::string& path);
  void succeeded(const std::string& path);
  void undone(const std::string& path);
  void stopped_from_above(const std::string& path, std::string_view reason);
  void nobody_drives();

  /// Why what is at |path| was stopped. An entry says it of a step in flight, its own end of any other.
  std::string reason_of(const std::string& path) const;
  void change(const std::string& what);
  /// The command that tries the step at |path| again.
  void change_by_retry(const std::string& path);
  std::string command(const std::vector<std::string>& words) const;

  const Journal& journal_;
  const PastRun run_;
  const StepStates states_;
  const WaitingLine line_;
  std::string text_, indent_ = "  ";
  std::set<std::string> told_, taken_;
  std::map<std::string, std::string> stops_;  ///< by path: the newest reason
  std::string cancelled_by_, undone_by_;      ///< who asked for it; empty: nobody
  bool undo_asked_ = false, undriven_told_ = false;
  std::vector<std::string> changes_;
};

}  // namespace flowrun::cli
