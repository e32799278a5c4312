#include "engine/executor/output_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <istream>
#include <optional>
#include <utility>

#include "engine/model/value.h"

namespace flowrun {
namespace {

// A frame is a line of JSON {path, attempt, stream, at, bytes}, then so many bytes, then a line break.

/// The next frame of |in|, of which |left| bytes are left; nothing at the end, or where it is torn.
std::optional<LogFrame> next_frame(std::istream& in, std::uint64_t& left) {
  std::string header;
  if (!std::getline(in, header) || in.eof()) return std::nullopt;
  Json json = Json::parse(header, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  LogFrame frame;
  std::uint64_t bytes = 0;
  try {
    frame.path = json.at("path");
    frame.attempt = json.at("attempt");
    frame.is_stderr = json.at("stream") == "stderr";
    frame.at = from_millis(json.at("at"));
    bytes = json.at("bytes");
  } catch (const Json::exception&) {
    return std::nullopt;
  }
  std::uint64_t around = header.size() + 2;
  if (left < around || bytes > left - around) return std::nullopt;
  frame.bytes.resize(bytes);
  in.read(frame.bytes.data(), static_cast<std::streamsize>(bytes));
  if (in.get() != '\n') return std::nullopt;
  left -= around + bytes;
  return frame;
}

std::uint64_t size_of(const std::string& file) {
  std::error_code none;
  std::uint64_t size = std::filesystem::file_size(file, none);
  return none ? 0 : size;
}

}  // namespace

OutputLog::~OutputLog() {
  if (descriptor_ >= 0) close(descriptor_);
}

void OutputLog::append(const std::string& path, int attempt, bool is_stderr, std::string_view bytes) {
  std::string frame = "{\"path\":";
  append_json_string(frame, path);
  Instant now = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  frame += fmt::format(",\"attempt\":{},\"stream\":\"{}\",\"at\":{},\"bytes\":{}}}\n", attempt,
                       is_stderr ? "stderr" : "stdout", to_millis(now), bytes.size());
  frame += bytes;
  frame += '\n';
  std::lock_guard lock(mutex_);
  if (broken_) return;
  if (descriptor_ < 0) open_file();
  broken_ = descriptor_ < 0 || write(descriptor_, frame.data(), frame.size()) != static_cast<ssize_t>(frame.size());
}

void OutputLog::open_file() {
  // A crash may have torn the last frame, behind which no other would be found.
  if (std::uint64_t size = size_of(file_)) {
    std::uint64_t left = size;
    std::ifstream in(file_, std::ios::binary);
    while (next_frame(in, left)) {
    }
    if (left > 0 && truncate(file_.c_str(), static_cast<off_t>(size - left)) != 0) return;
  }
  descriptor_ = open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

std::vector<LogFrame> read_output_log(const std::string& file) {
  std::vector<LogFrame> frames;
  std::uint64_t left = size_of(file);
  std::ifstream in(file, std::ios::binary);
  while (auto frame = next_frame(in, left)) frames.push_back(std::move(*frame));
  return frames;
}

}  // namespace flowrun
