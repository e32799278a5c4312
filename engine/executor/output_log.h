// What processes say, on its way to disk: as it comes, in one file a run, bounded for each stream of a process. Knows
// neither journal nor steps' meaning, nor what is a secret: it is told what may be kept.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/executor/output_frame.h"
#include "engine/executor/run_folder.h"
#include "engine/model/task.h"

namespace flowrun {

/// The file of a run, which is made with the first word. Its workers share it: any thread.
class OutputLog {
 public:
  /// |folder| is lent, and open before a process says something. |drive| tells the processes of this drive from those
  /// of others in the same folder.
  OutputLog(const RunFolder& folder, std::string drive) : folder_(folder), drive_(std::move(drive)) {}

  class Stream;

 private:
  bool append(std::string_view header, std::string_view bytes);
  bool append_frames(std::string_view frames);
  bool is_open();

  const RunFolder& folder_;
  const std::string drive_;
  std::mutex mutex_;
  FrameFile file_;
};

/// One of the two streams of a process. Its beginning goes to the file of the run; when that is enough, what follows
/// goes to two files of its own in turn, of which the older is overwritten, so that the end is always there. When the
/// process has ended they are moved to the file of the run. What can not be written is left out, and the next frame
/// says so. One thread.
class OutputLog::Stream {
 public:
  // A place is full at the end of the first line behind so many bytes, and in the midst of a line that is very long.
  static constexpr std::uint64_t kHead = 1 << 20;
  static constexpr std::uint64_t kTail = 512 << 10;  ///< so many at least, and twice as many at most
  static constexpr std::uint64_t kLongestLine = 128 << 10;

  /// |task| outlives it. |process|: no other one of this drive has it.
  Stream(OutputLog& log, const Task& task, std::uint64_t process, bool is_stderr)
      : log_(log), task_(task), process_(process), is_stderr_(is_stderr) {}
  void append(std::string_view bytes);
  /// Nothing more comes.
  void end();
  /// So many bytes could not be written.
  std::uint64_t lost() const { return lost_; }

 private:
  struct Tail {
    FrameFile file;
    int which = 1;           ///< of the two files
    bool two = false;        ///< both hold something
    std::uint64_t used = 0;  ///< bytes of |which|
  };
  void put(std::string_view part);
  bool write(FrameHeader& header, std::string_view part);
  std::uint64_t& used() { return tail_ ? tail_->used : used_; }
  /// How much of |bytes| goes to the place that is written to now.
  std::size_t fitting(std::string_view bytes);
  void next_place();
  std::string tail_file(int which) const;
  void move_tail();

  OutputLog& log_;
  const Task& task_;
  const std::uint64_t process_;
  const bool is_stderr_;
  bool introduced_ = false;  ///< in the place that is written to now
  std::uint64_t offset_ = 0, used_ = 0;
  std::uint64_t lost_ = 0, untold_ = 0;  ///< in all, and since the last frame
  int why_ = 0;                          ///< errno
  std::unique_ptr<Tail> tail_;
};

}  // namespace flowrun
