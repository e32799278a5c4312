#include "engine/restate/worker_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine/executor/named_file.h"
#include "engine/model/error.h"

namespace flowrun::restate {
namespace {

namespace fs = std::filesystem;

constexpr int kMostWorkers = 1000;              // of one user on one machine
constexpr std::uintmax_t kBegunMost = 4 << 20;  // bytes; then a new file is begun, and that before the last goes
constexpr Duration kGrace{5000};
constexpr const char* kToken = "token";      // of a run's folder
constexpr const char* kStaying = "staying";  // likewise

[[noreturn]] void can_not(const std::string& what, const std::string& why) {
  throw Error(Problem::Journal, fmt::format("the worker can not keep its files: {}: {}", what, why));
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::vector<std::string> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) lines.push_back(std::move(line));
  return lines;
}

/// Workers have numbers; whatever else is there is somebody else's.
bool is_worker(const std::string& name) {
  return !name.empty() && name.find_first_not_of("0123456789") == std::string::npos;
}

/// A lock on |folder| that ends with the process; -1: another process has it.
int lock_of(const fs::path& folder) {
  const int descriptor = open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) can_not((folder / "lock").string(), std::strerror(errno));
  if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
  close(descriptor);
  return -1;
}

/// Names of what is in |folder|, in order; none when it is not there.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& one : fs::directory_iterator(folder, none)) names.push_back(one.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

/// Replaces the whole file, so that who is killed leaves the old or the new text.
void write_small(const fs::path& file, const std::string& text) {
  const fs::path draft = file.string() + ".new";
  const int descriptor = open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  const bool written = descriptor >= 0 && write_all(descriptor, text);
  const int error = errno;
  if (descriptor >= 0) close(descriptor);
  if (!written || rename(draft.c_str(), file.c_str()) != 0) can_not(file.string(), std::strerror(error));
}

}  // namespace

WorkerFolder::WorkerFolder(const std::string& state) : state_(state) {
  std::error_code error;
  fs::create_directories(fs::path(state_).parent_path(), error);
  if (error) can_not(state_, error.message());
  if (mkdir(state_.c_str(), 0700) != 0 && errno != EEXIST) can_not(state_, std::strerror(errno));
  struct stat status {};
  if (stat(state_.c_str(), &status) != 0) can_not(state_, std::strerror(errno));
  if (status.st_uid != geteuid()) can_not(state_, "it belongs to another user");
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    can_not(state_, "others may write there; look at what is in it, then chmod go-w it");
  for (const std::string& name : names_in(state_)) {
    const fs::path folder = fs::path(state_) / name;
    if (!is_worker(name) || !fs::is_directory(fs::symlink_status(folder))) continue;
    const int lock = lock_of(folder);
    if (lock < 0) {
      alone_ = false;  // its worker lives
      continue;
    }
    end_leftovers_of(folder);
    if (lock_ < 0) {
      lock_ = lock;
      path_ = folder;
    } else {
      close(lock);
    }
  }
  for (int number = 1; lock_ < 0 && number <= kMostWorkers; ++number) {
    path_ = fmt::format("{}/{}", state_, number);
    if (mkdir(path_.c_str(), 0700) != 0 && errno != EEXIST) can_not(path_, std::strerror(errno));
    lock_ = lock_of(path_);
  }
  if (lock_ < 0) can_not(state_, "there are too many workers");
  read_begun();
}

WorkerFolder::~WorkerFolder() {
  if (begun_file_ >= 0) close(begun_file_);
  close(lock_);
}

void WorkerFolder::end_leftovers_of(const std::string& folder) {
  std::vector<std::string> tokens, staying;
  for (const std::string& name : names_in(fs::path(folder) / "runs")) {
    const fs::path run = fs::path(folder) / "runs" / name;
    for (std::string& token : lines_of(run / kToken)) tokens.push_back(std::move(token));
    for (std::string& step : lines_of(run / kStaying)) staying.push_back(std::move(step));
  }
  if (tokens.empty()) return;
  std::vector<Leftover> found = end_leftovers(tokens, staying, kGrace);
  // What is not meant to stay is told first, by its step, and ended then.
  std::set<std::string> steps;
  for (Leftover& one : found) {
    if (!one.ended)
      steps.insert(one.step);
    else
      leftovers_.push_back(std::move(one));
  }
  if (steps.empty()) return;
  for (Leftover& one : end_leftovers(tokens, {steps.begin(), steps.end()}, kGrace))
    leftovers_.push_back(std::move(one));
}

std::string WorkerFolder::run_dir(const std::string& key) const { return path_ + "/runs/" + key; }

void WorkerFolder::note_token(const std::string& key, const std::string& token) const {
  write_small(fs::path(run_dir(key)) / kToken, token + "\n");
}

void WorkerFolder::note_staying(const std::string& key, const std::set<std::string>& steps) const {
  std::string text;
  for (const std::string& step : steps) text += step + "\n";
  write_small(fs::path(run_dir(key)) / kStaying, text);
}

void WorkerFolder::leave(const std::string& key) const {
  // Ours, and those of the executor that say nothing once no process runs.
  const std::set<std::string, std::less<>> ours = {kToken, kStaying, "line"};
  const fs::path folder = run_dir(key);
  const std::vector<std::string> names = names_in(folder);
  const bool used = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return !ours.contains(name) && !name.starts_with("output.") && !name.starts_with(".");
  });
  std::error_code ignored;
  if (!used) fs::remove_all(folder, ignored);
}

void WorkerFolder::tidy(int days) const {
  const auto oldest = fs::file_time_type::clock::now() - std::chrono::hours(24 * days);
  for (const std::string& worker : names_in(state_)) {
    if (!is_worker(worker)) continue;
    const fs::path runs = fs::path(state_) / worker / "runs";
    for (const std::string& name : names_in(runs)) {
      std::error_code error;
      // The token says when the run was used last.
      const auto used = fs::last_write_time(runs / name / kToken, error);
      if (!error && used < oldest) fs::remove_all(runs / name, error);
    }
  }
}

void WorkerFolder::read_begun() {
  const fs::path file = fs::path(state_) / "begun", before = fs::path(state_) / "begun.before";
  std::error_code ignored;
  const auto size = fs::file_size(file, ignored);
  // Who lives goes on writing to the file that it has open.
  if (alone_ && !ignored && size > kBegunMost) fs::rename(file, before, ignored);
  for (std::string& id : lines_of(before)) begun_.insert(std::move(id));
  read_more_begun();
  begun_file_ = open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (begun_file_ < 0) can_not(file.string(), std::strerror(errno));
}

void WorkerFolder::read_more_begun() {
  std::ifstream in(fs::path(state_) / "begun");
  in.seekg(begun_read_);
  for (std::string id; std::getline(in, id);) {
    if (in.eof()) break;  // it is being written
    begun_read_ += static_cast<std::streamoff>(id.size()) + 1;
    begun_.insert(std::move(id));
  }
}

bool WorkerFolder::has_begun(const std::string& invocation) {
  read_more_begun();
  return begun_.contains(invocation);
}

void WorkerFolder::keep(const std::string& key) const {
  std::error_code gone;
  fs::last_write_time(fs::path(run_dir(key)) / kToken, fs::file_time_type::clock::now(), gone);
}

void WorkerFolder::note_begun(const std::string& invocation) {
  if (!begun_.insert(invocation).second) return;
  if (!write_all(begun_file_, invocation + "\n")) can_not(state_ + "/begun", std::strerror(errno));
}

}  // namespace flowrun::restate
