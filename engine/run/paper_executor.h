// An executor on paper: each task ends as its attempt did in a recorded run, after the time that it took there. It has
// the line and the slots of the real one. Begins nothing and reads no clock.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/run/recording.h"
#include "engine/run/virtual_slots.h"

namespace flowrun {

class PaperExecutor {
 public:
  /// By what the time of an attempt at a path is to be multiplied.
  using Factor = std::function<double(const std::string&)>;

  /// |recording| is lent. |jobs| and |cpus| as in ExecutorOptions.
  PaperExecutor(const Recording& recording, Factor factor, int jobs, int cpus)
      : recording_(recording),
        factor_(std::move(factor)),
        slots_(jobs, cpus, [this](const Task& task) { start(task); }),
        now_(recording.started_at()) {}
  PaperExecutor(const PaperExecutor&) = delete;
  PaperExecutor& operator=(const PaperExecutor&) = delete;

  // As of Executor; what follows is told by advance().
  void begin(Task task);
  void reserve(const ReservePlace& place) { slots_.reserve(place); }
  void stop(const std::string& path, int attempt);
  void withdraw(const std::string& path) { slots_.withdraw(path); }
  void acted() { slots_.acted(); }

  /// When something happens next; nothing: it does not.
  std::optional<Instant> next() const;
  /// It is |now|: appends what has happened, in order.
  void advance(Instant now, std::vector<Event>& happened);

  /// Whether a process waits in line.
  bool has_line() const { return slots_.has_line(); }
  std::size_t begun() const { return begun_; }
  /// Of how many the recorded run does not say how they end.
  std::size_t guessed() const { return guessed_; }
  /// The first of them.
  const std::string& guessed_path() const { return guessed_path_; }

 private:
  /// An attempt under way.
  struct Flight {
    std::string path;
    RecordedAttempt attempt;
    Instant began{}, ends{};
    bool process = false;
    ProcessSlots::Place place;
    bool guessed = false;
    bool over = false;  ///< it has ended, and nobody was told yet
  };
  /// What happens to a flight, at a time.
  struct Due {
    Instant at;
    bool told;           ///< its end is told; else it ends
    std::int64_t order;  ///< of those of one time: as in the recorded run
    std::uint64_t id;
    bool operator>(const Due& other) const;
  };

  void start(const Task& task);
  /// The attempt that the recorded run has for |task|, each once; null: none.
  const RecordedAttempt* recorded(const Task& task, bool take);
  void end(std::uint64_t id, Flight& flight);

  const Recording& recording_;
  const Factor factor_;
  VirtualSlots slots_;
  Instant now_{};
  std::unordered_map<std::string, std::size_t> taken_;  ///< by path: how many of its attempts
  std::unordered_map<std::uint64_t, Flight> flights_;
  std::unordered_map<std::string, std::uint64_t> by_path_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::uint64_t ids_ = 0;
  std::size_t begun_ = 0, guessed_ = 0;
  std::string guessed_path_;
};

}  // namespace flowrun
