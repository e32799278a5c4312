#include "engine/executor/jobserver.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <utility>

#include "engine/executor/named_file.h"
#include "engine/executor/spawn.h"

extern char** environ;

namespace flowrun {
namespace {

constexpr std::string_view kAuth = "--jobserver-auth=";
constexpr std::string_view kAuthBefore42 = "--jobserver-fds=";
constexpr std::string_view kVariables = " -- ";
constexpr char kToken = '+';
constexpr Duration kPatience{1000};  // with make, which only says its version

/// A description of its own of the pipe that |descriptor| is an end of: it does not block, and nobody else's does so
/// for it.
int open_again(int descriptor, int mode) {
  return open(fmt::format("/proc/self/fd/{}", descriptor).c_str(), mode | O_NONBLOCK | O_CLOEXEC);
}

/// Whether both are ends of one pipe, and may be read and written: not just two numbers that MAKEFLAGS holds still.
bool is_pipe(int reads, int writes) {
  struct stat one {
  }, other{};
  return fstat(reads, &one) == 0 && fstat(writes, &other) == 0 && S_ISFIFO(one.st_mode) && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino && (fcntl(reads, F_GETFL) & O_ACCMODE) != O_WRONLY &&
         (fcntl(writes, F_GETFL) & O_ACCMODE) != O_RDONLY;
}

/// How a make finds its jobserver.
struct MakeVersion {
  bool by_name = false;  ///< 4.4 and newer; older ones give up on a name
  bool by_auth = true;   ///< 4.2 and newer
};

/// Of the make that steps would find on PATH; without one, that of today.
MakeVersion version_of_make() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {};
  SpawnRequest request;
  request.argv = {"make", "--version"};
  for (char** variable = environ; *variable; ++variable) request.env.push_back(*variable);
  request.in = null_device();
  request.out = request.err = ends[1];
  const Spawned make = spawn(request);
  close(ends[1]);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  MakeVersion version{make.pid < 0, true};
  if (make.pid >= 0) {
    ReadRules rules;
    rules.patience = kPatience;
    const std::string said = read_to_end(ends[0], rules).text;
    int major = 0, minor = 0;
    if (std::sscanf(said.c_str(), "GNU Make %d.%d", &major, &minor) == 2)
      version = {major * 100 + minor >= 404, major * 100 + minor >= 402};
    kill(-make.pid, SIGKILL);
    siginfo_t ignored{};
    while (waitid(P_PIDFD, static_cast<id_t>(make.pidfd), &ignored, WEXITED) != 0 && errno == EINTR) {
    }
    close(make.pidfd);
  }
  close(ends[0]);
  return version;
}

void close_end(int& end) {
  if (end >= 0) close(end);
  end = -1;
}

}  // namespace

std::string named_jobserver(std::string_view makeflags) {
  std::istringstream words{std::string(makeflags.substr(0, makeflags.find(kVariables)))};
  std::string named;
  for (std::string word; words >> word;)
    for (const std::string_view option : {kAuth, kAuthBefore42})
      if (word.starts_with(option)) named = word.substr(option.size());
  return named;
}

std::string with_jobserver(std::string_view makeflags, int jobs, std::string_view option) {
  const std::size_t variables = std::min(makeflags.find(kVariables), makeflags.size());
  // The first word is letters of options without a dash, or there is none.
  std::istringstream words{std::string(makeflags.substr(0, variables))};
  std::string text;
  for (std::string word; words >> word;) {
    const bool other = word.starts_with(kAuth) || word.starts_with(kAuthBefore42) || word.starts_with("-j");
    if (!other) text += (text.empty() && word[0] != '-' ? "" : " ") + word;
  }
  return fmt::format("{} -j{} {}{}", text, jobs, option, makeflags.substr(variables));
}

Jobserver::~Jobserver() {
  if (tokens_ == 0) put(taken_);
  close_ends();
}

void Jobserver::close_ends() {
  close_end(read_);
  close_end(write_);
  for (int& end : kept_) close_end(end);
}

void Jobserver::put(const std::string& tokens) {
  for (std::size_t done = 0; done < tokens.size();) {
    const ssize_t written = write(write_, tokens.data() + done, tokens.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // no pipe that somebody reads
    done += static_cast<std::size_t>(written);
  }
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
  } else if (std::sscanf(auth.c_str(), "%d,%d", &reads, &writes) == 2 && reads > 2 && writes > 2 &&
             is_pipe(reads, writes)) {
    read_ = open_again(reads, O_RDONLY);
    write_ = open_again(writes, O_WRONLY);
  }
  implicit_ = is_pipe(read_, write_);
  if (!implicit_) close_ends();
  if (implicit_ && reads >= 0) inherited_ = {reads, writes};
  return implicit_;
}

void Jobserver::open_server(int jobs) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return;
  kept_.assign(ends, ends + 2);
  read_ = open_again(ends[0], O_RDONLY);
  write_ = open_again(ends[1], O_WRONLY);
  if (read_ < 0 || write_ < 0) return close_ends();
  tokens_ = jobs;
  refill();
  const MakeVersion version = version_of_make();
  // A pipe without a file has a name below /proc, which ends with us.
  const std::string auth =
      version.by_name ? fmt::format("fifo:/proc/{}/fd/{}", getpid(), read_) : fmt::format("{},{}", ends[0], ends[1]);
  if (!version.by_name) inherited_ = kept_;
  const char* inherited = std::getenv("MAKEFLAGS");
  makeflags_ =
      with_jobserver(inherited ? inherited : "", jobs, std::string(version.by_auth ? kAuth : kAuthBefore42) + auth);
}

void Jobserver::refill() {
  std::string all(static_cast<std::size_t>(tokens_), kToken);
  while (read(read_, all.data(), all.size()) > 0) {
  }
  put(std::string(all.size(), kToken));
  may_have_lost_ = false;
  replaced_ = 0;
}

void Jobserver::may_have_lost() { may_have_lost_ = tokens_ > 0 && !taken_.empty(); }

void Jobserver::replace() {
  if (!may_have_lost_ || replaced_ + taken_.size() >= static_cast<std::size_t>(tokens_)) return;
  put(std::string(1, kToken));
  ++replaced_;
}

bool Jobserver::take() {
  if (read_ < 0 || std::exchange(at_hand_, false)) return true;
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
  // Once nothing of ours is taken, what may be lost is filled up: none is kept back then.
  if (may_have_lost_ || std::exchange(at_hand_, true)) put_back_now();
}

void Jobserver::settle() {
  if (std::exchange(at_hand_, false)) put_back_now();
}

void Jobserver::put_back_now() {
  if (taken_.empty()) {
    implicit_ = tokens_ == 0;
    return;
  }
  const char token = taken_.back();
  taken_.pop_back();
  if (tokens_ > 0 && taken_.empty()) return refill();
  put(std::string(1, token));
}

}  // namespace flowrun
