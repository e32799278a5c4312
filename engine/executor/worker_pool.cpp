// The executor of this machine: its workers, and the run thread's side of them. Knows only tasks and results.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include "engine/executor/executor.h"
#include "engine/executor/libcurl.h"
#include "engine/executor/line_file.h"
#include "engine/executor/secret_steps.h"
#include "engine/executor/spawn.h"
#include "engine/executor/worker.h"
#include "engine/model/error.h"

namespace flowrun {
namespace {

class WorkerPool : public Executor {
 public:
  explicit WorkerPool(const ExecutorOptions& options) : shared_(options) {
    int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    int count = options.workers > 0 ? options.workers : std::min(cores, 4);
    for (int i = 0; i < count; ++i) workers_.push_back(std::make_unique<Worker>(shared_));
    shared_.limits.tell([this](Task task, std::optional<Failure> trouble) {
      if (!trouble) return workers_[next_shared_++ % workers_.size()]->post(std::move(task));
      if (shared_.leave_slot(task)) workers_.front()->post(Worker::FillSlot{});
      // Not by tell_ended(), which would call back.
      Result result;
      result.failure = std::move(trouble);
      result.sent = false;
      shared_.tell({{}, TaskEnded{task.path, task.attempt, std::move(result)}});
    });
  }
  ~WorkerPool() override { shared_.limits.stop(); }

  void begin(Task task) override {
    if (!shared_.options.secret_outputs) return carry_out(std::move(task));
    open_folder();
    SecretSteps::Then then = secret_steps_.admit(std::move(task));
    follow(then);
  }
  void remember(const Task& task) override { secret_steps_.remember(task); }
  void learn(const Task& task, const Value& value) override {
    shared_.secret_outputs.keep(task.path, part_of(value, *task.secret_output));
  }

  void reserve(const ReservePlace& place) override {
    if (place.process) shared_.prepare_processes();
    if (!place.process || shared_.slots.reserve(place)) return shared_.tell({{}, TaskReserved{place.path}});
    await_token();
  }

  void stop(const std::string& path, int attempt) override {
    SecretSteps::Then then;
    if (const auto held = secret_steps_.withdraw(path, attempt, then)) shared_.tell_stopped(*held);
    follow(then);
    end(path, attempt);
  }

  void withdraw(const std::string& path) override {
    const std::vector<Task> withdrawn = withdraw_below(path);
    for (const Task& waiting : withdrawn) shared_.tell({{}, TaskWithdrawn{waiting.path, waiting.attempt}});
    if (!withdrawn.empty()) workers_.front()->post(Worker::FillSlot{});
  }

  void stop_all(std::optional<Duration> most) override {
    for (const Task& waiting : withdraw_below("")) shared_.tell_stopped(waiting);
    for (auto& worker : workers_) worker->post(Worker::StopAll{most});
  }

  void wait(std::vector<Event>& happened, Duration timeout) override {
    std::size_t before = happened.size();
    shared_.take(happened, timeout);
    reap_orphans();
    for (std::size_t i = before; i < happened.size(); ++i) {
      const auto* ended = std::get_if<TaskEnded>(&happened[i].fact);
      if (ended && !ended->result.ok()) failed_.push_back(ended->path);
    }
    SecretSteps::Then then = secret_steps_.take(happened, before);
    follow(then);
  }

  void acted() override {
    for (const std::string& path : failed_)
      if (shared_.slots.give_on(path)) workers_[next_++ % workers_.size()]->post(Worker::FillSlot{});
    failed_.clear();
  }

  Duration lost() override { return std::chrono::duration_cast<Duration>(shared_.clock.lost()); }

  void catch_up() override {
    std::vector<std::future<void>> answers;
    for (auto& worker : workers_) {
      auto done = std::make_shared<std::promise<void>>();
      answers.push_back(done->get_future());
      worker->post(Worker::CatchUp{std::move(done)});
    }
    for (auto& answer : answers) answer.wait_for(std::chrono::seconds(1));
  }

  LineFile* line() override {
    if (shared_.line) open_folder();
    return shared_.line.get();
  }
  void wake() override { shared_.wake(); }
  std::size_t ahead() const override { return failed_.empty() ? shared_.slots.waiting() : 0; }
  std::size_t in_line() const override { return shared_.slots.waiting() + secret_steps_.waiting(); }
  std::map<std::string, std::size_t> in_shared_line() const override { return shared_.limits.waiting(); }

 private:
  /// What waits stands in it.
  void open_folder() {
    try {
      shared_.make_run_dir();
    } catch (const Error&) {
      // It is taken for begun, should this drive be killed.
    }
  }
  void end(const std::string& path, int attempt) {
    bool freed = false;
    const auto waiting = shared_.slots.withdraw(path, attempt, freed);
    if (waiting) shared_.tell_stopped(*waiting);
    const bool stopped = waiting || freed || shared_.stop_waiting(path, attempt, freed);
    if (freed) workers_.front()->post(Worker::FillSlot{});
    if (stopped) return;
    for (auto& worker : workers_) worker->post(Worker::Stop{path, attempt});
  }
  void carry_out(Task task) {
    if (task.secret_output) task.keep_raw = task.secret_output->of_raw;
    if (std::holds_alternative<Process>(*task.work)) {
      shared_.prepare_processes();
      if (!shared_.slots.admit(task)) return await_token();
    }
    workers_[next_++ % workers_.size()]->post(std::move(task));
  }
  void follow(SecretSteps::Then& then) {
    for (Event& event : then.happened) shared_.tell(std::move(event));
    for (const Task& task : then.ended) give_place_back(task);
    for (const auto& [path, attempt] : then.stop) end(path, attempt);
    for (Task& task : then.begin) carry_out(std::move(task));
  }
  /// Of |task|, which will not begin.
  void give_place_back(const Task& task) {
    bool freed = false;
    if (task.strict) shared_.slots.withdraw(task.path, task.attempt, freed);
    if (freed) workers_.front()->post(Worker::FillSlot{});
  }
  void await_token() {
    if (shared_.slots.lacks_token()) workers_.front()->post(Worker::AwaitToken{});
  }
  /// All at |path| and below that have not begun.
  std::vector<Task> withdraw_below(const std::string& path) {
    std::vector<Task> tasks = shared_.slots.withdraw_below(path);
    for (Task& task : shared_.limits.withdraw_below(path)) {
      shared_.leave_slot(task);
      tasks.push_back(std::move(task));
    }
    SecretSteps::Then then;
    for (Task& task : secret_steps_.withdraw_below(path, then)) {
      give_place_back(task);
      tasks.push_back(std::move(task));
    }
    follow(then);
    return tasks;
  }

  PoolShared shared_;
  SecretSteps secret_steps_{shared_.secret_outputs, shared_.line.get(), shared_.options.token};
  std::vector<std::unique_ptr<Worker>> workers_;
  std::size_t next_ = 0;
  std::size_t next_shared_ = 0;      ///< of the thread that says what is ready
  std::vector<std::string> failed_;  ///< told to the run, which may not have acted upon it yet
};

}  // namespace

void prepare_http() {
  libcurl();
  libcrypto();
  zlib();
}

std::unique_ptr<Executor> make_worker_pool(const ExecutorOptions& options) {
  prepare_spawns();
  return std::make_unique<WorkerPool>(options);
}

}  // namespace flowrun
