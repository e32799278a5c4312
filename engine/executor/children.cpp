#include "engine/executor/children.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "engine/executor/capture.h"
#include "engine/executor/environment.h"
#include "engine/executor/spawn.h"

namespace flowrun {
namespace {

constexpr std::size_t kTail = 4096;  // of standard error, kept for `stderr_tail`
constexpr std::size_t kTailLines = 20;

}  // namespace

struct Children::Child {
  std::uint64_t id = 0;
  Task task;
  int pid = -1, pidfd = -1, in = -1, out = -1, err = -1;
  std::chrono::steady_clock::time_point begun;
  std::string stdout_text;
  bool too_much = false;                 ///< more on standard output than may be captured
  std::string stderr_head, stderr_tail;  ///< until it is too long for the journal; its last bytes
  bool stderr_logged = false;
  std::size_t fed = 0;            ///< bytes of stdin written
  const char* stopped = nullptr;  ///< `timeout` or `cancelled`, once it has been told to end
  bool killed = false;
  std::string script_file;

  const Process& process() const { return std::get<Process>(task.work); }
};

Children::Children(Worker& worker) : worker_(worker) {}

Children::~Children() = default;

Children::Child* Children::find(std::uint64_t id) {
  auto found = running_.find(id);
  return found == running_.end() ? nullptr : found->second.get();
}

void Children::begin(Task task) {
  worker_.shared().make_run_dir();
  const ExecutorOptions& options = worker_.shared().options;
  auto child = std::make_unique<Child>();
  child->id = ++last_id_;
  child->task = std::move(task);
  const Process& process = child->process();

  SpawnRequest request;
  int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
  std::string trouble;
  try {
    request.argv = arguments_of(options, child->task, process, child->script_file);
  } catch (const std::exception& error) {
    trouble = error.what();
  }
  request.env = environment_of(options, child->task, process);
  request.cwd = process.cwd;
  bool feeds = !process.stdin_text.empty();
  if (trouble.empty() &&
      (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0 || (feeds && pipe2(in, O_CLOEXEC) != 0)))
    trouble = fmt::format("no pipe for the process: {}", std::strerror(errno));
  Spawned spawned;
  child->begun = std::chrono::steady_clock::now();
  if (trouble.empty()) {
    request.in = feeds ? in[0] : null_device();
    request.out = out[1];
    request.err = err[1];
    spawned = spawn(request);
    trouble = spawned.error;
  }
  for (int end : {in[0], out[1], err[1]})
    if (end >= 0) close(end);
  if (!trouble.empty()) {
    for (int end : {in[1], out[0], err[0]})
      if (end >= 0) close(end);
    if (!child->script_file.empty()) unlink(child->script_file.c_str());
    failed_to_begin(child->task, std::move(trouble));
    worker_.place_freed(process.shares_cpus);
    return;
  }
  child->pid = spawned.pid;
  child->pidfd = spawned.pidfd;
  child->in = in[1];
  child->out = out[0];
  child->err = err[0];
  auto watch = [&](int descriptor, std::uint32_t events, Wake wake) {
    if (descriptor < 0) return;
    if (wake != Wake::Exit) fcntl(descriptor, F_SETFL, O_NONBLOCK);
    epoll_event wanted{};
    wanted.events = events;
    wanted.data.u64 = wake_data(wake, child->id);
    epoll_ctl(worker_.epoll(), EPOLL_CTL_ADD, descriptor, &wanted);
  };
  watch(child->pidfd, EPOLLIN, Wake::Exit);
  watch(child->out, EPOLLIN, Wake::Out);
  watch(child->err, EPOLLIN, Wake::Err);
  watch(child->in, EPOLLOUT, Wake::In);
  if (child->task.timeout) worker_.alarm(Worker::Who::Children, child->id, *child->task.timeout);
  by_path_[child->task.path] = child->id;
  running_.emplace(child->id, std::move(child));
}

void Children::failed_to_begin(const Task& task, std::string message) {
  Result result;
  result.failure = Failure{"spawn", std::move(message), "", 0, {}};
  result.sent = false;
  worker_.shared().tell_ended(task, std::move(result));
}

void Children::stop(const std::string& path, int attempt) {
  auto found = by_path_.find(path);
  if (found == by_path_.end()) return;
  Child* child = find(found->second);
  if (child && child->task.attempt == attempt && !child->stopped) end(*child, "cancelled", child->process().kill_grace);
}

void Children::stop_all(Duration grace) {
  for (auto& [id, child] : running_) end(*child, child->stopped ? child->stopped : "cancelled", grace);
}

void Children::kill_all() {
  for (auto& [id, child] : running_) {
    signal_group(*child, SIGKILL);
    siginfo_t ignored{};
    waitid(P_PIDFD, static_cast<id_t>(child->pidfd), &ignored, WEXITED);
    for (int* descriptor : {&child->in, &child->out, &child->err, &child->pidfd}) close_stream(*descriptor);
  }
  running_.clear();
}

void Children::signal_group(const Child& child, int signal) {
  // The leader is not reaped before exited(), so its number, and with it the group's, is still its own.
  kill(-child.pid, signal);
}

void Children::end(Child& child, const char* why, Duration grace) {
  child.stopped = why;
  signal_group(child, SIGTERM);
  // Asked to end while stopped, it would never hear of it.
  signal_group(child, SIGCONT);
  worker_.alarm(Worker::Who::Children, child.id, grace);
}

void Children::due(std::uint64_t id) {
  Child* child = find(id);
  if (!child) return;
  if (!child->stopped) {
    end(*child, "timeout", child->process().kill_grace);
  } else if (!child->killed) {
    child->killed = true;
    signal_group(*child, SIGKILL);
  }
}

void Children::close_stream(int& descriptor) {
  if (descriptor < 0) return;
  // Before close: a sibling between clone and exec may hold a copy, and a copy keeps the registration alive.
  epoll_ctl(worker_.epoll(), EPOLL_CTL_DEL, descriptor, nullptr);
  close(descriptor);
  descriptor = -1;
}

void Children::keep(Child& child, bool from_stderr, std::string_view bytes) {
  const Process& process = child.process();
  if (!from_stderr) {
    if (process.capture == Process::Capture::None) {
      worker_.shared().log.append(child.task.path, child.task.attempt, false, bytes);
      return;
    }
    std::size_t room = static_cast<std::size_t>(process.max_output) -
                       std::min(child.stdout_text.size(), static_cast<std::size_t>(process.max_output));
    child.too_much = child.too_much || bytes.size() > room;
    child.stdout_text += bytes.substr(0, room);
    return;
  }
  child.stderr_tail += bytes;
  if (child.stderr_tail.size() > 2 * kTail) child.stderr_tail.erase(0, child.stderr_tail.size() - kTail);
  if (child.stderr_logged) {
    worker_.shared().log.append(child.task.path, child.task.attempt, true, bytes);
    return;
  }
  child.stderr_head += bytes;
  if (child.stderr_head.size() > kTail || process.capture == Process::Capture::None) {
    worker_.shared().log.append(child.task.path, child.task.attempt, true, child.stderr_head);
    child.stderr_logged = true;
    child.stderr_head.clear();
  }
}

bool Children::drain(Child& child, bool from_stderr) {
  int descriptor = from_stderr ? child.err : child.out;
  char buffer[65536];
  for (;;) {
    ssize_t got = read(descriptor, buffer, sizeof buffer);
    if (got > 0) {
      keep(child, from_stderr, {buffer, static_cast<std::size_t>(got)});
      // A pipe that was not full is empty now.
      if (static_cast<std::size_t>(got) < sizeof buffer) return true;
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else {
      return got < 0 && errno == EAGAIN;
    }
  }
}

void Children::readable(std::uint64_t id, bool from_stderr) {
  Child* child = find(id);
  if (!child) return;
  int& descriptor = from_stderr ? child->err : child->out;
  if (descriptor >= 0 && !drain(*child, from_stderr)) close_stream(descriptor);
}

void Children::writable(std::uint64_t id) {
  Child* child = find(id);
  if (!child || child->in < 0) return;
  const std::string& text = child->process().stdin_text;
  while (child->fed < text.size()) {
    ssize_t written = write(child->in, text.data() + child->fed, text.size() - child->fed);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) return;
    if (written < 0) break;  // it reads no more, which is its own business
    child->fed += static_cast<std::size_t>(written);
  }
  close_stream(child->in);
}

void Children::exited(std::uint64_t id) {
  Child* child = find(id);
  if (!child) return;
  siginfo_t info{};
  if (waitid(P_PIDFD, static_cast<id_t>(child->pidfd), &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) return;
  // Exit, not end of output, ends a process: a grandchild may keep the pipes open for ever.
  for (bool from_stderr : {false, true}) {
    int& descriptor = from_stderr ? child->err : child->out;
    while (descriptor >= 0) {
      std::size_t before = child->stdout_text.size() + child->stderr_tail.size();
      if (!drain(*child, from_stderr)) close_stream(descriptor);
      if (descriptor >= 0 && before == child->stdout_text.size() + child->stderr_tail.size()) close_stream(descriptor);
    }
  }
  close_stream(child->in);
  close_stream(child->pidfd);
  if (child->stopped) kill(-child->pid, SIGKILL);  // who was to end ends with all it has started
  finish(*child, info.si_code, info.si_status);
}

void Children::finish(Child& child, int status_code, int status) {
  std::unique_ptr<Child> over = std::move(running_.at(child.id));
  running_.erase(child.id);
  if (auto found = by_path_.find(over->task.path); found != by_path_.end() && found->second == over->id)
    by_path_.erase(found);
  // The place first: the next process begins while this one's result is made.
  worker_.place_freed(over->process().shares_cpus);
  Result result = result_of(*over, status_code, status);
  if (!over->script_file.empty()) unlink(over->script_file.c_str());
  worker_.shared().tell_ended(over->task, std::move(result));
}

Result Children::result_of(Child& child, int status_code, int status) {
  const Process& process = child.process();
  Result result;
  result.took = std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - child.begun);
  bool by_signal = status_code != CLD_EXITED;
  result.code = by_signal ? -status : status;
  std::optional<std::string> written;
  std::string file = output_file(worker_.shared().options, child.task);
  if (std::ifstream in(file, std::ios::binary); in) {
    written.emplace(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    unlink(file.c_str());
  }
  std::string tail = tail_lines(child.stderr_tail, kTailLines);

  bool good = !by_signal && std::find(process.success_codes.begin(), process.success_codes.end(), status) !=
                                process.success_codes.end();
  if (child.stopped) {
    bool timeout = std::strcmp(child.stopped, "timeout") == 0;
    result.failure = timeout ? Failure{"timeout", "timed out after " + spell(*child.task.timeout), "", 0, {}}
                             : Failure{"cancelled", "stopped", "", 0, {}};
  } else if (by_signal) {
    result.failure = Failure{"killed", fmt::format("killed by signal {} ({})", status, strsignal(status)), "", 0, {}};
  } else if (!good) {
    result.failure = Failure{fmt::format("exit.{}", status), fmt::format("exited with {}", status), "", 0, {}};
  } else if (child.too_much) {
    result.failure =
        Failure{"parse",
                fmt::format("more than {} bytes on standard output; raise `max_output`, or say `capture: none`",
                            process.max_output),
                "",
                0,
                {}};
  }
  if (!result.failure) {
    auto value = captured(process.capture, child.stdout_text, written);
    if (auto* failure = std::get_if<Failure>(&value)) {
      result.failure = std::move(*failure);
    } else {
      result.value = std::get<Value>(std::move(value));
    }
  }
  if (result.failure) {
    std::string detail =
        fmt::format("{{\"exit_code\":{},\"stderr_tail\":", by_signal ? "null" : std::to_string(status));
    append_json_string(detail, tail);
    result.failure->detail = Value::from_text(detail + "}");
    // What it had to say is kept for `$status.x.output`.
    Json file_json = written ? Json::parse(*written, nullptr, false) : Json(Json::value_t::discarded);
    auto value = captured(process.capture == Process::Capture::File ? Process::Capture::None : process.capture,
                          child.stdout_text, written);
    if (!file_json.is_discarded()) {
      result.value = Value::from_text(file_json.dump());
    } else if (auto* text = std::get_if<Value>(&value)) {
      result.value = *text;
    } else {
      result.value = Value::string(child.stdout_text);
    }
  } else if (child.task.keep_raw) {
    std::string raw = fmt::format("{{\"exit_code\":{},\"duration_ms\":{},\"attempt\":{},\"stdout\":", status,
                                  result.took.count(), child.task.attempt);
    append_json_string(raw, child.stdout_text);
    raw += ",\"stderr_tail\":";
    append_json_string(raw, tail);
    raw += ",\"value\":" + result.value.text() + "}";
    result.value = Value::from_text(std::move(raw));
  }
  return result;
}

}  // namespace flowrun
