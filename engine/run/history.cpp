#include "engine/run/history.h"

#include <utility>

#include "engine/model/entry_reading.h"
#include "engine/model/json_text.h"
#include "engine/model/secret_text.h"

namespace flowrun {
namespace {

std::string cut(std::string text, std::size_t width) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  return shortened(text, width);
}

/// The part of a raw result that is the output when the step says nothing else; what else it says has an entry.
Value default_output(const Value& raw, const std::string& kind) {
  const char* part = kind == "http" ? "body" : "value";
  return raw.json().is_object() && raw.json().contains(part) ? Value(raw.json().at(part)) : raw;
}

}  // namespace

std::string_view kind_of_input(const Json& input) {
  if (input.contains("url")) return "http";
  if (!input.contains("argv")) return "";
  const Json& argv = input["argv"];
  return argv.size() > 2 && argv[argv.size() - 2] == "-c" ? "shell" : "exec";
}

std::string preview_of_input(const Json& input, std::size_t width) {
  if (!input.is_object()) return "";
  if (input.contains("url")) return cut(input.value("method", "GET") + " " + shown_secret_text(input["url"]), width);
  if (!input.contains("argv") || !input["argv"].is_array()) return "";
  const Json& argv = input["argv"];
  const auto joined = [](const Json& words) {
    std::string text;
    for (const Json& word : words) text += (text.empty() ? "" : " ") + word.get<std::string>();
    return text;
  };
  const std::string where = input.contains("via") && input["via"].is_array() ? "  via " + joined(input["via"]) : "";
  // Of a shell step the script is what it does; the interpreter in front of it is the same everywhere.
  const bool script = argv.size() > 2 && argv[argv.size() - 2] == "-c";
  const std::string command = script ? argv.back().get<std::string>() : joined(argv);
  return cut(cut(command, width > where.size() + 8 ? width - where.size() : width) + where, width);
}

void History::add(const Entry& entry) {
  seq_ = entry.seq;
  reading(entry, [&] { take(entry); });
  last_at_ = entry.at;
}

void History::take(const Entry& entry) {
  switch (entry.kind) {
    case EntryKind::RunStarted:
      go(as<RunStarted>(entry).on, as<RunStarted>(entry).token);
      run_state_ = RunState::Running;
      break;
    case EntryKind::RunResumed:
      resumed(as<RunResumed>(entry));
      break;
    case EntryKind::RunReopened:
      go(as<RunReopened>(entry).on, as<RunReopened>(entry).token);
      reopened(entry.at, false);
      break;
    case EntryKind::UndoRequested:
      token_ = as<UndoRequested>(entry).token;
      reopened(entry.at, true);
      break;
    case EntryKind::RunFrozen:
      idle_ += as<RunFrozen>(entry).span;
      break;
    case EntryKind::RunSuspended:
      run_state_ = RunState::Suspended;
      break;
    case EntryKind::RunEnded:
      run_state_ = run_state_from(as<RunEnded>(entry).outcome.state);
      being_undone_ = false;
      break;
    case EntryKind::StartTask:
      started(entry, as<StartTask>(entry).task);
      break;
    case EntryKind::TaskEnded:
      ended(entry, as<TaskEnded>(entry).result);
      break;
    case EntryKind::LateEnd:
      late(entry, as<TaskEnded>(entry).result);
      break;
    case EntryKind::TaskInterrupted:
      interrupted(entry.path);
      break;
    case EntryKind::TaskWithdrawn:
      withdrawn(entry.path);
      break;
    case EntryKind::StopTask:
      step(entry.path).state = as<StopTask>(entry).reason == "suspend" ? State::Pending : State::Cancelled;
      break;
    case EntryKind::StepSettled:
      settled(entry, as<StepSettled>(entry));
      break;
    case EntryKind::ArmTimer:
      armed(entry, as<ArmTimer>(entry));
      break;
    case EntryKind::TimerFired:
      fired(entry, as<TimerFired>(entry).timer);
      break;
    case EntryKind::SignalAwaited:
      waiting(entry, as<SignalAwaited>(entry));
      break;
    case EntryKind::ChildStarted:
      child(entry, as<ChildStarted>(entry).file);
      break;
    // Of these a step looks as before.
    case EntryKind::TaskReserved:
    case EntryKind::SuspendRequested:
    case EntryKind::SignalReceived:
    case EntryKind::CancelRequested:
    case EntryKind::ReservePlace:
    case EntryKind::WithdrawWaiting:
    case EntryKind::ItemsChosen:
    case EntryKind::ItemsArrived:
    case EntryKind::SecretRead:
    case EntryKind::Evaluated:
      break;
  }
}

const StepHistory* History::find(const std::string& path) const {
  auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : &steps_[found->second];
}

std::map<std::string, std::size_t> History::counts() const {
  std::map<std::string, std::size_t> counts;
  for (const StepHistory& one : steps_) ++counts[std::string(to_string(one.state))];
  return counts;
}

