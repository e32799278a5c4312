#include "engine/scenario/real_steps.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "engine/model/error.h"
#include "engine/model/random_number.h"
#include "engine/scenario/virtual_run.h"

namespace flowrun {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kLongest{120};
constexpr std::chrono::seconds kGrace{10};  // for what was stopped then
constexpr Duration kHurry{2000};            // between TERM and KILL
constexpr Duration kLook{100};

}  // namespace

RealSteps::RealSteps(const Loaded& loaded, const std::string& run, Stop stop)
    : run_(run),
      token_(random_hex(16)),
      secret_outputs_(!loaded.secret_outputs.empty()),
      stop_(std::move(stop)),
      secrets_(loaded.secrets, loaded.folder, loaded.file, stop_) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  std::string pattern = (parent / "flowrun-test-XXXXXX").string();
  if (error || !mkdtemp(pattern.data()))
    throw Error(Problem::Impossible, fmt::format("no folder can be made in {}", parent.string()));
  folder_ = std::move(pattern);
  if (loaded.http) prepare_http();
}

RealSteps::~RealSteps() {
  executor_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string RealSteps::run_dir() const { return folder_ + "/runs/" + run_; }

Executor& RealSteps::executor() {
  if (executor_) return *executor_;
  ExecutorOptions options;
  options.workers = 1;
  options.run_id = run_;
  options.token = token_;
  options.run_dir = run_dir();
  options.secrets = &secrets_;
  options.secret_outputs = secret_outputs_;
  executor_ = make_worker_pool(options);
  return *executor_;
}

Result RealSteps::carry_out(Task task) {
  const std::string path = task.path;
  if (task.secret_output) executor().remember(task);
  executor().begin(std::move(task));
  const Clock::time_point began = Clock::now();
  bool stopped = false, interrupted = false;
  for (;;) {
    std::vector<Event> happened;
    executor_->wait(happened, kLook);
    executor_->acted();
    const auto ended = std::find_if(happened.begin(), happened.end(),
                                    [](const Event& event) { return std::holds_alternative<TaskEnded>(event.fact); });
    const auto waited = Clock::now() - began;
    if (ended != happened.end() && !stopped) return std::move(std::get<TaskEnded>(ended->fact).result);
    if (ended != happened.end() || waited > kLongest + kGrace) break;
    interrupted = interrupted || (stop_ && stop_());
    if ((interrupted || waited > kLongest) && !std::exchange(stopped, true)) executor_->stop_all(kHurry);
  }
  if (interrupted) throw Interrupted(fmt::format("stopped while step {} was carried out", path));
  throw NoEnd(path, fmt::format("step {} passed, and took longer than {} s", path, kLongest.count()),
              "give it a `timeout`");
}

}  // namespace flowrun
