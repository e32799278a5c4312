#include "engine/restate/worker_run.h"

#include <fmt/format.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "engine/executor/secret_source.h"
#include "engine/executor/work_clock.h"
#include "engine/model/error.h"
#include "engine/model/task_text.h"

namespace flowrun::restate {
namespace {

constexpr Duration kLook{60'000};  // commands wake it before

std::string this_host() {
  char host[HOST_NAME_MAX + 1]{};
  gethostname(host, sizeof host - 1);
  return host;
}

constexpr std::size_t kLargestResult = (32 << 20) - 4096;  // the server takes 32 MiB, with what it adds

/// Of what is too large |ended| becomes a failure: a server does not take it, and would have the attempt carried out
/// again and again.
std::string text_for_server(TaskEnded& ended) {
  std::string text = ended_text(ended, wall_clock());
  if (text.size() <= kLargestResult) return text;
  ended.result.value = {};
  ended.result.failure =
      Failure{"restate.size", fmt::format("the result has {} MiB, and a Restate server takes 32 MiB: hand large values "
                                          "on by files or URLs",
                                          text.size() >> 20)};
  return ended_text(ended, wall_clock());
}

bool uses_folder(const Task& task) {
  const auto* request = std::get_if<HttpRequest>(&*task.work);
  return !request || request->response == HttpRequest::Response::File;
}

}  // namespace

WorkerRun::WorkerRun(Options options, std::function<void()> prepare, OnEnded on_ended)
    : options_(std::move(options)),
      prepare_(std::move(prepare)),
      on_ended_(std::move(on_ended)),
      thread_([this] { run(); }) {}

WorkerRun::~WorkerRun() {
  ending_ = true;
  post(Quit{});
  thread_.join();
}

void WorkerRun::post(Command command) {
  commands_.post(std::move(command));
  std::lock_guard lock(mutex_);
  if (executor_) executor_->wake();
}

void WorkerRun::run() {
  for (std::vector<Command> commands;;) {
    if (!executor_) {
      pollfd waiting{wakeup_.descriptor(), POLLIN, 0};
      poll(&waiting, 1, -1);
    }
    wakeup_.clear();
    commands.clear();
    commands_.take(commands);
    for (Command& command : commands)
      if (!handle(std::move(command))) return;
    if (!executor_) continue;
    std::vector<Event> happened;
    executor_->wait(happened, kLook);
    for (Event& event : happened) {
      auto* ended = std::get_if<TaskEnded>(&event.fact);
      if (!ended) continue;
      std::string text = text_for_server(*ended);
      const std::optional<Failure>& failure = ended->result.failure;
      on_ended_({ended->path, ended->attempt, std::move(text), failure ? failure->type : "", ended->result.took});
    }
    executor_->acted();
  }
}

bool WorkerRun::handle(Command command) {
  if (auto* task = std::get_if<Task>(&command)) {
    begin_task(std::move(*task));
  } else if (const auto* stop = std::get_if<Stop>(&command)) {
    if (executor_) executor_->stop(stop->path, stop->attempt);
  } else if (const auto* all = std::get_if<StopAll>(&command)) {
    if (executor_) executor_->stop_all(all->most);
  } else {
    std::lock_guard lock(mutex_);
    executor_.reset();
    return false;
  }
  return true;
}

void WorkerRun::open() {
  std::vector<SecretSource> sources = options_.secrets;
  for (SecretSource& source : sources) source.optional = true;
  secrets_ = Secrets(sources, options_.workdir, options_.file, [this] { return ending_.load(); });
  ExecutorOptions executor = options_.executor;
  executor.secrets = &secrets_;
  std::unique_ptr<Executor> made = make_worker_pool(executor);
  std::lock_guard lock(mutex_);
  executor_ = std::move(made);
  executor_->wake();  // what was posted while there was none is looked at before anything is waited for
}

void WorkerRun::begin_task(Task task) {
  try {
    if (!executor_) open();
    if (!prepared_ && uses_folder(task)) {
      prepare_();
      prepared_ = true;
    }
  } catch (const std::exception& error) {
    return fail(task, "internal", error.what());
  }
  for (const TaskPlaceholder& one : placeholders_of(task)) {
    const std::string& name = one.placeholder.secret;
    if (secrets_.has(name)) continue;
    const auto source = std::find_if(options_.secrets.begin(), options_.secrets.end(),
                                     [&](const SecretSource& known) { return known.name == name; });
    std::string why = "the call does not say where it is";
    if (source != options_.secrets.end()) {
      why = read_secret(*source, options_.workdir, [this] { return ending_.load(); }).why;
      if (why.empty()) why = "it was not there when this run began to use the worker";
    }
    return fail(task, "secret",
                fmt::format("secret {} is not there on the worker's machine {}: {}", name, this_host(), why));
  }
  executor_->begin(std::move(task));
}

void WorkerRun::fail(const Task& task, const char* type, std::string message) {
  TaskEnded ended{task.path, task.attempt, {}};
  ended.result.failure = Failure{type, std::move(message)};
  ended.result.sent = false;
  on_ended_({task.path, task.attempt, ended_text(ended, wall_clock()), type, Duration{0}});
}

}  // namespace flowrun::restate
