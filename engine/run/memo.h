// `memo` of steps: a result of an earlier run of the journal stands for an attempt when what is asked is the same. The
// machine knows nothing of it: it decides a start as ever, and is told an end. What is long is done by a thread of its
// own (memo_work.h), so that files of one step hold up none without `memo`.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "engine/executor/line_file.h"
#include "engine/run/memo_work.h"

namespace flowrun {

/// Belongs to the drive of one run, whose thread alone calls it. One thing is done after the other: in turn what is
/// looked for, since nobody knows yet whether it has to run, and the rest. Who is stopped waits for none of it.
class Memo {
 public:
  /// |wake|: to be called by any thread when something has come. |line|: has what is looked for as well, until it
  /// begins or it is durable that it does not; null: nobody reads it.
  Memo(MemoSetting setting, std::function<void()> wake, LineFile* line);
  /// Keeps what is to be kept; leaves the rest.
  ~Memo();

  /// Looks for a result that stands for |task|. |anew|: it was asked to run again, so that none does.
  void look(Task task, bool anew, Instant now);
  /// |ended| is the end of an attempt that ran, for which somebody waits. True: it was taken, and comes again when its
  /// files are taken in. False: it is as it is to be told.
  bool take_in(TaskEnded& ended);
  /// An attempt that is looked for, and would have to run, does not begin: it ends as `cancelled`. The files of one
  /// that has ended are left. False: it is neither.
  bool stop(const std::string& path, int attempt);
  /// Likewise for all at |path| and below; they are withdrawn.
  void withdraw(const std::string& path);
  /// Likewise for all. |hasty|: what is being taken in is left, too.
  void stop_all(bool hasty);

  struct Came {
    std::optional<Task> task;     ///< that was looked for
    std::optional<Result> found;  ///< its end; nothing: it is to begin, unless it is
    bool withdrawn = false;
    std::optional<TaskEnded> taken_in;
  };
  /// What has come of look() and take_in().
  std::vector<Came> came();
  bool has_come() const;
  /// How many are looked for.
  std::size_t looked_for() const { return looking_.size(); }

  /// An attempt that was looked for begins now.
  void begins(const Task& task);
  /// It does not begin, and an entry says so now.
  void left(const std::string& path, int attempt);
  /// That end is entry |seq| now, completed by its step. |late|: nobody waits for it. Counts as left(), too.
  void written(const TaskEnded& ended, std::int64_t seq, Instant at, bool late);
  /// What its step has made of it: a result that is not |good| enough is not kept.
  void settled(const std::string& path, bool good);
  /// Keeps what was written and settled, and lets go what was left, now that it is durable.
  void keep();
  /// Waits until that is done, which other processes may hold up for some seconds.
  void rest();

 private:
  struct Fresh {
    KeptResult kept;
    std::shared_ptr<MemoStore::Keeping> keeping;
  };
  struct Look {
    Task task;
    bool anew = false, withdrawn = false;
    Instant now{};
    std::optional<Result> found = {};
  };
  struct TakeIn {
    TaskEnded ended;
  };
  struct Keep {
    std::vector<Fresh> fresh;
  };
  struct Job {
    std::variant<Look, TakeIn, Keep> what;
    MemoAsked asked = {};  ///< unless it is Keep
    std::atomic<bool> given_up = false;
  };
  using Jobs = std::deque<std::shared_ptr<Job>>;
  using Attempt = std::pair<std::string, int>;  ///< path and number

  /// Where |job| waits.
  Jobs& line_of(const Job& job) { return std::holds_alternative<Look>(job.what) ? looks_ : others_; }
  void post(std::shared_ptr<Job> job);
  void run();
  void do_it(Job& job);
  /// |job| has been done. REQUIRES: the lock.
  void tell(std::shared_ptr<Job> job);
  /// |job| is not wanted any more: it is told at once, unless it is at work.
  void give_up(const std::shared_ptr<Job>& job);

  const std::function<void()> wake_;
  LineFile* const line_;
  // Of the drive's thread.
  std::map<Attempt, MemoAsked> asked_, taken_in_;    ///< of what runs; of ends that have come
  std::map<Attempt, std::shared_ptr<Job>> looking_;  ///< what is looked for
  std::map<Attempt, std::size_t> in_line_;           ///< numbers in the line of what has not begun
  std::vector<std::size_t> left_;                    ///< of these what does not begin, not durable yet
  std::map<Attempt, std::shared_ptr<Job>> taking_;   ///< what is being taken in
  std::optional<Fresh> written_;                     ///< of the end that is being taken in by the machine
  std::vector<Fresh> fresh_;                         ///< settled, not durable yet
  MemoWork work_;                                    ///< of the other thread
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Jobs looks_, others_;
  std::shared_ptr<Job> at_work_;
  std::vector<std::shared_ptr<Job>> done_;
  bool quits_ = false;
  std::thread thread_;
};

}  // namespace flowrun
