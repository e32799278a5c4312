// What a process says: read from its two pipes, handed to the log, and kept as far as its result needs it. Knows
// nothing of how the process ends. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/executor/event_loop.h"
#include "engine/executor/mask.h"
#include "engine/executor/output_log.h"
#include "engine/executor/process_result.h"
#include "engine/model/task.h"

namespace flowrun {

/// The pipes of a process that is about to start. Closes what nobody has taken.
class ChildPipes {
 public:
  ChildPipes() = default;
  ~ChildPipes();
  ChildPipes(const ChildPipes&) = delete;
  ChildPipes& operator=(const ChildPipes&) = delete;

  /// |feeds|: with one to its standard input. Not empty: why there are none.
  std::string open(bool feeds);
  /// The ends for the process. The input is -1 unless the pipe is there.
  int stdin_end() const { return in_[0]; }
  int stdout_end() const { return out_[1]; }
  int stderr_end() const { return err_[1]; }
  /// Our ends, which do not block, and are the caller's from now on.
  int take_in() { return take(in_[1]); }
  int take_out() { return take(out_[0]); }
  int take_err() { return take(err_[0]); }

 private:
  static int take(int& end);

  int in_[2] = {-1, -1}, out_[2] = {-1, -1}, err_[2] = {-1, -1};
};

class ChildOutput {
 public:
  /// All outlive it. |process|: no other process of this drive has the number.
  ChildOutput(EventLoop& loop, const Task& task, const Mask& mask, OutputLog& log, std::uint64_t process)
      : loop_(loop),
        task_(task),
        out_{-1, Mask::Stream(mask), OutputLog::Stream(log, task, process, false)},
        err_{-1, Mask::Stream(mask), OutputLog::Stream(log, task, process, true)} {}

  /// Owns |out| and |err| from now on. The handlers, called with |id|, are to call on_readable().
  void watch(int out, EventLoop::HandlerId on_out, int err, EventLoop::HandlerId on_err, std::uint64_t id);
  /// Reads what is there, but not so much that other processes would have to wait.
  void on_readable(bool from_stderr);
  /// Takes in what the process, which has exited, has left in its pipes, and closes them.
  void finish();
  /// Moves what is kept into |end|. Call after finish().
  void move_to(ProcessEnd& end);

 private:
  struct Stream {
    int descriptor;
    Mask::Stream mask;  ///< of what goes to the log, or is cut
    OutputLog::Stream log;
  };
  /// Reads what is there, up to |most| bytes; false at the end of the stream.
  bool drain(bool from_stderr, std::size_t most);
  void keep(bool from_stderr, std::string_view bytes);
  // |bytes| are masked. The first: what may be the end of standard output.
  void log(Stream& stream, std::string_view bytes);
  void keep_end(std::string_view bytes);
  void keep_stderr(std::string_view bytes);
  void close_stream(Stream& stream);
  const Process& process() const { return std::get<Process>(*task_.work); }
  /// Whether standard output becomes part of the result.
  bool captures() const;

  EventLoop& loop_;
  const Task& task_;
  Stream out_, err_;
  std::string stdout_head_, stdout_tail_, stderr_tail_;  ///< as ProcessEnd has them
  std::int64_t stdout_bytes_ = 0;
};

}  // namespace flowrun
