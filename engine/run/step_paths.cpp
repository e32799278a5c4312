#include "engine/run/step_paths.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <set>

#include "engine/journal/typed_command.h"
#include "engine/model/diagnostics.h"
#include "engine/model/path.h"
#include "engine/run/replay.h"
#include "engine/steps/outline.h"

namespace flowrun {

History history_of(const Journal& journal, const RunRecord& run, std::int64_t until) {
  History history;
  for (const Entry& entry : entries(journal, run)) {
    if (until > 0 && entry.seq > until) return history;
    history.add(entry);
  }
  return history;
}

std::string path_above(const std::string& path) {
  if (!path.empty() && path.back() == ']') return path.substr(0, path.rfind('['));
  std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

bool is_pattern(std::string_view text) { return text.find_first_of("*?") != text.npos; }

bool is_like(const std::string& pattern, const std::string& text) {
  std::string quoted;
  for (const char c : pattern) {
    if (c == '[' || c == ']' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return fnmatch(quoted.c_str(), text.c_str(), 0) == 0;
}

std::vector<std::string> paths_of(const Journal& journal, const RunRecord& run) {
  std::set<std::string> paths;
  for (const Entry& entry : entries(journal, run)) {
    // What a retry names is in its entry, whether or not there is such a step.
    if (entry.kind == EntryKind::RunReopened || entry.kind == EntryKind::SignalReceived) continue;
    for (std::string path = entry.path; !path.empty() && paths.insert(path).second;) path = path_above(path);
  }
  return {paths.begin(), paths.end()};
}

std::string slashed(const std::string& path) {
  std::string plain;
  for (char c : path) {
    if (c == '[')
      plain += '/';
    else if (c != ']')
      plain += c;
  }
  return plain;
}

std::string journal_spelling(const std::string& typed, const History& history) {
  if (history.find(typed)) return typed;
  for (const StepHistory& step : history.steps())
    if (slashed(step.path) == typed) return step.path;
  return typed;
}

std::string known_step(const Journal& journal, const RunRecord& run, const std::string& typed) {
  std::vector<std::string> known = paths_of(journal, run);
  for (const std::string& path : known)
    if (path == typed) return path;
  for (const std::string& path : known)
    if (slashed(path) == typed) return path;
  const std::vector<OutlineRow> rows = outline(own_copy(journal, run).workflow);
  if (find_row(rows, typed)) return typed;
  for (const OutlineRow& row : rows) known.push_back(row.path);
  throw Error(Problem::Impossible, no_such_step(typed, run.id, known, journal.path()));
}

std::string no_such_step(const std::string& path, const std::string& run, const std::vector<std::string>& known,
                         const std::string& journal) {
  const std::string near = nearest(path, known);
  return fmt::format(
      "run {} has no step {}; {}", run, path,
      near.empty() ? typed_command({"show", run}, journal) + " lists them" : "did you mean `" + near + "`?");
}

}  // namespace flowrun
