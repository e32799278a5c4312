#include "engine/run/detached_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/model/json_text.h"
#include "engine/restate/remote_answer.h"
#include "engine/restate/step_call.h"
#include "engine/run/trace.h"

namespace flowrun {
namespace {

constexpr std::size_t kLargestOutput = 31 << 20;  // bytes; the server takes 32 MiB with all around it

using restate::FrameType;

// The server refuses messages of 32 MiB, in which some bytes are its own.
constexpr std::size_t kLargestCall = (32 << 20) - (64 << 10);
constexpr std::string_view kMailPrefix = "mail-";

/// As an executor elsewhere tells it.
}  // namespace

std::string mail_text(const MailRequest& request, Instant at) {
  const Journal::Mail mail = to_mail(request, at);
  std::string text;
  {
    ObjectWriter object(text);
    object.number("at", to_millis(mail.at));
    object.text("kind", mail.kind);
    object.text_if("name", mail.name);
    object.member("data") += mail.data;
    object.text("sender", mail.sender);
  }
  return text;
}

std::optional<DetachedMail> detached_mail_from(std::string_view text) try {
  const std::optional<Json> json = json_of(text);
  if (!json || !json->is_object()) return std::nullopt;
  Journal::Mail mail;
  const std::int64_t at = json->value("at", std::int64_t{0});
  if (at < 0 || at > kLargestNumber) return std::nullopt;
  mail.at = from_millis(at);
  mail.kind = json->value("kind", "");
  mail.name = json->value("name", "");
  mail.sender = json->value("sender", "");
  const Json data = json->value("data", Json());
  if (!data.is_object()) return std::nullopt;
  mail.data = data.dump();
  std::optional<MailRequest> request = request_of(mail);
  if (!request) return std::nullopt;
  return DetachedMail{mail.at, std::move(*request)};
} catch (const Corruption&) {
  return std::nullopt;
} catch (const Json::exception&) {
  return std::nullopt;
}

std::string mail_signal(std::uint32_t number) { return std::string(kMailPrefix) + std::to_string(number); }

std::string stop_text(const std::string& admin, const std::string& invocation) {
  std::string text;
  {
    ObjectWriter object(text);
    object.text("admin", admin);
    object.text("invocation", invocation);
  }
  return text;
}

DetachedRun::DetachedRun(const DetachedInput& input, const Loaded& loaded, Evaluator& evaluator, Saw saw)
    : loaded_(loaded),
      admin_(input.admin),
      saw_(std::move(saw)),
      machine_(std::make_unique<Machine>(loaded.workflow, evaluator)) {
  take({input.at, input.started});
}

void DetachedRun::take(const restate::Notification& notification) {
  switch (static_cast<FrameType>(notification.type)) {
    case FrameType::CallCompletion:
      end_step(notification);
      break;
    case FrameType::CallInvocationId:
      if (const auto call = invocations_.find(notification.completion); call != invocations_.end()) {
        const auto step = steps_.find(call->second);
        invocations_.erase(call);
        if (step == steps_.end()) break;
        step->second.invocation = notification.invocation_id;
        if (step->second.stopping) kill(step->second);
      }
      break;
    case FrameType::SleepCompletion:
      if (const auto found = timers_.find(notification.completion); found != timers_.end()) {
        const Timer timer = found->second;
        timers_.erase(found);
        if (expects(timer)) take(Event{timer.due, TimerFired{timer.path, timer.timer}});
      }
      break;
    case FrameType::Signal:
      if (notification.name.empty()) {
        if (notification.signal != restate::kCancelSignal) break;
        cancelled_ = true;
        CancelRequested cancel;
        cancel.by = "the Restate server";
        take(Event{last_at_, std::move(cancel)});
      } else if (notification.name == mail_signal(mails_ + 1)) {
        ++mails_;
        auto mail = detached_mail_from(notification.value.value_or(""));
        if (mail) std::visit([&](auto& fact) { take(Event{mail->at, std::move(fact)}); }, mail->request);
      }
      break;
    default:
      break;
  }
}

void DetachedRun::end_step(const restate::Notification& notification) {
  const auto found = steps_.find(notification.completion);
  if (found == steps_.end()) return;
  const Step step = std::move(found->second);
  steps_.erase(found);
  if (const auto newest = at_.find(step.path); newest != at_.end() && newest->second == notification.completion)
    at_.erase(newest);
  if (!notification.failure)
    return take(
        restate::event_of_answer(notification.value.value_or(""), step.path, step.attempt, step.service, last_at_));
  Result result;
  result.failure = step.stopping ? Failure{"cancelled", "stopped"}
                                 : restate::failure_of_call(static_cast<int>(notification.failure->code),
                                                            notification.failure->message, step.service);
  take({last_at_, TaskEnded{step.path, step.attempt, std::move(result)}});
}

void DetachedRun::take(Event event) {
  at_once_.push_back(std::move(event));
  while (!at_once_.empty()) {
    Event next = std::move(at_once_.front());
    at_once_.pop_front();
    next.at = std::max(next.at, last_at_);
    if (auto* ended = std::get_if<TaskEnded>(&next.fact)) ended->result.began = std::min(ended->result.began, next.at);
    machine_->take(std::move(next), *this);
  }
}

void DetachedRun::tell(Entry entry) {
  entry.seq = entries_;
  saw_(std::move(entry));
}

void DetachedRun::happened(const Event& event, bool late) {
  last_at_ = event.at;
  ++entries_;
  if (saw_) tell(to_entry(event, late));
}

void DetachedRun::decide(Decision decision) {
  ++entries_;
  if (saw_) tell(to_entry(decision, last_at_));
  if (auto* begin = std::get_if<StartTask>(&decision.what)) {
    start(std::move(begin->task));
  } else if (const auto* reserve = std::get_if<ReservePlace>(&decision.what)) {
    // Workers have a line of their own: a place in it is not to be had beforehand.
    at_once_.push_back({last_at_, TaskReserved{reserve->path}});
  } else if (const auto* end = std::get_if<StopTask>(&decision.what)) {
    stop(end->path, end->attempt);
  } else if (const auto* timer = std::get_if<ArmTimer>(&decision.what)) {
    arm(*timer);
  }
}

void DetachedRun::start(Task task) {
  const RunStarted& run = machine_->run();
  if (!run.traceparent.empty()) task.traceparent = Trace(run).traceparent(Tracing{}, task, entries_);
  restate::Call call;
  call.service = restate::service_name(task.pool);
  call.handler = "step";
  call.name = task.attempt == 1 ? task.path : fmt::format("{} attempt {}", task.path, task.attempt);
  restate::StepCall asked;
  asked.run_id = run.id;
  asked.folder = run.folder;
  asked.file = run.file;
  asked.secrets = loaded_.secrets;
  asked.repeats = task.repeats;
  asked.task = std::move(task);
  call.parameter = restate::to_text(asked);
  if (call.parameter.size() > kLargestCall) {
    Result result;
    result.sent = false;
    result.failure = Failure{
        "restate.size",
        fmt::format("it is asked with {} MiB, and a Restate server takes less than 32", call.parameter.size() >> 20)};
    at_once_.push_back({last_at_, TaskEnded{asked.task.path, asked.task.attempt, std::move(result)}});
    return;
  }
  call.invocation_id_completion = ++ids_;
  call.completion = ++ids_;
  invocations_.emplace(call.invocation_id_completion, call.completion);
  at_[asked.task.path] = call.completion;
  steps_.emplace(call.completion, Step{asked.task.path, asked.task.attempt, call.service, "", false});
  command({FrameType::Call, to_message(call), call.service + "/" + call.handler, call.name, call.completion});
}

void DetachedRun::stop(const std::string& path, int attempt) {
  const auto newest = at_.find(path);
  if (newest == at_.end()) return;
  Step& step = steps_.at(newest->second);
  if (step.attempt != attempt || step.stopping) return;
  step.stopping = true;
  // Else when its id is told.
  if (!step.invocation.empty()) kill(step);
}

void DetachedRun::kill(const Step& step) {
  // A running step hears no cancel: what the server does not hand over while it waits for an answer is not heard.
  restate::OneWayCall call;
  call.service = restate::service_name("");
  call.handler = kStopHandler;
  call.parameter = stop_text(admin_, step.invocation);
  call.invocation_id_completion = ++ids_;
  call.name = "stop " + step.path;
  command({FrameType::OneWayCall, to_message(call), call.service + "/" + call.handler, call.name,
           call.invocation_id_completion});
}

void DetachedRun::arm(const ArmTimer& timer) {
  restate::Sleep sleep;
  sleep.wake_up_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(to_millis(timer.due), 1));
  sleep.completion = ++ids_;
  sleep.name = fmt::format("{} of {}", to_string(timer.timer), timer.path.empty() ? "the run" : timer.path);
  timers_.emplace(sleep.completion, Timer{timer.path, timer.timer, timer.due});
  command({FrameType::Sleep, to_message(sleep), "", sleep.name, sleep.completion});
}

