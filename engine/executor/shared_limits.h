// Pools of `limits` that drives on the same journal share: who waits for a place of one, and who has some. Knows no
// slot of this drive and not how a task is carried out.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/executor/line_file.h"
#include "engine/model/outcome.h"
#include "engine/model/task.h"
#include "engine/shared/held_places.h"
#include "engine/shared/shared_line.h"
#include "engine/shared/shared_rate.h"

namespace flowrun {

/// Within a drive, tasks of a pool begin in the order in which they come. Among drives, the first of each stands in
/// line, and gives its ticket back when it begins: each has its turn, whoever has most to do. A thread of its own
/// looks at the lines; there is none before the first task has to wait. Any thread.
class SharedLimits {
 public:
  /// The task has its places and may begin; or |trouble| says why it never can.
  using Ready = std::function<void(Task task, std::optional<Failure> trouble)>;

  /// |file|: see SharedFile, made when first needed. |line| has the tasks that wait as well; null: nobody reads it.
  SharedLimits(std::string file, LineFile* line) : path_(std::move(file)), line_file_(line) {}
  ~SharedLimits() { stop(); }
  SharedLimits(const SharedLimits&) = delete;
  SharedLimits& operator=(const SharedLimits&) = delete;

  /// To be called before the first admit(). |ready| may be called by another thread, and must not call back.
  void tell(Ready ready) { ready_ = std::move(ready); }
  /// True: |task| has what it needs, and may begin; it names no pool any more. Else it was moved into the line.
  bool admit(Task& task);
  /// The places of an attempt that was admitted; who has them is not said.
  std::optional<HeldPlaces> held_by(const std::string& path, int attempt) const;
  /// That attempt, which may have begun, is over: its places are free.
  void ended(const std::string& path, int attempt);
  /// Takes a waiting task out again, if it is one.
  std::optional<Task> withdraw(const std::string& path, int attempt);
  /// All that wait at |path| and below.
  std::vector<Task> withdraw_below(const std::string& path);
  /// How many wait, by the name of their pool.
  std::map<std::string, std::size_t> waiting() const;
  /// Nothing becomes ready any more.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;
  struct InLine {
    Task task;
    std::optional<std::size_t> number;  ///< in the line's file
  };
  struct Pool {
    Pool(SharedFile& file, const std::string& name) : line(file, "limit", name), rate(file, name) {}
    SharedLine line;
    SharedRate rate;
    std::deque<InLine> waiting;
    std::int64_t begun = 0;     ///< in this turn
    Clock::time_point since{};  ///< the first of them stands in line
    Clock::time_point look{};   ///< when to look again
  };

  void run();
  /// Whether the first of |pool|, which needs what |of| says, may begin; it has |places| then. Else it stands in line,
  /// and Pool::look says when to look again.
  bool has_turn(Pool& pool, const SharedPool& of, TakenPlaces& places);
  /// Lets begin who may. REQUIRES: the lock.
  void serve(Pool& pool);
  Task take_out(Pool& pool, std::deque<InLine>::iterator which);
  /// Nobody stands in line for what nobody waits for.
  void tidy(Pool& pool);

  const std::string path_;
  LineFile* const line_file_;
  Ready ready_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
  std::unique_ptr<SharedFile> file_;
  std::map<std::string, std::unique_ptr<Pool>> pools_;  ///< by name
  std::map<std::pair<std::string, int>, std::pair<Pool*, TakenPlaces>> held_;
  std::thread thread_;
};

}  // namespace flowrun
