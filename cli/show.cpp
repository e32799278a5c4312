// flowrun show: how a run stands, step by step, and what can be done next.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "cli/last_words.h"
#include "cli/questions.h"
#include "cli/render.h"
#include "cli/runs.h"
#include "cli/source.h"
#include "engine/journal/typed_command.h"
#include "engine/run/exclusive.h"
#include "engine/run/summary.h"
#include "engine/run/waiting_line.h"
#include "engine/steps/outline.h"

namespace flowrun::cli {
namespace {

struct ShowOptions {
  std::string run, on;
  std::int64_t at = 0;
  bool json = false;
  bool all = false;
};

constexpr Duration kLongInLine{100};    // for a place, before that is worth a word
constexpr std::size_t kLinesShown = 5;  // of what a step that failed has said
constexpr std::size_t kMostWords = 10;  // steps of which they are shown
constexpr std::size_t kMostSteps = 60;  // of a large run only what is not well, and then so many
constexpr std::int64_t kMany = 10000;   // entries, from which on items that are well are only counted

const char* mark_of(State state) {
  switch (state) {
    case State::Succeeded:
      return "ok";
    case State::Failed:
      return "FAILED";
    default:
      return nullptr;
  }
}

/// |waits|: what it stands in line for; empty: it does not.
std::vector<std::string> step_row(const StepHistory& step, const std::string& waits) {
  const char* mark = mark_of(step.state);
  std::string state = !waits.empty() ? "in line"
                      : step.undone  ? "undone"
                      : mark         ? mark
                                     : std::string(to_string(step.state));
  std::string took =
      is_terminal(step.state) && (step.attempts > 0 || step.took.count() > 0) ? to_display(step.took) : "";
  std::string detail = step.failure && step.state == State::Failed ? step.failure->type + ": " + step.failure->message
                       : !step.what.empty()                        ? step.what
                                                                   : step.reason;
  if (step.page > 0) {
    detail = fmt::format("{} {}  {}", step.state == State::Succeeded ? "pages:" : "page", step.page, detail);
  } else if (step.attempts > 1) {
    detail = fmt::format("{} tries  {}", step.attempts, detail);
  }
  if (step.memo && !step.memo->run.empty()) detail = fmt::format("from run {}  {}", step.memo->run, detail);
  if (step.queued >= kLongInLine) detail += fmt::format("  after {} in line", to_display(step.queued));
  if (!waits.empty()) detail = fmt::format("waits for {}  {}", waits, detail);
  if (step.due) detail += fmt::format("  until {}", clock_text(*step.due));
  return {"  " + state, step.path, step.kind, took, one_line(detail, 100)};
}

/// Of the run's own copy of its workflow; none when that can not be read any more.
AnswerData answers_of(const Journal& journal, const RunRecord& run) {
  try {
    return answer_data(own_copy(journal, run));
  } catch (const Error&) {
    return {};
  }
}

/// In the order in which they became known.
std::vector<const StepHistory*> in_order(const History& history) {
  std::vector<const StepHistory*> steps;
  for (const StepHistory& step : history.steps()) steps.push_back(&step);
  std::sort(steps.begin(), steps.end(), [](const StepHistory* a, const StepHistory* b) { return a->first < b->first; });
  return steps;
}

std::string next_steps(const Journal& journal, const RunRecord& run, const History& history) {
  auto command = [&](const char* word) { return typed_command({word, run.id}, journal.path()); };
  for (const StepHistory* step : in_order(history))
    if (step->state == State::Waiting && !can_be_retried(run.state))
      return fmt::format("{} waits: {}\n", step->path,
                         answer_command(journal.path(), run.id, step->path, step->signal, answers_of(journal, run)));
  const std::string key = run.driver_pid > 0 ? exclusive_key(journal, run) : "";
  if (!key.empty()) return fmt::format("driven by process {}, which has the key `{}`\n", run.driver_pid, key);
  if (run.driver_pid > 0) return fmt::format("driven by process {}\n", run.driver_pid);
  if (run.driver_pid != 0) return "driven by a process in another container\n";
  if (run.error.json().is_object() && run.error.json().contains("undo_failed"))
    return fmt::format("undo again: {}\n", command("undo"));
  if (can_be_retried(run.state)) return fmt::format("try again: {}\n", command("retry"));
  if (run.state == RunState::Succeeded) return fmt::format("its output: {}\n", command("output"));
  // Only the same command has the rest of the input.
  if (run.file.empty()) return fmt::format("go on: the same `flowrun each` with --id {} and its input\n", run.id);
  return fmt::format("go on: {}\n", command("resume"));
}

/// Empty: its copy of the workflow can not be read any more, and without them it is still worth showing.
std::vector<OutlineRow> rows_of(const Journal& journal, const RunRecord& run) {
  try {
    return outline(own_copy(journal, run).workflow);
  } catch (const Error&) {
    return {};
  }
}

std::string lines_of(const Journal& journal, const RunRecord& run, const Failure& failure) {
  if (failure.step.empty()) return "";
  const std::vector<OutlineRow> rows = rows_of(journal, run);
  const OutlineRow* row = find_row(rows, failure.step);
  const std::string place = row ? place_of(*row, run.file) : "";
  return place.empty() ? "" : " (" + place + ")";
}

/// All steps of |run|, unless items that are well are left out anyway.
Summary summary_of(const Journal& journal, const RunRecord& run, const ShowOptions& options) {
  if (!options.all && run.last_seq > kMany) {
    Summary summary = Summary::of(journal, run, options.at);
    if (summary.history().steps().size() + summary.counted() > kMostSteps) return summary;
  }
  Summary whole;
  whole.history() = history_of(journal, run, options.at);
  return whole;
}

int show(const Context& context, const ShowOptions& options) {
  const RunSource source(context, options.on, options.run);
  Journal journal(source.path(), Journal::Mode::ReadOnly);
  RunRecord run = find_or_newest(journal, source.run());
  if (options.json) {
    const History history = history_of(journal, run, options.at);
    Json json = run_json(run);
    json["steps"] = Json::array();
    for (const StepHistory& step : history.steps()) json["steps"].push_back(step_json(step));
    json["counts"] = history.counts();
    print_result(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    return 0;
  }
  const Summary summary = summary_of(journal, run, options);
  const History& history = summary.history();
  const std::string_view state = options.at > 0 ? to_string(history.run_state()) : standing_of(run);
  std::string text = fmt::format("{}  {}  started {}  {}  {} entries\n", run.id, state, date_text(run.started_at),
                                 to_display(until_of(run) - run.started_at), run.last_seq);
  text += fmt::format("{}  input {}\n", run.file, one_line(run.input.text(), 100));
  if (!history.on().empty()) text += fmt::format("carried out on {}\n", history.on());
  bool large = history.steps().size() + summary.counted() > kMostSteps && !options.all;
  std::vector<std::vector<std::string>> rows;
  // As it was at an entry nobody knows.
  const WaitingLine line = options.at > 0 ? WaitingLine() : WaitingLine(journal, run, history);
  const std::size_t waiting = line.waiting(history);
  const std::vector<OutlineRow> outlined = waiting > 0 ? rows_of(journal, run) : std::vector<OutlineRow>();
  std::size_t left_out = summary.counted();
  for (const StepHistory* each : in_order(history)) {
    const StepHistory& step = *each;
    bool well = step.state == State::Succeeded || step.state == State::Skipped;
    if ((large && well && step.path.find('[') != std::string::npos) ||
        rows.size() >= (options.all ? std::string::npos : kMostSteps)) {
      ++left_out;
      continue;
    }
    rows.push_back(step_row(step, line.waits_for(step, outlined)));
  }
  // Below the row of a step that failed what it had to say.
  std::size_t row = 0, told = 0;
  const std::string all = table(rows);
  for (std::size_t at = 0; at < all.size(); ++row) {
    std::size_t end = all.find('\n', at) + 1;
    text += all.substr(at, end - at);
    at = end;
    const StepHistory* step = history.find(rows[row][1]);
    if (!step || step->state != State::Failed || !step->failure || told == kMostWords) continue;
    std::string words = own_words(*step->failure, kLinesShown, "      ");
    if (words.empty()) continue;
    text += words;
    ++told;
  }
  if (left_out > 0) text += fmt::format("  and {} more; --all shows them\n", left_out);
  std::string counts;
  std::map<std::string, std::size_t> all_counts = summary.counts();
  if (waiting > 0) {
    all_counts["in line"] = waiting;
    all_counts["running"] -= std::min(waiting, all_counts["running"]);
  }
  for (const auto& [name, count] : all_counts)
    if (count > 0) counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, name);
  if (!counts.empty()) text += counts + "\n";
  if (run.error.json().is_object()) {
    Failure failure = failure_from(run.error.json());
    text += fmt::format("error: {}{}: {}: {}\n", failure.step.empty() ? "run" : failure.step,
                        lines_of(journal, run, failure), failure.type, failure.message);
    if (told == 0) text += last_words(failure, kLinesShown, "   ");
  }
  print_view(text + (source.copy() ? "" : next_steps(journal, run, history)));
  return 0;
}

}  // namespace

void add_show(Command& app, Context& context) {
  auto options = std::make_shared<ShowOptions>();
  Command* command = app.add_subcommand("show", "How a run stands, and what can be done next");
  command->add_option("RUN", options->run, "The run; the newest when left out");
  command->add_option("--at", options->at, "As it was after this entry")->at_least(1)->type_name("SEQ");
  add_server_option(*command, options->on);
  command->add_flag("--all", options->all, "Every step, also of a large run");
  command->add_flag("--json", options->json, "As JSON");
  command->callback([&context, options] { context.chosen = [&context, options] { return show(context, *options); }; });
}

}  // namespace flowrun::cli
