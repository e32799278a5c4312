// When each step of a run worked, waited in line, slept or waited for somebody, and what each entry changed. A fold
// over the entries; knows no format.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/model/entry.h"
#include "engine/run/history.h"

namespace flowrun::cli {

/// A piece of a step's time, in which it did one thing.
struct Segment {
  enum class What { Line, Work, Sleep, Backoff, Person };
  enum class End {
    Good,         ///< what it was there for
    Failed,       ///< the attempt
    NotYet,       ///< of a poll
    GivenUp,      ///< nobody waited for its end any more
    CutOff,       ///< by a crash
    Interrupted,  ///< by a suspension
    Taken,        ///< its result comes from the run that this one was forked of
    Open,         ///< not over when the report was made
  };
  What what = What::Work;
  End end = End::Good;
  Instant from{}, to{};
  int attempt = 0;    ///< from 1; 0: of none
  int code = 0;       ///< HTTP status or exit code
  std::string error;  ///< type of the failure
};

/// What the names of the enumerations are in a report, in their order.
constexpr std::string_view kSegmentNames[] = {"line", "work", "sleep", "backoff", "person"};
constexpr std::string_view kSegmentEnds[] = {"good",    "failed",      "not yet", "given up",
                                             "cut off", "interrupted", "taken",   "open"};

/// How a step stands after an entry. Entries of the run have no step.
struct Change {
  static constexpr std::size_t kNoStep = static_cast<std::size_t>(-1);
  std::int64_t seq = 0;
  Instant at{};
  EntryKind kind{};
  std::size_t step = kNoStep;  ///< index in History::steps()
  State state{};
};

/// A span in which nobody drove the run, or flowrun itself did not run.
struct Idle {
  Instant from{}, to{};
  bool frozen = false;
};

class StepTimes {
 public:
  /// |history| has taken |entry| in just before. Each entry of the run comes once, in order.
  void add(const Entry& entry, const History& history);
  /// What is not over ends at |until|, as |end|.
  void close(Instant until, Segment::End end);

  /// By index in History::steps(); steps at the end may be missing.
  const std::vector<std::vector<Segment>>& segments() const { return segments_; }
  const std::vector<Change>& changes() const { return changes_; }
  const std::vector<Idle>& idle() const { return idle_; }

 private:
  /// What a step does now.
  struct Open {
    Segment::What what;
    Instant from;
    int attempt;
  };

  void note(const Entry& entry, const std::string& path, const History& history);
  void follow(const Entry& entry, std::size_t step);
  void begin(std::size_t step, Segment::What what, const Entry& entry);
  void end(std::size_t step, Instant at, Segment::End end = Segment::End::Good);
  void ended(const Entry& entry, std::size_t step);
  /// A crash has ended all attempts at |at| but those that had not begun.
  void cut_off(const Entry& resumed, const History& history);
  void put(std::size_t step, Segment segment);

  std::vector<std::vector<Segment>> segments_;
  std::vector<Change> changes_;
  std::vector<Idle> idle_;
  std::unordered_map<std::size_t, Open> open_;
  Instant last_at_{};
};

}  // namespace flowrun::cli
