#include "tests/support/fake_restate.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "engine/model/json_text.h"
#include "engine/model/task_text.h"
#include "engine/restate/protobuf.h"

namespace flowrun::test {
namespace {

using restate::FieldReader;
using restate::FieldWriter;
using restate::FrameType;

std::string wrapped(std::string_view content) {
  std::string value;
  FieldWriter(value).bytes_if(1, content);
  return value;
}

std::vector<std::uint32_t> unpacked(std::string_view bytes) {
  std::vector<std::uint32_t> numbers;
  std::uint32_t number = 0;
  int shift = 0;
  for (const char byte : bytes) {
    number |= static_cast<std::uint32_t>(byte & 0x7f) << shift;
    shift += 7;
    if (byte & 0x80) continue;
    numbers.push_back(number);
    number = 0;
    shift = 0;
  }
  return numbers;
}

}  // namespace

restate::Awaited awaited_from(std::string_view message, int protocol) {
  restate::Awaited awaited;
  for (FieldReader fields(message); fields.next();) {
    if (protocol >= 7 && fields.field() == 4) return awaited_from(fields.bytes(), 6);
    if (fields.field() == 1) awaited.completions = unpacked(fields.bytes());
    if (fields.field() == 2) awaited.signals = unpacked(fields.bytes());
    if (fields.field() == 3) awaited.names.emplace_back(fields.bytes());
  }
  return awaited;
}

FakeRestate::FakeRestate(std::string input, int protocol, Worker worker)
    : protocol_(protocol), worker_(std::move(worker)) {
  std::string message;
  FieldWriter(message).bytes(14, wrapped(input));
  journal.push_back({FrameType::Input, std::move(message)});
}

std::string FakeRestate::body() const {
  std::string start, body;
  FieldWriter fields(start);
  fields.bytes(1, "\x01\x02");
  fields.bytes(2, "inv_1fake");
  fields.number(3, journal.size());
  append_frame(body, FrameType::Start, start);
  for (const Entry& entry : journal) append_frame(body, entry.type, entry.message);
  return body;
}

std::string FakeRestate::asked() const {
  const restate::Invocation invocation("flowrun", "run", protocol_, body());
  return worker_(invocation);
}

void FakeRestate::run_in_vain() { asked(); }

void FakeRestate::run() {
  while (!ended_ && !error_ && (!awaited_ || satisfied(*awaited_))) {
    if (++invocations > 100000) throw std::runtime_error("it is woken for ever");
    record(asked());
  }
}

void FakeRestate::record(const std::string& answer) {
  bool over = false;
  for (const restate::Frame& frame : restate::frames_of(answer)) {
    if (over) throw std::runtime_error("a frame behind the last one");
    const std::string message(frame.message);
    switch (static_cast<FrameType>(frame.type)) {
      case FrameType::Call: {
        const restate::Call call = restate::call_from(message);
        if (call.handler != "step") throw std::runtime_error("another handler is called: " + call.handler);
        journal.push_back({FrameType::Call, message});
        Call asked_for{call.name, restate::step_call_from(call.parameter), fmt::format("inv_{}", call.completion)};
        std::string told;
        FieldWriter fields(told);
        fields.number(1, call.invocation_id_completion);
        fields.bytes(16, asked_for.invocation);
        if (!calls.emplace(call.completion, std::move(asked_for)).second)
          throw std::runtime_error("an id of a completion is used twice");
        notify(FrameType::CallInvocationId, std::move(told));
        break;
      }
      case FrameType::OneWayCall: {
        const restate::OneWayCall call = restate::one_way_call_from(message);
        if (call.handler != "stop") throw std::runtime_error("another handler is called: " + call.handler);
        journal.push_back({FrameType::OneWayCall, message});
        const Json asked_for = Json::parse(call.parameter);
        for (auto& [id, step] : calls)
          if (step.invocation == asked_for.at("invocation")) step.stopped = true;
        break;
      }
      case FrameType::Sleep: {
        const restate::Sleep sleep = restate::sleep_from(message);
        journal.push_back({FrameType::Sleep, message});
        sleeps[sleep.completion] = {sleep.name, from_millis(static_cast<std::int64_t>(sleep.wake_up_ms))};
        break;
      }
      case FrameType::Output: {
        journal.push_back({FrameType::Output, message});
        output_ = std::string(restate::input_from(message));
        break;
      }
      case FrameType::End:
        if (!output_) throw std::runtime_error("it ends without an output");
        over = ended_ = true;
        break;
      case FrameType::Error:
        error_.emplace();
        for (FieldReader fields(message); fields.next();) {
          if (fields.field() == 1) error_->first = static_cast<std::uint32_t>(fields.number());
          if (fields.field() == 2) error_->second = fields.bytes();
        }
        over = true;
        break;
      case FrameType::Suspension:
        suspend(message);
        over = true;
        break;
      default:
        throw std::runtime_error(fmt::format("a frame of type {:#x}", frame.type));
    }
  }
  if (!over) throw std::runtime_error("the answer has no last frame");
}

void FakeRestate::suspend(std::string_view message) {
  awaited_ = awaited_from(message, protocol_);
  if (output_) throw std::runtime_error("it waits though it has ended");
  for (const std::uint32_t id : awaited_->completions) {
    bool known = calls.count(id) > 0 || sleeps.count(id) > 0;
    for (const Entry& entry : journal)
      known = known ||
              (entry.type == FrameType::CallInvocationId &&
               restate::notification_from({static_cast<std::uint16_t>(entry.type), entry.message}).completion == id);
    if (!known) throw std::runtime_error(fmt::format("it waits for {}, which nothing will bring", id));
  }
}

bool FakeRestate::satisfied(const restate::Awaited& awaited) const {
  const auto has = [](const auto& all, const auto& one) { return std::find(all.begin(), all.end(), one) != all.end(); };
  for (const Entry& entry : journal) {
    const restate::Frame frame{static_cast<std::uint16_t>(entry.type), entry.message};
    if (!frame.is_notification()) continue;
    const restate::Notification came = restate::notification_from(frame);
    if (came.completion > 0 && has(awaited.completions, came.completion)) return true;
    if (came.signal > 0 && has(awaited.signals, came.signal)) return true;
    if (!came.name.empty() && has(awaited.names, came.name)) return true;
  }
  return false;
}

void FakeRestate::notify(FrameType type, std::string message) { journal.push_back({type, std::move(message)}); }

void FakeRestate::answer(std::uint32_t call, std::string_view text) {
  std::string message;
  FieldWriter fields(message);
  fields.number(1, call);
  fields.bytes(5, wrapped(text));
  calls.erase(call);
  notify(FrameType::CallCompletion, std::move(message));
}

void FakeRestate::fail(std::uint32_t call, std::uint32_t code, const std::string& text) {
  std::string failure, message;
  FieldWriter failed(failure);
  failed.number(1, code);
  failed.bytes(2, text);
  FieldWriter fields(message);
  fields.number(1, call);
  fields.bytes(6, failure);
  calls.erase(call);
  notify(FrameType::CallCompletion, std::move(message));
}

void FakeRestate::wake(std::uint32_t sleep) {
  std::string message;
  FieldWriter fields(message);
  fields.number(1, sleep);
  fields.bytes(4, "");
  sleeps.erase(sleep);
  notify(FrameType::SleepCompletion, std::move(message));
}

void FakeRestate::mail(const std::string& text) {
  std::string message;
  FieldWriter fields(message);
  fields.bytes(3, fmt::format("mail-{}", ++mails_));
  fields.bytes(5, wrapped(text));
  notify(FrameType::Signal, std::move(message));
}

void FakeRestate::cancel() {
  std::string message;
  FieldWriter fields(message);
  fields.number(2, restate::kCancelSignal);
  fields.bytes(4, "");
  notify(FrameType::Signal, std::move(message));
}

}  // namespace flowrun::test
