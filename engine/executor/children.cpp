#include "engine/executor/children.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/executor/child_output.h"
#include "engine/executor/environment.h"
#include "engine/executor/leftovers.h"
#include "engine/executor/process_result.h"
#include "engine/executor/processes.h"
#include "engine/executor/spawn.h"
#include "engine/executor/via.h"

namespace flowrun {
namespace {

constexpr Duration kGroupLook{20};    // between looks whether a group that was told to end is empty
constexpr Duration kTokenLost{2000};  // without a token, before one counts as lost with a process that was killed

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

}  // namespace

struct Children::Child {
  Child(EventLoop& loop, const Mask& mask, OutputLog& log, Task what, std::uint64_t number)
      : task(std::move(what)), output(loop, task, mask, log, number) {}
  std::uint64_t id = 0;
  Task task;
  ChildOutput output;
  ProcessEnd end;
  int pid = -1, pidfd = -1, in = -1;
  WorkClock::time_point begun;
  std::size_t fed = 0;            ///< bytes of stdin written
  WorkClock::time_point kill_at;  ///< once it was told to end: when what is left of the group is killed
  bool killed = false;
  bool leader_gone = false;              ///< reaped, but the group it leaves behind has its grace
  std::string script_file, output_file;  ///< names in the run's folder

  bool stopped() const { return end.stopped != StopReason::None; }
  const Process& process() const { return std::get<Process>(*task.work); }
};

Children::Children(PoolShared& shared, EventLoop& loop)
    : shared_(shared),
      loop_(loop),
      exit_(loop.add([this](std::uint64_t id, auto) { on_exit(id); })),
      stdout_(loop.add([this](std::uint64_t id, auto) { on_readable(id, false); })),
      stderr_(loop.add([this](std::uint64_t id, auto) { on_readable(id, true); })),
      stdin_(loop.add([this](std::uint64_t id, auto) { on_writable(id); })),
      alarm_(loop.add([this](std::uint64_t id, auto) { on_alarm(id); })),
      token_(loop.add([this](auto, std::uint32_t events) { on_token(events != 0); })) {}

Children::~Children() = default;

Children::Child* Children::find(std::uint64_t id) {
  auto found = running_.find(id);
  return found == running_.end() ? nullptr : found->second.get();
}

void Children::begin(Task task) {
  if (!shared_.may_begin(task)) return;
  const ExecutorOptions& options = shared_.options;
  const RunFolder& folder = shared_.folder;
  const std::uint64_t number = shared_.next_process();
  auto child = std::make_unique<Child>(loop_, shared_.mask, shared_.log, std::move(task), number);
  child->id = ++last_id_;
  child->output_file = output_name(options, number);
  const Process& process = child->process();

  SpawnRequest request;
  std::vector<std::string> own_variables, told;
  ChildPipes pipes;
  std::string trouble;
  const char* type = "spawn";
  try {
    shared_.make_run_dir();
    type = "expression";
    shared_.secrets().fill(child->task, &shared_.secret_outputs);
    type = "spawn";
    request.argv = arguments_of(folder, child->task, process, child->script_file);
    // What nobody may see goes into no file.
    const std::string output = child->task.secret_output ? "/dev/null" : folder.path() + "/" + child->output_file;
    request.env =
        shared_.base_environment.of(child->task, process, output, shared_.held_by(child->task), own_variables);
    if (!process.via.empty()) {
      told = shared_.base_environment.told(own_variables);
      request.argv = argv_via(process, request.argv, told);
      if (is_forgetful(process.via)) request.env = shared_.base_environment.of_door(process, told);
    }
  } catch (const std::exception& error) {
    trouble = error.what();
  }
  request.cwd = process.cwd;
  request.inherited = shared_.jobserver.inherited();
  const bool feeds = !process.stdin_text.empty();
  if (trouble.empty()) trouble = pipes.open(feeds);
  Spawned spawned;
  child->begun = loop_.now();
  child->end.began = wall_clock();
  if (trouble.empty()) {
    request.in = feeds ? pipes.stdin_end() : null_device();
    request.out = pipes.stdout_end();
    request.err = pipes.stderr_end();
    spawned = spawn(request);
    trouble = spawned.error;
  }
  if (!trouble.empty()) {
    if (!child->script_file.empty()) folder.remove(child->script_file);
    shared_.slots.withhold(child->task.path, place_of(process));
    failed_to_begin(child->task, type, std::move(trouble));
    return;
  }
  child->pid = spawned.pid;
  child->pidfd = spawned.pidfd;
  child->in = pipes.take_in();
  loop_.watch(child->pidfd, EPOLLIN, exit_, child->id);
  child->output.watch(pipes.take_out(), stdout_, pipes.take_err(), stderr_, child->id);
  if (child->in >= 0) loop_.watch(child->in, EPOLLOUT, stdin_, child->id);
  if (child->task.timeout) loop_.alarm(alarm_, child->id, *child->task.timeout);
  by_path_[child->task.path] = child->id;
  running_.emplace(child->id, std::move(child));
}

void Children::failed_to_begin(const Task& task, const char* type, std::string message) {
  Result result;
  result.failure = Failure{type, std::move(message)};
  result.sent = false;
  shared_.tell_ended(task, std::move(result));
}

void Children::stop(const std::string& path, int attempt) {
  auto found = by_path_.find(path);
  if (found == by_path_.end()) return;
  Child* child = find(found->second);
  if (child && child->task.attempt == attempt && !child->stopped())
    end(*child, StopReason::Cancelled, child->process().kill_grace);
}

void Children::stop_all(std::optional<Duration> most) {
  for (auto& [id, child] : running_) {
    const Duration grace = child->process().kill_grace;
    end(*child, StopReason::Cancelled, most ? std::min(*most, grace) : grace);
  }
}

void Children::kill_all() {
  for (auto& [id, child] : running_) {
    signal_group(*child, SIGKILL);
    siginfo_t ignored{};
    waitid(P_PIDFD, static_cast<id_t>(child->pidfd), &ignored, WEXITED);
    child->output.finish();
    for (int* descriptor : {&child->in, &child->pidfd}) close_watched(*descriptor);
  }
  if (!running_.empty()) kill_nested(shared_.options.token, "");
  running_.clear();
}

void Children::signal_group(const Child& child, int signal) {
  // The leader is not reaped before on_exit(), so its number, and with it the group's, is still its own.
  kill(-child.pid, signal);
}

void Children::end(Child& child, StopReason why, Duration grace) {
  auto kill_at = loop_.now() + grace;
  if (child.stopped()) {
    if (kill_at >= child.kill_at) return;  // told before; only less patience is news
  } else {
    child.end.stopped = why;
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
  if (!child->stopped()) {
    end(*child, StopReason::Timeout, child->process().kill_grace);
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

void Children::close_watched(int& descriptor) {
  if (descriptor < 0) return;
  loop_.unwatch(descriptor);
  close(descriptor);
  descriptor = -1;
}

void Children::on_readable(std::uint64_t id, bool from_stderr) {
  if (Child* child = find(id)) child->output.on_readable(from_stderr);
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
  close_watched(child->in);
}

void Children::on_exit(std::uint64_t id) {
  Child* child = find(id);
  if (!child) return;
  siginfo_t info{};
  if (waitid(P_PIDFD, static_cast<id_t>(child->pidfd), &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) return;
  child->end.status_code = info.si_code;
  child->end.status = info.si_status;
  close_watched(child->pidfd);
  close_watched(child->in);
  if (!child->stopped()) {
    finish(*child);
    return;
  }
  // A shell dies of TERM at once, while what it has started is still tidying up: that has the rest of the grace.
  child->leader_gone = true;
  end_of_group(*child);
}

void Children::finish(Child& child) {
  child.end.took = std::chrono::duration_cast<Duration>(loop_.now() - child.begun);  // before another has its slot
  child.output.finish();
  child.output.move_to(child.end);
  if (child.end.status_code != CLD_EXITED) shared_.slots.may_have_lost_tokens();
  std::unique_ptr<Child> over = std::move(running_.at(child.id));
  running_.erase(over->id);
  if (auto found = by_path_.find(over->task.path); found != by_path_.end() && found->second == over->id)
    by_path_.erase(found);
  // The slot first: the next process begins while this one's result is made. Not where the result may turn out to be a
  // failure: then the run says whether another is to begin at all.
  const Process& process = over->process();
  ProcessEnd& end = over->end;
  const bool plain = process.capture == Process::Capture::Text || process.capture == Process::Capture::Lines ||
                     process.capture == Process::Capture::None;
  const bool fits = end.stdout_bytes <= process.max_output || process.unread;
  const bool well = plain && fits && exited_well(process, end);
  if (well) free_slot(place_of(process));
  end.file =
      take_output(shared_.folder, over->output_file, static_cast<std::size_t>(process.max_output), end.file_left_out);
  Result result = result_of(over->task, end, shared_.mask_of(over->task));
  if (!well && result.ok()) free_slot(place_of(process));
  if (!well && !result.ok()) shared_.slots.withhold(over->task.path, place_of(process));
  if (!over->script_file.empty()) shared_.folder.remove(over->script_file);
  shared_.tell_ended(over->task, std::move(result));
}

void Children::free_slot(const ProcessSlots::Place& place) {
  shared_.slots.leave(place);
  fill_slots();
}

void Children::fill_slots() {
  while (auto next = shared_.slots.next()) {
    if (auto* task = std::get_if<Task>(&*next)) {
      begin(std::move(*task));
    } else {
      shared_.tell({{}, TaskReserved{std::get<ReservePlace>(*next).path}});
    }
  }
  if (shared_.slots.lacks_token()) await_token();
}

void Children::await_token() {
  loop_.set_timer(token_, loop_.now() + kTokenLost);
  loop_.watch_anew(shared_.jobserver.readable(), EPOLLIN | EPOLLONESHOT, token_, ++last_id_);
}

void Children::on_token(bool came) {
  if (!came) {
    // One that is put in wakes the watch.
    if (shared_.slots.still_lacks_token()) loop_.set_timer(token_, loop_.now() + kTokenLost);
    return;
  }
  shared_.slots.token_came();
  fill_slots();
}

}  // namespace flowrun
