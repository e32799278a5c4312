#include <fmt/format.h>

#include <algorithm>

#include "cli/last_words.h"
#include "cli/progress/item_groups.h"
#include "cli/render.h"
#include "cli/report/critical_path.h"
#include "cli/report/reports.h"
#include "engine/journal/typed_command.h"

namespace flowrun::cli {
namespace {

constexpr std::size_t kMostFailures = 50;
constexpr std::size_t kMostSlowSteps = 10;
constexpr std::size_t kMostSaid = 20;  // of what a step that failed has said
constexpr std::size_t kMostSaidSteps = 50;
constexpr std::size_t kMostText = 4000;  // bytes of it

/// |text| as it is, in a cell of a table.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : one_line(text, 200)) {
    if (c == '|' || c == '\\' || c == '`' || c == '*' || c == '_' || c == '<' || c == '>' || c == '[' || c == ']' ||
        c == '&' || c == '#' || c == '~')
      out += fmt::format("&#{};", static_cast<int>(c));
    else
      out += c;
  }
  return out;
}

/// A row of backticks that is longer than |least| and than any in |text|.
std::string fence_for(std::string_view text, std::size_t least) {
  std::size_t longest = least, now = 0;
  for (const char c : text) {
    now = c == '`' ? now + 1 : 0;
    longest = std::max(longest, now);
  }
  return std::string(longest + 1, '`');
}

/// |text| as it is, as code within a line outside of tables.
std::string code(std::string_view text) {
  const std::string line = one_line(text, 1000), fence = fence_for(line, 0);
  // What touches the fence must be no backtick; such blanks are not shown.
  const char* gap = line.starts_with('`') || line.ends_with('`') ? " " : "";
  return fmt::format("{}{}{}{}{}", fence, gap, line, gap, fence);
}

/// |text| in a block that nothing in it can end.
std::string block(std::string text) {
  if (text.size() > kMostText) text = "...\n" + text.substr(text.find('\n', text.size() - kMostText) + 1);
  const std::string fence = fence_for(text, 2);
  return fmt::format("{}text\n{}{}{}\n", fence, text, text.ends_with('\n') ? "" : "\n", fence);
}

const char* sign_of(RunState state) {
  if (state == RunState::Succeeded) return "✅";
  return state == RunState::Failed ? "❌" : "⚠️";
}

}  // namespace

std::string markdown_report(const PastRun& run) {
  const RunRecord& record = run.record;
  std::string text = fmt::format("## {} {}: {} in {}\n\n", sign_of(record.state), cell(record.name),
                                 standing_of(record), to_display(run.until - record.started_at));
  std::string counts;
  for (const auto& [name, count] : run.history.counts())
    counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, name);
  text += fmt::format("Run {} of {}, started {}. Steps: {}.\n\n", code(record.id),
                      record.file.empty() ? code("flowrun each") : code(record.file), timestamp(record.started_at),
                      counts.empty() ? "none" : counts);
  if (run.failure)
    text += fmt::format("**{}**: {}{}\n\n", cell(run.failure->type), cell(run.failure->message),
                        run.failure->step.empty() ? "" : " (step " + cell(run.failure->step) + ")");

  std::size_t failed = 0;
  for (const StepHistory& step : run.history.steps()) {
    if (step.state != State::Failed || !step.failure) continue;
    // A group is told by what failed in it.
    if (!step.failure->step.empty() && step.failure->step != step.path && step.attempts == 0) continue;
    if (++failed > kMostFailures) continue;
    const std::string place = run.place_of(step.path);
    text += fmt::format("### {}\n\n{}: {}{}\n\n", cell(step.path), cell(step.failure->type),
                        cell(step.failure->message), place.empty() ? "" : ", " + cell(place));
    if (const std::string words = own_words(*step.failure, kMostSaid, ""); !words.empty()) text += block(words) + "\n";
  }
  if (failed > kMostFailures) text += fmt::format("And {} more that failed.\n\n", failed - kMostFailures);

  std::size_t said = 0;
  for (const StepHistory& step : run.history.steps()) {
    if (step.kind != "log" || step.state != State::Succeeded || !step.output.json().is_string()) continue;
    if (step.reason == "debug" || ++said > kMostSaidSteps) continue;
    text += fmt::format("{}- {} {}: {}\n", said == 1 ? "Messages:\n\n" : "", cell(step.reason), cell(step.path),
                        cell(one_line(step.output.json().get<std::string>(), 500)));
  }
  if (said > kMostSaidSteps) text += fmt::format("- and {} more\n", said - kMostSaidSteps);
  if (said > 0) text += "\n";

  std::vector<const StepHistory*> slow;
  for (const StepHistory& step : run.history.steps())
    if (!only_holds_others(step) && step.attempts > 0) slow.push_back(&step);
  const std::size_t shown = std::min(kMostSlowSteps, slow.size());
  std::partial_sort(slow.begin(), slow.begin() + static_cast<std::ptrdiff_t>(shown), slow.end(),
                    [](const StepHistory* one, const StepHistory* other) { return one->took > other->took; });
  if (shown > 0) {
    text += slow.size() > shown ? fmt::format("The {} of {} steps that took longest:\n\n", shown, slow.size()) : "";
    text += "| step | state | time | in line | tries | |\n|---|---|---:|---:|---:|---|\n";
    for (std::size_t i = 0; i < shown; ++i)
      text +=
          fmt::format("| {} | {} | {} | {} | {} | {} |\n", cell(slow[i]->path), to_string(slow[i]->state),
                      to_display(slow[i]->took), to_display(slow[i]->queued), slow[i]->attempts, cell(slow[i]->what));
    text += "\n";
  }
  const std::vector<CriticalStep> chain = critical_path(run);
  if (chain.size() > 1) {
    text += fmt::format("What the time was made of, one after the other, {} of {}:\n\n",
                        to_display(chain.back().ended - record.started_at), to_display(run.until - record.started_at));
    text += "| step | waited before | time |\n|---|---:|---:|\n";
    std::size_t rows = 0;
    for (auto at = chain.begin(); at != chain.end() && rows < kMostSlowSteps; ++rows) {
      // Items of one group that follow each other are one row.
      const std::string_view group = group_of(at->path);
      auto end = at + 1;
      while (!group.empty() && end != chain.end() && group_of(end->path) == group) ++end;
      Duration waited{0}, took{0};
      for (auto one = at; one != end; ++one) {
        waited += one->waited;
        took += one->ended - one->began;
      }
      const std::string name =
          end - at == 1 ? cell(at->path) : fmt::format("{}, {} steps of its items", cell(group), end - at);
      text += fmt::format("| {} | {} | {} |\n", name, to_display(waited), to_display(took));
      at = end;
      if (rows + 1 == kMostSlowSteps && at != chain.end())
        text += fmt::format("| and {} more | | |\n", chain.end() - at);
    }
    text += "\n";
  }
  if (can_be_retried(record.state))
    text += fmt::format("Try again: {}\n", code(typed_command({"retry", record.id}, run.journal)));
  if (waits_for_resume(record))
    text += fmt::format("Go on: {}\n", code(typed_command({"resume", record.id}, run.journal)));
  return text;
}

}  // namespace flowrun::cli
