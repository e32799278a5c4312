// The attempts, signals and items of a run as a scenario writes them, in virtual time: what came one after the other
// comes so again. A fold over entries.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/model/entry.h"
#include "engine/model/event.h"

namespace flowrun {

class RecordedAnswers {
 public:
  /// Throws Error(Impossible), which says why, when no scenario can tell of it.
  void add(const std::vector<Entry>& entries);

  const RunStarted& started() const { return started_; }
  Instant started_at() const { return started_at_; }
  struct Answer {
    std::string yaml;              ///< all but how long it takes
    Duration delay{0};             ///< from its begin
    std::optional<Duration> ends;  ///< since the run began; nothing: it was stopped
    std::string text() const {
      return "{ " + yaml + ", delay: " + to_string(delay) + " }" + (ends ? "" : "   # was stopped");
    }
  };
  /// By path, in the order of their first starts: an answer an attempt.
  std::vector<std::pair<std::string, std::vector<Answer>>>& answers() { return answers_; }
  const std::vector<std::pair<std::string, std::vector<Answer>>>& answers() const { return answers_; }
  const std::vector<std::string>& signals() const { return signals_; }
  const Json& items() const { return items_; }

 private:
  struct Attempt {
    std::size_t of = 0, number = 0;  ///< its place in answers_
    Instant at{};                    ///< of its start
    Duration begins{0};              ///< the same in virtual time
    bool raw = false;
    std::optional<Instant> stopped;
  };
  struct Timer {
    Duration due{0};
    std::int64_t fires = 0;  ///< the entry with which it will; 0: it will not
  };
  using TimerName = std::pair<std::string, TimerKind>;

  void take(const Entry& entry);
  void started(const Entry& entry);
  void ended(const Entry& entry);
  void armed(const Entry& entry);
  void signal(const Entry& entry);
  /// When in virtual time something comes that came at entry |seq|, and would come at |wanted|.
  Duration moment(Duration wanted, std::int64_t seq);
  std::string answer(const std::string& path, const Attempt& attempt, const Result& result) const;
  [[noreturn]] void refuse(const std::string& why) const;

  RunStarted started_;
  Instant started_at_{};
  std::vector<std::pair<std::string, std::vector<Answer>>> answers_;
  std::vector<std::string> signals_;
  Json items_;

  std::map<std::string, std::size_t> numbers_;              ///< by path: its place in answers_
  std::map<std::string, Attempt> attempts_;                 ///< in flight, by path
  std::map<TimerName, std::vector<std::int64_t>> firings_;  ///< entries
  std::map<TimerName, Timer> timers_;
  Duration now_{0};
  bool busy_ = false;  ///< at that time something came, so that the next comes later
};

/// |json| as YAML in one line.
std::string yaml_of(const Json& json);
/// |text| as a key.
std::string yaml_key(const std::string& text);

}  // namespace flowrun
