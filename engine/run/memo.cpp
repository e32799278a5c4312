#include "engine/run/memo.h"

#include <algorithm>
#include <exception>

#include "engine/model/path.h"
#include "engine/model/task_text.h"

namespace flowrun {

Memo::Memo(MemoSetting setting, std::function<void()> wake)
    : wake_(std::move(wake)), work_(std::move(setting)), thread_([this] { run(); }) {}

Memo::~Memo() {
  stop_all(true);
  {
    std::lock_guard lock(mutex_);
    quits_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void Memo::post(std::shared_ptr<Job> job) {
  std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  changed_.notify_all();
}

void Memo::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return quits_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    const std::shared_ptr<Job> job = jobs_.front();
    lock.unlock();
    try {
      do_it(*job);
    } catch (const std::exception& error) {
      // Want of memory, say: what it was about is not taken, or not kept.
      job->found.reset();
      job->asked.miss = job->asked.unkept = error.what();
    }
    lock.lock();
    jobs_.pop_front();
    const bool tells = job->task || job->ended;
    if (tells) done_.push_back(job);
    changed_.notify_all();
    // One call serves all that has come before it is heard.
    if (tells && done_.size() == 1) wake_();
  }
}

void Memo::do_it(Job& job) {
  if (job.task) {
    job.found = work_.look(*job.task, job.anew, job.now, job.asked, job.given_up);
  } else if (job.ended) {
    work_.take_in(job.ended->result, job.asked, job.given_up);
  } else {
    std::vector<KeptResult> results;
    for (Fresh& one : job.fresh) results.push_back(std::move(one.kept));
    work_.keep(results);
    job.fresh.clear();
  }
}

void Memo::look(Task task, bool anew, Instant now) {
  auto job = std::make_shared<Job>();
  const Attempt attempt{task.path, task.attempt};
  job->task = std::move(task);
  job->strict = job->task->strict;
  job->anew = anew;
  job->now = now;
  looking_[attempt] = job;
  post(std::move(job));
}

bool Memo::take_in(TaskEnded& ended) {
  const auto found = asked_.find({ended.path, ended.attempt});
  if (found == asked_.end()) return false;
  if (!ended.result.ok()) {
    ended.result.memo = MemoNote{};
    ended.result.memo->miss = found->second.miss;
    return false;
  }
  auto job = std::make_shared<Job>();
  job->ended = std::move(ended);
  job->asked = std::move(found->second);
  taking_[found->first] = job;
  asked_.erase(found);
  post(std::move(job));
  return true;
}

bool Memo::stop(const std::string& path, int attempt) {
  for (const auto* jobs : {&looking_, &taking_})
    if (const auto found = jobs->find({path, attempt}); found != jobs->end()) return found->second->given_up = true;
  return false;
}

void Memo::withdraw(const std::string& path) {
  for (auto& [attempt, job] : looking_) {
    // What has a place held for it begins, however long that takes.
    if (!is_below(attempt.first, path) || job->strict) continue;
    job->withdrawn = true;
    job->given_up = true;
  }
}

void Memo::stop_all(bool hasty) {
  for (auto& [attempt, job] : looking_) job->given_up = true;
  if (!hasty) return;
  for (auto& [attempt, job] : taking_) job->given_up = true;
}

bool Memo::has_come() const {
  std::lock_guard lock(mutex_);
  return !done_.empty();
}

std::vector<Memo::Came> Memo::came() {
  std::vector<std::shared_ptr<Job>> done;
  {
    std::lock_guard lock(mutex_);
    done.swap(done_);
  }
  std::vector<Came> all;
  for (const std::shared_ptr<Job>& job : done) {
    Came& one = all.emplace_back();
    if (job->ended) {
      const Attempt attempt{job->ended->path, job->ended->attempt};
      taking_.erase(attempt);
      taken_in_.insert_or_assign(attempt, std::move(job->asked));
      one.taken_in = std::move(job->ended);
      continue;
    }
    const Attempt attempt{job->task->path, job->task->attempt};
    looking_.erase(attempt);
    one.task = std::move(job->task);
    one.found = std::move(job->found);
    if (one.found) continue;
    one.withdrawn = job->withdrawn;
    if (!job->given_up) {
      asked_.insert_or_assign(attempt, std::move(job->asked));
    } else if (!one.withdrawn) {
      one.found.emplace();
      one.found->failure = Failure{"cancelled", "stopped before it began"};
      one.found->sent = false;
    }
  }
  return all;
}

void Memo::written(const TaskEnded& ended, std::int64_t seq, Instant at, bool late) {
  const Attempt attempt{ended.path, ended.attempt};
  asked_.erase(attempt);
  const auto found = taken_in_.find(attempt);
  if (found == taken_in_.end()) return;
  const Result& result = ended.result;
  if (!late && result.ok() && !result.again && found->second.unkept.empty()) {
    Fresh fresh{std::move(found->second.kept), std::move(found->second.keeping)};
    TaskEnded bare = ended;
    bare.result.memo.reset();
    fresh.kept.result = ended_text(bare, at);
    fresh.kept.seq = seq;
    fresh.kept.at = at;
    written_ = std::move(fresh);
  }
  taken_in_.erase(found);
}

void Memo::settled(const std::string& path, bool good) {
  if (!written_ || written_->kept.step != path) return;
  if (good) fresh_.push_back(*std::move(written_));
  written_.reset();
}

void Memo::keep() {
  if (fresh_.empty()) return;
  auto job = std::make_shared<Job>();
  job->fresh = std::exchange(fresh_, {});
  post(std::move(job));
}

void Memo::rest() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] {
    return std::none_of(jobs_.begin(), jobs_.end(), [](auto& job) { return !job->task && !job->ended; });
  });
}

}  // namespace flowrun
