#include "cli/progress/live_screen.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace flowrun::cli {
namespace {

constexpr const char* kToLineEnd = "\x1b[K";
constexpr const char* kToScreenEnd = "\x1b[J";
constexpr const char* kNoProgress = "\x1b]9;4;0\x1b\\";

// What the handler of SIGTSTP needs: it may interrupt anything.
char g_erase[64];                    // the bytes that take the frame away
std::atomic<std::size_t> g_size{0};  // of them; 0: there is no frame
std::atomic<int> g_out{-1};          // where to
std::atomic<bool> g_stopped{false};  // the process was stopped; what it had drawn is not where the cursor is

pthread_t g_thread;  // that draws

extern "C" void on_terminal_stop(int signal) {
  if (!pthread_equal(pthread_self(), g_thread)) {
    pthread_kill(g_thread, signal);  // only there no frame is half drawn
    return;
  }
  const int saved = errno;
  if (const std::size_t size = g_size.exchange(0); size > 0) {
    const ssize_t ignored = ::write(g_out, g_erase, size);
    static_cast<void>(ignored);
  }
  g_stopped = true;
  // As if nobody had handled it, then again as before.
  struct sigaction usual {
  }, ours{};
  usual.sa_handler = SIG_DFL;
  sigaction(signal, &usual, &ours);
  sigset_t only, before;
  sigemptyset(&only);
  sigaddset(&only, signal);
  raise(signal);
  pthread_sigmask(SIG_UNBLOCK, &only, &before);  // it stops here
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  sigaction(signal, &ours, nullptr);
  errno = saved;
}

/// Puts SIGTSTP off as long as it lives.
class Unstopped {
 public:
  Unstopped() {
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    pthread_sigmask(SIG_BLOCK, &stop, &before_);
  }
  ~Unstopped() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  Unstopped(const Unstopped&) = delete;
  Unstopped& operator=(const Unstopped&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

LiveScreen::LiveScreen(int out, bool progress) : out_(out), progress_(progress) {
  g_out = out;
  g_thread = pthread_self();
  struct sigaction before {};
  sigaction(SIGTSTP, nullptr, &before);
  if (before.sa_handler == SIG_IGN) return;  // a shell without job control
  struct sigaction action {};
  action.sa_handler = on_terminal_stop;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGTSTP, &action, nullptr);
}

LiveScreen::~LiveScreen() {
  erase();
  if (progress_ && percent_ >= 0) write(kNoProgress);
  struct sigaction now {};
  sigaction(SIGTSTP, nullptr, &now);
  if (now.sa_handler == on_terminal_stop) ::signal(SIGTSTP, SIG_DFL);
  g_out = -1;
}

ScreenSize LiveScreen::size() const {
  winsize size{};
  if (ioctl(out_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

bool LiveScreen::takes() const {
  pollfd out{out_, POLLOUT, 0};
  return poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0;
}

std::size_t LiveScreen::rows_drawn(std::size_t columns) const {
  std::size_t rows = 0;
  for (const ScreenLine& line : drawn_) rows += line.rows(columns);
  return rows;
}

std::string LiveScreen::erasing(std::size_t columns) const {
  if (drawn_.empty()) return {};
  const std::size_t rows = rows_drawn(columns);
  std::string bytes = "\r";
  if (rows > 1) bytes += fmt::format("\x1b[{}A", rows - 1);
  return bytes + kToScreenEnd;
}

void LiveScreen::forget_if_stopped() {
  if (g_stopped.exchange(false)) drawn_.clear();
}

void LiveScreen::draw(const std::vector<ScreenLine>& scrolled, const std::vector<ScreenLine>& lines, int percent) {
  const Unstopped unstopped;
  forget_if_stopped();
  const bool same = scrolled.empty() && lines.size() == drawn_.size() &&
                    std::equal(lines.begin(), lines.end(), drawn_.begin(),
                               [](const ScreenLine& one, const ScreenLine& other) { return one.text == other.text; });
  const bool moved = progress_ && percent != percent_;
  if (same && !moved) return;
  std::string bytes;
  if (!same) {
    const std::size_t columns = size().columns;
    // Line by line over what was there, which flickers less than to erase it first.
    const std::size_t rows = rows_drawn(columns);
    bytes += '\r';
    if (rows > 1) bytes += fmt::format("\x1b[{}A", rows - 1);
    for (const ScreenLine& line : scrolled) bytes += line.text + kToLineEnd + "\r\n";
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (i > 0) bytes += "\r\n";
      bytes += lines[i].text + kToLineEnd;
    }
    if (lines.empty() || rows > scrolled.size() + lines.size() || !scrolled.empty()) bytes += kToScreenEnd;
  }
  if (moved) bytes += percent < 0 ? kNoProgress : fmt::format("\x1b]9;4;1;{}\x1b\\", std::min(percent, 100));
  percent_ = percent;
  g_size = 0;
  write(bytes);
  drawn_ = lines;
  std::string erase = erasing(size().columns);
  if (progress_ && percent_ >= 0) erase += kNoProgress;
  if (erase.size() > sizeof g_erase) return;
  std::memcpy(g_erase, erase.data(), erase.size());
  g_size = erase.size();
}

void LiveScreen::erase() {
  const Unstopped unstopped;
  forget_if_stopped();
  g_size = 0;
  if (drawn_.empty()) return;
  write(erasing(size().columns));
  drawn_.clear();
}

void LiveScreen::write(const std::string& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t written = ::write(out_, bytes.data() + at, bytes.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;  // the terminal is gone, which a signal tells
    at += static_cast<std::size_t>(written);
  }
}

}  // namespace flowrun::cli
