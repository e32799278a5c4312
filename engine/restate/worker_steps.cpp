#include "engine/restate/worker_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <thread>
#include <utility>

#include "engine/executor/process_slots.h"
#include "engine/executor/run_folder.h"
#include "engine/executor/work_clock.h"
#include "engine/model/error.h"
#include "engine/model/hash.h"
#include "engine/model/random_number.h"
#include "engine/model/task_text.h"

namespace flowrun::restate {
namespace {

constexpr std::chrono::seconds kUnused{60};  // a run may come back between two of its steps
constexpr std::size_t kManyRuns = 64;        // that are not in use: each has threads of its own
constexpr std::chrono::hours kTidy{1};
constexpr Duration kLongestSpan = std::chrono::hours(24 * 3660);
constexpr int kDaysOfFiles = 8;  // longer than a result is kept

int cpus_here() { return static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); }

std::string answered(std::string_view output) {
  std::string frames;
  append_frame(frames, FrameType::Output, output);
  append_frame(frames, FrameType::End, "");
  return frames;
}

std::string refused(std::uint32_t code, std::string message) {
  return answered(output_message(TerminalFailure{code, std::move(message)}));
}

/// What names the executor that a call needs: runs of other clients may have the same id.
std::string key_of(const StepCall& call) {
  StepCall only = call;
  only.task = {};
  only.repeats = true;
  std::string name = call.run_id.substr(0, 80);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)) && c != '-'; }, '_');
  return fmt::format("{}-{:016x}", name, hash64(to_text(only)));
}

void move_paths(Task& task, const std::string& folder, const std::string& workdir) {
  const auto move = [&](std::string& path) { path = moved_path(path, folder, workdir); };
  if (auto* process = std::get_if<Process>(&*task.work)) return move(process->cwd);
  auto& request = std::get<HttpRequest>(*task.work);
  for (std::string* path : files_of(request)) move(*path);
}

/// What the executor takes as read of tasks that this program made itself. Throws Corruption.
void check(StepCall& call) {
  const auto refuse_unless = [](bool good, const char* what) {
    if (!good) throw Corruption(fmt::format("a call of `step` has {}", what));
  };
  const auto is_span = [](Duration span) { return span >= Duration{0} && span <= kLongestSpan; };
  Task& task = call.task;
  refuse_unless(!call.run_id.empty(), "no run");
  for (const SecretSource& source : call.secrets) {
    const bool command = source.from == SecretSource::From::Command;
    const bool placed = command ? !source.command.empty() && !source.command.front().empty() : !source.place.empty();
    refuse_unless(placed && !source.name.empty(), "a secret without a place");
  }
  refuse_unless(!task.path.empty() && task.path.find('\n') == std::string::npos, "no step");
  refuse_unless(!task.timeout || is_span(*task.timeout), "a timeout that can not be");
  for (const TaskPlaceholder& one : placeholders_of(task)) {
    const std::string* place = place_of_secret(task, one);
    refuse_unless(place && one.placeholder.at <= place->size(), "a secret for a place that is not there");
  }
  if (const auto* process = std::get_if<Process>(&*task.work)) {
    refuse_unless(!process->argv.empty() && !process->argv.front().empty(), "no program");
    refuse_unless(is_span(process->kill_grace), "a kill_grace that can not be");
    refuse_unless(process->weight > 0 && process->weight <= 100'000, "a weight that can not be");
    refuse_unless(process->max_output >= 0, "a max_output that can not be");
    return;
  }
  const auto& request = std::get<HttpRequest>(*task.work);
  refuse_unless(is_span(request.connect_timeout) && is_span(request.idle_timeout), "a timeout that can not be");
  refuse_unless(request.max_response >= 0 && request.max_redirects >= 0, "limits that can not be");
}

}  // namespace

std::string moved_path(const std::string& path, const std::string& folder, const std::string& workdir) {
  if (folder.size() < 2 || !path.starts_with(folder)) return path;
  if (path.size() == folder.size()) return workdir;
  return path[folder.size()] == '/' ? workdir + path.substr(folder.size()) : path;
}

WorkerSteps::WorkerSteps(WorkerFolder& folder, std::string workdir, int jobs, const WakeupFd& wakeup, Answer answer,
                         Say say)
    : folder_(folder),
      workdir_(std::move(workdir)),
      jobs_(jobs),
      cpus_(cpus_here()),
      answer_(std::move(answer)),
      say_(std::move(say)),
      inbox_(wakeup) {
  folder_.tidy(kDaysOfFiles);
}

WorkerSteps::~WorkerSteps() {
  for (auto& [key, run] : runs_) {
    run->run.reset();
    folder_.leave(key);
  }
}

