// What becomes of a process that has ended: how it ended and what it said in, a value or an error of a documented type
// out. Pure; knows neither pipes nor files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "engine/executor/mask.h"
#include "engine/model/outcome.h"
#include "engine/model/task.h"

namespace flowrun {

/// How many of the last bytes of standard error count for `stderr_tail`.
constexpr std::size_t kStderrTail = 4096;

enum class StopReason { None, Timeout, Cancelled };

/// A process that has ended.
struct ProcessEnd {
  int status_code = 0;  ///< `si_code` of waitid(2): CLD_EXITED, else a signal ended it
  int status = 0;       ///< the exit status, or the number of that signal
  StopReason stopped = StopReason::None;
  std::string stdout_head{};          ///< as written, at most `max_output` bytes; empty when nobody captures it
  std::int64_t stdout_bytes = 0;      ///< how many were written, when somebody captures them
  std::string stdout_tail{};          ///< masked; the last bytes, when `unread` lets the middle be left out
  std::string stderr_tail{};          ///< masked; kStderrTail bytes at least, if there were so many
  std::optional<std::string> file{};  ///< what $FLOWRUN_OUTPUT holds, at most `max_output` bytes
  std::int64_t file_left_out = 0;     ///< how many more bytes it holds
  std::int64_t unlogged = 0;          ///< bytes of both streams that the log has not
  Duration took{0};
  Instant began{};  ///< by the wall clock
};

/// The process ended by itself, and its exit status is one of `success_codes`. The result may be a failure all the
/// same.
bool exited_well(const Process& process, const ProcessEnd& end);
/// From which byte of standard output on a byte may belong to the end of an output whose middle is left out.
std::int64_t cut_tail_begins(const Process& process);

/// Texts in the result are masked, strings inside of JSON are not yet. REQUIRES: |task| is a process.
Result result_of(const Task& task, const ProcessEnd& end, const Mask& mask);

}  // namespace flowrun
