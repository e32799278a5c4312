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
#include "engine/model/decision.h"
#include "engine/run/fork_items.h"
#include "engine/run/load.h"
#include "engine/steps/outline.h"

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
  /// Items of the new run that the old one had at another place are those.
  void chosen(const ItemsChosen& items);

  // For who only wants to know.
  /// Whether |path| is that of an undo or a handler, which belong to how a run ended.
  static bool is_of_the_end(const std::string& path);
  /// Where the old run had what the new one has at |path|; empty: nowhere.
  std::string old_path(const std::string& path) const { return items_.old_path(path); }
  /// What the step at |path| came to in the old run, whatever it had been asked.
  std::optional<Result> former(const std::string& path) const;
  /// Whether the run was asked to do the step at |path| anew.
  bool asked_anew(const std::string& path) const;
  /// Paths of steps that the old run had done, handlers and undos left out.
  std::vector<std::string> finished() const;
  /// Whether the new workflow has the step at |path|.
  bool knows(const std::string& path) const;

  const std::string& of() const { return of_; }
  std::size_t taken() const { return taken_; }
  /// Steps that the old run had finished and that are run all the same, with the reason, in order.
  const std::vector<std::pair<std::string, std::string>>& anew() const { return anew_; }

 private:
  using Definitions = std::map<std::string, std::string>;  ///< by path without keys
  void read(const Journal& journal, const RunRecord& old);
  /// Whether the step, which the old run had at |old|, may be taken over as far as its text and what ran before it say;
  /// tells why not.
  bool same_step(const std::string& path, const std::string& old);
  /// What ran anew before the step at |path| and may have left it other files, or another world; empty: nothing.
  std::string ran_before(const std::string& path) const;
  /// Whether the step at |path|, or one within it, ran anew. |row| is one of its rows.
  bool ran_within(const std::string& path, std::size_t row) const;
  std::optional<Result> find(const Task& task);
  std::optional<SignalReceived> find(const SignalAwaited& awaited);
  void tell(const std::string& path, std::string why);

  std::string of_;
  Definitions before_, fresh_;
  std::vector<OutlineRow> rows_;                     ///< of the new run
  std::multimap<std::string, std::size_t> rows_at_;  ///< by path without keys
  std::vector<bool> acts_;                           ///< by row: whether it, or a step within it, does anything
  std::set<std::string> from_;                       ///< paths without keys
  std::map<Asked, Result> results_;
  std::set<Asked> answered_;
  std::set<std::string> finished_;
  std::map<std::string, SignalReceived> signals_;
  std::map<std::string, Duration> slept_;
  ItemPairs items_;
  std::set<std::string> ran_;  ///< in the new run, by itself
  std::size_t taken_ = 0;
  std::vector<std::pair<std::string, std::string>> anew_;
  std::set<std::string> told_;
};

/// For a run that says it was forked; null when it was not, or the old run is gone.
std::unique_ptr<Reuse> reuse_for(const Journal& journal, const RunStarted& started, const Workflow& fresh);

/// The id of the run that |run| takes results over from; empty: it is no fork.
std::string origin_of(const Journal& journal, const RunRecord& run);

}  // namespace flowrun