void WorkerSteps::begin(std::uint64_t request, const Invocation& invocation) {
  for (const Frame& entry : invocation.entries) {
    if (entry.is(FrameType::Input)) continue;
    if (entry.is(FrameType::Signal) && notification_from(entry).signal == kCancelSignal)
      return answer_(request, refused(409, "cancelled"));
    if (entry.is(FrameType::Output)) {
      std::string end;
      append_frame(end, FrameType::End, "");
      return answer_(request, std::move(end));
    }
    std::string mismatch;
    append_frame(mismatch, FrameType::Error, error_message(kJournalMismatch, "`step` records nothing but its output"));
    return answer_(request, std::move(mismatch));
  }
  StepCall call;
  try {
    call = step_call_from(invocation.input);
    check(call);
  } catch (const Error& error) {
    return answer_(request, refused(400, error.what()));
  }
  if (draining_) return answer_(request, "");
  move_paths(call.task, call.folder, workdir_);
  // A place is held for it by who asks, not here.
  call.task.strict = false;
  const std::string& id = invocation.start.id;
  if (!call.repeats && (folder_.has_begun(id) || invocation.start.retries > 0))
    return fail(
        request, call.task, "crash",
        fmt::format("attempt {} may have begun before its worker or the server was lost, and is not begun again",
                    call.task.attempt));
  Run& run = run_of(call);
  run.used = Clock::now();
  Attempt attempt{id, &run, std::move(call.task), "", 0};
  attempt.path = attempt.task.path;
  attempt.number = attempt.task.attempt;
  attempt.repeats = call.repeats;
  if (const auto* process = std::get_if<Process>(&*attempt.task.work)) {
    attempt.shared = process->shares_cpus;
    attempt.weight = process->weight;
    attempt.counted = jobs_ > 0 || attempt.shared;
    attempt.leaves = process->leave;
  }
  give_up_earlier(run, attempt.path, id);
  auto& same = run.paths[attempt.path];
  same.push_back(request);
  const bool first = same.size() == 1;
  attempts_.emplace(request, std::move(attempt));
  if (first) line_up(request);
}

void WorkerSteps::give_up_earlier(Run& run, const std::string& path, const std::string& invocation) {
  const auto found = run.paths.find(path);
  if (found == run.paths.end()) return;
  for (const std::uint64_t other : std::deque<std::uint64_t>(found->second)) {
    Attempt& attempt = attempts_.at(other);
    if (attempt.invocation != invocation) continue;
    stop(attempt);
    if (attempt.state == Attempt::State::Begun) continue;
    drop(other);
    answer_(other, "");
  }
}

WorkerSteps::Run& WorkerSteps::run_of(const StepCall& call) {
  std::string key = key_of(call);
  if (const auto known = runs_.find(key); known != runs_.end()) return *known->second;
  auto run = std::make_unique<Run>();
  run->key = key;
  WorkerRun::Options options;
  options.executor.jobs = jobs_;
  options.executor.cpus = cpus_;
  options.executor.workers = 1;  // there may be many runs
  options.executor.run_id = call.run_id;
  options.executor.token = random_hex(16);
  options.executor.run_dir = folder_.run_dir(key);
  options.secrets = call.secrets;
  options.workdir = workdir_;
  options.file = call.file;
  const auto prepare = [this, key, token = options.executor.token, dir = options.executor.run_dir] {
    RunFolder(dir).make();
    folder_.note_token(key, token);
  };
  Run* self = run.get();
  run->run = std::make_unique<WorkerRun>(std::move(options), prepare, [this, self](WorkerRun::Ended ended) {
    inbox_.post({self, std::move(ended)});
  });
  return *runs_.emplace(std::move(key), std::move(run)).first->second;
}

bool WorkerSteps::has_place(const Attempt& attempt) const {
  if (!attempt.counted) return true;
  return jobs_ > 0 ? fits(begun_, attempt.weight, jobs_) : fits(begun_shared_, attempt.weight, cpus_);
}

void WorkerSteps::line_up(std::uint64_t id) {
  Attempt& attempt = attempts_.at(id);
  attempt.state = Attempt::State::InLine;
  if (has_place(attempt) && (!attempt.counted || line_.empty())) return start(id);
  line_.push_back(id);
}

void WorkerSteps::fill_places() {
  while (!line_.empty() && has_place(attempts_.at(line_.front()))) {
    const std::uint64_t id = line_.front();
    line_.pop_front();
    start(id);
  }
}

void WorkerSteps::start(std::uint64_t request) {
  Attempt& attempt = attempts_.at(request);
  attempt.state = Attempt::State::Begun;
  try {
    if (!attempt.repeats) folder_.note_begun(attempt.invocation);
  } catch (const Error& error) {
    // It may be begun later, once its beginning can be noted.
    say_(fmt::format("{}: {}", attempt.path, error.what()));
    drop(request);
    return answer_(request, "");
  }
  if (attempt.counted) {
    begun_ += attempt.weight;
    begun_shared_ += attempt.shared ? attempt.weight : 0;
  }
  if (attempt.leaves) note_staying(*attempt.run, attempt.path, 1);
  attempt.run->run->begin(std::move(attempt.task));
}

