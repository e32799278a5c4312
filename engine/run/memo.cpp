#include "engine/run/memo.h"

#include <algorithm>
#include <exception>

#include "engine/model/path.h"
#include "engine/model/task_text.h"

namespace flowrun {

Memo::Memo(MemoSetting setting, std::function<void()> wake, LineFile* line)
    : wake_(std::move(wake)), line_(line), work_(std::move(setting)), thread_([this] { run(); }) {}

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
  line_of(*job).push_back(std::move(job));
  changed_.notify_all();
}

void Memo::run() {
  std::unique_lock lock(mutex_);
  for (bool looked = false;;) {
    changed_.wait(lock, [this] { return quits_ || !looks_.empty() || !others_.empty(); });
    // In turn, so that neither waits for ever.
    Jobs& first = looks_.empty() || (looked && !others_.empty()) ? others_ : looks_;
    if (first.empty()) return;
    looked = &first == &looks_;
    const std::shared_ptr<Job> job = at_work_ = std::move(first.front());
    first.pop_front();
    lock.unlock();
    try {
      do_it(*job);
    } catch (const std::exception& error) {
      // Want of memory, say: what it was about is not taken, or not kept.
      if (auto* look = std::get_if<Look>(&job->what)) look->found.reset();
      job->asked.miss = job->asked.unkept = error.what();
    }
    lock.lock();
    at_work_.reset();
    tell(job);
  }
}

void Memo::tell(std::shared_ptr<Job> job) {
  if (std::holds_alternative<Keep>(job->what)) return changed_.notify_all();
  done_.push_back(std::move(job));
  // One call serves all that has come before it is heard.
  if (done_.size() == 1) wake_();
}

void Memo::do_it(Job& job) {
  if (auto* look = std::get_if<Look>(&job.what)) {
    look->found = work_.look(look->task, look->anew, look->now, job.asked, job.given_up);
  } else if (auto* taking = std::get_if<TakeIn>(&job.what)) {
    work_.take_in(taking->ended.result, job.asked, job.given_up);
  } else {
    auto& fresh = std::get<Keep>(job.what).fresh;
    std::vector<KeptResult> results;
    for (Fresh& one : fresh) results.push_back(std::move(one.kept));
    work_.keep(results);
    fresh.clear();
  }
}

void Memo::look(Task task, bool anew, Instant now) {
  Attempt attempt{task.path, task.attempt};
  if (const auto number = line_ ? line_->add(task.path, task.attempt, LineKind::Memo) : std::nullopt)
    in_line_.insert_or_assign(attempt, *number);
  auto job = std::make_shared<Job>(Look{std::move(task), anew, false, now});
  looking_[std::move(attempt)] = job;
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
  auto job = std::make_shared<Job>(TakeIn{std::move(ended)}, std::move(found->second));
  taking_[found->first] = job;
  asked_.erase(found);
  post(std::move(job));
  return true;
}

void Memo::give_up(const std::shared_ptr<Job>& job) {
  job->given_up = true;
  std::lock_guard lock(mutex_);
  Jobs& line = line_of(*job);
  const auto waiting = std::find(line.begin(), line.end(), job);
  if (waiting == line.end()) return;
  line.erase(waiting);
  if (auto* taking = std::get_if<TakeIn>(&job->what)) work_.leave(taking->ended.result, job->asked);
  tell(job);
}

bool Memo::stop(const std::string& path, int attempt) {
  for (const auto* jobs : {&looking_, &taking_})
    if (const auto found = jobs->find({path, attempt}); found != jobs->end()) return give_up(found->second), true;
  return false;
}

void Memo::withdraw(const std::string& path) {
  for (auto& [attempt, job] : looking_) {
    auto& look = std::get<Look>(job->what);
    // What has a place held for it begins, however long that takes.
    if (!is_below(attempt.first, path) || look.task.strict) continue;
    look.withdrawn = true;
    give_up(job);
  }
}

void Memo::stop_all(bool hasty) {
  for (auto& [attempt, job] : looking_) give_up(job);
  if (!hasty) return;
  for (auto& [attempt, job] : taking_) give_up(job);
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
    if (auto* taking = std::get_if<TakeIn>(&job->what)) {
      const Attempt attempt{taking->ended.path, taking->ended.attempt};
      taking_.erase(attempt);
      taken_in_.insert_or_assign(attempt, std::move(job->asked));
      one.taken_in = std::move(taking->ended);
      continue;
    }
    auto& look = std::get<Look>(job->what);
    const Attempt attempt{look.task.path, look.task.attempt};
    looking_.erase(attempt);
    one.task = std::move(look.task);
    one.found = std::move(look.found);
    if (one.found) continue;
    one.withdrawn = look.withdrawn;
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

void Memo::begins(const Task& task) {
  if (const auto number = in_line_.extract({task.path, task.attempt})) line_->remove(number.mapped());
}

void Memo::left(const std::string& path, int attempt) {
  if (const auto number = in_line_.extract({path, attempt})) left_.push_back(number.mapped());
}

void Memo::written(const TaskEnded& ended, std::int64_t seq, Instant at, bool late) {
  const Attempt attempt{ended.path, ended.attempt};
  left(ended.path, ended.attempt);
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
  for (const std::size_t number : std::exchange(left_, {})) line_->remove(number);
  if (fresh_.empty()) return;
  post(std::make_shared<Job>(Keep{std::exchange(fresh_, {})}));
}

void Memo::rest() {
  std::unique_lock lock(mutex_);
  const auto keeps = [](const std::shared_ptr<Job>& job) { return job && std::holds_alternative<Keep>(job->what); };
  changed_.wait(lock, [&] { return !keeps(at_work_) && std::none_of(others_.begin(), others_.end(), keeps); });
}

}  // namespace flowrun
