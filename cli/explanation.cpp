#include "cli/explanation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "cli/last_words.h"
#include "cli/memo_text.h"
#include "cli/questions.h"
#include "cli/render.h"
#include "cli/stop_reasons.h"
#include "engine/journal/typed_command.h"
#include "engine/model/entry_reading.h"
#include "engine/model/path.h"
#include "engine/run/load.h"
#include "engine/run/replay.h"
#include "engine/run/step_paths.h"

namespace flowrun::cli {
namespace {

constexpr std::size_t kMostCauses = 12;
constexpr std::size_t kLinesExplained = 5;
constexpr std::size_t kMostNamed = 3;  // steps that go on in a group
constexpr std::string_view kFallback = ".fallback";
constexpr std::string_view kUndo = ".undo";

/// `has failed`, `is running`.
std::string how_it_stands(State state) {
  const bool has = state == State::Succeeded || state == State::Failed;
  const bool was = state == State::Skipped || state == State::Cancelled;
  return fmt::format("{} {}", has ? "has" : was ? "was" : "is", to_string(state));
}

std::string name_of(const std::string& group) { return group.empty() ? "the run" : group; }

/// What is retried when |path| is to run again: that of which it is the end.
struct Owner {
  std::string path;  ///< empty: the run
  bool undo = false;
};
Owner owner_of(const std::string& path) {
  std::size_t first = path.size();
  Owner owner{path};
  for (const std::string_view tail : {kUndo, kFallback}) {
    const std::size_t at = path.find(tail), end = at + tail.size();
    if (at >= first || (end != path.size() && path[end] != '/' && path[end] != '[')) continue;
    first = at;
    owner = {path.substr(0, at), tail == kUndo};
  }
  for (const std::string_view handler : {"on_failure", "finally"}) {
    if (is_below(path, handler)) return {};
    const std::size_t at = path.find(fmt::format("/{}/", handler));
    if (at >= first) continue;
    first = at;
    owner = {path.substr(0, at)};
  }
  return owner;
}

}  // namespace

void Explanation::note(const Entry& entry) {
  if (entry.kind == EntryKind::StopTask) stops_[entry.path] = as<StopTask>(entry).reason;
  if (entry.kind == EntryKind::TaskEnded && as<TaskEnded>(entry).result.taken) taken_.insert(entry.path);
  std::optional<CancelRequested> asked;
  if (entry.kind == EntryKind::CancelRequested) asked = as<CancelRequested>(entry);
  if (entry.kind == EntryKind::RunResumed) asked = as<RunResumed>(entry).cancel;  // of a run that nobody drove
  if (asked) {
    cancelled_by_ = asked->by.empty() ? "somebody" : asked->by;
    undo_asked_ = asked->undo;
  }
  if (entry.kind == EntryKind::UndoRequested) undone_by_ = as<UndoRequested>(entry).by;
  if (entry.kind == EntryKind::RunReopened) cancelled_by_.clear();
}

Explained Explanation::of(const std::string& path) {
  const StepHistory* step = find(path);
  tell(path);
  return {step && step->undone ? "undone" : std::string(to_string(stands(path))), !waits_for(path).empty(),
          run_.place_of(path), text_, changes_};
}

std::string Explanation::around(const std::string& path, const std::function<bool(const std::string&)>& wanted) const {
  std::string group = path_above(path);
  while (!group.empty() && !wanted(group)) group = path_above(group);
  return group;
}

void Explanation::because(const std::string& path) {
  if (told_.count(path) > 0 || told_.size() >= kMostCauses) return;
  indent_ += "  ";
  tell(path);
  indent_.resize(indent_.size() - 2);
}

void Explanation::because_ended(const std::string& path) {
  const StepHistory* step = find(path);
  say(fmt::format("{} {}{}", path, to_string(stands(path)), step ? " at " + clock_text(step->ended_at) : ""));
  because(path);
}

void Explanation::tell(const std::string& path) {
  told_.insert(path);
  const StepHistory* step = find(path);
  const State state = stands(path);
  if (step && step->undone) return undone(path);
  if (has_ended() && step && !is_terminal(state) && state != State::Pending) {
    say("the run ended before it had");
    return change_by_retry(path);
  }
  switch (state) {
    case State::Pending:
      return not_begun(path);
    case State::Running:
      running(path);
      break;
    case State::Waiting:
      say(fmt::format("it waits for the signal `{}`{}", step->signal,
                      step->due ? ", at most until " + clock_text(*step->due) : ""));
      try {
        change(answer_command(journal_.path(), run_.record.id, path, step->signal,
                              answer_data(own_copy(journal_, run_.record))));
      } catch (const Error&) {
        change(answer_command(journal_.path(), run_.record.id, path, step->signal, {}));
      }
      nobody_drives();
      break;
    case State::Sleeping:
    case State::Retrying:
      waiting_for_time(path, *step);
      break;
    case State::Skipped:
      if (const OutlineRow* row = run_.row_of(path); step->reason == "if" && row && !row->condition.empty()) {
        say("its `if` was false: " + row->condition);
      } else {
        say("because of " + (step->reason.empty() ? "its group" : step->reason));
      }
      break;
    case State::Blocked:
      blocked(path, *step);
      break;
    case State::Cancelled:
      cancelled(path);
      break;
    case State::Failed:
      failed(path);
      break;
    case State::Succeeded:
      succeeded(path);
      break;
  }
  if (step && step->memo) text_ += memo_explained(*step->memo, step->ended_at, indent_);
  if (step && step->rerun) say("its try before was cut off, and nobody knows how far it had got: so it ran again");
  if (step && step->queued > Duration{100}) say(fmt::format("it waited {} in line", to_display(step->queued)));
}

void Explanation::not_begun(const std::string& path) {
  const StepHistory* step = find(path);
  if (step && !step->reason.empty()) say(step->reason);
  const OutlineRow* row = run_.row_of(path);
  const std::string above = path_above(path);
  if (row && path.ends_with(kFallback)) {
    const std::string owner = owner_of(path).path;
    say(fmt::format("it stands in for {} when that fails, which {}", owner, how_it_stands(stands(owner))));
    return because(owner);
  }
  if (row && path.ends_with(kUndo))
    return say(fmt::format("nothing has asked for {} to be undone", owner_of(path).path));
  if (row && row->role == "on_failure") return say(fmt::format("{} has not failed", name_of(path_above(above))));
  bool waits = false;
  // The row of an item is that of its group, which has begun or says why not.
  if (row && !path.ends_with(']')) {
    for (const OutlineRow& other : run_.rows)
      if (row->parent && other.parent == row->parent && run_.rows[*row->parent].kind == "switch" &&
          other.role != row->role && states_.has_begun(path_beside(path, other)))
        return say(fmt::format("{} has taken another way: {}", above, other.role));
    for (const OutlineEdge& edge : row->edges) {
      const std::string other = path_beside(path, run_.rows[edge.from]);
      const State stood = stands(other);
      if (is_terminal(stood)) continue;
      waits = true;
      say(fmt::format("it waits for {}{}, because of {} in line {}", other,
                      stood == State::Pending ? "" : fmt::format(" ({})", to_string(stood)), edge.because, edge.line));
      because(other);
    }
  }
  if (waits) return;
  if (const State group = above.empty() ? State::Running : stands(above); group != State::Running) {
    say(fmt::format("it stands in {}, which {}", above, how_it_stands(group)));
    return because(above);
  }
  if (has_ended()) {
    say("the run ended before its turn came");
    return change_by_retry(path);
  }
  if (is_driven()) say("nothing it waits for is left: it is in line for a slot, or about to begin");
  nobody_drives();
}

void Explanation::running(const std::string& path) {
  if (const std::string what = waits_for(path); !what.empty()) {
    say((is_driven() ? "it stands in line for " : "it had not begun, and stood in line for ") + what);
    return nobody_drives();
  }
  const StepHistory* step = find(path);
  const auto open = [](const StepHistory& one) { return !is_terminal(one.state); };
  std::string stand_in = path + std::string(kFallback);
  // The first of a chain may not be for the error.
  while (!states_.has_begun(stand_in) && run_.row_of(stand_in + std::string(kFallback))) stand_in += kFallback;
  if (states_.has_begun(stand_in) && !is_terminal(stands(stand_in))) {
    if (step && step->failure)
      say(fmt::format("it failed: {}: {}", step->failure->type, one_line(step->failure->message, 200)));
    say(fmt::format("{} stands in for it, and {}", stand_in, how_it_stands(stands(stand_in))));
    return because(stand_in);
  }
  Instant since = step ? step->started_at : Instant{};
  std::size_t over = 0, others = 0;
  std::string names;
  states_.each_within(path, [&](const StepHistory& one) {
    if (one.started_at != Instant{} && (since == Instant{} || one.started_at < since)) since = one.started_at;
    over += is_terminal(one.state);
    // A group that goes on is named by what goes on in it.
    if (is_terminal(one.state) || states_.first_within(one.path, open)) return;
    if (++others <= kMostNamed) names += (names.empty() ? "" : ", ") + one.path;
  });
  if (since != Instant{})
    say(fmt::format("{} {}", is_driven() ? "it runs since" : "it had begun at", clock_text(since)));
  if (over + others == 0) return nobody_drives();
  if (over > 0) say(fmt::format("of what is in it {} {} over", over, over == 1 ? "is" : "are"));
  if (others > 0)
    say(fmt::format("in it {} on: {}{}", others == 1 ? "goes" : "go", names,
                    others > kMostNamed ? fmt::format(" and {} more", others - kMostNamed) : ""));
  // Who waits for a person holds it up for longest.
  for (const State state : {State::Waiting, State::Retrying, State::Sleeping, State::Running, State::Pending})
    if (const StepHistory* one =
            states_.first_within(path, [&](const StepHistory& other) { return other.state == state; }))
      return because(one->path);
  nobody_drives();
}

void Explanation::waiting_for_time(const std::string& path, const StepHistory& step) {
  const std::string due = step.due ? clock_text(*step.due) : "then";
  if (stands(path) == State::Sleeping) {
    say("it sleeps until " + due);
  } else {
    say(fmt::format("try {} {}; the next is at {}", step.attempts,
                    step.failure ? "failed with " + step.failure->type : "brought not yet what it polls for", due));
  }
  nobody_drives();
}

void Explanation::nobody_drives() {
  if (is_driven() || has_ended()) return;
  if (!undriven_told_) say(fmt::format("nobody drives the run, which is {}", standing_of(run_.record)));
  undriven_told_ = true;
  change(command({"resume", run_.record.id}));
}

void Explanation::blocked(const std::string& path, const StepHistory& step) {
  bool told = false;
  if (const OutlineRow* row = run_.row_of(path)) {
    for (const OutlineEdge& edge : row->edges) {
      const OutlineRow& from = run_.rows[edge.from];
      const std::string other = path_beside(path, from);
      const State stood = stands(other);
      if (!edge.success || stood == State::Succeeded || stood == State::Skipped || !is_terminal(stood)) continue;
      if (stood == State::Failed && from.tolerated == "true") continue;
      told = true;
      say(fmt::format("it needs {}, which {}: {} in line {}", other, how_it_stands(stood), edge.because, edge.line));
      because(other);
    }
  }
  if (!told) say(step.reason);
  change_by_retry("");
  change("`continue_on_error: true` or `fallback` at what has failed, or `after` instead of `needs`");
}

std::string Explanation::reason_of(const std::string& path) const {
  if (const StepHistory* step = find(path); step && !step->reason.empty()) return step->reason;
  const auto stop = stops_.find(path);
  return stop == stops_.end() ? "" : stop->second;
}

void Explanation::cancelled(const std::string& path) {
  const std::string word = reason_of(path);
  const StopReason* reason = known_reason(word);
  if (word == "lost" || word == "fail_fast" || word == "drain") {
    // Who decided it: beside it, or beside a group around it, the first that succeeded, or failed.
    const State wanted = word == "lost" ? State::Succeeded : State::Failed;
    for (std::string at = path; !at.empty(); at = path_above(at)) {
      const std::string first = states_.first_beside(at, wanted);
      if (first.empty()) continue;
      say(fmt::format(fmt::runtime(reason->text), name_of(path_above(at))));
      if (*reason->change != '\0') change(reason->change);
      if (wanted == State::Failed) return because_ended(first);
      const StepHistory* won = find(first);
      return say(fmt::format("{} succeeded{}", first, won ? " at " + clock_text(won->ended_at) : ""));
    }
  }
  stopped_from_above(path, word);
}

void Explanation::stopped_from_above(const std::string& path, std::string_view word) {
  const StopReason* reason = known_reason(word);
  const std::string group = around(path, [&](const std::string& above) {
    const StepHistory* step = find(above);
    if (word == "timeout" || word == "deadline") return step && step->failure && step->failure->type == word;
    const State state = stands(above);
    return state == State::Cancelled || state == State::Failed;
  });
  if (reason && (!group.empty() || word != "cancelled")) {
    say(fmt::format(fmt::runtime(reason->text), name_of(group)));
    if (*reason->change != '\0') change(reason->change);
  } else if (!reason && !word.empty()) {
    say(std::string(word));
  }
  if (!group.empty()) {
    say(fmt::format("it stands in {}, which {}", group, how_it_stands(stands(group))));
    return because(group);
  }
  if (!cancelled_by_.empty()) {
    say(fmt::format("the run was cancelled by {}", cancelled_by_));
  } else if (run_.failure) {
    say(fmt::format("the run: {}: {}", run_.failure->type, one_line(run_.failure->message, 200)));
  } else if (!reason && word.empty()) {
    say("what it stands in was cancelled");
  }
}

void Explanation::failed(const std::string& path) {
  const StepHistory* step = find(path);
  if (step && step->failure) {
    say(fmt::format("{}: {}", step->failure->type, one_line(step->failure->message, 200)));
    text_ += own_words(*step->failure, kLinesExplained, indent_);
  } else if (step) {
    stopped_from_above(path, reason_of(path));
  }
  // What a timeout of the group stopped has no failure of its own.
  const auto to_blame = [&](const StepHistory& one) {
    const OutlineRow* row = run_.row_of(one.path);
    return one.state == State::Failed && one.failure && !(row && row->tolerated == "true");
  };
  const std::string named = step && step->failure ? step->failure->step : "";
  if (!named.empty() && named != path && find(named)) {
    because_ended(named);
  } else if (const StepHistory* first = states_.first_within(path, to_blame); first && told_.count(first->path) == 0) {
    because_ended(first->path);
  }
  std::string before;
  for (const PastAttempt& attempt : run_.attempts)
    if (step && attempt.path == path && attempt.number < step->attempts && !attempt.ok)
      before += fmt::format("{}{}: {}", before.empty() ? "" : ", ", attempt.number, attempt.error);
  if (!before.empty()) say("tries before: " + before);
  change_by_retry(path);
}

void Explanation::succeeded(const std::string& path) {
  const StepHistory* step = find(path);
  if (step && step->reason == "fallback") {
    say("it failed, and its `fallback` stands in for it");
  } else if (step && step->reason.starts_with("won by ")) {
    say("it was " + step->reason);
  } else if (step && step->attempts > 1 && step->kind != "workflow") {
    say(fmt::format("at try {}", step->attempts));
  } else if (step && step->memo && !step->memo->run.empty()) {
    // Said behind this, as what was not taken is.
  } else if (taken_.count(path) > 0) {
    say("its result was taken over from the run that this one is a fork of");
  } else {
    say(fmt::format("it ran, and nothing went wrong{}",
                    step && step->attempts == 1 ? ": one try of " + to_display(step->took) : ""));
  }
  if (const std::string undo = path + std::string(kUndo); find(undo) && stands(undo) == State::Failed) {
    say("it was to be undone, which failed");
    because(undo);
  }
}

void Explanation::undone(const std::string& path) {
  const StepHistory* undo = find(path + std::string(kUndo));
  say(fmt::format("it had been done, and was undone{}", undo ? " at " + clock_text(undo->ended_at) : ""));
  const std::string scope = around(path, [&](const std::string& above) {
    const OutlineRow* row = run_.row_of(above);
    return row && row->atomic && stands(above) != State::Succeeded;
  });
  if (!scope.empty()) {
    say(fmt::format("it stands in {}, which is `atomic` and {}", scope, how_it_stands(stands(scope))));
    because(scope);
  } else if (!undone_by_.empty()) {
    say("`flowrun undo` was asked for by " + undone_by_);
  } else if (undo_asked_) {
    say(fmt::format("the run was cancelled by {}, and undone first", cancelled_by_));
  }
}

void Explanation::change(const std::string& what) {
  if (std::find(changes_.begin(), changes_.end(), what) == changes_.end()) changes_.push_back(what);
}

std::string Explanation::command(const std::vector<std::string>& words) const {
  return typed_command(words, journal_.path());
}

void Explanation::change_by_retry(const std::string& path) {
  if (!has_ended()) return;
  const std::string& id = run_.record.id;
  const Owner owner = owner_of(path);
  if (owner.undo) return change(command({"undo", id}));
  if (!owner.path.empty()) return change(command({"retry", id, owner.path}));
  change(run_.record.state == RunState::Succeeded ? command({"retry", id, "--failed"}) : command({"retry", id}));
}

}  // namespace flowrun::cli