StepHistory& History::step(const std::string& path) {
  auto [place, fresh] = by_path_.emplace(path, steps_.size());
  if (fresh) {
    steps_.emplace_back();
    steps_.back().path = path;
    steps_.back().first = seq_;
    timings_.emplace_back();
  }
  return steps_[place->second];
}

void History::go(const std::string& on, const std::string& token) {
  token_ = token;
  if (!on.empty()) on_ = on == "here" ? "" : on;
}

void History::resumed(const RunResumed& fact) {
  go(fact.on, fact.token);
  idle_ += fact.down;
  // What waited in line at the crash had not begun.
  for (const std::string& path : fact.queued) withdrawn(path);
  run_state_ = RunState::Running;
}

void History::reopened(Instant at, bool to_undo) {
  being_undone_ = to_undo;
  idle_ += at - last_at_;
  ++session_;
  first_.clear();
  run_state_ = RunState::Running;
}

void History::interrupted(const std::string& path) {
  StepHistory& one = step(path);
  if (!is_terminal(one.state)) {
    one.state = State::Pending;
    one.reason = "interrupted; runs again at resume";
  }
  timing_of(one).counts_from.reset();
}

void History::begin(StepHistory& step, Instant at) {
  Timing& timing = timing_of(step);
  if (step.started_at == Instant{} || timing.session != session_) {
    timing = Timing{};
    timing.session = session_;
    timing.begun = worked(at);
    step.started_at = at;
    step.took = step.queued = Duration{0};
  }
  note_begin(step.path, at);
}

void History::note_begin(const std::string& path, Instant at) {
  // From the inside out: where something has begun before, so it has further out.
  bool in_key = false;
  for (std::size_t end = path.size(); end-- > 1;) {
    const char c = path[end];
    in_key = c == ']' || (in_key && c != '[');
    if (c != '/' && c != '[' && (c != '.' || in_key)) continue;
    if (!first_.emplace(path.substr(0, end), Begun{at, worked(at)}).second) return;
  }
}

void History::note_time(const Entry& entry, const Result& result) {
  StepHistory& one = step(entry.path);
  Timing& timing = timing_of(one);
  const Instant began = result.began != Instant{} ? result.began : entry.at - result.took;
  timing.counts_from.reset();
  one.took += result.took;
  one.ended_at = began + result.took;
  if (timing.asked != Instant{} && began > timing.asked && !result.is_taken()) one.queued += began - timing.asked;
  if (!std::exchange(timing.measured, true)) one.started_at = began;
}

void History::late(const Entry& entry, const Result& result) {
  StepHistory& one = step(entry.path);
  if (!is_terminal(one.state)) return;
  // It was counted up to the moment in which it was given up, its time in line included.
  one.took -= std::exchange(timing_of(one).guessed, Duration{0});
  if (result.began != Instant{} || result.took.count() > 0) note_time(entry, result);
}

void History::started(const Entry& entry, const Task& task) {
  const std::string_view text = input_of(entry);
  const Json input = text.empty() ? Json::object() : Json::parse(text);
  StepHistory& one = step(entry.path);
  one.state = State::Running;
  one.attempts = entry.attempt;
  one.page = task.page;
  one.rerun = task.rerun > 0;
  one.raw = task.keep_raw;
  one.reason.clear();
  begin(one, entry.at);
  timing_of(one).counts_from = worked(entry.at);
  timing_of(one).asked = entry.at;
  if (const std::string_view kind = kind_of_input(input); !kind.empty()) one.kind = kind;
  if (one.what.empty()) one.what = preview_of_input(input, 200);
  one.due.reset();
  one.undone = false;
}

void History::withdrawn(const std::string& path) {
  StepHistory& one = step(path);
  // It may have been given up before that was told.
  if (!is_terminal(one.state)) one.state = State::Pending;
  if (!one.rerun) --one.attempts;
  if (one.attempts == 0) one.started_at = {};
  timing_of(one).counts_from.reset();
}

void History::tell_undone(const std::string& path, bool good) {
  constexpr std::string_view kUndo = ".undo";
  if (!path.ends_with(kUndo)) return;
  if (auto step = by_path_.find(path.substr(0, path.size() - kUndo.size())); step != by_path_.end())
    steps_[step->second].undone = good;
}

void History::ended(const Entry& entry, Result result) {
  StepHistory& one = step(entry.path);
  note_time(entry, result);
  one.code = result.code;
  one.failure = std::move(result.failure);
  one.memo = std::move(result.memo);
  if (one.failure) {
    one.failure->step = entry.path;
    one.failure->attempt = entry.attempt;
  }
  // What it polls for has not come: the next entry says whether it is asked for again.
  one.state = one.failure ? State::Failed : result.again ? State::Running : State::Succeeded;
  if (!one.failure) one.output = one.raw ? default_output(entry.value, one.kind) : entry.value;
  if (result.page > 0) {
    if (result.page == 1) one.pages.clear();
    one.pages.push_back(entry.value);
    const bool last = result.next.empty();
    if (!last) one.state = State::Running;
    one.output = last ? joined(std::exchange(one.pages, {})) : Value();
  }
  if (one.state != State::Running) tell_undone(entry.path, !one.failure);
}

