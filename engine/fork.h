// What a forked run takes over from the run it was forked of: results of steps whose definition and resolved input are
// the same. Knows only the journal of the old run; the new machine decides as ever and is given old results.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/journal/journal.h"
#include "engine/load.h"
#include "engine/model/decision.h"

namespace flowrun {

class Reuse {
 public:
  /// |from|: this step and what depends on it are run anew; empty: only what differs. |fresh| is what the new run runs.
  /// Throws Error(Impossible) when |from| names no step of |fresh|.
  Reuse(const Journal& journal, const RunRecord& old, const Workflow& before, const Workflow& fresh,
        const std::string& from);

  /// What |own|, the new run, has done so far is not answered from the old run any more.
  void skip_done(const Journal& journal, const RunRecord& own);

  // What the decision of the new run would come to; nothing: it has to be acted upon. An answer is given once: what a
  // run does again, because a sub-workflow is tried or polled anew or a step was undone, it wants to see done.
  std::optional<Result> result_of(const Task& task);
  std::optional<SignalReceived> signal_for(const SignalAwaited& awaited);
  bool slept(const ArmTimer& timer);

  const std::string& of() const { return of_; }
  std::size_t taken() const { return taken_; }
  /// Steps that the old run had finished and that are run all the same, with the reason, in order.
  const std::vector<std::pair<std::string, std::string>>& anew() const { return anew_; }

 private:
  using Definitions = std::map<std::string, std::string>;  ///< by path without keys
  void read(const Journal& journal, const RunRecord& old);
  /// Whether the step may be taken over as far as its text says; tells why not.
  bool same_step(const std::string& path);
  void tell(const std::string& path, std::string why);

  std::string of_;
  Definitions before_, fresh_;
  using Asked = std::pair<std::string, std::string>;  ///< path and input

  std::set<std::string> from_;  ///< paths without keys
  std::map<Asked, Result> results_;
  std::set<Asked> answered_;
  std::set<std::string> finished_;
  std::map<std::string, SignalReceived> signals_;
  std::map<std::string, Duration> slept_;
  std::size_t taken_ = 0;
  std::vector<std::pair<std::string, std::string>> anew_;
  std::set<std::string> told_;
};

/// For a run that says it was forked; null when it was not, or the old run is gone.
std::unique_ptr<Reuse> reuse_for(const Journal& journal, const RunStarted& started, const Workflow& fresh);

}  // namespace flowrun
