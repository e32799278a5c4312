// How the output of processes lies in a file: frames, each a line of JSON and then the bytes. Knows neither where they
// come from nor what becomes of them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "engine/model/time.h"

namespace flowrun {

/// The line before the bytes: {process, path, attempt, stream, at, from, bytes, lost, why}.
struct FrameHeader {
  /// Of one process, unlike any other of the run. Empty: written by an older version, whose frames have neither this
  /// nor |from|, and always |path|.
  std::string process;
  std::string path;  ///< only where a process is named for the first time in its file; else empty
  int attempt = 0;   ///< likewise
  bool is_stderr = false;
  Instant at{};
  std::uint64_t from = 0;   ///< bytes that the process had said on this stream before
  std::uint64_t bytes = 0;  ///< that follow
  std::uint64_t lost = 0;   ///< so many before |from| could not be written
  std::string why;          ///< and this is the reason
};

/// With its line break.
std::string header_line(const FrameHeader& header);

constexpr const char* kOutputLog = "output.log";       ///< of a run, in its folder
constexpr const char* kTailPrefix = ".flowrun-tail-";  ///< of files with the newest words of a process that says much

enum class FramesEnd {
  Whole,   ///< behind the last byte
  Torn,    ///< before a frame that is not all there, or not yet
  Damaged  ///< before what is no frame
};

/// Calls |each| with the frames of an open file, from the one at byte |from| on, in order, and where their bytes begin.
/// Returns where whole frames end, and in |end| why there. What is written meanwhile is not looked at.
std::uint64_t scan_frames(int descriptor, const std::function<void(FrameHeader&&, std::uint64_t)>& each,
                          FramesEnd* end = nullptr, std::uint64_t from = 0);

/// A file that frames are appended to. One thread at a time.
class FrameFile {
 public:
  FrameFile() = default;
  ~FrameFile() { close(); }
  FrameFile(const FrameFile&) = delete;
  FrameFile& operator=(const FrameFile&) = delete;

  /// |descriptor| is the file's, and closed with it; it is positioned at its end. A torn end is cut off, behind which
  /// nothing would be found. False, also of -1: errno says why.
  bool open(int descriptor);
  bool is_open() const { return descriptor_ >= 0; }
  void close();
  /// All of it, or nothing of it and false: errno says why.
  bool append(std::string_view header, std::string_view bytes);
  /// The same with frames that are made already.
  bool append_frames(std::string_view frames) { return append({frames}); }
  std::uint64_t size() const { return size_; }

 private:
  bool append(std::initializer_list<std::string_view> parts);

  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace flowrun