void WorkerSteps::note_staying(Run& run, const std::string& path, int change) {
  if ((run.staying[path] += change) <= 0) run.staying.erase(path);
  std::set<std::string> steps;
  for (const auto& [step, count] : run.staying) steps.insert(step);
  try {
    RunFolder(folder_.run_dir(run.key)).make();
    folder_.note_staying(run.key, steps);
  } catch (const Error&) {
    // The executor fails for the same reason, and says so.
  }
}

void WorkerSteps::stop(Attempt& attempt) {
  if (attempt.stopped) return;
  attempt.stopped = true;
  if (attempt.state == Attempt::State::Begun) attempt.run->run->stop(attempt.path, attempt.number);
}

void WorkerSteps::gone(std::uint64_t request) {
  const auto found = attempts_.find(request);
  if (found == attempts_.end()) return;
  Attempt& attempt = found->second;
  if (!attempt.stopped)
    say_(fmt::format("{} of {}, attempt {}: the server does not wait for it any more", attempt.path, attempt.run->key,
                     attempt.number));
  stop(attempt);
  if (attempt.state == Attempt::State::Begun) return;
  drop(request);
}

void WorkerSteps::drop(std::uint64_t id) {
  const Attempt& attempt = attempts_.at(id);
  if (attempt.state == Attempt::State::InLine) std::erase(line_, id);
  const auto same = attempt.run->paths.find(attempt.path);
  const bool was_first = same->second.front() == id;
  std::erase(same->second, id);
  std::uint64_t next = 0;
  if (same->second.empty())
    attempt.run->paths.erase(same);
  else if (was_first)
    next = same->second.front();
  attempt.run->used = Clock::now();
  attempts_.erase(id);
  fill_places();  // who stood behind it may be lighter
  if (next) line_up(next);
}

void WorkerSteps::settle() {
  std::vector<EndedIn> all;
  inbox_.take(all);
  for (const EndedIn& ended : all) take(ended);
  if (!all.empty()) fill_places();
}

void WorkerSteps::take(const EndedIn& one) {
  const auto same = one.run->paths.find(one.ended.path);
  if (same == one.run->paths.end()) return;
  const std::uint64_t id = same->second.front();
  const Attempt& attempt = attempts_.at(id);
  if (attempt.state != Attempt::State::Begun || attempt.number != one.ended.attempt) return;
  if (attempt.counted) {
    begun_ -= attempt.weight;
    begun_shared_ -= attempt.shared ? attempt.weight : 0;
  }
  if (attempt.leaves) note_staying(*one.run, attempt.path, -1);
  const WorkerRun::Ended& ended = one.ended;
  say_(fmt::format("{} of {}, attempt {}: {} after {:.2f} s", ended.path, one.run->key, ended.attempt,
                   ended.failure.empty() ? "succeeded" : ended.failure,
                   static_cast<double>(ended.took.count()) / 1000));
  // Nobody may take the end of what was stopped for the end that it would have had.
  std::string frames = attempt.stopped ? "" : answered(output_message(ended.text));
  drop(id);  // first: the next request of the connection has the same number
  answer_(id, std::move(frames));
}

void WorkerSteps::drain() {
  draining_ = true;
  std::vector<std::uint64_t> not_begun;
  for (const auto& [id, attempt] : attempts_)
    if (attempt.state != Attempt::State::Begun) not_begun.push_back(id);
  line_.clear();
  for (const std::uint64_t id : not_begun) {
    const auto same = attempts_.at(id).run->paths.find(attempts_.at(id).path);
    std::erase(same->second, id);
    if (same->second.empty()) attempts_.at(id).run->paths.erase(same);
    attempts_.erase(id);
    answer_(id, "");
  }
}

void WorkerSteps::stop_all(Duration most) {
  drain();
  for (auto& [id, attempt] : attempts_) attempt.stopped = true;
  for (auto& [key, run] : runs_) run->run->stop_all(most);
}

void WorkerSteps::fail(std::uint64_t request, const Task& task, const char* type, std::string message) {
  TaskEnded ended{task.path, task.attempt, {}};
  ended.result.failure = Failure{type, std::move(message)};
  say_(fmt::format("{}, attempt {}: {}", task.path, task.attempt, type));
  answer_(request, answered(output_message(ended_text(ended, wall_clock()))));
}

void WorkerSteps::tidy() {
  const auto now = Clock::now();
  const auto unused = runs_.size() > kManyRuns ? Clock::duration{0} : Clock::duration{kUnused};
  for (auto run = runs_.begin(); run != runs_.end();) {
    if (!run->second->paths.empty() || now - run->second->used < unused) {
      ++run;
      continue;
    }
    run->second->run.reset();
    folder_.leave(run->first);
    run = runs_.erase(run);
  }
  if (now - tidied_ < kTidy) return;
  tidied_ = now;
  for (const auto& [key, run] : runs_) folder_.keep(key);
  folder_.tidy(kDaysOfFiles);
}

}  // namespace flowrun::restate
