#include "cli/progress/event_stream.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>
#include <thread>

#include "cli/entry_text.h"
#include "cli/terminal.h"
#include "engine/model/error.h"

namespace flowrun::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kForReader{5};  // until a named pipe counts as one that nobody will read
constexpr std::chrono::seconds kLastWait{1};   // for a reader that takes nothing, when an end is wanted
constexpr std::chrono::milliseconds kAskAgain{20};
constexpr int kRound = 100;  // ms

int opened(const std::string& name) {
  if (name == "-") return STDOUT_FILENO;
  for (const auto until = Clock::now() + kForReader;;) {
    const int out = open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    if (out >= 0) {
      fcntl(out, F_SETFL, 0);
      return out;
    }
    const bool unread = errno == ENXIO;  // open(2): a pipe without a reader
    if (!unread || Clock::now() >= until)
      throw Error(Problem::Usage, fmt::format("--events: cannot write {}: {}", name,
                                              unread ? "it is a pipe that nobody reads" : std::strerror(errno)));
    std::this_thread::sleep_for(kAskAgain);
  }
}

}  // namespace

EventStream::EventStream(const std::string& name, std::function<bool()> stop)
    : name_(name), stop_(std::move(stop)), out_(opened(name)) {}

EventStream::~EventStream() {
  if (out_ != STDOUT_FILENO) close(out_);
}

void EventStream::write(const Entry& entry) {
  if (lost_.empty()) write_line(entry_json(entry).dump(-1, ' ', false, Json::error_handler_t::replace));
}

void EventStream::write_line(std::string line) {
  if (!lost_.empty()) return;
  line += '\n';
  if (isatty(out_)) line = shown(line);
  std::string_view rest = line;
  const char* why = "nobody reads it any more";
  for (auto since = Clock::now(); !rest.empty();) {
    // A pipe that has room takes this much at once (pipe(7)), so that a signal is heard between two pieces.
    pollfd one{out_, POLLOUT, 0};
    if (poll(&one, 1, kRound) <= 0) {
      if (!stop_() || Clock::now() - since < kLastWait) continue;
    } else {
      const ssize_t written = ::write(out_, rest.data(), std::min<std::size_t>(rest.size(), PIPE_BUF));
      if (written > 0) {
        rest.remove_prefix(static_cast<std::size_t>(written));
        since = Clock::now();
        continue;
      }
      if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (written < 0 && errno != EPIPE) why = std::strerror(errno);
    }
    lost_ =
        fmt::format("{} can not be written: {}", out_ == STDOUT_FILENO ? "standard output" : "--events " + name_, why);
    return;
  }
}

}  // namespace flowrun::cli
