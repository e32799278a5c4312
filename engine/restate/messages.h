// Restate's service protocol, versions 5 to 7, as far as flowrun speaks it: frames, and the messages in them. Knows
// nothing of HTTP, tasks or runs. The source is protocol.proto of sdk-shared-core, and the
// description of the invocation protocol beside it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flowrun::restate {

constexpr int kOldestProtocol = 5, kNewestProtocol = 7;

/// Code of an Error: the journal is not what this program would have written.
constexpr std::uint32_t kJournalMismatch = 570, kProtocolViolation = 571;
/// The built-in signal that asks an invocation to end.
constexpr std::uint32_t kCancelSignal = 1;

enum class FrameType : std::uint16_t {
  Start = 0x0000,
  Suspension = 0x0001,
  Error = 0x0002,
  End = 0x0003,
  Input = 0x0400,
  Output = 0x0401,
  GetEagerState = 0x0407,
  SetState = 0x0403,
  Sleep = 0x040C,
  Call = 0x040D,
  OneWayCall = 0x040E,
  SendSignal = 0x0410,
  SleepCompletion = 0x800C,
  CallCompletion = 0x800D,
  CallInvocationId = 0x800E,
  Signal = 0xFBFF,
};

struct Frame {
  std::uint16_t type = 0;
  std::string_view message;  ///< into what it was read from
  bool is(FrameType wanted) const { return type == static_cast<std::uint16_t>(wanted); }
  bool is_notification() const { return (type & 0x8000) != 0; }
};

/// All frames of |body|, which outlives them. Throws Corruption where one ends early.
std::vector<Frame> frames_of(std::string_view body);
void append_frame(std::string& out, FrameType type, std::string_view message);

struct Start {
  std::string id;  ///< as people and the admin interface write it
  std::uint32_t known_entries = 0;
  std::uint32_t retries = 0;         ///< since the last entry was stored; not durable
  std::string key;                   ///< of a virtual object
  std::optional<std::string> state;  ///< the value of the one key that is asked for, of a virtual object
};
/// Of all state only |state_key| is kept.
Start start_from(std::string_view message, std::string_view state_key = {});

/// The value of Input, and the bytes of any field that holds a Value.
std::string_view input_from(std::string_view message);

/// What ended badly and is not tried again.
struct TerminalFailure {
  std::uint32_t code = 500;
  std::string message;
};

/// A notification: the completion of a command, or a signal.
struct Notification {
  std::uint16_t type = 0;
  std::uint32_t completion = 0;  ///< id; 0: it is a signal
  std::uint32_t signal = 0;      ///< number of a signal; 0: it has a name
  std::string name;              ///< of a signal
  std::optional<std::string> value;
  std::optional<TerminalFailure> failure;
  std::string invocation_id;  ///< of a CallInvocationId
};
Notification notification_from(const Frame& frame);

struct Call {
  std::string service, handler, parameter, idempotency_key;
  std::uint32_t invocation_id_completion = 0, completion = 0;
  std::string name;      ///< for people
  std::string key = {};  ///< of a virtual object
};
std::string to_message(const Call& call);
Call call_from(std::string_view message);

/// A call of which nothing is awaited.
struct OneWayCall {
  std::string service, handler, parameter, idempotency_key;
  std::uint32_t invocation_id_completion = 0;
  std::string name;      ///< for people
  std::string key = {};  ///< of a virtual object
};
std::string to_message(const OneWayCall& call);
OneWayCall one_way_call_from(std::string_view message);

struct Sleep {
  std::uint64_t wake_up_ms = 0;  ///< since 1970
  std::uint32_t completion = 0;
  std::string name;
};
std::string to_message(const Sleep& sleep);
Sleep sleep_from(std::string_view message);

/// A signal to another invocation. |name| empty: the built-in one of that |number|.
struct SendSignal {
  std::string target;
  std::uint32_t number = 0;
  std::string name;
  std::optional<std::string> value;  ///< none: void
};
std::string to_message(const SendSignal& signal);

SendSignal send_signal_from(std::string_view message);

std::string set_state_message(std::string_view key, std::string_view value);
/// The value that |message|, of SetState, stores.
std::string_view stored_value(std::string_view message);
/// The answer of a handler.
std::string output_message(std::string_view value);
std::string output_message(const TerminalFailure& failure);
/// Not terminal: the server tries again, after |retry_after_ms| when there is one.
std::string error_message(std::uint32_t code, std::string_view message,
                          std::optional<std::uint64_t> retry_after_ms = {});

/// What a suspended invocation waits for: any of these wakes it.
struct Awaited {
  std::vector<std::uint32_t> completions, signals;
  std::vector<std::string> names;  ///< of signals
};
std::string suspension_message(const Awaited& awaited, int protocol);

}  // namespace flowrun::restate
