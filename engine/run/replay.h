// A run brought back from its journal: the machine is fed the recorded facts and must decide what was recorded.
// Reads the journal, writes nothing, acts on nothing.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/journal/journal.h"
#include "engine/machine/machine.h"
#include "engine/run/load.h"

namespace flowrun {

struct ReplayOptions {
  /// Asks |live| again for every recorded answer, too, and compares; for `journal verify`.
  bool ask_again = false;
  /// What is to be reopened when the entries are at their end, besides what they tell of.
  Foresight foresight{};
  /// Stops after this entry; 0: at the end.
  std::int64_t until = 0;
  /// Sees every entry as it is read.
  std::function<void(const Entry&)> saw;
  /// Sees every decision that is in the journal.
  std::function<void(const Decision&)> decided;
};

/// A run as it was written down, wherever that is kept.
struct RecordedRun {
  std::string id;
  /// Entries from this number on, some at a time; none: there are no more.
  std::function<std::vector<Entry>(std::int64_t from)> read;
  std::vector<RunReopened> retries;  ///< all of them
  std::string what_then;             ///< behind the words that it diverges
  /// Throws Corruption when it was not started so. Null: nobody knows.
  std::function<void(const RunStarted&)> check;
};

/// Answers from the journal during the replay, and from a live evaluator afterwards: a machine keeps one for life.
class ReplayThenLive : public Evaluator {
 public:
  ReplayThenLive(Evaluator& first, Evaluator& then) : first_(&first), then_(then) {}
  Answer evaluate(const Question& question) override {
    return first_ ? first_->evaluate(question) : then_.evaluate(question);
  }
  void go_live() { first_ = nullptr; }

 private:
  Evaluator* first_;
  Evaluator& then_;
};

/// What a replay leaves behind.
struct Replayed {
  std::unique_ptr<ReplayThenLive> evaluator;
  std::unique_ptr<Machine> machine;  ///< asks the above
  /// Decisions that follow from the last fact and that the crash kept out of the journal.
  std::vector<Decision> missing;
  Instant last_at{};
  std::int64_t entries = 0;
  std::vector<std::string> tokens;           ///< of all drives so far
  std::string host, boot_id, pid_namespace;  ///< of the last drive
};

/// The fact with which |run| begins; nothing: it was cut off before that, or does not begin so.
std::optional<RunStarted> beginning_of(const Journal& journal, const RunRecord& run);

/// The run's own copy of its workflow. Throws Error(Impossible) when this flowrun can not read it any more.
/// |for_questions| as in load().
Loaded own_copy(const Journal& journal, const RunRecord& record, bool for_questions = false);
/// The texts of the sub-workflows that |run| was started with; throws Corruption when one of them is another.
Texts frozen_texts(const Journal& journal, const RunRecord& run);

/// Throws Corruption when the row of |run|, which has ended, does not say what its last entry does.
void check_result(const Journal& journal, const RunRecord& run);

/// Replays |run|. |live| answers what the journal does not: questions behind its end. Throws Corruption when the
/// decisions differ from the recorded ones, naming both.
Replayed replay(const Journal& journal, const RunRecord& run, const Workflow& workflow, Evaluator& live,
                const ReplayOptions& options = {});
Replayed replay(const RecordedRun& run, const Workflow& workflow, Evaluator& live, const ReplayOptions& options = {});

}  // namespace flowrun
