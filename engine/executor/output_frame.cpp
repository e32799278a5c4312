#include "engine/executor/output_frame.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "engine/model/value.h"

namespace flowrun {
namespace {

constexpr std::size_t kLongestHeader = 1 << 20;  // a path may be long; no header is longer

/// Nothing when |line| is no header.
std::optional<FrameHeader> header_from(std::string_view line) {
  Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  FrameHeader header;
  bool good = true;
  auto text = [&](const char* key, bool needed) {
    auto found = json.find(key);
    if (found == json.end()) return good = good && !needed, std::string();
    if (found->is_string()) return found->get<std::string>();
    return good = false, std::string();
  };
  auto number = [&](const char* key, bool needed) {
    constexpr std::uint64_t kMost = std::uint64_t{1} << 62;  // so that sums of two are numbers, too
    auto found = json.find(key);
    if (found == json.end()) return good = good && !needed, std::uint64_t{0};
    if (found->is_number_unsigned() && found->get<std::uint64_t>() < kMost) return found->get<std::uint64_t>();
    return good = false, std::uint64_t{0};
  };
  header.process = text("process", false);
  const bool old = header.process.empty();
  header.path = text("path", old);
  header.attempt = static_cast<int>(number("attempt", old) & 0x7fffffff);
  const std::string stream = text("stream", true);
  header.is_stderr = stream == "stderr";
  header.at = from_millis(static_cast<std::int64_t>(number("at", true)));
  header.from = number("from", !old);
  header.bytes = number("bytes", true);
  header.lost = number("lost", false);
  header.why = text("why", false);
  if (!good || (stream != "stderr" && stream != "stdout")) return std::nullopt;
  return header;
}

/// Bytes of a file by their position; keeps a piece of it.
class Window {
 public:
  explicit Window(int descriptor) : descriptor_(descriptor) {}

  /// The bytes from |at| to the next line break behind it, which is not among them. Nothing when there is none.
  std::optional<std::string_view> line(std::uint64_t at) {
    for (std::size_t wanted = 512; wanted <= kLongestHeader; wanted *= 2) {
      std::string_view there = bytes(at, wanted);
      if (std::size_t end = there.find('\n'); end != there.npos) return there.substr(0, end);
      if (there.size() < wanted) return std::nullopt;
    }
    return std::nullopt;
  }

  /// Up to |count| bytes; fewer at the end.
  std::string_view bytes(std::uint64_t at, std::size_t count) {
    if (at < from_ || at + count > from_ + held_) {
      buffer_.resize(std::max<std::size_t>(count, 1 << 16));
      from_ = at;
      held_ = 0;
      while (held_ < buffer_.size()) {
        ssize_t got =
            pread(descriptor_, buffer_.data() + held_, buffer_.size() - held_, static_cast<off_t>(at + held_));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        held_ += static_cast<std::size_t>(got);
      }
    }
    std::size_t offset = static_cast<std::size_t>(at - from_);
    return std::string_view(buffer_).substr(offset, std::min(count, held_ - offset));
  }

 private:
  const int descriptor_;
  std::string buffer_;
  std::uint64_t from_ = 0;
  std::size_t held_ = 0;
};

}  // namespace

std::string header_line(const FrameHeader& header) {
  std::string line = "{";
  auto member = [&](const char* name) { line += fmt::format("{}\"{}\":", line.size() > 1 ? "," : "", name); };
  auto text = [&](const char* name, const std::string& value) {
    if (value.empty()) return;
    member(name);
    append_json_string(line, value);
  };
  text("process", header.process);
  text("path", header.path);
  if (header.attempt > 0) line += fmt::format(",\"attempt\":{}", header.attempt);
  line += fmt::format(",\"stream\":\"{}\",\"at\":{},\"from\":{},\"bytes\":{}", header.is_stderr ? "stderr" : "stdout",
                      to_millis(header.at), header.from, header.bytes);
  if (header.lost > 0) line += fmt::format(",\"lost\":{}", header.lost);
  text("why", header.why);
  return line += "}\n";
}

std::uint64_t scan_frames(int descriptor, const std::function<void(FrameHeader&&, std::uint64_t)>& each, FramesEnd* end,
                          std::uint64_t from) {
  FramesEnd ignored;
  FramesEnd& ending = end ? *end : ignored;
  ending = FramesEnd::Whole;
  struct stat about {};
  if (fstat(descriptor, &about) != 0) return from;
  const auto size = static_cast<std::uint64_t>(about.st_size);
  Window window(descriptor);
  std::uint64_t at = from;
  while (at < size) {
    auto line = window.line(at);
    if (!line) {
      const bool begins = size - at <= kLongestHeader && window.bytes(at, 1) == "{";
      ending = begins ? FramesEnd::Torn : FramesEnd::Damaged;
      return at;
    }
    const std::uint64_t begin = at + line->size() + 1;
    auto header = header_from(*line);
    ending = FramesEnd::Damaged;
    if (!header) return at;
    // It may be written just now, and be longer than it was.
    if (begin > size || header->bytes >= size - begin) {
      ending = FramesEnd::Torn;
      return at;
    }
    const std::uint64_t behind = begin + header->bytes;
    if (window.bytes(behind, 1) != "\n") return at;
    if (each) each(std::move(*header), begin);
    ending = FramesEnd::Whole;
    at = behind + 1;
  }
  return at;
}

bool FrameFile::open(int descriptor) {
  close();
  if (descriptor < 0) return false;
  descriptor_ = descriptor;
  size_ = scan_frames(descriptor_, nullptr);
  if (ftruncate(descriptor_, static_cast<off_t>(size_)) == 0) return true;
  int why = errno;
  close();
  errno = why;
  return false;
}

void FrameFile::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

bool FrameFile::append(std::string_view header, std::string_view bytes) { return append({header, bytes, "\n"}); }

bool FrameFile::append(std::initializer_list<std::string_view> parts) {
  std::array<iovec, 3> pieces{};
  std::size_t count = 0, left = 0;
  for (std::string_view part : parts) {
    pieces[count++] = {const_cast<char*>(part.data()), part.size()};
    left += part.size();
  }
  const std::size_t whole = left;
  for (std::size_t first = 0; left > 0;) {
    ssize_t written = writev(descriptor_, &pieces[first], static_cast<int>(count - first));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      // Half a frame would hide all behind it.
      int why = written == 0 ? ENOSPC : errno;
      if (left < whole && ftruncate(descriptor_, static_cast<off_t>(size_)) != 0) close();
      errno = why;
      return false;
    }
    left -= static_cast<std::size_t>(written);
    for (auto gone = static_cast<std::size_t>(written); gone > 0;) {
      std::size_t part = std::min(gone, pieces[first].iov_len);
      pieces[first].iov_base = static_cast<char*>(pieces[first].iov_base) + part;
      pieces[first].iov_len -= part;
      gone -= part;
      if (pieces[first].iov_len == 0) ++first;
    }
    while (left > 0 && pieces[first].iov_len == 0) ++first;
  }
  size_ += whole;
  return true;
}

}  // namespace flowrun
