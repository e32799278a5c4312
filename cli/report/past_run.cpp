#include "cli/report/past_run.h"

#include <fmt/format.h>

#include <filesystem>

#include "cli/render.h"
#include "engine/model/entry_reading.h"
#include "engine/run/load.h"
#include "engine/run/replay.h"

namespace flowrun::cli {

std::string PastRun::place_of(const std::string& path) const {
  const OutlineRow* row = row_of(path);
  if (!row) return {};
  // As others find it who read the report in the folder where it is made.
  std::error_code ignored;
  const std::string here = std::filesystem::current_path(ignored).string();
  return cli::place_of(*row, record.file, here);
}

void PastRunFold::add(const Entry& entry) {
  past_.history.add(entry);
  if (entry.kind == EntryKind::StartTask) asked_[entry.path] = entry.at;
  if (entry.kind != EntryKind::TaskEnded && entry.kind != EntryKind::LateEnd) return;
  const auto fact = as<TaskEnded>(entry);
  PastAttempt attempt;
  attempt.path = fact.path;
  attempt.number = fact.attempt;
  attempt.asked = asked_[entry.path];
  attempt.began = fact.result.began == Instant{} ? entry.at - fact.result.took : fact.result.began;
  attempt.ended = attempt.began + fact.result.took;
  attempt.ok = fact.result.ok();
  attempt.given_up = entry.kind == EntryKind::LateEnd;
  attempt.code = fact.result.code;
  if (fact.result.failure) attempt.error = fact.result.failure->type;
  past_.attempts.push_back(std::move(attempt));
}

PastRun past_run(const Journal& journal, const RunRecord& run,
                 const std::function<void(const Entry&, const History&)>& saw) {
  PastRun past;
  past.record = run;
  past.journal = journal.path();
  past.until = until_of(run);
  PastRunFold fold(past);
  for (const Entry& entry : entries(journal, run)) {
    fold.add(entry);
    if (saw) saw(entry, past.history);
  }
  if (run.error.json().is_object()) past.failure = failure_from(run.error.json());
  try {
    past.rows = outline(own_copy(journal, run).workflow);
  } catch (const Error&) {
    // Without lines it is still worth a report.
  }
  return past;
}

}  // namespace flowrun::cli
