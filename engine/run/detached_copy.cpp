#include "engine/run/detached_copy.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "engine/jq/jq.h"
#include "engine/run/clocks.h"
#include "engine/run/detached_run.h"

namespace flowrun {
namespace {

constexpr std::size_t kMostUnwritten = 1000;  // entries

RunRecord record_of(const DetachedInput& input) {
  RunRecord record;
  record.id = input.started.id;
  record.name = input.started.name;
  record.state = RunState::Running;
  record.file = input.started.file;
  record.source_hash = input.started.source_hash;
  record.started_at = record.alive_at = input.at;
  record.input = input.started.inputs;
  return record;
}

}  // namespace

/// The run, computed, and the journal that it is written to.
struct DetachedCopy::Replica {
  Replica(const std::string& text, const std::string& path)
      : input(detached_input_from(text)),
        loaded(load_detached(input)),
        evaluator(make_jq(loaded.programs)),
        journal(path, Journal::Mode::Create) {
    // Without it another run would be told than the one that took place.
    if (!loaded.programs.empty()) evaluator->check(loaded.programs);
    RunRecord record = record_of(input);
    journal.create(record, input.text);
    for (const auto& [name, source] : input.sources) journal.keep_source(source);
    run = std::make_unique<DetachedRun>(input, loaded, *evaluator, [this](Entry entry) {
      journal.append(std::move(entry));
      if (journal.pending().entries >= kMostUnwritten) journal.commit({}, run ? run->last_at() : input.at);
    });
  }

  const DetachedInput input;
  const Loaded loaded;
  const std::unique_ptr<Jq> evaluator;
  Journal journal;
  std::unique_ptr<DetachedRun> run;
  bool over = false;
};

DetachedCopy::DetachedCopy(DetachedServer server, const std::string& run)
    : server_(std::move(server)), run_(server_.look(server_.find(run))) {
  ServerJournal recorded = server_.read(run_, 0);
  if (recorded.next == 0)
    throw Error(Problem::Impossible, fmt::format("the Restate server at {} keeps nothing of run {} any more",
                                                 server_.place().admin, run_.id.empty() ? run_.invocation : run_.id));
  std::string pattern = (std::filesystem::temp_directory_path() / "flowrun-run-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw Error(Problem::Journal, fmt::format("{} can not be made", pattern));
  folder_ = pattern;
  path_ = folder_ + "/journal.db";
  try {
    replica_ = std::make_unique<Replica>(recorded.input, path_);
    id_ = replica_->input.started.id;
    take(recorded);
  } catch (...) {
    std::error_code ignored;
    replica_ = nullptr;
    std::filesystem::remove_all(folder_, ignored);
    throw;
  }
}

DetachedCopy::~DetachedCopy() {
  replica_ = nullptr;
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void DetachedCopy::refresh() {
  if (replica_->over) return;
  // Before what it has recorded, so that nothing of a run that is over is missed.
  run_ = server_.look(run_);
  const ServerJournal more = server_.read(run_, next_);
  take(more);
}

void DetachedCopy::take(const ServerJournal& recorded) {
  for (const restate::Notification& one : recorded.notifications) replica_->run->take(one);
  const std::vector<ServerCommand>& decided = replica_->run->commands();
  for (const RecordedCommand& one : recorded.commands) {
    if (compared_ == decided.size() || decided[compared_].type != one.type || decided[compared_].name != one.name)
      throw Error(Problem::Impossible,
                  fmt::format("the workers of run {} decide otherwise than this flowrun: of what they have asked the "
                              "server for, number {} is `{}`, not {}; the flowrun that they are can read it",
                              id_, compared_ + 1, one.name,
                              compared_ == decided.size() ? "nothing" : fmt::format("`{}`", decided[compared_].name)));
    ++compared_;
  }
  next_ = recorded.next;
  write();
}

void DetachedCopy::write() {
  Journal::RunUpdate update;
  Instant now = wall_clock();
  if (replica_->run->ended()) {
    const Outcome& outcome = replica_->run->machine().outcome();
    now = replica_->run->last_at();
    update.state = run_state_from(outcome.state);
    update.output = outcome.output;
    if (outcome.failure) update.error = Value(to_json(*outcome.failure));
    update.ended_at = now;
  }
  // A commit may have been due at the last entry: the end of the run is said all the same.
  if (replica_->journal.pending().entries > 0 || update.state) replica_->journal.commit(update, now);
  replica_->over = replica_->run->ended() || run_.status == "completed";
  // One that is not ended and that nobody goes on with has been cut off.
  if (replica_->over) replica_->journal.let_go();
}

bool DetachedCopy::goes_on() const { return !replica_->over; }

std::string DetachedCopy::trouble() const {
  if (replica_->run->ended()) return "";
  if (run_.status == "completed")
    return fmt::format("the server has ended it before its end{}", run_.trouble.empty() ? "" : ": " + run_.trouble);
  return run_.trouble;
}

}  // namespace flowrun
