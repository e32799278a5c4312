// What the entries of a run say, step by step; for views. Reads entries only: knows neither machine nor workflow.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/model/entry.h"

namespace flowrun {

struct StepHistory {
  std::string path;
  std::string kind;  ///< `http`, `shell`, `exec`, `sleep` or the kind of a settled entry
  State state = State::Pending;
  int attempts = 0;
  Instant started_at{}, ended_at{};
  std::optional<Failure> failure;
  std::string what;            ///< `POST /payments`, `make build`
  std::string reason;          ///< why it is blocked, skipped, cancelled
  int code = 0;                ///< of the last attempt: HTTP status or exit code
  std::optional<Instant> due;  ///< while it sleeps or waits for its next try
  Value output;                ///< as journaled; groups keep none
  bool raw = false;            ///< what its attempts bring is the raw result
  int page = 0;                ///< the newest one, of a step that follows pages
  std::vector<Value> pages;    ///< the outputs of those that have come, until all have
  std::string signal;          ///< that it waits for
  bool undone = false;         ///< since it ran
  bool rerun = false;          ///< its newest attempt began before, and was cut off
};

class History {
 public:
  /// Throws Corruption when it is not as any version writes it.
  void add(const Entry& entry);

  /// In order of first appearance.
  const std::vector<StepHistory>& steps() const { return steps_; }
  const StepHistory* find(const std::string& path) const;
  const std::string& run_state() const { return run_state_; }
  /// Last word on each leaf and group: {succeeded, failed, skipped, cancelled, blocked, running}.
  std::map<std::string, std::size_t> counts() const;

 private:
  void take(const Entry& entry);
  StepHistory& step(const std::string& path);
  void started(const Entry& entry);
  void withdrawn(const Entry& entry);
  void ended(const Entry& entry);
  /// |path| is that of a step or an undo, which has ended like this.
  void tell_undone(const std::string& path, bool good);
  void settled(const Entry& entry);
  void timer(const Entry& entry);
  void waiting(const Entry& entry);
  void child(const Entry& entry);

  std::vector<StepHistory> steps_;
  std::map<std::string, std::size_t> by_path_;
  std::string run_state_ = "running";
};

/// `POST /payments` or the command, cut to |width|: the resolved input of a `start` entry for people.
std::string preview_of_input(const Json& input, std::size_t width);

}  // namespace flowrun
