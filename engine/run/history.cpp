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

std::string preview_of_input(const Json& input, std::size_t width) {
  if (!input.is_object()) return "";
  if (input.contains("url")) return cut(input.value("method", "GET") + " " + shown_holed_text(input["url"]), width);
  if (!input.contains("argv") || !input["argv"].is_array()) return "";
  const Json& argv = input["argv"];
  // Of a shell step the script is what it does; the interpreter in front of it is the same everywhere.
  if (argv.size() > 2 && argv[argv.size() - 2] == "-c") return cut(argv.back().get<std::string>(), width);
  std::string command;
  for (const Json& argument : argv) command += (command.empty() ? "" : " ") + argument.get<std::string>();
  return cut(command, width);
}

void History::add(const Entry& entry) {
  reading(entry, [&] { take(entry); });
}

void History::take(const Entry& entry) {
  note_idle(entry);
  last_at_ = entry.at;
  if (entry.kind == EntryKind::StartTask) started(entry);
  if (entry.kind == EntryKind::TaskEnded) ended(entry);
  if (entry.kind == EntryKind::StepSettled) settled(entry);
  if (entry.kind == EntryKind::ArmTimer) timer(entry);
  if (entry.kind == EntryKind::SignalAwaited) waiting(entry);
  if (entry.kind == EntryKind::ChildStarted) child(entry);
  if (entry.kind == EntryKind::TaskWithdrawn) withdrawn(entry.path);
  // What waited in line at the crash had not begun.
  if (entry.kind == EntryKind::RunResumed) {
    const Json data = data_of(entry);
    if (data.contains("queued"))
      for (const Json& path : data["queued"]) withdrawn(path.get<std::string>());
  }
  if (entry.kind == EntryKind::TaskInterrupted) {
    StepHistory& one = step(entry.path);
    if (!is_terminal(one.state)) {
      one.state = State::Pending;
      one.reason = "interrupted; runs again at resume";
    }
    timing_of(one).counts_from.reset();
  }
  if (entry.kind == EntryKind::LateEnd) late(entry);
  if (entry.kind == EntryKind::StopTask) {
    bool again = data_of(entry).value("reason", "") == "suspend";
    step(entry.path).state = again ? State::Pending : State::Cancelled;
  }
  if (entry.kind == EntryKind::TimerFired) {
    std::string timer = data_of(entry).value("timer", "");
    if (timer == "limit" || entry.path.empty()) return;  // of no step
    StepHistory& one = step(entry.path);
    Timing& timing = timing_of(one);
    one.due.reset();
    if (timer == "sleep") {
      one.state = State::Succeeded;
      one.ended_at = entry.at;
      one.took = worked(entry.at) - timing.begun;
    } else if ((timer == "retry" || timer == "poll") && timing.counts_from) {
      one.took += worked(entry.at) - *timing.counts_from;
      timing.counts_from.reset();
    }
  }
  if (entry.kind == EntryKind::RunStarted || entry.kind == EntryKind::RunResumed ||
      entry.kind == EntryKind::RunReopened || entry.kind == EntryKind::UndoRequested)
    run_state_ = "running";
  if (entry.kind == EntryKind::RunSuspended) run_state_ = "suspended";
  if (entry.kind == EntryKind::RunEnded) run_state_ = data_of(entry).value("state", "failed");
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
    timings_.emplace_back();
  }
  return steps_[place->second];
}

void History::note_idle(const Entry& entry) {
  if (entry.kind == EntryKind::RunResumed) idle_ += Duration(data_of(entry).value("down_ms", std::int64_t{0}));
  if (entry.kind == EntryKind::RunFrozen) idle_ += Duration(data_of(entry).value("span_ms", std::int64_t{0}));
  if (entry.kind == EntryKind::RunReopened || entry.kind == EntryKind::UndoRequested) {
    idle_ += entry.at - last_at_;
    ++session_;
    first_.clear();
  }
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
  for (std::size_t end = path.find_last_of("/[."); end != std::string::npos && end > 0;
       end = path.find_last_of("/[.", end - 1))
    if (!first_.emplace(path.substr(0, end), Begun{at, worked(at)}).second) return;
}

void History::note_time(const Entry& entry, const Json& data) {
  StepHistory& one = step(entry.path);
  Timing& timing = timing_of(one);
  const Duration took(data.value("took_ms", std::int64_t{0}));
  const Instant began = entry.at - Duration(data.value("began_ms", took.count()));
  timing.counts_from.reset();
  one.took += took;
  one.ended_at = began + took;
  if (timing.asked != Instant{} && began > timing.asked) one.queued += began - timing.asked;
  if (!std::exchange(timing.measured, true)) one.started_at = began;
}

