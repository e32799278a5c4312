#include "engine/run/log_tail.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "engine/executor/output_frame.h"

namespace flowrun {
namespace {

constexpr std::size_t kLongestLine = 64 << 10;  // bytes; what is longer comes in pieces

/// Exactly |count| bytes at |from|, or what is left of them.
std::string bytes_at(int file, std::uint64_t from, std::uint64_t count) {
  std::string bytes(count, '\0');
  std::size_t held = 0;
  while (held < bytes.size()) {
    const ssize_t got = pread(file, bytes.data() + held, bytes.size() - held, static_cast<off_t>(from + held));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    held += static_cast<std::size_t>(got);
  }
  bytes.resize(held);
  return bytes;
}

}  // namespace

LogTail::LogTail(std::string folder) : folder_(std::move(folder)) {
  if (is_open()) read_ = scan_frames(file_, nullptr);
}

LogTail::~LogTail() {
  if (file_ >= 0) close(file_);
}

bool LogTail::is_open() {
  if (file_ < 0) file_ = open((folder_ + "/" + kOutputLog).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  return file_ >= 0;
}

void LogTail::look(const Take& take) {
  struct stat about {};
  if (!is_open() || fstat(file_, &about) != 0 || static_cast<std::uint64_t>(about.st_size) <= read_) return;
  read_ = scan_frames(
      file_,
      [&](FrameHeader&& header, std::uint64_t begin) {
        if (!header.path.empty()) processes_.try_emplace(header.process, Process{header.path, header.attempt});
        const auto known_as = processes_.find(header.process);
        if (known_as == processes_.end()) return;  // of an earlier drive
        Process& process = known_as->second;
        Stream& stream = header.is_stderr ? process.err : process.out;
        const std::uint64_t end = header.from + header.bytes;
        if (end <= stream.seen && header.lost == 0) return;  // it was in another place before
        LogLine line{header.at, process.step, process.attempt, header.is_stderr, "", 0, header.lost, header.why};
        if (header.from > stream.seen + header.lost) line.left_out = header.from - stream.seen - header.lost;
        const std::uint64_t known = std::min(header.bytes, stream.seen - std::min(stream.seen, header.from));
        stream.seen = end;
        add(stream, std::move(line), bytes_at(file_, begin + known, header.bytes - known), take);
      },
      nullptr, read_);
}

void LogTail::add(Stream& stream, LogLine line, std::string_view bytes, const Take& take) {
  const auto flush = [&](Instant at) {
    take({at, line.step, line.attempt, line.is_stderr, std::exchange(stream.line, ""), 0, 0, ""});
  };
  if (line.left_out > 0 || line.lost > 0) {
    if (!stream.line.empty()) flush(stream.began);
    take(line);
  }
  while (!bytes.empty()) {
    if (stream.line.empty()) stream.began = line.at;
    const std::size_t end = bytes.find('\n');
    stream.line += bytes.substr(0, end);
    if (end != bytes.npos || stream.line.size() >= kLongestLine) flush(stream.began);
    bytes.remove_prefix(std::min(end == bytes.npos ? end : end + 1, bytes.size()));
  }
}

void LogTail::finish(const std::string& step, int attempt, const Take& take) {
  for (auto known = processes_.begin(); known != processes_.end();) {
    Process& process = known->second;
    const bool over = process.step == step && process.attempt == attempt;
    for (Stream* stream : {&process.out, &process.err})
      if (over && !stream->line.empty())
        take({stream->began, step, attempt, stream == &process.err, std::move(stream->line), 0, 0, ""});
    known = over ? processes_.erase(known) : std::next(known);
  }
}

}  // namespace flowrun