bool DetachedRun::expects(const Timer& timer) const {
  // An older timer of the same name may have been given up.
  return machine_->timers().due(timer.path, timer.timer) == timer.due;
}

restate::Awaited DetachedRun::awaited() const {
  restate::Awaited awaited;
  for (const auto& [completion, step] : steps_) awaited.completions.push_back(completion);
  for (const auto& [id, call] : invocations_) {
    const auto step = steps_.find(call);
    if (step != steps_.end() && step->second.stopping) awaited.completions.push_back(id);
  }
  for (const auto& [completion, timer] : timers_)
    if (expects(timer)) awaited.completions.push_back(completion);
  std::sort(awaited.completions.begin(), awaited.completions.end());
  // Who waits for what has come already is woken at once, for ever.
  if (!cancelled_) awaited.signals.push_back(restate::kCancelSignal);
  awaited.names.push_back(mail_signal(mails_ + 1));
  return awaited;
}

std::string DetachedRun::outcome_text() const {
  const Outcome& outcome = machine_->outcome();
  std::string text;
  {
    ObjectWriter object(text);
    object.text("run", machine_->run().id);
    object.text("state", to_string(outcome.state));
    // The server takes no longer answer. Who reads the run computes its output.
    if (outcome.output.size() <= kLargestOutput)
      object.value("output", outcome.output);
    else
      object.boolean("output_left_out", true);
    if (outcome.failure) object.value("error", Value(to_json(*outcome.failure)));
  }
  return text;
}

}  // namespace flowrun
