// What a run that has ended tells of how long things take: each attempt with its end, what people said and when, the
// items that came. A fold over its entries; knows neither the machine nor what will be asked.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/model/entry.h"

namespace flowrun {

/// An attempt as it ended.
struct RecordedAttempt {
  int number = 1;
  std::int64_t seq = 0;  ///< of the entry of its end
  Result result;         ///< complete; `took` is since it had really begun
  Duration before{0};    ///< from its start, or from the end that gave it its slot, until it had begun
  Duration after{0};     ///< from its end to the entry of that
  bool cut = false;      ///< it was stopped, and would have taken longer
  Duration stopping{0};  ///< cut: from the stop to the end
};

/// A signal that came for a wait.
struct RecordedSignal {
  SignalReceived signal;
  Duration after{0};  ///< since the wait began; of others since the run began
};

/// What is told of a run that can not be told anew.
std::string not_to_be_told(const std::string& run, const std::string& why);

class Recording {
 public:
  /// Each entry of the run, in order. Throws Corruption when it is not as any version writes it.
  void add(const Entry& entry);
  /// After the last. Throws Error(Impossible), which says why, when the run can not be told from anew.
  void close();

  const RunStarted& started() const { return started_; }
  Instant started_at() const { return started_at_; }
  /// From its beginning to its end, without time in which nobody drove it or flowrun was frozen.
  Duration took() const { return ended_at_ - started_at_ - idle_; }
  std::size_t entries() const { return entries_; }
  /// Whether its drives had different `-j`, and different `--concurrency`.
  bool other_jobs() const { return other_jobs_; }
  bool other_concurrency() const { return other_concurrency_; }

  /// Those at |path|, in the order of their ends; null: there are none.
  const std::vector<RecordedAttempt>* attempts(const std::string& path) const;
  /// Whether |wanted| holds for the path of a step with attempts.
  bool has_step(const std::function<bool(const std::string&)>& wanted) const;
  /// Those that came for the wait at |path| while it waited.
  const std::vector<RecordedSignal>* signals(const std::string& path) const;
  /// Those that came before anybody waited for them.
  const std::vector<RecordedSignal>& early_signals() const { return early_; }
  /// Whether the sleep at |path| was over at once, because the run that this one was forked of had slept.
  bool slept_before(const std::string& path) const { return slept_before_.count(path) > 0; }

  /// An item of standard input.
  struct Item {
    Json value;
    int nth = 1;        ///< as in RepeatedItem
    Duration there{0};  ///< since the run began: it can not be had earlier
  };
  const std::vector<Item>& items() const { return items_; }
  bool items_ended() const { return items_ended_; }

  /// How an attempt at |path| may end that the run does not have: after the median of the times that attempts at the
  /// same step took, else at steps beside it, else at any; with the last result at |path|, else with a good one of the
  /// same step, else with nothing, and the number 0.
  RecordedAttempt guess(const std::string& path) const;

 private:
  void ended(const Entry& entry, TaskEnded fact);
  void signal(const Entry& entry, SignalReceived fact);
  void no_longer_waits(const std::string& path);
  Duration worked(Instant at) const { return at - started_at_ - idle_; }
  void arrived(const Entry& entry, const ItemsArrived& fact);
  void measure();

  struct Begun {
    Instant asked{};
    bool process = false;
    Instant stopped{};  ///< when it was told to end; the default: it was not
  };
  struct Waiting {
    std::string path, name;
    Duration since;
  };
  struct Lag {
    std::string path;
    std::size_t index;
    Instant asked, began;
    bool process;
  };

  RunStarted started_;
  Instant started_at_{}, ended_at_{}, last_at_{};
  Duration idle_{0};
  std::size_t entries_ = 0;
  bool other_jobs_ = false, other_concurrency_ = false;
  std::string refused_;  ///< why this run can not be had again; empty: it can
  std::unordered_map<std::string, std::vector<RecordedAttempt>> attempts_;
  std::unordered_map<std::string, std::vector<RecordedSignal>> signals_;
  std::vector<RecordedSignal> early_;
  std::unordered_map<std::string, Instant> slept_before_;
  std::vector<Item> items_;
  bool items_ended_ = false;

  std::unordered_map<std::string, Begun> begun_;  ///< newest attempts
  std::unordered_map<std::string, Instant> sleeps_;
  std::vector<Waiting> waiting_;
  std::vector<std::pair<Instant, Duration>> frozen_;  ///< until when, for how long
  std::vector<Lag> lags_;
  std::vector<Instant> process_ends_;

  struct Sample {
    std::vector<Duration> took;
    std::optional<RecordedAttempt> good, bad;  ///< newest
  };
  std::map<std::string, Sample> samples_;  ///< by step without keys; `took` also by what it stands in; "": of all
};

}  // namespace flowrun
