#include "engine/run/reopen.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/journal/typed_command.h"
#include "engine/machine/machine_view.h"
#include "engine/model/error.h"
#include "engine/model/path.h"
#include "engine/run/step_paths.h"
#include "engine/steps/outline.h"

namespace flowrun {
namespace {

/// The run that is meant, for the commands that are told.
struct Reopened {
  const std::string& id;
  const std::string& journal;
  std::string command(const char* word, const std::string& step = "") const {
    std::vector<std::string> words{word, id};
    if (!step.empty()) words.push_back(step);
    return typed_command(words, journal);
  }
};

[[noreturn]] void refuse(const std::string& text) { throw Error(Problem::Impossible, text); }

/// What belongs to how a step or the run ends, and is never retried by itself.
void refuse_ends(const std::string& path, const Reopened& run) {
  for (const char* end : {"on_failure", "finally"})
    if (is_below(path, end) || path.find(fmt::format("/{}/", end)) != std::string::npos)
      refuse(fmt::format("{} belongs to `{}`, which runs again whenever the run has ended again: {}", path, end,
                         run.command("retry")));
  for (const char* tail : {".undo", ".fallback"}) {
    std::size_t at = path.find(tail);
    if (at == std::string::npos) continue;
    const std::string behind = path.substr(at + std::string_view(tail).size());
    if (!behind.empty() && behind.front() != '/') continue;
    const std::string step = path.substr(0, at);
    if (std::string_view(tail) == ".undo")
      refuse(fmt::format("{} undoes {}; what is left to be undone: {}", path, step, run.command("undo")));
    refuse(fmt::format("{} stands in for {} when that fails: {}", path, step, run.command("retry", step)));
  }
}

void check(const Machine& machine, const std::vector<OutlineRow>& rows, const Reopened& run, const std::string& path,
           const std::function<std::vector<std::string>()>& known) {
  refuse_ends(path, run);
  auto way = MachineView(machine).way_to(path);
  if (const auto* hindrance = std::get_if<Hindrance>(&way))
    refuse(fmt::format("{} of run {} can not be retried by itself: {}; {}", path, run.id, hindrance->why,
                       run.command("retry", hindrance->instead)));
  if (std::get<bool>(way)) return;
  if (find_row(rows, path)) {
    // The file has it, the run has not come to it; of items the file knows nothing.
    for (std::string up = path_above(path); !up.empty(); up = path_above(up))
      if (auto there = MachineView(machine).way_to(up); std::holds_alternative<bool>(there) && std::get<bool>(there)) {
        if (path[up.size()] == '[') break;
        refuse(fmt::format("{} has not run in run {}: {} decides anew what runs in it: {}", path, run.id, up,
                           run.command("retry", up)));
      }
  }
  std::vector<std::string> candidates = known();
  for (const OutlineRow& row : rows) candidates.push_back(row.path);
  refuse(no_such_step(path, run.id, candidates, run.journal));
}

}  // namespace

void check_marks(const Workflow& workflow, const std::vector<Mark>& marks) {
  if (marks.empty()) return;
  const std::vector<OutlineRow> rows = outline(workflow);
  for (const Mark& mark : marks)
    if (const OutlineRow* row = find_row(rows, mark.path); row && !row->secret.empty() && mark.done)
      refuse(
          fmt::format("--mark {0}: the output of this step is secret, and what is said of it would be in the "
                      "journal; say {0}=rerun",
                      mark.path));
}

void check_retry(const Machine& machine, const Workflow& workflow, const std::string& id, const std::string& journal,
                 const RunReopened& asked, const std::function<std::vector<std::string>()>& known) {
  const Reopened run{id, journal};
  const std::vector<OutlineRow> rows = outline(workflow);
  if (asked.failed && machine.outcome().ok() && !MachineView(machine).has_failed())
    refuse(fmt::format("nothing has failed in run {}; a step that is named runs again: {}", id,
                       run.command("retry", "STEP")));
  if (!asked.path.empty()) check(machine, rows, run, asked.path, known);
  for (const Mark& mark : asked.marks) {
    check(machine, rows, run, mark.path, known);
    const OutlineRow* row = find_row(rows, mark.path);
    const bool acts = row && (row->kind == "http" || row->kind == "shell" || row->kind == "exec");
    if (!acts && !mark.rerun)
      refuse(fmt::format(
          "--mark {}: how it came out can only be said of a step that starts a process or sends a request{}", mark.path,
          row ? ", not of " + row->kind : ""));
  }
  check_marks(workflow, asked.marks);
}

}  // namespace flowrun
