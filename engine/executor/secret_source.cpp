#include "engine/executor/secret_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "engine/executor/spawn.h"

extern char** environ;

namespace flowrun {
namespace {

constexpr std::size_t kLongest = 1 << 20;  // bytes of a value
constexpr std::chrono::seconds kPatience{30};

using Clock = std::chrono::steady_clock;

/// Reads |descriptor| to its end. Empty: it did. Else why not.
std::string read_all(int descriptor, std::string& text, Clock::time_point until) {
  char buffer[16384];
  for (;;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd waiting{descriptor, POLLIN, 0};
    int ready = poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(0, left)));
    if (ready < 0) return errno == EINTR ? "was interrupted" : std::strerror(errno);
    if (ready == 0) return fmt::format("has not ended within {} s", kPatience.count());
    ssize_t got = read(descriptor, buffer, sizeof buffer);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return std::strerror(errno);
    if (got == 0) return "";
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > kLongest) return fmt::format("holds more than {} bytes", kLongest);
  }
}

SecretFound from_file(const std::string& path) {
  // What is named may be a pipe that nobody writes to; it has the patience of a command.
  int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return {std::nullopt, fmt::format("cannot read {}: {}", path, std::strerror(errno))};
  std::string text;
  std::string why = read_all(descriptor, text, Clock::now() + kPatience);
  close(descriptor);
  if (!why.empty()) return {std::nullopt, fmt::format("cannot read {}: {}", path, why)};
  return {std::move(text), ""};
}

/// The command is ended with all that it has started.
int end_of(const Spawned& spawned, bool kill_it) {
  if (kill_it) kill(-spawned.pid, SIGKILL);
  siginfo_t info{};
  while (waitid(P_PIDFD, static_cast<id_t>(spawned.pidfd), &info, WEXITED) != 0 && errno == EINTR) {
  }
  close(spawned.pidfd);
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

SecretFound from_command(const std::vector<std::string>& command, const std::string& folder) {
  prepare_spawns();
  int out[2];
  if (pipe2(out, O_CLOEXEC) != 0) return {std::nullopt, fmt::format("no pipe: {}", std::strerror(errno))};
  int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  SpawnRequest request;
  request.argv = command;
  for (char** variable = environ; *variable; ++variable) request.env.push_back(*variable);
  request.cwd = folder;
  request.in = null_device();
  request.out = out[1];
  request.err = nowhere;  // what it says may be half of the secret
  Spawned spawned = spawn(request);
  close(out[1]);
  close(nowhere);
  SecretFound found;
  if (!spawned.error.empty()) {
    found.why = spawned.error;
  } else {
    std::string text;
    std::string why = read_all(out[0], text, Clock::now() + kPatience);
    int code = end_of(spawned, !why.empty());
    if (!why.empty())
      found.why = fmt::format("`{}` {}", command.front(), why);
    else if (code != 0)
      found.why = fmt::format("`{}` exited with {}; what it says is not shown, run it by hand", command.front(), code);
    else
      found.value = std::move(text);
  }
  close(out[0]);
  return found;
}

}  // namespace

SecretFound read_secret(const SecretSource& source, const std::string& folder) {
  SecretFound found;
  std::string what;
  switch (source.from) {
    case SecretSource::From::Env:
      what = "the environment variable " + source.place;
      if (const char* value = std::getenv(source.place.c_str()))
        found.value = value;
      else
        found.why = what + " is not set";
      break;
    case SecretSource::From::File:
      what = source.place.front() == '/' ? source.place : folder + "/" + source.place;
      found = from_file(what);
      break;
    case SecretSource::From::Command:
      what = fmt::format("what `{}` prints", source.command.front());
      found = from_command(source.command, folder);
      break;
  }
  if (found.value && source.from != SecretSource::From::Env && !found.value->empty() && found.value->back() == '\n') {
    found.value->pop_back();
    if (!found.value->empty() && found.value->back() == '\r') found.value->pop_back();
  }
  // An unset secret of a CI system is an empty variable.
  if (found.value && found.value->empty()) return {std::nullopt, what + " is empty"};
  return found;
}

}  // namespace flowrun
