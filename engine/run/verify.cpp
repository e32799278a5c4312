#include "engine/run/verify.h"

#include <fmt/format.h>

#include <limits>

#include "engine/executor/secrets.h"
#include "engine/jq/jq.h"
#include "engine/model/hash.h"
#include "engine/model/value_writer.h"
#include "engine/run/replay.h"

namespace flowrun {
namespace {

/// What is wrong with |run|; empty: nothing. Throws Error for what the journal or the replay finds.
std::string complaint(const Journal& journal, const RunRecord& run, const std::function<bool()>& stop) {
  journal.check_sums(run);
  if (hash_name(journal.source(run.source_hash)) != run.source_hash)
    return "the text of its workflow is not the one it was started with";
  // Cut off before anything was started: its sub-workflows are in no journal yet.
  if (run.last_seq == 0)
    return has_ended(run.state) || !run.output.is_null() ? "the run has ended without an entry that says so" : "";
  Loaded loaded = own_copy(journal, run);
  std::unique_ptr<Evaluator> evaluator = make_jq(loaded.programs);
  ReplayOptions options;
  options.ask_again = true;
  if (stop)
    options.saw = [&stop](const Entry&) {
      if (stop()) throw Interrupted("stopped while it was verified");
    };
  Replayed replayed = replay(journal, run, loaded.workflow, *evaluator, options);
  const Machine& machine = *replayed.machine;
  const bool ended = machine.phase() == Machine::Phase::Ended;
  if (has_ended(run.state) && !ended)
    return fmt::format("the run says {}, but its entries do not lead there", to_string(run.state));
  if (ended) {
    const Outcome& outcome = machine.outcome();
    if (run.state != run_state_from(outcome.state))
      return fmt::format("the run says {}, but its entries end {}", to_string(run.state), to_string(outcome.state));
    if (!have_same_text(outcome.output, run.output) && !(outcome.output == run.output))
      return "the run's output is not the one that its entries lead to";
  }
  if (!(run.input == machine.run().inputs)) return "the run's input is not the one it was started with";
  return "";
}

}  // namespace

Verified verify(const Journal& journal, const RunRecord& run, const std::function<bool()>& stop) {
  try {
    return {run, complaint(journal, run, stop)};
  } catch (const Error& error) {
    return {run, error.what()};
  }
}

void verify_all(const Journal& journal, const std::function<void(const Verified&)>& found) {
  Journal::Filter every;
  every.limit = std::numeric_limits<int>::max();
  const std::vector<RunRecord> runs = journal.list(every);
  if (std::string bad = journal.check_file(); !bad.empty()) throw Corruption(journal.path() + ": " + bad);
  for (const RunRecord& run : runs) found(verify(journal, run));
}

}  // namespace flowrun
