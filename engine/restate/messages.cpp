#include "engine/restate/messages.h"

#include "engine/model/error.h"
#include "engine/restate/protobuf.h"

namespace flowrun::restate {
namespace {

constexpr std::size_t kHeader = 8;  // u16 type, u16 flags, u32 length, the highest byte first
constexpr std::uint64_t kFirstCompleted = 1;

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

/// The message Value.
std::string value_message(std::string_view content) {
  std::string message;
  FieldWriter(message).bytes_if(1, content);
  return message;
}

std::string_view content_of(std::string_view value) {
  std::string_view content;
  for (FieldReader fields(value); fields.next();)
    if (fields.field() == 1) content = fields.bytes();
  return content;
}

std::string failure_message(const TerminalFailure& failure) {
  std::string message;
  FieldWriter fields(message);
  fields.number(1, failure.code);
  fields.bytes_if(2, failure.message);
  return message;
}

TerminalFailure terminal_failure_from(std::string_view message) {
  TerminalFailure failure;
  for (FieldReader fields(message); fields.next();) {
    if (fields.field() == 1) failure.code = static_cast<std::uint32_t>(fields.number());
    if (fields.field() == 2) failure.message = fields.bytes();
  }
  return failure;
}

}  // namespace

std::vector<Frame> frames_of(std::string_view body) {
  std::vector<Frame> frames;
  while (!body.empty()) {
    if (body.size() < kHeader) throw Corruption("a frame ends in its header");
    const std::size_t length = big_endian(body.substr(4, 4));
    if (body.size() - kHeader < length) throw Corruption("a frame ends early");
    frames.push_back({static_cast<std::uint16_t>(big_endian(body.substr(0, 2))), body.substr(kHeader, length)});
    body.remove_prefix(kHeader + length);
  }
  return frames;
}

void append_frame(std::string& out, FrameType type, std::string_view message) {
  const auto number = static_cast<std::uint16_t>(type);
  const auto length = static_cast<std::uint32_t>(message.size());
  for (const std::uint32_t byte : {number >> 8, number & 0xff, 0, 0}) out += static_cast<char>(byte);
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(length >> shift & 0xff);
  out += message;
}

Start start_from(std::string_view message, std::string_view state_key) {
  Start start;
  for (FieldReader fields(message); fields.next();) {
    switch (fields.field()) {
      case 2:
        start.id = fields.bytes();
        break;
      case 3:
        start.known_entries = static_cast<std::uint32_t>(fields.number());
        break;
      case 4: {
        std::string_view key, value;
        for (FieldReader entry(fields.bytes()); entry.next();) (entry.field() == 1 ? key : value) = entry.bytes();
        if (!state_key.empty() && key == state_key) start.state = value;
        break;
      }
      case 6:
        start.key = fields.bytes();
        break;
      case 7:
        start.retries = static_cast<std::uint32_t>(fields.number());
        break;
      default:
        break;
    }
  }
  return start;
}

std::string_view input_from(std::string_view message) {
  std::string_view value;
  for (FieldReader fields(message); fields.next();)
    if (fields.field() == 14) value = content_of(fields.bytes());
  return value;
}

Notification notification_from(const Frame& frame) {
  Notification notification;
  notification.type = frame.type;
  const bool signal = frame.is(FrameType::Signal);
  for (FieldReader fields(frame.message); fields.next();) {
    switch (fields.field()) {
      case 1:
        notification.completion = static_cast<std::uint32_t>(fields.number());
        break;
      case 2:
        if (signal) notification.signal = static_cast<std::uint32_t>(fields.number());
        break;
      case 3:
        if (signal) notification.name = fields.bytes();
        break;
      case 5:
        notification.value = content_of(fields.bytes());
        break;
      case 6:
        notification.failure = terminal_failure_from(fields.bytes());
        break;
      case 16:
        notification.invocation_id = fields.bytes();
        break;
      default:
        break;
    }
  }
  return notification;
}

std::string to_message(const Call& call) {
  std::string message;
  FieldWriter fields(message);
  fields.bytes(1, call.service);
  fields.bytes(2, call.handler);
  fields.bytes_if(3, call.parameter);
  fields.bytes_if(5, call.key);
  if (!call.idempotency_key.empty()) fields.bytes(6, call.idempotency_key);
  fields.number(10, call.invocation_id_completion);
  fields.number(11, call.completion);
  fields.bytes_if(12, call.name);
  return message;
}

Call call_from(std::string_view message) {
  Call call;
  for (FieldReader fields(message); fields.next();) {
    switch (fields.field()) {
      case 1:
        call.service = fields.bytes();
        break;
      case 2:
        call.handler = fields.bytes();
        break;
      case 3:
        call.parameter = fields.bytes();
        break;
      case 5:
        call.key = fields.bytes();
        break;
      case 6:
        call.idempotency_key = fields.bytes();
        break;
      case 10:
        call.invocation_id_completion = static_cast<std::uint32_t>(fields.number());
        break;
      case 11:
        call.completion = static_cast<std::uint32_t>(fields.number());
        break;
      case 12:
        call.name = fields.bytes();
        break;
      default:
        break;
    }
  }
  return call;
}

std::string to_message(const OneWayCall& call) {
  std::string message;
  FieldWriter fields(message);
  fields.bytes(1, call.service);
  fields.bytes(2, call.handler);
  fields.bytes_if(3, call.parameter);
  fields.bytes_if(6, call.key);
  if (!call.idempotency_key.empty()) fields.bytes(7, call.idempotency_key);
  fields.number(10, call.invocation_id_completion);
  fields.bytes_if(12, call.name);
  return message;
}

OneWayCall one_way_call_from(std::string_view message) {
  OneWayCall call;
  for (FieldReader fields(message); fields.next();) {
    if (fields.field() == 1) call.service = fields.bytes();
    if (fields.field() == 2) call.handler = fields.bytes();
    if (fields.field() == 3) call.parameter = fields.bytes();
    if (fields.field() == 6) call.key = fields.bytes();
    if (fields.field() == 7) call.idempotency_key = fields.bytes();
    if (fields.field() == 10) call.invocation_id_completion = static_cast<std::uint32_t>(fields.number());
    if (fields.field() == 12) call.name = fields.bytes();
  }
  return call;
}

std::string to_message(const Sleep& sleep) {
  std::string message;
  FieldWriter fields(message);
  fields.number_if(1, sleep.wake_up_ms);
  fields.number(11, sleep.completion);
  fields.bytes_if(12, sleep.name);
  return message;
}

Sleep sleep_from(std::string_view message) {
  Sleep sleep;
  for (FieldReader fields(message); fields.next();) {
    if (fields.field() == 1) sleep.wake_up_ms = fields.number();
    if (fields.field() == 11) sleep.completion = static_cast<std::uint32_t>(fields.number());
    if (fields.field() == 12) sleep.name = fields.bytes();
  }
  return sleep;
}

std::string to_message(const SendSignal& signal) {
  std::string message;
  FieldWriter fields(message);
  fields.bytes(1, signal.target);
  if (signal.name.empty()) {
    fields.number(2, signal.number);
  } else {
    fields.bytes(3, signal.name);
  }
  if (signal.value) {
    fields.bytes(5, value_message(*signal.value));
  } else {
    fields.bytes(4, {});
  }
  return message;
}

SendSignal send_signal_from(std::string_view message) {
  SendSignal signal;
  for (FieldReader fields(message); fields.next();) {
    if (fields.field() == 1) signal.target = fields.bytes();
    if (fields.field() == 2) signal.number = static_cast<std::uint32_t>(fields.number());
    if (fields.field() == 3) signal.name = fields.bytes();
    if (fields.field() == 5) signal.value = content_of(fields.bytes());
  }
  return signal;
}

std::string_view stored_value(std::string_view message) {
  std::string_view value;
  for (FieldReader fields(message); fields.next();)
    if (fields.field() == 3) value = content_of(fields.bytes());
  return value;
}

std::string set_state_message(std::string_view key, std::string_view value) {
  std::string message;
  FieldWriter fields(message);
  fields.bytes(1, key);
  fields.bytes(3, value_message(value));
  return message;
}

std::string output_message(std::string_view value) {
  std::string message;
  FieldWriter(message).bytes(14, value_message(value));
  return message;
}

std::string output_message(const TerminalFailure& failure) {
  std::string message;
  FieldWriter(message).bytes(15, failure_message(failure));
  return message;
}

std::string error_message(std::uint32_t code, std::string_view text, std::optional<std::uint64_t> retry_after_ms) {
  std::string message;
  FieldWriter fields(message);
  fields.number(1, code);
  fields.bytes_if(2, text);
  if (retry_after_ms) fields.number(8, *retry_after_ms);
  return message;
}

std::string suspension_message(const Awaited& awaited, int protocol) {
  std::string message;
  FieldWriter fields(message);
  if (protocol < 7) {
    fields.packed(1, awaited.completions);
    fields.packed(2, awaited.signals);
    for (const std::string& name : awaited.names) fields.bytes(3, name);
    return message;
  }
  std::string future;
  FieldWriter first(future);
  first.packed(1, awaited.completions);
  first.packed(2, awaited.signals);
  for (const std::string& name : awaited.names) first.bytes(3, name);
  first.number(5, kFirstCompleted);
  fields.bytes(4, future);
  return message;
}

}  // namespace flowrun::restate
