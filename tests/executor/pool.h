// A pool of workers with a folder of its own, and words to ask it for things.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/executor/executor.h"
#include "engine/executor/output_reader.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"  // soon(), alive()
#include "tests/support/temp_dir.h"

namespace flowrun::test {

class Pool {
 public:
  explicit Pool(const Secrets& secrets) : Pool(0, 64, 2, &secrets) {}
  explicit Pool(int jobs = 0, int cpus = 64, int workers = 2, const Secrets* secrets = nullptr) {
    options_.secrets = secrets;
    options_.workers = workers;
    options_.jobs = jobs;
    options_.cpus = cpus;
    options_.run_id = "run-1";
    options_.token = "token-" + folder_.path().substr(folder_.path().size() - 6);
    options_.run_dir = folder_.path("runs/run-1");
    options_.shared_file = folder_.path("journal.db-shared");
    executor_ = make_worker_pool(options_);
  }

  /// With steps whose output is secret.
  struct SecretOutputs {};
  explicit Pool(SecretOutputs, int jobs = 0) : Pool(jobs) {
    options_.secret_outputs = true;
    executor_ = make_worker_pool(options_);
  }

  Executor& executor() { return *executor_; }
  const ExecutorOptions& options() const { return options_; }
  const TempDir& folder() const { return folder_; }
  std::string run_dir() const { return options_.run_dir; }
  /// Ends all workers.
  void close() { executor_.reset(); }

  /// The next |count| ends, by path, in order of arrival in order().
  std::map<std::string, Result> ended(std::size_t count) {
    std::map<std::string, Result> results;
    auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (results.size() < count) {
      REQUIRE(std::chrono::steady_clock::now() < patience);
      std::vector<Event> happened;
      executor_->acted();
      executor_->wait(happened, Duration{1000});
      for (Event& event : happened) {
        if (auto* end = std::get_if<TaskEnded>(&event.fact)) {
          order_.push_back(end->path);
          results[end->path] = std::move(end->result);
        } else if (auto* reserved = std::get_if<TaskReserved>(&event.fact)) {
          reserved_.push_back(reserved->path);
        } else if (auto* withdrawn = std::get_if<TaskWithdrawn>(&event.fact)) {
          withdrawn_.push_back(withdrawn->path);
        }
      }
    }
    return results;
  }
  Result run(Task task) {
    std::string path = task.path;
    executor_->begin(std::move(task));
    return ended(1).at(path);
  }
  /// Lets what has happened come in, for at most |patience|.
  void listen(Duration patience) {
    std::vector<Event> happened;
    executor_->acted();
    executor_->wait(happened, patience);
    for (Event& event : happened) {
      if (auto* reserved = std::get_if<TaskReserved>(&event.fact)) reserved_.push_back(reserved->path);
      if (auto* withdrawn = std::get_if<TaskWithdrawn>(&event.fact)) withdrawn_.push_back(withdrawn->path);
    }
  }
  const std::vector<std::string>& order() const { return order_; }
  const std::vector<std::string>& reserved() const { return reserved_; }
  const std::vector<std::string>& withdrawn() const { return withdrawn_; }

 private:
  TempDir folder_;
  ExecutorOptions options_;
  std::unique_ptr<Executor> executor_;
  std::vector<std::string> order_, reserved_, withdrawn_;
};

/// What the log of a run holds of each step: `STEP out` and `STEP err`. What is missing stands there as
/// `<left out: N>` or `<lost: N, WHY>`.
inline std::map<std::string, std::string> logged(const std::string& run_dir) {
  OutputReader reader(run_dir);
  std::map<std::string, std::string> said;
  reader.pieces([&](const OutputReader::Piece& piece) {
    const OutputReader::Source& source = reader.sources()[piece.source];
    std::string& text = said[source.path + (source.is_stderr ? " err" : " out")];
    if (piece.left_out > 0) text += "<left out: " + std::to_string(piece.left_out) + ">";
    if (piece.lost > 0) text += "<lost: " + std::to_string(piece.lost) + ", " + piece.why + ">";
    text += piece.bytes;
    return true;
  });
  return said;
}

inline Task exec(std::vector<std::string> argv, const std::string& path = "step") {
  Task task;
  task.path = path;
  Process process;
  process.argv = std::move(argv);
  process.kill_grace = Duration{10000};
  task.work = std::move(process);
  return task;
}

inline Task shell(const std::string& script, const std::string& path = "step") {
  Task task = exec({"bash", "-euo", "pipefail", "-c", script}, path);
  std::get<Process>(*task.work).script = true;
  return task;
}

inline Process& process_of(Task& task) { return std::get<Process>(*task.work); }
inline HttpRequest& request_of(Task& task) { return std::get<HttpRequest>(*task.work); }

}  // namespace flowrun::test
