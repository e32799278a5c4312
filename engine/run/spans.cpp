#include "engine/run/spans.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "engine/model/entry_reading.h"
#include "engine/model/error.h"
#include "engine/model/json_text.h"
#include "engine/model/path.h"
#include "engine/run/history.h"
#include "engine/run/redaction.h"

namespace flowrun {
namespace {

using Attributes = std::vector<std::pair<std::string, Span::Attribute>>;

/// Methods that the conventions know; others are told beside them.
constexpr std::array<std::string_view, 10> kMethods = {"GET",     "HEAD",  "POST",  "PUT",   "DELETE",
                                                       "CONNECT", "PATCH", "TRACE", "QUERY", "OPTIONS"};

/// The path in which a step stands: of its fallback the step, of its undo where that stands.
std::string outer_path(const std::string& path) {
  constexpr std::string_view kUndo = ".undo";
  const std::string_view step =
      path.ends_with(kUndo) ? std::string_view(path).substr(0, path.size() - kUndo.size()) : std::string_view(path);
  // A key has none of these in it but the dot.
  const std::size_t end = step.ends_with(']') ? step.rfind('[') : step.find_last_of("/.");
  if (end == std::string_view::npos) return "";
  return std::string(step.substr(0, end));
}

/// What results are called in the conventions of CI/CD.
std::string_view result_word(State state, const std::optional<Failure>& failure) {
  switch (state) {
    case State::Succeeded:
      return "success";
    case State::Failed:
      return failure && failure->type == "timeout" ? "timeout" : "failure";
    case State::Cancelled:
      return "cancellation";
    default:
      return "skip";
  }
}

/// The type of a failure; of an HTTP status the number, as the conventions have it.
std::string error_type(const Failure& failure) {
  constexpr std::string_view kHttp = "http.";
  return failure.type.starts_with(kHttp) ? failure.type.substr(kHttp.size()) : failure.type;
}

void note_failure(Span& span, const std::optional<Failure>& failure) {
  span.failed = true;
  if (!failure) return;
  span.attributes.emplace_back("error.type", error_type(*failure));
  span.message = text_to_tell(failure->message);
}

void add_server(Attributes& attributes, const std::string& url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return;
  std::string_view host = std::string_view(url).substr(scheme + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const std::size_t at = host.rfind('@'); at != std::string_view::npos) host.remove_prefix(at + 1);
  std::int64_t port = url.starts_with("https:") ? 443 : 80;
  if (const std::size_t colon = host.rfind(':'); colon != std::string_view::npos && host.back() != ']') {
    const std::string_view digits = host.substr(colon + 1);
    std::from_chars(digits.data(), digits.data() + digits.size(), port);
    host = host.substr(0, colon);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  attributes.emplace_back("server.address", std::string(host));
  attributes.emplace_back("server.port", port);
}

void describe_request(Span& span, const Json& input) {
  const std::string method = input.value("method", "GET");
  const bool known = std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
  span.kind = Span::Kind::Client;
  span.name = known ? method : "HTTP";
  span.attributes.emplace_back("http.request.method", known ? method : "_OTHER");
  if (!known) span.attributes.emplace_back("http.request.method_original", method);
  const std::string url = url_to_tell(shown_secret_text(input["url"]));
  span.attributes.emplace_back("url.full", url);
  add_server(span.attributes, url);
}

void describe_process(Span& span, const Json& argv) {
  std::vector<std::string> arguments;
  for (const Json& argument : argv)
    arguments.push_back(argument.is_string() ? text_to_tell(argument.get<std::string>()) : "");
  if (arguments.empty()) return;
  span.name = arguments[0].substr(arguments[0].rfind('/') + 1);
  span.attributes.emplace_back("process.executable.name", span.name);
  span.attributes.emplace_back("process.command", arguments[0]);
  span.attributes.emplace_back("process.command_args", std::move(arguments));
}

}  // namespace

Spans::Spans(const std::vector<OutlineRow>& rows, Sink sink) : sink_(std::move(sink)) {
  for (const OutlineRow& row : rows) {
    if (row.role == "fallback") with_fallback_.insert(row.path.substr(0, row.path.rfind('.')));
    if (!row.parent || !row.role.empty()) continue;
    const OutlineRow& group = rows[*row.parent];
    if (group.many && row.path != group.path) ++in_item_[group.path];
  }
}

void Spans::add(const Entry& entry) {
  if (is_fact(entry.kind)) flush();
  reading(entry, [&] { take(entry); });
  last_at_ = entry.at;
}

void Spans::take(const Entry& entry) {
  if (!trace_ && entry.kind != EntryKind::RunStarted) throw Corruption("the run does not begin with its start");
  switch (entry.kind) {
    case EntryKind::RunStarted:
    case EntryKind::RunReopened:
    case EntryKind::UndoRequested:
      return run_begins(entry);
    case EntryKind::RunResumed:
      return resumed(entry);
    case EntryKind::RunEnded:
      return run_ends(entry);
    case EntryKind::RunSuspended:
      return flush();
    case EntryKind::StartTask:
      return started(entry);
    case EntryKind::TaskEnded:
    case EntryKind::LateEnd:
      return ended(entry);
    case EntryKind::TaskInterrupted:
      return end_attempt(entry, "interrupted");
    case EntryKind::TaskWithdrawn:
      attempts_.erase({entry.path, entry.attempt});
      return;
    case EntryKind::StepSettled:
      return settled(entry);
    case EntryKind::ChildStarted:
      open(entry.path, entry).kind = "workflow";
      return;
    case EntryKind::SignalAwaited:
      open(entry.path, entry).kind = "wait";
      return;
    case EntryKind::ItemsChosen:
    case EntryKind::ItemsArrived:
      open(entry.path, entry).kind = "for_each";
      return;
    case EntryKind::ArmTimer: {
      const TimerKind timer = as<ArmTimer>(entry).timer;
      if (timer == TimerKind::Sleep) open(entry.path, entry).kind = "sleep";
      if (const auto step = steps_.find(entry.path);
          step != steps_.end() && (timer == TimerKind::Retry || timer == TimerKind::Poll))
        step->second.ended.reset();
      return;
    }
    case EntryKind::TimerFired:
      if (as<TimerFired>(entry).timer != TimerKind::Sleep) return;
      open(entry.path, entry).state = State::Succeeded;
      return may_be_over(entry.path, entry.at);
    default:
      return;
  }
}

void Spans::tell(Span span) {
  span.to = std::max(span.from, span.to);
  if (!muted_ && trace_) sink_(*trace_, std::move(span));
}

void Spans::run_begins(const Entry& entry) {
  if (entry.kind == EntryKind::RunStarted) {
    run_ = as<RunStarted>(entry);
    run_.inputs = run_.vars = run_.sub_inputs = Value();
    trace_.emplace(run_);
  }
  root_ = Span{trace_->run_span(entry.seq), first_root_.empty() ? trace_->parent() : first_root_,
               run_.name.empty() ? "run" : run_.name};
  root_.kind = Span::Kind::Server;
  root_.from = entry.at;
  if (first_root_.empty()) first_root_ = root_.id;
  root_.attributes = {{"cicd.pipeline.name", run_.name}, {"cicd.pipeline.run.id", run_.id}};
  if (!run_.forked_of.empty()) root_.attributes.emplace_back("flowrun.forked_of", run_.forked_of);
  if (entry.kind == EntryKind::RunReopened) root_.attributes.emplace_back("flowrun.drive", "retry");
  if (entry.kind == EntryKind::UndoRequested) root_.attributes.emplace_back("flowrun.drive", "undo");
}

void Spans::run_ends(const Entry& entry) {
  flush();
  close_below("", entry.at);
  const Outcome outcome = as<RunEnded>(entry).outcome;
  root_.to = entry.at;
  root_.attributes.emplace_back("cicd.pipeline.result", std::string(result_word(outcome.state, outcome.failure)));
  if (outcome.state == State::Failed) note_failure(root_, outcome.failure);
  if (outcome.failure && !outcome.failure->step.empty())
    root_.attributes.emplace_back("flowrun.failed_step", outcome.failure->step);
  tell(std::exchange(root_, {}));
}

Spans::Step& Spans::open(const std::string& path, const Entry& entry) {
  if (path.empty()) throw Corruption("a step has no path");
  // From the inside out, up to what is open already; then back.
  std::vector<std::string> missing;
  std::string at = path;
  for (; !at.empty() && steps_.count(at) == 0; at = outer_path(at)) missing.push_back(at);
  std::string parent = at.empty() ? root_.id : steps_.at(at).id;
  for (auto one = missing.rbegin(); one != missing.rend(); ++one) {
    Step step{trace_->step_span(*one, entry.seq), parent};
    step.from = entry.at;
    parent = step.id;
    steps_.emplace(*one, std::move(step));
  }
  return steps_.at(path);
}

void Spans::close(Steps::iterator closed, Instant at) {
  const auto& [path, step] = *closed;
  Span span{step.id, step.parent, without_keys(path)};
  span.from = step.from;
  span.to = at;
  span.attributes = {{"cicd.pipeline.task.name", span.name},
                     {"cicd.pipeline.task.run.id", run_.id + "/" + path},
                     {"flowrun.step.path", path}};
  if (!step.kind.empty()) span.attributes.emplace_back("flowrun.step.kind", step.kind);
  if (!step.reason.empty()) span.attributes.emplace_back("flowrun.step.reason", step.reason);
  if (step.attempts > 0) span.attributes.emplace_back("flowrun.step.attempts", std::int64_t{step.attempts});
  if (step.taken) span.attributes.emplace_back("flowrun.step.reused", true);
  if (is_terminal(step.state)) {
    span.attributes.emplace_back("cicd.pipeline.task.run.result", std::string(result_word(step.state, step.failure)));
    span.attributes.emplace_back("flowrun.step.state", std::string(to_string(step.state)));
  }
  if (step.state == State::Failed) note_failure(span, step.failure);
  tell(std::move(span));
  const std::string outer = outer_path(path), name = path.substr(outer.size());
  steps_.erase(closed);
  // Of an item of several steps no entry says that it is over.
  const auto item = outer.ends_with(']') && name.starts_with('/') ? steps_.find(outer) : steps_.end();
  if (item == steps_.end()) return;
  item->second.over.insert(name);
  const auto count = in_item_.find(without_keys(outer));
  if (count != in_item_.end() && item->second.over.size() == count->second) may_be_over(outer, at);
}

void Spans::close_below(const std::string& path, Instant at) {
  std::vector<std::string> open;
  for (auto step = steps_.lower_bound(path); step != steps_.end() && step->first.starts_with(path); ++step)
    if (step->first != path && is_below(step->first, path)) open.push_back(step->first);
  for (auto one = open.rbegin(); one != open.rend(); ++one)
    if (const auto step = steps_.find(*one); step != steps_.end()) close(step, step->second.ended.value_or(at));
}

void Spans::may_be_over(const std::string& path, Instant at) {
  const auto step = steps_.find(path);
  if (step == steps_.end()) return;
  step->second.ended = at;
  perhaps_over_.push_back(path);
}

void Spans::flush() {
  // Closing the last step of an item puts the item behind.
  for (std::size_t i = 0; i < perhaps_over_.size(); ++i) {
    const auto step = steps_.find(perhaps_over_[i]);
    if (step == steps_.end() || !step->second.ended) continue;
    const Instant at = *step->second.ended;
    close_below(step->first, at);
    close(step, at);
  }
  perhaps_over_.clear();
}

void Spans::settled(const Entry& entry) {
  auto decision = as<StepSettled>(entry);
  open(entry.path, entry);
  close_below(entry.path, entry.at);
  const auto step = steps_.find(entry.path);
  if (!decision.kind.empty() && decision.kind != "item") step->second.kind = std::move(decision.kind);
  step->second.state = decision.outcome.state;
  step->second.reason = std::move(decision.reason);
  if (decision.outcome.failure || decision.outcome.ok()) step->second.failure = std::move(decision.outcome.failure);
  close(step, entry.at);
}

void Spans::started(const Entry& entry) {
  const auto task = as<StartTask>(entry).task;
  const std::string_view text = input_of(entry);
  const Json input = text.empty() ? Json::object() : Json::parse(text);
  Step& step = open(entry.path, entry);
  step.ended.reset();
  step.attempts = entry.attempt;
  Attempt attempt;
  Span& span = attempt.span;
  span.id = trace_->attempt_span(entry.path, entry.attempt, entry.seq);
  span.parent = step.id;
  span.from = entry.at;
  span.name = without_keys(entry.path);
  if (input.contains("url")) {
    describe_request(span, input);
    attempt.http = true;
    if (entry.attempt > 1) span.attributes.emplace_back("http.request.resend_count", std::int64_t{entry.attempt} - 1);
  } else if (input.contains("argv") && input["argv"].is_array()) {
    describe_process(span, input["argv"]);
  }
  if (step.kind.empty() || step.kind == "exec") step.kind = kind_of_input(input);
  span.attributes.emplace_back("flowrun.step.path", entry.path);
  span.attributes.emplace_back("flowrun.attempt", std::int64_t{entry.attempt});
  if (task.page > 0) span.attributes.emplace_back("flowrun.page", std::int64_t{task.page});
  if (task.rerun > 0) span.attributes.emplace_back("flowrun.rerun", std::int64_t{task.rerun});
  attempts_.insert_or_assign({entry.path, entry.attempt}, std::move(attempt));
}

void Spans::ended(const Entry& entry) {
  const Result result = as<TaskEnded>(entry).result;
  if (auto found = attempts_.extract({entry.path, entry.attempt}); !found.empty() && !result.taken) {
    Attempt attempt = std::move(found.mapped());
    Span& span = attempt.span;
    const Instant began = result.began != Instant{} ? result.began : entry.at - result.took;
    span.from = std::clamp(began, span.from, std::max(span.from, entry.at));
    if (attempt.http && result.code > 0)
      span.attributes.emplace_back("http.response.status_code", std::int64_t{result.code});
    if (!attempt.http && result.code >= 0 && (result.code > 0 || result.ok()))
      span.attributes.emplace_back("process.exit.code", std::int64_t{result.code});
    if (result.again) span.attributes.emplace_back("flowrun.poll", "not yet");
    if (entry.kind == EntryKind::LateEnd) span.attributes.emplace_back("flowrun.given_up", true);
    if (result.failure) note_failure(span, result.failure);
    tell_attempt(std::move(attempt), span.from + result.took);
  }
  if (entry.kind == EntryKind::LateEnd) return;
  const auto found = steps_.find(entry.path);
  if (found == steps_.end()) return;
  Step& step = found->second;
  step.taken = result.taken;
  step.state = result.ok() ? State::Succeeded : State::Failed;
  step.failure = result.failure;
  if (step.failure) step.failure->step = entry.path;
  const bool goes_on =
      result.again || !result.next.empty() || (!result.ok() && with_fallback_.count(without_keys(entry.path)));
  if (!goes_on) may_be_over(entry.path, entry.at);
}

void Spans::end_attempt(const Entry& entry, std::string_view how) {
  auto found = attempts_.extract({entry.path, entry.attempt});
  if (found.empty()) return;
  found.mapped().span.attributes.emplace_back("flowrun.attempt.end", std::string(how));
  tell_attempt(std::move(found.mapped()), entry.at);
}

void Spans::tell_attempt(Attempt attempt, Instant to) {
  attempt.span.to = to;
  tell(std::move(attempt.span));
}

void Spans::resumed(const Entry& entry) {
  const auto fact = as<RunResumed>(entry);
  const Instant died = std::max(last_at_, entry.at - fact.down);
  const auto is_in = [](const std::vector<std::string>& paths, const std::string& path) {
    return std::find(paths.begin(), paths.end(), path) != paths.end();
  };
  for (auto attempt = attempts_.begin(); attempt != attempts_.end();) {
    const std::string& path = attempt->first.first;
    if (is_in(fact.unbegun, path)) {
      ++attempt;
      continue;
    }
    if (!is_in(fact.queued, path)) {
      Attempt cut_off = std::move(attempt->second);
      cut_off.span.failed = true;
      cut_off.span.message = "cut off by the end of flowrun";
      cut_off.span.attributes.emplace_back("error.type", "cut_off");
      tell_attempt(std::move(cut_off), died);
    }
    attempt = attempts_.erase(attempt);
  }
}

}  // namespace flowrun
