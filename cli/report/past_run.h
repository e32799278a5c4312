// What reports tell of a run: its steps, each attempt with its time, and where the steps stand in their file. Read from
// the journal; knows no format.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/journal/journal.h"
#include "engine/run/history.h"
#include "engine/steps/outline.h"

namespace flowrun::cli {

struct PastAttempt {
  std::string path;
  int number = 1;   ///< of the attempt, from 1
  Instant asked{};  ///< when it was started: it may have waited in line since
  Instant began{}, ended{};
  bool ok = false;
  bool given_up = false;  ///< nobody waited for its end any more
  int code = 0;           ///< HTTP status or exit code
  std::string error;      ///< type of the failure
};

struct PastRun {
  RunRecord record;
  History history;
  std::vector<PastAttempt> attempts;  ///< in order of their ends; those whose end is known
  std::vector<OutlineRow> rows;       ///< empty: its copy of the workflow can not be read any more
  std::optional<Failure> failure;     ///< of the run
  Instant until{};                    ///< as until_of()
  std::string journal;                ///< path

  /// `order.yaml:27` of the step at |path|; empty: not known.
  std::string place_of(const std::string& path) const;
  const OutlineRow* row_of(const std::string& path) const { return find_row(rows, path); }
};

/// Makes a PastRun of its entries, each once and in order.
class PastRunFold {
 public:
  explicit PastRunFold(PastRun& past) : past_(past) {}
  void add(const Entry& entry);

 private:
  PastRun& past_;
  std::unordered_map<std::string, Instant> asked_;  ///< by path: when its newest attempt was started
};

/// |saw| gets each entry, with all that the run has said up to it.
PastRun past_run(const Journal& journal, const RunRecord& run,
                 const std::function<void(const Entry&, const History&)>& saw = {});

}  // namespace flowrun::cli
