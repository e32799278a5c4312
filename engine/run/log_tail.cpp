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

/// Calls |each| with |count| bytes at |from|, or what is left of them, in pieces.
template <typename Each>
void pieces(int file, std::uint64_t from, std::uint64_t count, Each each) {
  char buffer[16384];
  while (count > 0) {
    const ssize_t got = pread(file, buffer, std::min<std::uint64_t>(count, sizeof buffer), static_cast<off_t>(from));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    each(std::string_view(buffer, static_cast<std::size_t>(got)));
    from += static_cast<std::uint64_t>(got);
    count -= static_cast<std::uint64_t>(got);
  }
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
        stream.seen = std::max(stream.seen, end);
        if (line.left_out > 0 || line.lost > 0) {
          flush(stream, line, take);
          take(line);
        }
        pieces(file_, begin + known, header.bytes - known,
               [&](std::string_view bytes) { add(stream, line, bytes, take); });
      },
      nullptr, read_);
}

void LogTail::flush(Stream& stream, const LogLine& of, const Take& take) {
  if (stream.line.empty()) return;
  take({stream.began, of.step, of.attempt, of.is_stderr, std::exchange(stream.line, ""), 0, 0, ""});
}

void LogTail::add(Stream& stream, const LogLine& of, std::string_view bytes, const Take& take) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::size_t room = kLongestLine - stream.line.size();
    if (stream.line.empty()) stream.began = of.at;
    if (std::min(end, bytes.size()) > room) {
      const std::size_t part = whole_characters(bytes, room);
      stream.line += bytes.substr(0, part);
      bytes.remove_prefix(part);
      flush(stream, of, take);
      continue;
    }
    stream.line += bytes.substr(0, end);
    if (end == bytes.npos) return;
    take({stream.began, of.step, of.attempt, of.is_stderr, std::exchange(stream.line, ""), 0, 0, ""});
    bytes.remove_prefix(end + 1);
  }
}

void LogTail::finish(const std::string& step, int attempt, const Take& take) {
  for (auto known = processes_.begin(); known != processes_.end();) {
    Process& process = known->second;
    const bool over = process.step == step && process.attempt == attempt;
    if (over) flush(process.out, {{}, step, attempt, false, "", 0, 0, ""}, take);
    if (over) flush(process.err, {{}, step, attempt, true, "", 0, 0, ""}, take);
    known = over ? processes_.erase(known) : std::next(known);
  }
}

}  // namespace flowrun
