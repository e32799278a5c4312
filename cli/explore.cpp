// flowrun explore: what may go wrong in a workflow is looked for, and told with the schedule that leads there.
#include "cli/explore.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "cli/commands.h"
#include "cli/entry_text.h"
#include "cli/render.h"
#include "cli/stop_signals.h"
#include "engine/explore/exploration.h"
#include "engine/explore/replay_schedule.h"
#include "engine/journal/typed_command.h"
#include "engine/model/error.h"
#include "engine/run/fresh.h"

namespace flowrun::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kFound = 1;

struct ExploreCommandOptions {
  ExploreTarget target;
  std::size_t depth = 2;
  std::string budget = "30s";
  int jobs = 1;
  std::string format = "text";
};

Json json_of(const ExploreFinding& finding, const ExploreTarget& target) {
  Json json{{"kind", finding.kind},
            {"step", finding.step},
            {"place", finding.place},
            {"message", finding.message},
            {"advice", finding.advice},
            {"faults", finding.faults},
            {"schedule", finding.everywhere ? Json() : Json(finding.schedule)}};
  if (!finding.everywhere) json["replay"] = replay_command(target, finding.schedule);
  return json;
}

std::string text_of(const ExploreFinding& finding, const ExploreTarget& target) {
  const std::string place = finding.place.empty() ? target.file : finding.place;
  std::string text = fmt::format("{}: {}: {}\n", place, finding.kind, finding.message);
  if (!finding.everywhere) {
    text += fmt::format("    schedule: {}\n", finding.schedule.empty() ? "as it comes by itself" : finding.schedule);
    text += fmt::format("    {}\n", replay_command(target, finding.schedule));
  }
  if (!finding.advice.empty()) text += fmt::format("    {}\n", finding.advice);
  return text;
}

/// `all 63 with one fault; 1204 of 3550 with two`.
std::string space_text(const Explored& explored) {
  std::string text;
  for (std::size_t depth = 0; depth < explored.levels.size(); ++depth) {
    const ExploredLevel& level = explored.levels[depth];
    const std::string faults = depth == 0   ? "without a fault"
                               : depth == 1 ? "with one fault"
                                            : fmt::format("with {} faults", depth);
    text += fmt::format(
        "{}{} {}", text.empty() ? "" : "; ",
        level.complete ? fmt::format("all {}", level.all) : fmt::format("{} of {}", level.seen, level.all), faults);
  }
  return text;
}

