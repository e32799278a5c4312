#include "engine/executor/secret_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "engine/executor/named_file.h"
#include "engine/executor/spawn.h"
#include "engine/model/value.h"

extern char** environ;

namespace flowrun {
namespace {

constexpr std::size_t kLongest = 1 << 20;  // bytes of a value
constexpr Duration kLongestCommand{30000};
constexpr Duration kPollRound{100};

using Clock = std::chrono::steady_clock;
using Stop = std::function<bool()>;

ReadRules rules_of(const Stop& stop) {
  ReadRules rules;
  rules.most = kLongest;
  rules.patience = kLongestCommand;
  rules.stop = stop;
  return rules;
}

SecretFound from_file(const std::string& path, const Stop& stop) {
  FileText file = read_named_file(path, rules_of(stop));
  if (!file.trouble.empty()) return {std::nullopt, fmt::format("cannot read {}: {}", path, file.trouble), file.stopped};
  return {std::move(file.text), "", false};
}

/// Waits until |spawned| has ended or |until|; false: it is still there, or |stop| says so.
bool ends_within(const Spawned& spawned, Clock::time_point until, const Stop& stop, bool& stopped) {
  for (;;) {
    pollfd ended{spawned.pidfd, POLLIN, 0};
    const auto left = std::chrono::ceil<Duration>(until - Clock::now());
    if (poll(&ended, 1, static_cast<int>(std::clamp(left, Duration{0}, kPollRound).count())) > 0) return true;
    stopped = stop && stop();
    if (stopped || left <= Duration{0}) return false;
  }
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

SecretFound from_command(const std::vector<std::string>& command, const std::string& folder, const Stop& stop) {
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
    // One patience for what it prints and for its end: it may close its outputs and live on.
    const auto until = Clock::now() + kLongestCommand;
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    FileText said = read_to_end(out[0], rules_of(stop));
    found.stopped = said.stopped;
    if (said.trouble.empty() && !ends_within(spawned, until, stop, found.stopped))
      said.trouble = fmt::format("has not ended within {}", to_string(kLongestCommand));
    const int code = end_of(spawned, !said.trouble.empty());
    if (!said.trouble.empty())
      found.why = fmt::format("`{}` {}", command.front(), said.trouble);
    else if (code != 0)
      found.why = fmt::format("`{}` exited with {}; what it says is not shown, run it by hand", command.front(), code);
    else
      found.value = std::move(said.text);
  }
  close(out[0]);
  return found;
}

}  // namespace

SecretFound read_secret(const SecretSource& source, const std::string& folder, const Stop& stop) {
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
      found = from_file(what, stop);
      break;
    case SecretSource::From::Command:
      what = fmt::format("what `{}` prints", source.command.front());
      found = from_command(source.command, folder, stop);
      break;
  }
  if (found.value && source.from != SecretSource::From::Env && !found.value->empty() && found.value->back() == '\n') {
    found.value->pop_back();
    if (!found.value->empty() && found.value->back() == '\r') found.value->pop_back();
  }
  if (found.value && (!is_utf8(*found.value) || found.value->find('\0') != std::string::npos))
    return {std::nullopt, what + " is not text in UTF-8; keep bytes as base64", false};
  // An unset secret of a CI system is an empty variable.
  if (found.value && found.value->empty()) return {std::nullopt, what + " is empty", false};
  return found;
}

}  // namespace flowrun
