#include "engine/executor/children.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/executor/capture.h"
#include "engine/executor/environment.h"
#include "engine/executor/leftovers.h"
#include "engine/executor/processes.h"
#include "engine/executor/spawn.h"

namespace flowrun {
namespace {

constexpr std::size_t kTail = 4096;  // of standard error, kept for `stderr_tail`
constexpr std::size_t kTailLines = 20;
constexpr std::int64_t kCutTail = 64 << 10;  // of standard output that is cut, at most
constexpr std::size_t kTurn = 1 << 20;       // bytes read of one process before the others have their turn
constexpr Duration kGroupLook{20};           // between looks whether a group that was told to end is empty

/// What the process wrote to $FLOWRUN_OUTPUT, which is taken away. At most |most| bytes; |more| were there.
std::optional<std::string> take_output(const RunFolder& folder, const std::string& file, std::size_t most,
                                       std::int64_t& more) {
  more = 0;
  const int descriptor = folder.read(file);
  if (descriptor < 0 && errno == ENOENT) return std::nullopt;
  folder.remove(file);
  if (descriptor < 0) return std::nullopt;
  std::optional<std::string> text("");
  char buffer[16384];
  while (text->size() <= most) {
    ssize_t got = read(descriptor, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text->append(buffer, static_cast<std::size_t>(got));
  }
  const off_t size = lseek(descriptor, 0, SEEK_END);
  close(descriptor);
  if (text->size() > most) {
    more = std::max<std::int64_t>(size, static_cast<std::int64_t>(text->size())) - static_cast<std::int64_t>(most);
    text->resize(most);
  }
  return text;
}

/// For people: 141 tells few that it was a broken pipe.
std::string exit_text(int status) {
  const char* name = status > 128 ? sigabbrev_np(status - 128) : nullptr;
  if (!name) return fmt::format("exited with {}", status);
  return fmt::format("exited with {}, as a shell does after SIG{} ({})", status, name, sigdescr_np(status - 128));
}

}  // namespace

struct Children::Child {
  Child(const Mask& mask, OutputLog& log, Task what, std::uint64_t number)
      : task(std::move(what)),
        out_mask(mask),
        err_mask(mask),
        out_log(log, task, number, false),
        err_log(log, task, number, true) {}
  std::uint64_t id = 0;
  Task task;
  int pid = -1, pidfd = -1, in = -1, out = -1, err = -1;
  WorkClock::time_point begun, over;
  Instant began;  ///< by the wall clock
  std::string stdout_text;
  bool too_much = false;          ///< more on standard output than may be captured
  std::int64_t said = 0;          ///< bytes on standard output
  std::string stdout_tail;        ///< its last bytes, of what may be cut
  std::string stderr_tail;        ///< its last bytes
  std::size_t fed = 0;            ///< bytes of stdin written
  const char* stopped = nullptr;  ///< `timeout` or `cancelled`, once it has been told to end
  WorkClock::time_point kill_at;  ///< when what is left of the group is killed
  bool killed = false;
  bool leader_gone = false;              ///< reaped, but the group it leaves behind has its grace
  int status_code = 0, status = 0;       ///< of the leader
  std::string script_file, output_file;  ///< names in the run's folder
  Mask::Stream out_mask, err_mask;       ///< of what goes to the log, or is cut
  OutputLog::Stream out_log, err_log;

