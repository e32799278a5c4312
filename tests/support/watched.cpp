#include "tests/support/watched.h"

#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "tests/support/catch.h"

namespace flowrun::test {
namespace {

winsize size_of(std::size_t columns, std::size_t rows) {
  winsize size{};
  size.ws_col = static_cast<unsigned short>(columns);
  size.ws_row = static_cast<unsigned short>(rows);
  return size;
}

}  // namespace

Watched::Watched(std::vector<std::string> argv, std::size_t columns, std::size_t rows, std::vector<std::string> env,
                 const std::string& cwd)
    : screen(columns, rows) {
  const winsize size = size_of(columns, rows);
  pid_ = forkpty(&master_, nullptr, nullptr, &size);
  if (pid_ == 0) {
    if (!cwd.empty() && chdir(cwd.c_str()) != 0) _exit(126);
    for (std::string& one : env) putenv(one.data());
    std::vector<char*> words;
    for (std::string& word : argv) words.push_back(word.data());
    words.push_back(nullptr);
    execv(words[0], words.data());
    _exit(127);
  }
}

Watched::~Watched() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(master_);
}

bool Watched::until(const std::function<bool()>& enough) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (std::chrono::steady_clock::now() < end) {
    if (enough()) return true;
    fd_set set;
    FD_ZERO(&set);
    FD_SET(master_, &set);
    timeval wait{0, 20'000};
    if (select(master_ + 1, &set, nullptr, nullptr, &wait) <= 0) continue;
    char buffer[4096];
    const ssize_t got = read(master_, buffer, sizeof buffer);
    if (got <= 0) break;
    screen.feed({buffer, static_cast<std::size_t>(got)});
    bytes_ += static_cast<std::size_t>(got);
  }
  return enough();
}

bool Watched::shows(const std::string& text) {
  return until([&] { return all().find(text) != std::string::npos; });
}

int Watched::finish() {
  until([] { return false; });
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void Watched::resize(std::size_t columns, std::size_t rows) {
  const winsize size = size_of(columns, rows);
  ioctl(master_, TIOCSWINSZ, &size);
}

void Watched::type(const std::string& text) { CHECK(write(master_, text.data(), text.size()) > 0); }

}  // namespace flowrun::test
