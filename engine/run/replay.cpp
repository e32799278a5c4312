#include "engine/run/replay.h"

#include <fmt/format.h>

#include <deque>
#include <optional>

#include "engine/journal/typed_command.h"
#include "engine/model/entry_reading.h"
#include "engine/model/hash.h"
#include "engine/model/value_writer.h"

namespace flowrun {
namespace {

/// The entries of a run in order, fetched in slices so that no read stays open.
class EntryCursor {
 public:
  EntryCursor(const RecordedRun& run, const ReplayOptions& options) : run_(run), options_(options) {}

  /// The next entry, or null at the end. Valid until the next call of take().
  const Entry* peek() {
    if (read_.empty() && !ended_) fetch();
    return read_.empty() ? nullptr : &read_.front();
  }

  Entry take() {
    Entry entry = std::move(read_.front());
    read_.pop_front();
    if (options_.saw) options_.saw(entry);
    return entry;
  }

 private:
  void fetch() {
    std::vector<Entry> slice = run_.read(next_);
    ended_ = slice.empty();
    for (Entry& entry : slice) {
      if (options_.until > 0 && entry.seq > options_.until) {
        ended_ = true;
        break;
      }
      if (entry.seq != next_)
        throw Corruption(fmt::format("run {}: entry {} is missing; the next one is {}", run_.id, next_, entry.seq));
      ++next_;
      read_.push_back(std::move(entry));
    }
  }

  const RecordedRun& run_;
  const ReplayOptions& options_;
  std::deque<Entry> read_;
  std::int64_t next_ = 1;
  bool ended_ = false;
};

std::string shown(const Entry& entry) {
  std::string text(to_string(entry.kind));
  if (!entry.path.empty()) text += " " + entry.path;
  if (entry.attempt > 0) text += fmt::format(" (attempt {})", entry.attempt);
  return text;
}

/// Takes the machine's decisions and holds them against the recorded ones; answers jq from the recorded ones.
class Checker : public DecisionSink, public Evaluator {
 public:
  Checker(EntryCursor& cursor, const RecordedRun& run, Evaluator& live, const ReplayOptions& options)
      : entries_(cursor), run_(run), live_(live), options_(options) {}

  void decide(Decision decision) override {
    if (!load_next()) {
      if (entries_.peek()) {  // a fact stands where a decision should
        Entry wanted = to_entry(decision, at_);
        diverged(entries_.peek()->seq, shown(*entries_.peek()), shown(wanted));
      }
      missing.push_back(std::move(decision));
      return;
    }
    Entry recorded = std::move(loaded_.front());
    loaded_.pop_front();
    Entry recomputed = to_entry(decision, at_);
    if (std::string what = difference(recorded, recomputed); !what.empty())
      diverged(recorded.seq, shown(recorded), shown(recomputed) + ": " + what);
    recomputed.value.keep_as(recorded.value);
    if (options_.decided) options_.decided(decision);
  }

  Answer evaluate(const Question& question) override {
    while (answers_.empty() && load_ahead()) {
    }
    if (answers_.empty()) {
      if (entries_.peek())
        throw Corruption(fmt::format("run {}: an answer to `{}` is missing before entry {}", run_.id,
                                     question.program.code, entries_.peek()->seq));
      return live_.evaluate(question);
    }
    Answer answer = std::move(answers_.front());
    answers_.pop_front();
    if (options_.ask_again) {
      Answer again = live_.evaluate(question);
      if (again.ok() != answer.ok() || (answer.ok() && !(again.value == answer.value)))
        throw Corruption(fmt::format("run {}: expression differs: `{}` was {}, is {} now", run_.id,
                                     question.program.code, answer.ok() ? answer.value.text() : answer.error,
                                     again.ok() ? again.value.text() : again.error));
    }
    return answer;
  }

  void next_fact(Instant at) { at_ = at; }

  /// The machine has said all that follows from the fact.
  void end_of_fact() {
    if (load_next()) diverged(loaded_.front().seq, shown(loaded_.front()), "nothing");
  }

  std::vector<Decision> missing;

 private:
  bool load_next() { return !loaded_.empty() || load_ahead(); }

  /// Reads one more recorded decision, if the next entry is one.
  bool load_ahead() {
    const Entry* next = entries_.peek();
    if (!next || is_fact(next->kind)) return false;
    loaded_.push_back(entries_.take());
    for (Answer& answer : answers_of(loaded_.back())) answers_.push_back(std::move(answer));
    return true;
  }

  [[noreturn]] void diverged(std::int64_t seq, const std::string& recorded, const std::string& recomputed) {
    throw Corruption(fmt::format("run {} diverges at entry {}: recorded is `{}`, but this flowrun decides `{}`{}",
                                 run_.id, seq, recorded, recomputed, run_.what_then));
  }

