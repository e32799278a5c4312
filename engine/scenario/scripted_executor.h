// An executor in virtual time: each task ends as somebody says, after the time that they say. It has the line and the
// slots of the real one. Begins nothing and reads no clock.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/run/virtual_slots.h"

namespace flowrun {

class ScriptedExecutor {
 public:
  /// How |task|, which begins now, will end; `took` says when. May throw.
  using Ask = std::function<Result(const Task& task)>;

  /// |jobs| and |cpus| as in ExecutorOptions.
  ScriptedExecutor(Ask ask, int jobs, int cpus, Instant now)
      : ask_(std::move(ask)), slots_(jobs, cpus, [this](const Task& task) { start(task); }), now_(now) {}
  ScriptedExecutor(const ScriptedExecutor&) = delete;
  ScriptedExecutor& operator=(const ScriptedExecutor&) = delete;

  // As of Executor; what follows is told by advance().
  void begin(Task task) { slots_.begin(std::move(task)); }
  void reserve(const ReservePlace& place) { slots_.reserve(place); }
  void stop(const std::string& path, int attempt);
  void withdraw(const std::string& path) { slots_.withdraw(path); }
  void acted() { slots_.acted(); }

  /// When something happens next; nothing: it does not.
  std::optional<Instant> next() const;
  /// It is |now|: appends what has happened, in order.
  void advance(Instant now, std::vector<Event>& happened);

 private:
  struct Flight {
    std::string path;
    int attempt = 1;
    Result result;
    Instant ends{};
    bool process = false;
    ProcessSlots::Place place;
  };
  /// The end of a flight.
  struct Due {
    Instant at;
    std::uint64_t id;
    bool operator>(const Due& other) const { return at != other.at ? at > other.at : id > other.id; }
  };

  void start(const Task& task);

  const Ask ask_;
  VirtualSlots slots_;
  Instant now_;
  std::unordered_map<std::uint64_t, Flight> flights_;
  std::unordered_map<std::string, std::uint64_t> by_path_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::uint64_t ids_ = 0;
};

}  // namespace flowrun