std::string count_text(std::size_t count, const char* one, const char* many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string json_of(const Explored& explored, const ExploreTarget& target, std::size_t rate) {
  Json findings = Json::array(), levels = Json::array();
  for (const ExploreFinding& finding : explored.findings) findings.push_back(json_of(finding, target));
  for (const ExploredLevel& level : explored.levels)
    levels.push_back({{"seen", level.seen}, {"all", level.all}, {"complete", level.complete}});
  const Json all{{"workflow", explored.workflow},   {"scenarios", explored.scenarios},
                 {"schedules", explored.schedules}, {"per_second", rate},
                 {"levels", std::move(levels)},     {"cut", explored.cut},
                 {"unclear", explored.unclear},     {"notes", explored.notes},
                 {"unreached", explored.unreached}, {"findings", std::move(findings)}};
  return all.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// What is told beside the findings.
std::string around_text(const Explored& explored, Duration took, std::size_t rate) {
  std::string text;
  for (const std::string& note : explored.notes) text += fmt::format("note: {}\n", note);
  for (const std::string& step : explored.unreached) text += fmt::format("note: {} ran in no schedule\n", step);
  if (explored.unclear > 0)
    text += fmt::format(
        "note: {} failed by an expression on an answer that was made up; a file of scenarios says "
        "how steps are really answered\n",
        count_text(explored.unclear, "schedule", "schedules"));
  if (explored.cut > 0)
    text += fmt::format("note: {} too long to be followed to the end\n",
                        count_text(explored.cut, "schedule was", "schedules were"));
  text += fmt::format("{}: {} in {}, {} a second; {}\n", explored.workflow,
                      count_text(explored.schedules, "schedule", "schedules"), to_display(took), rate,
                      space_text(explored));
  const bool whole = std::all_of(explored.levels.begin(), explored.levels.end(),
                                 [](const ExploredLevel& level) { return level.complete; });
  return text + (explored.findings.empty() ? std::string(whole ? "nothing found\n" : "nothing found in what was seen\n")
                                           : count_text(explored.findings.size(), "finding", "findings") + "\n");
}

int explore_command(const Context& context, const ExploreCommandOptions& options) {
  if (options.target.file == "-")
    throw Error(Problem::Usage, "explore reads a file, and not standard input: its scenarios lie beside it");
  const std::optional<Duration> budget = parse_duration(options.budget);
  if (!budget || *budget <= Duration{0})
    throw Error(Problem::Usage, fmt::format("--budget {}: write a duration such as 30s or 5m", options.budget));
  hear_signals();
  const auto began = Clock::now();
  const auto took = [&] { return std::chrono::duration_cast<Duration>(Clock::now() - began); };
  ExploreOptions how;
  how.depth = options.depth;
  how.jobs = options.jobs;
  how.enough = [&] { return took() >= *budget; };
  how.stop = stop_asked;
  const bool shows = !context.quiet && isatty(STDERR_FILENO) != 0;
  if (shows)
    how.progress = [&](const ExploreProgress& progress) {
      std::fprintf(stderr, "\r%zu schedules, %s, %s  ", progress.schedules,
                   count_text(progress.findings, "finding", "findings").c_str(), to_display(took()).c_str());
    };
  const Explored explored = explore(files_of(options.target), how);
  if (shows) std::fputs("\r\033[K", stderr);
  const double seconds = std::max(0.001, static_cast<double>(took().count()) / 1000);
  const auto rate = static_cast<std::size_t>(static_cast<double>(explored.schedules) / seconds);
  if (options.format == "json") {
    print_result(json_of(explored, options.target, rate));
  } else {
    std::string text;
    for (const ExploreFinding& finding : explored.findings) text += text_of(finding, options.target);
    if (!context.quiet) text += around_text(explored, took(), rate);
    if (!text.empty()) print_view(text);
  }
  if (stop_asked()) {
    std::fputs("stopped; not all schedules were looked at\n", stderr);
    return code_of_signal();
  }
  return explored.findings.empty() ? 0 : kFound;
}

}  // namespace

void add_target_options(Command& command, ExploreTarget& target) {
  add_input_options(command, target.inputs);
  command.add_option("--scenario", target.scenarios, "A file of scenarios: how steps are answered")->type_name("FILE");
}

ExploreFiles files_of(const ExploreTarget& target) {
  return {target.file, target.scenarios, given_inputs(target.inputs)};
}

std::string replay_command(const ExploreTarget& target, const std::string& schedule) {
  std::vector<std::string> words{"test", "--schedule", schedule.empty() ? " " : schedule};
  for (const std::string& input : target.inputs.inputs) words.insert(words.end(), {"-i", input});
  if (!target.inputs.file.empty()) words.insert(words.end(), {"--inputs", target.inputs.file});
  if (!target.scenarios.empty()) words.insert(words.end(), {"--scenario", target.scenarios});
  words.push_back(target.file);
  return typed_command(words);
}

int show_schedule(const ExploreTarget& target, const std::string& schedule, bool json) {
  const ReplayedSchedule replayed = replay_schedule(files_of(target), schedule);
  if (json) {
    Json entries = Json::array(), findings = Json::array();
    for (const Entry& entry : replayed.entries) {
      const EntryLine line = describe(entry, false);
      entries.push_back({{"seq", entry.seq},
                         {"at_ms", (entry.at - replayed.entries.front().at).count()},
                         {"what", line.what},
                         {"step", line.step},
                         {"detail", line.detail}});
    }
    for (const ExploreFinding& finding : replayed.findings) findings.push_back(json_of(finding, target));
    const Json all{{"workflow", replayed.workflow},
                   {"schedule", schedule},
                   {"end", replayed.end},
                   {"entries", std::move(entries)},
                   {"findings", std::move(findings)}};
    print_result(all.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  } else {
    std::vector<std::vector<std::string>> rows;
    for (const Entry& entry : replayed.entries) {
      const EntryLine line = describe(entry, false);
      rows.push_back({fmt::format("{:4}", entry.seq), to_string(entry.at - replayed.entries.front().at), line.what,
                      line.step, line.detail});
    }
    std::string text = fmt::format("{}  {}\n{}", replayed.workflow, replayed.end, table(rows));
    for (const ExploreFinding& finding : replayed.findings) {
      text += fmt::format("{}: {}: {}\n", finding.place.empty() ? replayed.workflow : finding.place, finding.kind,
                          finding.message);
    }
    print_view(text);
  }
  return replayed.findings.empty() ? 0 : kFound;
}

void add_explore(Command& app, Context& context) {
  auto options = std::make_shared<ExploreCommandOptions>();
  options->jobs = cpu_count();
  Command* command = app.add_subcommand("explore", "Look for what may go wrong in a workflow");
  command->add_option("FILE", options->target.file, "The workflow, or its file of scenarios")->required();
  add_target_options(*command, options->target);
  command->add_option("--depth", options->depth, "So many things go wrong in one run, at most; 2")
      ->type_name("N")
      ->range(0, 10);
  command->add_option("--budget", options->budget, "How long to look; 30s")->type_name("DURATION");
  command->add_option("-j,--jobs", options->jobs, "Threads that look")->type_name("N")->range(1, 1000);
  command->add_option("--format", options->format, "text or json")->one_of({"text", "json"});
  command->add_flag_callback(
      "--json", [options] { options->format = "json"; }, "Same as --format json");
  command->callback(
      [&context, options] { context.chosen = [&context, options] { return explore_command(context, *options); }; });
}

}  // namespace flowrun::cli
