// What an expression of a person sees: the data of a run, or what is known of a workflow before one. Looks, changes
// nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/machine/status.h"
#include "engine/run/history.h"
#include "engine/run/load.h"
#include "engine/run/replay.h"
#include "engine/steps/outline.h"

namespace flowrun {

/// |expression| with what |view| sees. A name of `$input` or `$vars` that there is not is a Failure, as it is an error
/// in a file.
Evaluation evaluate(const Expression& expression, const Scope& view, Evaluator& evaluator);

/// The inputs and `vars` of a file that nothing is run of.
class FileView : public Scope {
 public:
  FileView(const Loaded& loaded, ResolvedInputs inputs) : loaded_(loaded), inputs_(std::move(inputs)) {}
  Fallible<Value> lookup(const Reference& reference) const override;

 private:
  const Loaded& loaded_;
  ResolvedInputs inputs_;
};

/// A run as it stands at the end of its journal. Of a step with attempts: what it saw when its newest one ended, with
/// `.` as far as the journal keeps the raw result. Of another step: names as they are seen from where it stands.
class RunView : public Scope {
 public:
  /// |loaded| was loaded for questions. |step|: a path as in the journal, or empty. All are lent and outlive this.
  RunView(const Journal& journal, const RunRecord& run, const Loaded& loaded, const History& history,
          Evaluator& evaluator, std::string step);
  Fallible<Value> lookup(const Reference& reference) const override;
  /// Whether it is the secret output of a step: whatever is looked at in it, people see stars.
  bool is_secret(const Reference& reference) const;

 private:
  std::optional<Settled> settled(const std::string& path) const;
  Fallible<Value> lookup_step(const Reference& reference) const;
  /// The path of the step that |reference| names, seen from where the view stands; empty: none is seen.
  std::string path_of(const Reference& reference) const;

  const History& history_;
  const Json secrets_;  ///< by name, as people may see them
  const std::vector<OutlineRow> rows_;
  std::string step_;
  Replayed replayed_;
  const Frame* frame_ = nullptr;  ///< of the step, in the moment before its attempt ended
  std::optional<Value> raw_;      ///< `.`
};

/// The same of a run, where a path into a secret output is as secret as that.
Evaluation evaluate(const Expression& expression, const RunView& view, Evaluator& evaluator);

/// What the entries of the step at |path| themselves say that it has put out, the last of them. Nothing: what it comes
/// to follows from more than these.
std::optional<Value> written_output(const Journal& journal, const RunRecord& run, const std::string& path);
/// The output of the step of |run| that |typed| names. Throws Error(Impossible) when there is no such step, or it has
/// none.
Value step_output(const Journal& journal, const RunRecord& run, const std::string& typed);
/// The same by a replay, which also tells the outputs of groups: those are not written, but follow.
Value replayed_output(const Journal& journal, const RunRecord& run, const std::string& typed);

}  // namespace flowrun
