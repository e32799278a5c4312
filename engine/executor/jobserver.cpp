#include "engine/executor/jobserver.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "engine/executor/spawn.h"

extern char** environ;

namespace flowrun {
namespace {

constexpr std::string_view kAuth = " --jobserver-auth=";
constexpr std::string_view kAuthBefore42 = " --jobserver-fds=";
constexpr std::string_view kVariables = " -- ";
constexpr char kToken = '+';
constexpr int kPatienceMs = 1000;

/// A description of its own of the pipe that |descriptor| is an end of: it does not block, and nobody else's does so
/// for it.
int open_again(int descriptor, int mode) {
  return open(fmt::format("/proc/self/fd/{}", descriptor).c_str(), mode | O_NONBLOCK | O_CLOEXEC);
}

bool is_pipe(int descriptor) {
  struct stat status {};
  return fstat(descriptor, &status) == 0 && S_ISFIFO(status.st_mode);
}

/// What `make --version` says first; empty: there is no make, or it says nothing.
std::string version_of_make() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return "";
  SpawnRequest request;
  request.argv = {"make", "--version"};
  for (char** variable = environ; *variable; ++variable) request.env.push_back(*variable);
  request.in = null_device();
  request.out = request.err = ends[1];
  const Spawned make = spawn(request);
  close(ends[1]);
  std::string said;
  if (make.pid >= 0) {
    char buffer[256];
    pollfd waiting{ends[0], POLLIN, 0};
    if (poll(&waiting, 1, kPatienceMs) > 0)
      if (const ssize_t got = read(ends[0], buffer, sizeof buffer); got > 0)
        said.assign(buffer, static_cast<std::size_t>(got));
    kill(make.pid, SIGKILL);
    siginfo_t ignored{};
    waitid(P_PIDFD, static_cast<id_t>(make.pidfd), &ignored, WEXITED);
    close(make.pidfd);
  }
  close(ends[0]);
  return said;
}

/// Whether the make that steps would run finds a jobserver by its name.
bool make_takes_names() {
  int major = 0, minor = 0;
  const std::string version = version_of_make();
  if (std::sscanf(version.c_str(), "GNU Make %d.%d", &major, &minor) != 2) return true;
  return major > 4 || (major == 4 && minor >= 4);
}

}  // namespace

std::string named_jobserver(std::string_view makeflags) {
  makeflags = makeflags.substr(0, makeflags.find(kVariables));
  const std::string words = fmt::format(" {} ", makeflags);
  std::size_t at = 0, last = words.npos;
  for (const std::string_view option : {kAuth, kAuthBefore42})
    if (const std::size_t found = words.rfind(option); found != words.npos && (last == words.npos || found > last)) {
      last = found;
      at = found + option.size();
    }
  return last == words.npos ? "" : words.substr(at, words.find(' ', at) - at);
}

std::string with_jobserver(std::string_view makeflags, int jobs, std::string_view auth) {
  const std::size_t variables = std::min(makeflags.find(kVariables), makeflags.size());
  return fmt::format("{} -j{}{}{}{}", makeflags.substr(0, variables), jobs, kAuth, auth, makeflags.substr(variables));
}

Jobserver::~Jobserver() {
  for (const char token : taken_) {
    while (write(write_, &token, 1) < 0 && errno == EINTR) {
    }
  }
  if (read_ >= 0) close(read_);
  if (write_ >= 0) close(write_);
}

void Jobserver::open(int jobs) {
  const char* inherited = std::getenv("MAKEFLAGS");
  const std::string auth = named_jobserver(inherited ? inherited : "");
  if (!auth.empty() && open_client(auth)) return;
  if (jobs > 0 && jobs <= kMostTokens) open_server(jobs);
}

bool Jobserver::open_client(const std::string& auth) {
  constexpr std::string_view kNamed = "fifo:";
  int reads = -1, writes = -1;
  if (auth.starts_with(kNamed)) {
    const std::string file = auth.substr(kNamed.size());
    // For both, so that the pipe has a writer whatever becomes of the others.
    read_ = ::open(file.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    write_ = ::open(file.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  } else if (std::sscanf(auth.c_str(), "%d,%d", &reads, &writes) == 2 && reads > 2 && writes > 2 && is_pipe(reads) &&
             is_pipe(writes)) {
    read_ = open_again(reads, O_RDONLY);
    write_ = open_again(writes, O_WRONLY);
    inherited_ = {reads, writes};
  }
  implicit_ = read_ >= 0 && write_ >= 0 && is_pipe(read_) && is_pipe(write_);
  if (implicit_) return true;
  for (int* end : {&read_, &write_})
    if (*end >= 0) close(std::exchange(*end, -1));
  inherited_.clear();
  return false;
}

void Jobserver::open_server(int jobs) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return;
  read_ = open_again(ends[0], O_RDONLY);
  write_ = open_again(ends[1], O_WRONLY);
  tokens_ = jobs;
  refill();
  // A pipe without a file has a name below /proc, which ends with us.
  std::string auth = fmt::format("fifo:/proc/{}/fd/{}", getpid(), read_);
  if (!make_takes_names()) {
    auth = fmt::format("{},{}", ends[0], ends[1]);
    inherited_ = {ends[0], ends[1]};
  } else {
    close(ends[0]);
    close(ends[1]);
  }
  const char* inherited = std::getenv("MAKEFLAGS");
  makeflags_ = with_jobserver(inherited ? inherited : "", jobs, auth);
}

void Jobserver::refill() {
  char token = 0;
  while (read(read_, &token, 1) == 1) {
  }
  const std::string all(static_cast<std::size_t>(tokens_), kToken);
  [[maybe_unused]] const ssize_t written = write(write_, all.data(), all.size());
}

bool Jobserver::take() {
  if (read_ < 0) return true;
  if (implicit_) {
    implicit_ = false;
    return true;
  }
  char token = 0;
  ssize_t got = 0;
  do got = read(read_, &token, 1);
  while (got < 0 && errno == EINTR);
  if (got == 1) taken_.push_back(token);
  return got == 1;
}

void Jobserver::put_back() {
  if (read_ < 0) return;
  if (taken_.empty()) {
    implicit_ = tokens_ == 0;
    return;
  }
  const char token = taken_.back();
  taken_.pop_back();
  if (tokens_ > 0 && taken_.empty()) return refill();
  while (write(write_, &token, 1) < 0 && errno == EINTR) {
  }
}

}  // namespace flowrun