  const Process& process() const { return std::get<Process>(*task.work); }
  /// Whether standard output becomes part of the result.
  bool captures() const {
    return process().capture != Process::Capture::None &&
           (process().capture != Process::Capture::File || task.keep_raw);
  }
  /// From where on its bytes may belong to the end of a cut output.
  std::int64_t tail_begins() const { return process().max_output - std::min(kCutTail, process().max_output / 4); }
  bool exited_well() const {
    const std::vector<int>& codes = process().success_codes;
    return !stopped && status_code == CLD_EXITED && std::find(codes.begin(), codes.end(), status) != codes.end();
  }
};

Children::Children(PoolShared& shared, EventLoop& loop)
    : shared_(shared),
      loop_(loop),
      exit_(loop.add([this](std::uint64_t id, auto) { on_exit(id); })),
      stdout_(loop.add([this](std::uint64_t id, auto) { on_readable(id, false); })),
      stderr_(loop.add([this](std::uint64_t id, auto) { on_readable(id, true); })),
      stdin_(loop.add([this](std::uint64_t id, auto) { on_writable(id); })),
      alarm_(loop.add([this](std::uint64_t id, auto) { on_alarm(id); })) {}

Children::~Children() = default;

Children::Child* Children::find(std::uint64_t id) {
  auto found = running_.find(id);
  return found == running_.end() ? nullptr : found->second.get();
}

void Children::begin(Task task) {
  const ExecutorOptions& options = shared_.options;
  const RunFolder& folder = shared_.folder;
  const std::uint64_t number = shared_.next_process();
  auto child = std::make_unique<Child>(shared_.secrets().mask(), shared_.log, std::move(task), number);
  child->id = ++last_id_;
  child->output_file = output_name(options, number);
  const Process& process = child->process();

  SpawnRequest request;
  std::vector<std::string> own_variables;
  int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
  std::string trouble;
  try {
    shared_.make_run_dir();
    shared_.secrets().fill(child->task);
    request.argv = arguments_of(folder, child->task, process, child->script_file);
    request.env =
        shared_.base_environment.of(child->task, process, folder.path() + "/" + child->output_file, own_variables);
  } catch (const std::exception& error) {
    trouble = error.what();
  }
  request.cwd = process.cwd;
  bool feeds = !process.stdin_text.empty();
  if (trouble.empty() &&
      (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0 || (feeds && pipe2(in, O_CLOEXEC) != 0)))
    trouble = fmt::format("no pipe for the process: {}", std::strerror(errno));
  Spawned spawned;
  child->begun = loop_.now();
  child->began = wall_clock();
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
    if (!child->script_file.empty()) folder.remove(child->script_file);
    shared_.slots.withhold(child->task.path, process.shares_cpus);
    failed_to_begin(child->task, std::move(trouble));
    return;
  }
  child->pid = spawned.pid;
  child->pidfd = spawned.pidfd;
  child->in = in[1];
  child->out = out[0];
  child->err = err[0];
  auto watch = [&](int descriptor, std::uint32_t events, EventLoop::HandlerId handler) {
    if (descriptor < 0) return;
    if (descriptor != child->pidfd) fcntl(descriptor, F_SETFL, O_NONBLOCK);
    loop_.watch(descriptor, events, handler, child->id);
  };
  watch(child->pidfd, EPOLLIN, exit_);
  watch(child->out, EPOLLIN, stdout_);
  watch(child->err, EPOLLIN, stderr_);
  watch(child->in, EPOLLOUT, stdin_);
  if (child->task.timeout) loop_.alarm(alarm_, child->id, *child->task.timeout);
  by_path_[child->task.path] = child->id;
  running_.emplace(child->id, std::move(child));
}

void Children::failed_to_begin(const Task& task, std::string message) {
  Result result;
  result.failure = Failure{"spawn", std::move(message), "", 0, {}};
  result.sent = false;
  shared_.tell_ended(task, std::move(result));
}

void Children::stop(const std::string& path, int attempt) {
  auto found = by_path_.find(path);
  if (found == by_path_.end()) return;
  Child* child = find(found->second);
  if (child && child->task.attempt == attempt && !child->stopped) end(*child, "cancelled", child->process().kill_grace);
}

void Children::stop_all(std::optional<Duration> most) {
  for (auto& [id, child] : running_) {
    const Duration grace = child->process().kill_grace;
    end(*child, "cancelled", most ? std::min(*most, grace) : grace);
  }
}

void Children::kill_all() {
  for (auto& [id, child] : running_) {
    signal_group(*child, SIGKILL);
    siginfo_t ignored{};
    waitid(P_PIDFD, static_cast<id_t>(child->pidfd), &ignored, WEXITED);
    hear_out(*child);
    for (int* descriptor : {&child->in, &child->pidfd}) close_stream(*descriptor);
  }
  if (!running_.empty()) kill_nested(shared_.options.token, "");
  running_.clear();
}

void Children::signal_group(const Child& child, int signal) {
  // The leader is not reaped before on_exit(), so its number, and with it the group's, is still its own.
  kill(-child.pid, signal);
}

void Children::end(Child& child, const char* why, Duration grace) {
  auto kill_at = loop_.now() + grace;
  if (child.stopped) {
    if (kill_at >= child.kill_at) return;  // told before; only less patience is news
  } else {
    child.stopped = why;
    signal_group(child, SIGTERM);
    // Asked to end while stopped, it would never hear of it.
    signal_group(child, SIGCONT);
  }
  child.kill_at = kill_at;
  loop_.alarm(alarm_, child.id, grace);
}

void Children::on_alarm(std::uint64_t id) {
  Child* child = find(id);
  if (!child) return;
  if (!child->stopped) {
    end(*child, "timeout", child->process().kill_grace);
    return;
  }
  if (!child->killed && loop_.now() >= child->kill_at) {
    child->killed = true;
    signal_group(*child, SIGKILL);
    kill_nested(shared_.options.token, child->task.path);
  }
  if (child->leader_gone) end_of_group(*child);
}

void Children::end_of_group(Child& child) {
  // Orphans of the group are ours to bury; what has ended and is not buried by its parent is dead all the same.
  while (waitpid(-child.pid, nullptr, WNOHANG) > 0) {
  }
  if (!child.killed && kill(-child.pid, 0) == 0 && group_lives(child.pid)) {
    loop_.alarm(alarm_, child.id, kGroupLook);
    return;
  }
  finish(child);
}

void Children::close_stream(int& descriptor) {
  if (descriptor < 0) return;
  loop_.unwatch(descriptor);
  close(descriptor);
  descriptor = -1;
}

void Children::keep(Child& child, bool from_stderr, std::string_view bytes) {
  if (from_stderr) return keep_stderr(child, child.err_mask.pass(bytes));
  if (!child.captures()) return child.out_log.append(child.out_mask.pass(bytes));
  const Process& process = child.process();
  std::size_t room = static_cast<std::size_t>(process.max_output) -
                     std::min(child.stdout_text.size(), static_cast<std::size_t>(process.max_output));
  child.too_much = child.too_much || bytes.size() > room;
  child.stdout_text += bytes.substr(0, room);
  // What may be the end of a cut output is masked apart from what may be its beginning.
  auto before = static_cast<std::size_t>(
      std::clamp<std::int64_t>(child.tail_begins() - child.said, 0, static_cast<std::int64_t>(bytes.size())));
  child.said += static_cast<std::int64_t>(bytes.size());
  if (before > 0) child.out_log.append(child.out_mask.pass(bytes.substr(0, before)));
  if (before < bytes.size()) keep_end(child, child.out_mask.pass(bytes.substr(before)));
}

void Children::keep_end(Child& child, std::string_view bytes) {
  child.out_log.append(bytes);
  if (!child.process().unread) return;
  child.stdout_tail += bytes;
  auto most = static_cast<std::size_t>(child.process().max_output - child.tail_begins());
  if (child.stdout_tail.size() > 2 * most) child.stdout_tail.erase(0, child.stdout_tail.size() - most);
}

void Children::keep_stderr(Child& child, std::string_view bytes) {
  child.err_log.append(bytes);
  child.stderr_tail += bytes;
  if (child.stderr_tail.size() > 2 * kTail) child.stderr_tail.erase(0, child.stderr_tail.size() - kTail);
}

bool Children::drain(Child& child, bool from_stderr, std::size_t most) {
  int descriptor = from_stderr ? child.err : child.out;
  char buffer[65536];
  while (most > 0) {
    std::size_t asked = std::min(most, sizeof buffer);
    ssize_t got = read(descriptor, buffer, asked);
    if (got > 0) {
      keep(child, from_stderr, {buffer, static_cast<std::size_t>(got)});
      // A pipe that gave less than was asked for is empty now.
      if (static_cast<std::size_t>(got) < asked) return true;
      most -= static_cast<std::size_t>(got);
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else {
      return got < 0 && errno == EAGAIN;
    }
  }
  return true;
}

void Children::on_readable(std::uint64_t id, bool from_stderr) {
  Child* child = find(id);
  if (!child) return;
  int& descriptor = from_stderr ? child->err : child->out;
  if (descriptor >= 0 && !drain(*child, from_stderr, kTurn)) close_stream(descriptor);
}

void Children::on_writable(std::uint64_t id) {
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

void Children::on_exit(std::uint64_t id) {
  Child* child = find(id);
  if (!child) return;
  siginfo_t info{};
  if (waitid(P_PIDFD, static_cast<id_t>(child->pidfd), &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) return;
  child->status_code = info.si_code;
  child->status = info.si_status;
  close_stream(child->pidfd);
  close_stream(child->in);
  if (!child->stopped) {
    finish(*child);
    return;
  }
  // A shell dies of TERM at once, while what it has started is still tidying up: that has the rest of the grace.
  child->leader_gone = true;
  end_of_group(*child);
}

void Children::hear_out(Child& child) {
  // Exit, not end of output, ends a process: a grandchild may keep the pipes open for ever, and even write for ever, so
  // what is there now is all that counts.
  for (bool from_stderr : {false, true}) {
    int& descriptor = from_stderr ? child.err : child.out;
    int there = 0;
    if (descriptor >= 0 && ioctl(descriptor, FIONREAD, &there) == 0 && there > 0)
      drain(child, from_stderr, static_cast<std::size_t>(there));
    close_stream(descriptor);
  }
  keep_end(child, child.out_mask.rest());
  keep_stderr(child, child.err_mask.rest());
  child.out_log.end();
  child.err_log.end();
}

void Children::finish(Child& child) {
  child.over = loop_.now();  // before another process has its slot
  hear_out(child);
  std::unique_ptr<Child> over = std::move(running_.at(child.id));
  running_.erase(over->id);
  if (auto found = by_path_.find(over->task.path); found != by_path_.end() && found->second == over->id)
    by_path_.erase(found);
  // The slot first: the next process begins while this one's result is made. Not where the result may turn out to be a
  // failure: then the run says whether another is to begin at all.
  const Process& process = over->process();
  const bool plain = process.capture == Process::Capture::Text || process.capture == Process::Capture::Lines ||
                     process.capture == Process::Capture::None;
  const bool well = plain && (!over->too_much || process.unread) && over->exited_well();
  if (well) free_slot(process.shares_cpus);
  Result result = result_of(*over);
  if (!well && result.ok()) free_slot(process.shares_cpus);
  if (!well && !result.ok()) shared_.slots.withhold(over->task.path, process.shares_cpus);
  if (!over->script_file.empty()) shared_.folder.remove(over->script_file);
  shared_.tell_ended(over->task, std::move(result));
}

void Children::free_slot(bool shared) {
  shared_.slots.leave(shared);
  fill_slot();
}

void Children::fill_slot() {
  auto next = shared_.slots.next();
  if (!next) return;
  if (auto* task = std::get_if<Task>(&*next)) {
    begin(std::move(*task));
  } else {
    shared_.tell({{}, TaskReserved{std::get<ProcessSlots::Reservation>(*next).path}});
  }
}

Result Children::result_of(const Child& child) const {
  const Process& process = child.process();
  const int status = child.status;
  Result result;
  result.took = std::chrono::duration_cast<Duration>(child.over - child.begun);
  result.began = child.began;
  bool by_signal = child.status_code != CLD_EXITED;
  result.code = by_signal ? -status : status;
  result.cut = child.too_much ? child.said - process.max_output : 0;
  result.unlogged = static_cast<std::int64_t>(child.out_log.lost() + child.err_log.lost());
  std::int64_t more_written = 0;
  auto written =
      take_output(shared_.folder, child.output_file, static_cast<std::size_t>(process.max_output), more_written);
  if (process.capture == Process::Capture::File) result.cut = more_written;
  auto tail = [&] {
    const std::string& all = child.stderr_tail;
    return tail_lines(all.substr(all.size() - std::min(all.size(), kTail)), kTailLines);
  };

  // Messages and cut texts are made of what is masked already. JSON is masked when it is a value, so that it stays
  // JSON.
  const Mask& mask = shared_.secrets().mask();
  const std::string masked = mask.empty() ? "" : mask.text(child.stdout_text, child.too_much);
  const std::string& output = mask.empty() ? child.stdout_text : masked;
  auto value_of = [&](Process::Capture capture) -> std::variant<Value, Failure> {
    if (result.cut > 0 && process.unread && capture != Process::Capture::None) {
      if (capture == Process::Capture::File) return cut_value(mask.text(*written, true), "", result.cut);
      const std::size_t head = whole_characters(child.stdout_text, static_cast<std::size_t>(child.tail_begins()));
      std::string_view end = child.stdout_tail;
      end.remove_prefix(end.size() - std::min(end.size(), static_cast<std::size_t>(process.max_output) - head));
      return cut_value(mask.text(std::string_view(child.stdout_text).substr(0, head), true), end, result.cut);
    }
    bool text = capture == Process::Capture::Text || capture == Process::Capture::Lines;
    auto value = captured(capture, text ? output : child.stdout_text, written);
    if (mask.empty() || std::holds_alternative<Value>(value)) return value;
    return captured(capture, output, written ? std::optional(mask.text(*written)) : std::nullopt);
  };

  if (child.stopped) {
    bool timeout = std::strcmp(child.stopped, "timeout") == 0;
    result.failure = timeout ? Failure{"timeout", "timed out after " + spell(*child.task.timeout), "", 0, {}}
                             : Failure{"cancelled", "stopped", "", 0, {}};
  } else if (by_signal) {
    result.failure = Failure{"killed", fmt::format("killed by signal {} ({})", status, strsignal(status)), "", 0, {}};
  } else if (!child.exited_well()) {
    result.failure = Failure{fmt::format("exit.{}", status), exit_text(status), "", 0, {}};
  } else if (child.too_much && !process.unread) {
    result.failure =
        Failure{"parse",
                fmt::format("more than {} bytes on standard output; raise `max_output`, or say `capture: none`",
                            process.max_output),
                "",
                0,
                {}};
  } else if (more_written > 0 && process.capture == Process::Capture::File && !process.unread) {
    result.failure =
        Failure{"parse",
                fmt::format("more than {} bytes in $FLOWRUN_OUTPUT; raise `max_output`", process.max_output),
                "",
                0,
                {}};
  }
  if (!result.failure) {
    auto value = value_of(process.capture);
    if (auto* failure = std::get_if<Failure>(&value)) {
      result.failure = std::move(*failure);
    } else {
      result.value = std::get<Value>(std::move(value));
    }
  }
  if (result.failure) {
    std::string detail =
        fmt::format("{{\"exit_code\":{},\"stderr_tail\":", by_signal ? "null" : std::to_string(status));
    append_json_string(detail, tail());
    result.failure->detail = Value::from_text(detail + "}");
    // What it had to say is kept for `$status.x.output`.
    std::variant<Value, Failure> from_file = Failure{};
    if (written && more_written == 0) from_file = json_value(*written, "$FLOWRUN_OUTPUT");
    auto value = value_of(process.capture == Process::Capture::File ? Process::Capture::None : process.capture);
    if (auto* json = std::get_if<Value>(&from_file)) {
      result.value = *json;
    } else if (auto* text = std::get_if<Value>(&value)) {
      result.value = *text;
    } else {
      result.value = Value::string(output);
    }
  } else if (child.task.keep_raw) {
    std::string raw = fmt::format("{{\"exit_code\":{},\"duration_ms\":{},\"attempt\":{},\"stdout\":", status,
                                  result.took.count(), child.task.attempt);
    append_json_string(raw, output);
    raw += ",\"stderr_tail\":";
    append_json_string(raw, tail());
    raw += ",\"value\":" + result.value.text() + "}";
    result.value = Value::from_text(std::move(raw));
  }
  return result;
}

}  // namespace flowrun