  EntryCursor& entries_;
  const RecordedRun& run_;
  Evaluator& live_;
  const ReplayOptions& options_;
  Instant at_{};
  std::deque<Entry> loaded_;
  std::deque<Answer> answers_;
};

}  // namespace

Loaded own_copy(const Journal& journal, const RunRecord& record, bool for_questions) {
  std::string text = journal.source(record.source_hash);
  if (hash_name(text) != record.source_hash)
    throw Corruption(fmt::format("run {}: the text of its workflow is not the one it was started with", record.id));
  Diagnostics diagnostics({record.file, std::move(text)});
  const Texts texts = frozen_texts(journal, record);
  // Of a run without an entry nothing was kept, and nothing was started.
  const Texts* frozen = record.last_seq > 0 ? &texts : nullptr;
  std::optional<Loaded> loaded = load(record.file, diagnostics, nullptr, Lints::No, for_questions, frozen);
  if (!loaded)
    throw Error(Problem::Impossible, fmt::format("this flowrun can not read the workflow of run {} any more:\n{}",
                                                 record.id, diagnostics.text()));
  // A text that is in no file stands in the folder where its run was started.
  if (record.file.empty() && record.last_seq > 0)
    if (const auto started = beginning_of(journal, record)) loaded->folder = started->folder;
  return std::move(*loaded);
}

std::optional<RunStarted> beginning_of(const Journal& journal, const RunRecord& run) {
  const std::vector<Entry> first = journal.read(run.number, 1, 1);
  if (first.empty() || first.front().kind != EntryKind::RunStarted) return std::nullopt;
  return as<RunStarted>(first.front());
}

void check_result(const Journal& journal, const RunRecord& run) {
  const std::vector<Entry> last = journal.read(run.number, run.last_seq, 1);
  if (last.empty() || last.front().kind != EntryKind::RunEnded ||
      !(have_same_text(last.front().value, run.output) || last.front().value == run.output) ||
      run_state_from(as<RunEnded>(last.front()).outcome.state) != run.state)
    throw Corruption(fmt::format("run {}: its state and output are not those with which it ended", run.id));
}

Texts frozen_texts(const Journal& journal, const RunRecord& run) {
  Texts texts;
  if (const auto started = beginning_of(journal, run))
    for (const auto& [path, hash] : started->sources) {
      texts[path] = journal.source(hash);
      if (hash_name(texts[path]) != hash)
        throw Corruption(fmt::format("run {}: the text of {} is not the one it was started with", run.id, path));
    }
  return texts;
}

Replayed replay(const Journal& journal, const RunRecord& run, const Workflow& workflow, Evaluator& live,
                const ReplayOptions& options) {
  RecordedRun recorded;
  recorded.id = run.id;
  recorded.read = [&](std::int64_t from) { return journal.read(run.number, from); };
  for (const Entry& entry : journal.retries(run.number)) {
    Event retry = to_event(entry);
    if (const auto* reopened = std::get_if<RunReopened>(&retry.fact)) recorded.retries.push_back(*reopened);
  }
  recorded.what_then = fmt::format("; the journal is left as it is. `{}` starts a new run that takes its results over",
                                   typed_command({"fork", run.id}, journal.path()));
  recorded.check = [&](const RunStarted& started) {
    if (started.source_hash != run.source_hash || started.id != run.id ||
        (started.inputs.text() != run.input.text() && !(started.inputs == run.input)))
      throw Corruption(fmt::format("run {}: its row is not that of the run it was started as", run.id));
  };
  return replay(recorded, workflow, live, options);
}

Replayed replay(const RecordedRun& run, const Workflow& workflow, Evaluator& live, const ReplayOptions& options) {
  Replayed replayed;
  EntryCursor cursor(run, options);
  Checker checker(cursor, run, live, options);
  replayed.evaluator = std::make_unique<ReplayThenLive>(checker, live);
  replayed.machine = std::make_unique<Machine>(workflow, *replayed.evaluator);
  Foresight foresight = options.foresight;
  for (const RunReopened& reopened : run.retries) foresight.add(reopened);
  replayed.machine->foresee(std::move(foresight));
  while (const Entry* next = cursor.peek()) {
    if (!is_fact(next->kind)) throw Corruption(fmt::format("run {}: entry {} follows from nothing", run.id, next->seq));
    Entry entry = cursor.take();
    Event event = to_event(entry);
    auto drive = [&](const auto& fact) {
      replayed.tokens.push_back(fact.token);
      replayed.host = fact.host;
      replayed.boot_id = fact.boot_id;
      replayed.pid_namespace = fact.pid_namespace;
    };
    if (const auto* started = std::get_if<RunStarted>(&event.fact)) {
      if (run.check) run.check(*started);
      if (!Semantics::known(started->semantics))
        throw Corruption(fmt::format(
            "run {} was decided by semantics {}, and this flowrun knows {} to {}; use the flowrun that started it",
            run.id, started->semantics, Semantics::kOldest, Semantics::kNewest));
      drive(*started);
    } else if (const auto* resumed = std::get_if<RunResumed>(&event.fact)) {
      drive(*resumed);
    } else if (const auto* reopened = std::get_if<RunReopened>(&event.fact)) {
      replayed.tokens.push_back(reopened->token);
    } else if (const auto* undo = std::get_if<UndoRequested>(&event.fact)) {
      replayed.tokens.push_back(undo->token);
    }
    checker.next_fact(event.at);
    replayed.last_at = event.at;
    bool expected = false;
    reading(entry, [&] { expected = replayed.machine->apply(event, checker); });
    if (!expected)
      throw Corruption(fmt::format("run {} diverges at entry {}: `{}` means nothing here; the journal is left as it is",
                                   run.id, entry.seq, shown(entry)));
    checker.end_of_fact();
    replayed.entries = entry.seq;
  }
  replayed.missing = std::move(checker.missing);
  replayed.evaluator->go_live();
  return replayed;
}

}  // namespace flowrun
