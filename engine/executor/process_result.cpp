#include "engine/executor/process_result.h"

#include <fmt/format.h>
#include <signal.h>
#include <string.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <variant>

#include "engine/executor/capture.h"
#include "engine/model/encode.h"
#include "engine/model/time.h"

namespace flowrun {
namespace {

constexpr std::size_t kTailLines = 20;       // of standard error
constexpr std::int64_t kCutTail = 64 << 10;  // of standard output that is cut, at most

/// What all parts of the result are made of. Messages and cut texts are made of what is masked already. JSON is masked
/// when it is a value, so that it stays JSON.
struct Parts {
  const Process& process;
  const Mask& mask;
  const ProcessEnd& end;
  const std::int64_t stdout_left_out;
  const std::string masked;  ///< the head of standard output; empty where nothing is to be masked
  const std::string& output() const { return mask.empty() ? end.stdout_head : masked; }
};

/// 141 tells few people that it was a broken pipe.
std::string exit_text(int status) {
  const char* name = status > 128 ? sigabbrev_np(status - 128) : nullptr;
  if (!name) return fmt::format("exited with {}", status);
  return fmt::format("exited with {}, as a shell does after SIG{} ({})", status, name, sigdescr_np(status - 128));
}

std::string stderr_tail(const ProcessEnd& end) {
  const std::string& all = end.stderr_tail;
  return tail_lines(all.substr(all.size() - std::min(all.size(), kStderrTail)), kTailLines);
}

/// The failure that the end itself is, before anybody has looked into the output.
std::optional<Failure> failure_of(const Task& task, const Parts& parts) {
  const Process& process = parts.process;
  const ProcessEnd& end = parts.end;
  auto failure = [](std::string type, std::string message) { return Failure{std::move(type), std::move(message)}; };
  if (end.stopped == StopReason::Timeout) return failure("timeout", "timed out after " + to_string(*task.timeout));
  if (end.stopped == StopReason::Cancelled) return failure("cancelled", "stopped");
  if (end.status_code != CLD_EXITED)
    return failure("killed", fmt::format("killed by signal {} ({})", end.status, strsignal(end.status)));
  if (!exited_well(process, end)) return failure(fmt::format("exit.{}", end.status), exit_text(end.status));
  if (process.unread) return std::nullopt;
  if (parts.stdout_left_out > 0)
    return failure("parse",
                   fmt::format("more than {} bytes on standard output; raise `max_output`, or say `capture: none`",
                               process.max_output));
  if (end.file_left_out > 0 && process.capture == Process::Capture::File)
    return failure("parse",
                   fmt::format("more than {} bytes in $FLOWRUN_OUTPUT; raise `max_output`", process.max_output));
  return std::nullopt;
}

/// The output as |capture| wants it, or why it can not be had so. |left_out|: bytes of it that were not kept.
Fallible<Value> value_of(Process::Capture capture, const Parts& parts, std::int64_t left_out) {
  using Capture = Process::Capture;
  const Process& process = parts.process;
  const Mask& mask = parts.mask;
  const ProcessEnd& end = parts.end;
  if (left_out > 0 && process.unread && capture != Capture::None) {
    if (capture == Capture::File) return cut_value(mask.text(*end.file, true), "", left_out);
    const std::size_t head = whole_characters(end.stdout_head, static_cast<std::size_t>(cut_tail_begins(process)));
    std::string_view tail = end.stdout_tail;
    tail.remove_prefix(tail.size() - std::min(tail.size(), static_cast<std::size_t>(process.max_output) - head));
    return cut_value(mask.text(std::string_view(end.stdout_head).substr(0, head), true), tail, left_out);
  }
  // Secrets in it are found as what they are, and as what they are in base64.
  if (capture == Capture::Base64) return Value::string(mask.text(base64(mask.text(end.stdout_head))));
  const bool text = capture == Capture::Text || capture == Capture::Lines;
  auto value = captured(capture, text ? parts.output() : end.stdout_head, end.file);
  if (mask.empty() || std::holds_alternative<Value>(value)) return value;
  return captured(capture, parts.output(), end.file ? std::optional(mask.text(*end.file)) : std::nullopt);
}

/// What a process that failed had to say, kept for `$status.x.output`.
Value value_of_failed(const Parts& parts, std::int64_t left_out) {
  const ProcessEnd& end = parts.end;
  const Process::Capture capture = parts.process.capture;
  if (end.file && end.file_left_out == 0) {
    auto from_file = json_value(*end.file, "$FLOWRUN_OUTPUT");
    if (auto* json = std::get_if<Value>(&from_file)) return std::move(*json);
  }
  auto value = value_of(capture == Process::Capture::File ? Process::Capture::None : capture, parts, left_out);
  if (auto* text = std::get_if<Value>(&value)) return std::move(*text);
  return Value::string(parts.output());
}

Value detail_of(const ProcessEnd& end) {
  const bool by_signal = end.status_code != CLD_EXITED;
  std::string detail =
      fmt::format("{{\"exit_code\":{},\"stderr_tail\":", by_signal ? "null" : std::to_string(end.status));
  append_json_string(detail, stderr_tail(end));
  return Value::from_text(detail + "}");
}

/// What `returns` and other expressions see of the attempt.
Value raw_value(const Task& task, const Parts& parts, const Value& value) {
  std::string raw = fmt::format("{{\"exit_code\":{},\"duration_ms\":{},\"attempt\":{},\"stdout\":", parts.end.status,
                                parts.end.took.count(), task.attempt);
  append_json_string(raw, parts.output());
  raw += ",\"stderr_tail\":";
  append_json_string(raw, stderr_tail(parts.end));
  raw += ",\"value\":" + value.text() + "}";
  return Value::from_text(std::move(raw));
}

}  // namespace

bool exited_well(const Process& process, const ProcessEnd& end) {
  const std::vector<int>& codes = process.success_codes;
  return end.stopped == StopReason::None && end.status_code == CLD_EXITED &&
         std::find(codes.begin(), codes.end(), end.status) != codes.end();
}

std::int64_t cut_tail_begins(const Process& process) {
  return process.max_output - std::min(kCutTail, process.max_output / 4);
}

// The end itself may be a failure; else the output becomes the value, or a failure when it is not what `capture` says.
// A failure keeps the output, too.
Result result_of(const Task& task, const ProcessEnd& end, const Mask& mask) {
  const Process& process = std::get<Process>(*task.work);
  const std::int64_t stdout_left_out = std::max<std::int64_t>(end.stdout_bytes - process.max_output, 0);
  const Parts parts{process, mask, end, stdout_left_out,
                    mask.empty() ? "" : mask.text(end.stdout_head, stdout_left_out > 0)};
  Result result;
  result.took = end.took;
  result.began = end.began;
  result.code = end.status_code != CLD_EXITED ? -end.status : end.status;
  result.cut = process.capture == Process::Capture::File ? end.file_left_out : stdout_left_out;
  result.unlogged = end.unlogged;
  result.failure = failure_of(task, parts);
  if (!result.failure) {
    auto value = value_of(process.capture, parts, result.cut);
    if (auto* failure = std::get_if<Failure>(&value)) {
      result.failure = task.secret_output ? unreadable_output() : std::move(*failure);
    } else {
      result.value = std::get<Value>(std::move(value));
    }
  }
  if (result.failure) {
    result.failure->detail = detail_of(end);
    result.value = value_of_failed(parts, result.cut);
  } else if (task.keep_raw) {
    result.value = raw_value(task, parts, result.value);
  }
  return result;
}

}  // namespace flowrun