void History::settled(const Entry& entry, StepSettled decision) {
  StepHistory& one = step(entry.path);
  if (!decision.kind.empty() && decision.kind != "item") one.kind = std::move(decision.kind);
  one.state = decision.outcome.state;
  one.reason = std::move(decision.reason);
  settle_time(one, entry.at);
  one.due.reset();
  if (decision.outcome.failure || one.state == State::Succeeded) one.failure = std::move(decision.outcome.failure);
  if (!entry.value.is_null()) one.output = entry.value;
  tell_undone(entry.path, one.state == State::Succeeded);
}

void History::armed(const Entry& entry, const ArmTimer& decision) {
  switch (decision.timer) {
    case TimerKind::Timeout:
    case TimerKind::Deadline:
    case TimerKind::Limit:
      return;  // the step goes on as it did
    case TimerKind::Retry:
    case TimerKind::Poll:
      step(entry.path).state = State::Retrying;
      timing_of(step(entry.path)).counts_from = worked(entry.at);
      break;
    case TimerKind::Wait:
      step(entry.path).state = State::Waiting;
      break;
    case TimerKind::Delay:
      step(entry.path).state = State::Sleeping;
      break;
    case TimerKind::Sleep:
      step(entry.path).state = State::Sleeping;
      step(entry.path).kind = "sleep";
      step(entry.path).reason.clear();
      begin(step(entry.path), entry.at);
      break;
  }
  step(entry.path).due = decision.due;
}

void History::fired(const Entry& entry, TimerKind timer) {
  if (timer == TimerKind::Limit || entry.path.empty()) return;  // of no step
  StepHistory& one = step(entry.path);
  Timing& timing = timing_of(one);
  one.due.reset();
  if (timer == TimerKind::Sleep) {
    one.state = State::Succeeded;
    one.ended_at = entry.at;
    one.took = worked(entry.at) - timing.begun;
  } else if ((timer == TimerKind::Retry || timer == TimerKind::Poll) && timing.counts_from) {
    one.took += worked(entry.at) - *timing.counts_from;
    timing.counts_from.reset();
  }
}

void History::waiting(const Entry& entry, SignalAwaited decision) {
  StepHistory& one = step(entry.path);
  one.kind = "wait";
  one.state = State::Waiting;
  one.signal = std::move(decision.name);
  one.what = std::move(decision.prompt);
  one.reason.clear();
  begin(one, entry.at);
}

void History::child(const Entry& entry, std::string file) {
  StepHistory& one = step(entry.path);
  one.kind = "workflow";
  one.state = State::Running;
  one.attempts = entry.attempt;
  one.what = std::move(file);
  one.due.reset();
  one.reason.clear();
  begin(one, entry.at);
}

void History::settle_time(StepHistory& one, Instant at) {
  Timing& timing = timing_of(one);
  const bool tried = one.attempts > 0 && one.kind != "workflow";
  if (tried && !timing.counts_from && timing.session == session_) {
    // Its last attempt said when it was over; a fallback came after that.
    // Of a chain of them the first that was for the error.
    std::string at_fallback = one.path + ".fallback";
    const StepHistory* fallback = find(at_fallback);
    for (int more = 0; !fallback && more < 32; ++more) fallback = find(at_fallback += ".fallback");
    if (fallback && one.reason == "fallback") {
      one.took += fallback->took;
      one.ended_at = at;
    }
    return;
  }
  if (tried && timing.counts_from) {
    timing.guessed = worked(at) - *timing.counts_from;
    timing.counts_from.reset();
    one.took += timing.guessed;
  } else if (auto first = first_.find(one.path);
             first != first_.end() && (one.started_at == Instant{} || timing.session != session_)) {
    one.started_at = first->second.at;
    timing.session = session_;
    one.took = worked(at) - first->second.worked;
  } else {
    begin(one, at);
    one.took = worked(at) - timing_of(one).begun;
  }
  one.ended_at = at;
}

std::optional<Said> said_by(const Entry& entry) {
  if (entry.kind != EntryKind::StepSettled || !entry.value.json().is_string()) return std::nullopt;
  StepSettled settled = as<StepSettled>(entry);
  if (settled.kind != "log" || settled.outcome.state != State::Succeeded) return std::nullopt;
  return Said{std::move(settled.reason), entry.value.json().get<std::string>()};
}

std::string one_line(std::string_view text, std::size_t width) {
  std::string line(text.substr(0, width + 4));
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return shortened(line, width);
}

}  // namespace flowrun
