#include "engine/executor/output_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <fstream>

#include "engine/model/value.h"

namespace flowrun {

// A frame is a line of JSON {path, attempt, stream, at, bytes}, then so many bytes, then a line break.

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
  if (descriptor_ < 0) descriptor_ = open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  broken_ = descriptor_ < 0 || write(descriptor_, frame.data(), frame.size()) != static_cast<ssize_t>(frame.size());
}

std::vector<LogFrame> read_output_log(const std::string& file) {
  std::vector<LogFrame> frames;
  std::ifstream in(file, std::ios::binary);
  for (std::string header; std::getline(in, header);) {
    Json json = Json::parse(header, nullptr, false);
    if (!json.is_object() || !json.contains("bytes")) break;
    LogFrame frame;
    frame.path = json.value("path", "");
    frame.attempt = json.value("attempt", 0);
    frame.is_stderr = json.value("stream", "") == "stderr";
    frame.at = from_millis(json.value("at", std::int64_t{0}));
    frame.bytes.resize(json.value("bytes", std::size_t{0}));
    if (!in.read(frame.bytes.data(), static_cast<std::streamsize>(frame.bytes.size())) || in.get() != '\n') break;
    frames.push_back(std::move(frame));
  }
  return frames;
}

}  // namespace flowrun
