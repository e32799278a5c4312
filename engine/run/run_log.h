// What the processes of a run have said, and its steps `log`: from the log beside the journal, and of runs of older
// versions what the journal keeps of it. Prints nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "engine/executor/output_reader.h"
#include "engine/journal/journal.h"
#include "engine/run/history.h"

namespace flowrun {

/// A line, or a place where something is missing.
struct LogLine {
  Instant at{};
  std::string step;
  int attempt = 0;
  bool is_stderr = false;
  std::string text;
  std::uint64_t left_out = 0;  ///< bytes that are missing here: more than is kept of one process
  std::uint64_t lost = 0;      ///< likewise: could not be written
  std::string why;             ///< and this is the reason
  std::string level{};         ///< of what a step `log` says; empty: a process has said it
};

class RunLog {
 public:
  /// Whether lines of this stream of this step are asked for.
  using Wanted = std::function<bool(const std::string& step, bool is_stderr)>;
  /// Takes a line; returns false when it has enough.
  using Take = std::function<bool(const LogLine&)>;

  /// Takes in where everything is; what is written later is for follow(). Both are lent and outlive this.
  RunLog(const Journal& journal, const RunRecord& run);

  /// What the entries of the run say.
  const History& history() const { return history_; }
  /// Whether somebody drives the run, so that more may be said.
  bool goes_on() const { return goes_on_; }

  /// In order of time. |open|: also lines without an end, which may become longer.
  void lines(const Wanted& wanted, const Take& take, bool open);
  /// What is said after lines(), until the run has ended or nobody drives it. |looked| comes after each look; it
  /// returns false when it has enough. REQUIRES: lines() was called, without |open|.
  void follow(const Wanted& wanted, const Take& take, const std::function<bool()>& looked);

  /// `FILE is damaged from byte N on`; empty: the log is well.
  std::string damage() const;

 private:
  using Stream = std::tuple<std::string, int, bool>;  // step, attempt, whether it is standard error

  const Journal& journal_;
  const RunRecord& run_;
  const std::string folder_;
  const OutputReader reader_;
  const bool goes_on_;
  History history_;
  std::vector<LogLine> unlogged_;          ///< what is not in the log, in order of time
  std::int64_t seen_ = 0;                  ///< the last entry that was looked at
  std::map<Stream, std::uint64_t> known_;  ///< how much of each stream was taken
};

}  // namespace flowrun
