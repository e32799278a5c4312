// Who waits for a slot, and whose turn it is: a line for each limit, and one for steps without. Knows no clock, and
// nothing of what frames do.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "engine/machine/limit.h"

namespace flowrun {

class TaskFrame;

/// Frames are served in the order of their tickets, those of a pool that has no room left out: a full pool never holds
/// up another, and within a pool nobody overtakes. A step costs O(log pools + log line), whatever else waits.
class Pools {
 public:
  using Ticket = std::int64_t;

  /// |limits| are lent.
  explicit Pools(const std::vector<std::unique_ptr<Limit>>& limits);

  /// |again|: it had its slot already and lost it to a crash; it goes before everybody who never had one.
  /// |weight|: how many slots it takes.
  Ticket line_up(TaskFrame& frame, const Limit* limit, std::size_t weight, bool again);
  void leave(Ticket ticket, const Limit* limit);
  /// The weight of whose turn it is at |now|; nothing: nobody may start.
  std::optional<std::size_t> next(Instant now);
  /// Takes that one out of its line. REQUIRES: next() has just said that there is one.
  TaskFrame* admit();

  /// An attempt of that weight is in flight; and no longer.
  void occupy(const Limit* limit, std::size_t weight);
  void vacate(const Limit* limit, std::size_t weight);
  /// Nobody starts from the pool before |until|.
  void hold(const Limit& limit, Instant until);
  bool holds(const Limit& limit, Instant now) const { return pool(&limit).held > now; }
  /// Who waits there, in order.
  std::vector<TaskFrame*> waiting_in(const Limit& limit) const;

  /// A line and what it waits for.
  struct Line {
    const Limit* limit;  ///< null: steps without one
    std::size_t waiting;
    bool full;                       ///< what is in flight leaves no room for the first
    std::optional<Instant> opens{};  ///< the date that it waits for
    bool held = false;               ///< that date is a server's, not the rate's
  };
  /// Pools in which somebody waits for nothing but a date.
  std::vector<Line> closed() const;
  /// All in which somebody waits, the steps without a limit first.
  std::vector<Line> lines() const;
  std::size_t waiting() const { return waiting_; }
  bool empty(const Limit* limit) const { return pool(limit).line.empty(); }

 private:
  struct Waiting {
    TaskFrame* frame;
    std::size_t weight;
  };
  struct Pool {
    const Limit* limit = nullptr;
    std::map<Ticket, Waiting> line;
    std::size_t busy = 0;        ///< the weight of all in flight
    std::optional<Ticket> next;  ///< as it stands in |next_|
    Instant held{};
    std::int64_t token = 0;      ///< when the rate allows the next start, in nanoseconds
    std::deque<Instant> starts;  ///< the last `rate` of them
  };

  Pool& pool(const Limit* limit) { return limit ? pools_.at(limit) : free_; }
  const Pool& pool(const Limit* limit) const { return limit ? pools_.at(limit) : free_; }
  /// REQUIRES: somebody waits there.
  static bool full(const Pool& pool);
  static Instant opens(const Pool& pool);
  static void count_start(Pool& pool, Instant now);
  Line describe(const Pool& pool) const;
  /// Brings |next_| up to date after |pool| has changed.
  void refresh(Pool& pool);

  std::unordered_map<const Limit*, Pool> pools_;
  std::vector<Pool*> in_order_;  ///< as written
  std::vector<Pool*> dated_;     ///< that may wait for a date: those with names
  Pool free_;
  std::map<Ticket, Pool*> next_;  ///< pools that can admit, by the tickets of their first in line
  std::size_t waiting_ = 0;
  Ticket fresh_ = 0;
  Ticket again_ = INT64_MIN;
  Instant now_{};
};

}  // namespace flowrun