void History::late(const Entry& entry) {
  StepHistory& one = step(entry.path);
  if (!is_terminal(one.state)) return;
  // It was counted up to the moment in which it was given up, its time in line included.
  one.took -= std::exchange(timing_of(one).guessed, Duration{0});
  if (Json data = data_of(entry); data.contains("began_ms") || data.value("took_ms", 0) > 0) note_time(entry, data);
}

void History::started(const Entry& entry) {
  Json data = data_of(entry);
  const Json input = data.value("input", Json::object());
  StepHistory& one = step(entry.path);
  one.state = State::Running;
  one.attempts = entry.attempt;
  one.page = data.value("page", 0);
  one.rerun = data.contains("rerun");
  one.raw = data.value("keep_raw", false);
  begin(one, entry.at);
  timing_of(one).counts_from = worked(entry.at);
  timing_of(one).asked = entry.at;
  if (input.contains("url")) one.kind = "http";
  if (input.contains("argv"))
    one.kind = input["argv"].size() > 2 && input["argv"][input["argv"].size() - 2] == "-c" ? "shell" : "exec";
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

void History::ended(const Entry& entry) {
  Json data = data_of(entry);
  StepHistory& one = step(entry.path);
  note_time(entry, data);
  one.code = data.value("code", 0);
  one.failure.reset();
  if (data.contains("failure")) {
    one.failure = failure_from(data["failure"]);
    one.failure->step = entry.path;
    one.failure->attempt = entry.attempt;
  }
  one.state = one.failure ? State::Failed : State::Succeeded;
  if (!one.failure) one.output = one.raw ? default_output(entry.value, one.kind) : entry.value;
  if (int page = data.value("page", 0); page > 0) {
    if (page == 1) one.pages.clear();
    one.pages.push_back(entry.value);
    bool last = !data.contains("next");
    if (!last) one.state = State::Running;
    one.output = last ? joined(std::exchange(one.pages, {})) : Value();
  }
  if (one.state != State::Running) tell_undone(entry.path, !one.failure);
}

void History::settled(const Entry& entry) {
  Json data = data_of(entry);
  StepHistory& one = step(entry.path);
  if (std::string kind = data.value("kind", ""); !kind.empty() && kind != "item") one.kind = kind;
  one.state = state_from(data.value("state", "failed"));
  one.reason = data.value("reason", "");
  settle_time(one, entry.at);
  one.due.reset();
  if (data.contains("failure")) {
    one.failure = failure_from(data["failure"]);
  } else if (one.state == State::Succeeded) {
    one.failure.reset();
  }
  if (!entry.value.is_null()) one.output = entry.value;
  tell_undone(entry.path, one.state == State::Succeeded);
}

void History::timer(const Entry& entry) {
  Json data = data_of(entry);
  std::string kind = data.value("timer", "");
  if (kind == "timeout" || kind == "deadline" || kind == "limit") return;
  StepHistory& one = step(entry.path);
  one.due = from_millis(data.value("due", std::int64_t{0}));
  one.state = kind == "retry" || kind == "poll" ? State::Retrying : kind == "wait" ? State::Waiting : State::Sleeping;
  if (kind == "sleep") {
    one.kind = "sleep";
    begin(one, entry.at);
  } else if (kind == "retry" || kind == "poll") {
    timing_of(one).counts_from = worked(entry.at);
  }
}

void History::waiting(const Entry& entry) {
  Json data = data_of(entry);
  StepHistory& one = step(entry.path);
  one.kind = "wait";
  one.state = State::Waiting;
  one.signal = data.value("name", "");
  one.what = data.value("prompt", "");
  begin(one, entry.at);
}

void History::child(const Entry& entry) {
  StepHistory& one = step(entry.path);
  one.kind = "workflow";
  one.state = State::Running;
  one.attempts = entry.attempt;
  one.what = data_of(entry).value("file", "");
  one.due.reset();
  begin(one, entry.at);
}

void History::settle_time(StepHistory& one, Instant at) {
  Timing& timing = timing_of(one);
  const bool tried = one.attempts > 0 && one.kind != "workflow";
  if (tried && !timing.counts_from && timing.session == session_) {
    // Its last attempt said when it was over; a fallback came after that.
    if (const StepHistory* fallback = find(one.path + ".fallback"); fallback && one.reason == "fallback") {
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

std::string one_line(std::string_view text, std::size_t width) {
  std::string line(text.substr(0, width + 4));
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return shortened(line, width);
}

}  // namespace flowrun
