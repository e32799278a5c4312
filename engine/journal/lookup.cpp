// Finds runs by what people call them.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "engine/journal/open.h"
#include "engine/journal/typed_command.h"
#include "engine/model/json_text.h"

namespace flowrun {

namespace {

constexpr std::size_t kMostCandidates = 10;

/// The columns as record_of reads them; long values come from `vals`.
constexpr const char* kSelect =
    "SELECT number, id, name, state, file, source_hash, started_at, alive_at, ended_at, last_seq, "
    "coalesce(input, (SELECT value FROM vals WHERE hash = input_ref)), "
    "coalesce(output, (SELECT value FROM vals WHERE hash = output_ref)), error FROM runs ";

/// Ids name folders, so one of somebody else must not lead out of `runs`.
bool is_id(std::string_view id) {
  return !id.empty() && id.size() <= 200 && id[0] != '.' && std::all_of(id.begin(), id.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
}

RunRecord record_of(const Statement::Use& row, const std::string& path) {
  const auto wrong = [&](const std::string& what) {
    throw Corruption(fmt::format("journal {}: run number {}: {}", path, row.integer(0), what));
  };
  if (row.integer(0) < 1 || row.integer(0) > kLastRun) wrong("the number of a run is 1 or more");
  if (!row.is_text(1) || !is_id(row.text(1))) wrong("its id is none that a run can have");
  for (int text : {2, 3, 4, 5})
    if (!row.is_text(text)) wrong("its row is not as flowrun writes it");
  const std::optional<RunState> state = run_state_from(row.text(3));
  if (!state) wrong("its state is none that a run can be in");
  for (int date : {6, 7, 8})
    if (!(row.is_integer(date) && is_date(row.integer(date))) && !(date == 8 && row.null(date)))
      wrong("one of its dates is no date");
  if (!row.is_integer(9) || row.integer(9) < 0 || row.integer(9) >= first_id(1))
    wrong("no run can have so many entries, or so few");
  // Few and seldom read, unlike the values of entries.
  for (int json : {10, 11, 12})
    if (!row.null(json) &&
        !((row.is_text(json) || (row.is_blob(json) && json != 12)) && is_json(row.bytes(json), kDeepest)))
      wrong("its input, output or error is not JSON");
  if (!row.null(12) && row.text(12)[0] != '{') wrong("its error does not describe a failure");
  RunRecord run;
  run.number = row.integer(0);
  run.id = row.text(1);
  run.name = row.text(2);
  run.state = *state;
  run.file = row.text(4);
  run.source_hash = row.text(5);
  run.started_at = from_millis(row.integer(6));
  run.alive_at = from_millis(row.integer(7));
  if (!row.null(8)) run.ended_at = from_millis(row.integer(8));
  run.last_seq = row.integer(9);
  run.input = Value::from_text(std::string(row.bytes(10)));
  run.output = Value::from_text(std::string(row.bytes(11)));
  run.error = Value::from_text(std::string(row.text(12)));
  return run;
}

}  // namespace

std::optional<RunRecord> Journal::find_exact(const std::string& id) const {
  const std::string sql = std::string(kSelect) + "WHERE id = ?";
  Statement statement(*open_->database, sql.c_str());
  std::optional<RunRecord> run;
  {
    auto row = statement.use();
    row(id);
    if (row.next()) run = record_of(row, open_->path);
  }
  if (run) run->driver_pid = open_->driver(run->number);
  return run;
}

RunRecord Journal::find(const std::string& run) const {
  if (auto exact = find_exact(run)) return *exact;

  if (!run.empty() && run[0] == '@') {
    Filter filter;
    filter.limit = 1;
    if (run == "@last-failed") {
      filter.state = RunState::Failed;
    } else if (run.rfind("@last:", 0) == 0 && run.size() > 6) {
      filter.name = run.substr(6);
    } else if (run != "@last") {
      throw Error(Problem::Impossible,
                  fmt::format("'{}' names no run; there are @last, @last-failed and @last:NAME", run));
    }
    std::vector<RunRecord> runs = list(filter);
    if (!runs.empty()) return std::move(runs[0]);
    if (run == "@last")
      throw Error(Problem::Impossible,
                  fmt::format("there is no run yet; `{}` begins one", typed_command({"run", "FILE"}, open_->path)));
    throw Error(Problem::Impossible,
                fmt::format("no run is {}; `{}` shows those there are", run, typed_command({"list"}, open_->path)));
  }

  // Ids are ASCII, so everything that begins with |run| lies before |run| and the highest character.
  std::vector<std::string> candidates;
  std::int64_t count = 0;
  if (!run.empty()) {
    Statement statement(*open_->database,
                        "SELECT id FROM runs WHERE (id >= ?1 AND id < ?1 || char(1114111)) "
                        "OR (length(id) > length(?1) AND substr(id, -length(?1) - 1) = '-' || ?1 "
                        "AND instr(?1, '-') = 0) ORDER BY number DESC");
    auto row = statement.use();
    for (row(run); row.next(); ++count)
      if (candidates.size() < kMostCandidates) candidates.emplace_back(row.text(0));
  }
  if (count == 0)
    throw Error(Problem::Impossible, fmt::format("no run '{}' in {}; `{}` shows those there are", run, open_->path,
                                                 typed_command({"list"}, open_->path)));
  if (count > 1) {
    std::string message = fmt::format("'{}' could be any of {} runs:", run, count);
    for (const std::string& candidate : candidates) message += "\n  " + candidate;
    if (count > static_cast<std::int64_t>(candidates.size()))
      message += fmt::format("\n  and {} more", count - candidates.size());
    throw Error(Problem::Impossible, message);
  }
  if (auto found = find_exact(candidates[0])) return *found;
  throw Error(Problem::Impossible, fmt::format("run {} has been deleted", candidates[0]));
}

std::vector<RunRecord> Journal::list(const Filter& filter) const {
  const std::string sql =
      std::string(kSelect) + "WHERE (?1 = '' OR state = ?1) AND (?2 = '' OR name = ?2) ORDER BY number DESC LIMIT ?3";
  Statement statement(*open_->database, sql.c_str());
  std::vector<RunRecord> runs;
  {
    auto row = statement.use();
    row(filter.state ? to_string(*filter.state) : std::string_view())(filter.name)(filter.limit);
    while (row.next()) runs.push_back(record_of(row, open_->path));
  }
  for (RunRecord& run : runs) run.driver_pid = open_->driver(run.number);
  return runs;
}

}  // namespace flowrun
