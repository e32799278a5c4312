#include "engine/scenario/real_steps.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>

#include "engine/model/error.h"
#include "engine/run/fresh.h"

namespace flowrun {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kLongest{120};
constexpr std::chrono::seconds kGrace{10};  // for what was stopped then

}  // namespace

RealSteps::RealSteps(const Loaded& loaded, const std::string& run)
    : run_(run), token_(random_hex(16)), secrets_(loaded.secrets, loaded.folder, loaded.file) {
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

Result RealSteps::carry_out(Task task) {
  if (!executor_) {
    ExecutorOptions options;
    options.workers = 1;
    options.run_id = run_;
    options.token = token_;
    options.run_dir = run_dir();
    options.secrets = &secrets_;
    executor_ = make_worker_pool(options);
  }
  const std::string path = task.path;
  const int attempt = task.attempt;
  executor_->begin(std::move(task));
  bool stopped = false;
  for (const Clock::time_point began = Clock::now();;) {
    std::vector<Event> happened;
    executor_->wait(happened, Duration{1000});
    executor_->acted();
    for (Event& event : happened)
      if (auto* ended = std::get_if<TaskEnded>(&event.fact); ended && !stopped) return std::move(ended->result);
    const auto waited = Clock::now() - began;
    if (waited > kLongest && !std::exchange(stopped, true)) executor_->stop(path, attempt);
    if ((stopped && !happened.empty()) || waited > kLongest + kGrace)
      throw std::runtime_error(
          fmt::format("step {} passed and took longer than {} s; give it a `timeout`", path, kLongest.count()));
  }
}

}  // namespace flowrun
