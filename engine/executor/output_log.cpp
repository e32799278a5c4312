#include "engine/executor/output_log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace flowrun {

bool OutputLog::append(std::string_view header, std::string_view bytes) {
  std::lock_guard lock(mutex_);
  return is_open() && file_.append(header, bytes);
}

bool OutputLog::append_frames(std::string_view frames) {
  std::lock_guard lock(mutex_);
  return is_open() && file_.append_frames(frames);
}

bool OutputLog::is_open() { return file_.is_open() || file_.open(folder_.append(kOutputLog)); }

void OutputLog::Stream::append(std::string_view bytes) {
  while (!bytes.empty()) {
    std::size_t part = fitting(bytes);
    if (part == 0) {
      next_place();
      continue;
    }
    put(bytes.substr(0, part));
    bytes.remove_prefix(part);
  }
}

std::size_t OutputLog::Stream::fitting(std::string_view bytes) {
  const std::uint64_t full = tail_ ? kTail : kHead, have = used();
  if (have >= full + kLongestLine) return 0;
  if (have + bytes.size() <= full) return bytes.size();
  const auto room = static_cast<std::size_t>(full - std::min(full, have));
  const auto most = static_cast<std::size_t>(full + kLongestLine - have);
  // The line that reaches over the end is the last.
  const std::size_t end = bytes.find('\n', room > 0 ? room - 1 : 0);
  if (end == bytes.npos || end >= most) return std::min(bytes.size(), most);
  used() = full + kLongestLine - (end + 1);  // with what is put now
  return end + 1;
}

void OutputLog::Stream::put(std::string_view part) {
  // A file that a failed write has closed is opened again below: its last frames may be those that named the step.
  if (tail_ && !tail_->file.is_open()) introduced_ = false;
  FrameHeader header;
  header.process = fmt::format("{}-{}", log_.drive_, process_);
  if (!introduced_) {
    header.path = task_.path;
    header.attempt = task_.attempt;
  }
  header.is_stderr = is_stderr_;
  header.at = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  header.from = offset_;
  header.bytes = part.size();
  header.lost = untold_;
  if (untold_ > 0) header.why = std::strerror(why_);
  if (write(header, part)) {
    introduced_ = true;
    untold_ = 0;
  } else {
    why_ = errno;
    lost_ += part.size();
    untold_ += part.size();
  }
  offset_ += part.size();
}

bool OutputLog::Stream::write(FrameHeader& header, std::string_view part) {
  const std::string line = header_line(header);
  used() += line.size() + part.size();
  if (!tail_) return log_.append(line, part);
  const bool open = tail_->file.is_open() || tail_->file.open(log_.folder_.append(tail_file(tail_->which)));
  return open && tail_->file.append(line, part);
}

void OutputLog::Stream::next_place() {
  if (!tail_) {
    tail_ = std::make_unique<Tail>();
  } else {
    tail_->two = true;
  }
  tail_->which = 1 - tail_->which;
  tail_->used = 0;
  tail_->file.close();
  // Anew: who reads the one that had its name is not to see new bytes in it. Where that fails the first frame tries
  // again.
  tail_->file.open(log_.folder_.create(tail_file(tail_->which)));
  introduced_ = false;
}

std::string OutputLog::Stream::tail_file(int which) const {
  return fmt::format("{}{}-{}-{}{}", kTailPrefix, log_.drive_, process_, is_stderr_ ? "err" : "out", which);
}

void OutputLog::Stream::end() {
  if (untold_ > 0) put("");
  if (tail_) move_tail();
  tail_.reset();
}

void OutputLog::Stream::move_tail() {
  tail_->file.close();
  // The older one first. What can not be moved stays where it is, and is found there.
  for (int which : {1 - tail_->which, tail_->which}) {
    if (which != tail_->which && !tail_->two) continue;
    const std::string name = tail_file(which);
    int descriptor = log_.folder_.read(name);
    if (descriptor < 0) continue;
    std::string frames;
    for (char buffer[65536];;) {
      ssize_t got = read(descriptor, buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      frames.append(buffer, static_cast<std::size_t>(got));
    }
    close(descriptor);
    if (frames.empty() || log_.append_frames(frames)) log_.folder_.remove(name);
  }
}

}  // namespace flowrun
