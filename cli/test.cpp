// flowrun test: scenarios of workflows are played in virtual time, and what does not hold is told.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <thread>

#include "cli/commands.h"
#include "cli/entry_text.h"
#include "cli/explore.h"
#include "cli/render.h"
#include "cli/report.h"
#include "cli/report/xml.h"
#include "cli/stop_signals.h"
#include "engine/model/error.h"
#include "engine/run/fresh.h"
#include "engine/scenario/test_files.h"

namespace flowrun::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kFailed = 1, kNotRead = 2, kMistaken = 3;
constexpr std::chrono::milliseconds kLookForChanges{300};  // between two looks at the files, with --watch

struct TestCommandOptions {
  std::vector<std::string> files;
  TestOptions play;
  bool coverage = false, watch = false;
  std::string format = "text", report;
  std::optional<std::string> schedule;
  ExploreTarget target;  ///< of that
};

/// Of all files.
struct Totals {
  std::size_t good = 0, failed = 0, mistaken = 0;  ///< mistaken: files
  int exit = 0;
  std::vector<std::string> read;  ///< files that say how it goes

  void add(const PlayedFile& file) {
    read.insert(read.end(), file.read.begin(), file.read.end());
    if (!file.mistakes.ok()) ++mistaken;
    if (!file.mistakes.ok()) more(file.mistakes.all().front().code == "E009" ? kNotRead : kMistaken);
    for (const PlayedScenario& scenario : file.scenarios) {
      ++(scenario.good() ? good : failed);
      if (!scenario.good()) more(scenario.mistaken ? kMistaken : kFailed);
    }
  }

 private:
  /// What is wrong with a file goes before what fails in one, and that before a file that can not be read.
  void more(int code) {
    const auto weight = [](int one) { return one == kMistaken ? 3 : one == kFailed ? 2 : one == kNotRead ? 1 : 0; };
    if (weight(code) > weight(exit)) exit = code;
  }
};

std::string entries_text(const PlayedScenario& scenario) {
  std::vector<std::vector<std::string>> rows;
  for (const Entry& entry : scenario.entries) {
    const EntryLine line = describe(entry, false);
    rows.push_back({fmt::format("   {:4}", entry.seq), to_string(entry.at - scenario.entries.front().at), line.what,
                    line.step, line.detail});
  }
  return table(rows);
}

std::string coverage_text(const PlayedFile& file) {
  const Coverage& coverage = file.coverage;
  if (coverage.parts.empty()) return "";
  std::string text =
      fmt::format(" {} of {} parts of {} exercised\n", coverage.seen(), coverage.parts.size(), file.workflow);
  std::vector<std::vector<std::string>> rows;
  for (const Coverage::Part& part : coverage.parts)
    if (!part.why.empty()) rows.push_back({"   " + part.place, part.what, part.path, part.why});
  return text + table(rows);
}

std::string text_of(const PlayedFile& file, const Context& context, const TestCommandOptions& options) {
  std::string text;
  for (const PlayedScenario& scenario : file.scenarios) {
    if (scenario.good() && context.quiet) continue;
    text += fmt::format(" {} {}  {}\n", scenario.good() ? "✓" : "✗", scenario.name, to_display(scenario.took));
    if (!scenario.good()) text += scenario.findings.text();
    if (context.verbose > 0) text += entries_text(scenario);
  }
  if (options.coverage) text += coverage_text(file);
  if (text.empty() && file.mistakes.ok()) return "";
  return file.file + "\n" + file.mistakes.text() + text;
}

Json json_of(const PlayedFile& file) {
  Json json{{"file", file.file}, {"workflow", file.workflow}, {"mistakes", file.mistakes.json()}};
  Json& scenarios = json["scenarios"] = Json::array();
  for (const PlayedScenario& scenario : file.scenarios)
    scenarios.push_back({{"name", scenario.name},
                         {"line", scenario.at.line},
                         {"good", scenario.good()},
                         {"virtual_ms", scenario.took.count()},
                         {"entries", scenario.entries.size()},
                         {"findings", scenario.findings.json()}});
  Json never = Json::array();
  for (const Coverage::Part& part : file.coverage.parts)
    if (!part.why.empty())
      never.push_back({{"what", part.what}, {"path", part.path}, {"place", part.place}, {"why", part.why}});
  json["coverage"] = {{"parts", file.coverage.parts.size()}, {"exercised", file.coverage.seen()}, {"not", never}};
  return json;
}

/// A test suite of a file, with a case a scenario.
std::string junit_of(const PlayedFile& file) {
  std::size_t failed = 0;
  std::string cases;
  for (const PlayedScenario& scenario : file.scenarios) {
    cases += fmt::format("    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\"", xml(file.file),
                         xml(scenario.name), xml(file.file), scenario.at.line);
    if (scenario.good()) {
      cases += "/>\n";
      continue;
    }
    ++failed;
    cases += fmt::format(">\n      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>\n",
                         xml(scenario.findings.all().front().code), xml(scenario.findings.all().front().message),
                         xml(scenario.findings.text()));
  }
  const std::size_t errors = file.mistakes.ok() ? 0 : 1;
  if (errors > 0)
    cases += fmt::format(
        "    <testcase classname=\"{0}\" name=\"{0}\">\n      <error message=\"{1}\">{2}</error>\n"
        "    </testcase>\n",
        xml(file.file), xml(file.mistakes.summary()), xml(file.mistakes.text()));
  return fmt::format("  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\">\n{}  </testsuite>\n",
                     xml(file.file), file.scenarios.size() + errors, failed, errors, cases);
}

/// The FILE of `junit:FILE`; empty: none was asked for. Throws Error(Usage).
std::string junit_file(const std::string& report) {
  constexpr std::string_view kFormat = "junit:";
  if (report.empty()) return "";
  if (!report.starts_with(kFormat) || report.size() == kFormat.size())
    throw Error(Problem::Usage, fmt::format("--report {}: write junit:FILE", report));
  return report.substr(kFormat.size());
}

Totals play_all(const Context& context, const TestCommandOptions& options) {
  Totals totals;
  Json records = Json::array();
  std::string suites;
  const auto began = Clock::now();
  play_files(test_files(options.files), options.play, [&](const PlayedFile& file) {
    totals.add(file);
    suites += junit_of(file);
    if (options.format == "json")
      records.push_back(json_of(file));
    else if (options.format == "github")
      for (const PlayedScenario& scenario : file.scenarios) print_view(scenario.findings.github());
    if (options.format == "github") print_view(file.mistakes.github());
    if (options.format == "text") print_view(text_of(file, context, options));
  });
  if (const std::string file = junit_file(options.report); !file.empty())
    write_report(file, fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"flowrun test\">\n"
                                   "{}</testsuites>\n",
                                   suites));
  if (totals.good + totals.failed == 0 && totals.exit == 0) {
    std::fprintf(stderr, "error: no scenario has `%s` in its name\n", options.play.filter.c_str());
    totals.exit = kNotRead;
  }
  if (options.format == "json") {
    const Json all{{"passed", totals.good}, {"failed", totals.failed}, {"files", std::move(records)}};
    print_result(all.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    return totals;
  }
  const auto took = std::chrono::duration_cast<Duration>(Clock::now() - began);
  if (options.format == "text" && totals.good + totals.failed + totals.mistaken > 0)
    print_view(fmt::format("{} passed, {} failed{}  {}\n", totals.good, totals.failed,
                           totals.mistaken == 0   ? ""
                           : totals.mistaken == 1 ? ", 1 file not played"
                                                  : fmt::format(", {} files not played", totals.mistaken),
                           to_display(took)));
  return totals;
}

/// When each of |files| was last changed.
std::map<std::string, fs::file_time_type> times_of(const std::vector<std::string>& files) {
  std::map<std::string, fs::file_time_type> times;
  for (const std::string& file : files) {
    std::error_code gone;
    times[file] = fs::last_write_time(file, gone);
  }
  return times;
}

/// Plays again whenever a file changes, or one is added. Ends by a signal.
int watch(const Context& context, const TestCommandOptions& options) {
  for (;;) {
    std::vector<std::string> files = test_files(options.files);
    const Totals totals = play_all(context, options);
    const auto before = times_of(totals.read);
    std::fprintf(stderr, "waits for a change; Ctrl-C ends\n");
    std::vector<std::string> now = files;
    while (now == files && times_of(totals.read) == before) {
      if (stop_asked()) return code_of_signal();
      std::this_thread::sleep_for(kLookForChanges);
      now = test_files(options.files);
    }
  }
}

/// --schedule: one run of a workflow, as `explore` has told it.
int play_schedule(TestCommandOptions options) {
  if (options.files.size() != 1) throw Error(Problem::Usage, "--schedule is about one file");
  if (options.coverage || options.watch || !options.report.empty() || !options.play.filter.empty() ||
      options.format == "github")
    throw Error(Problem::Usage, "with --schedule go --json, -i, --inputs and --scenario alone");
  options.target.file = options.files.front();
  return show_schedule(options.target, *options.schedule, options.format == "json");
}

int test(const Context& context, const TestCommandOptions& options) {
  if (options.schedule) return play_schedule(options);
  if (options.target.inputs.given() || !options.target.scenarios.empty())
    throw Error(Problem::Usage, "-i, --inputs and --scenario go with --schedule; scenarios have `input`");
  junit_file(options.report);
  if (options.watch && options.format == "json")
    throw Error(Problem::Usage, "--watch and --format json do not go together; choose one");
  hear_signals();
  if (options.watch) return watch(context, options);
  return play_all(context, options).exit;
}

}  // namespace

void add_test(Command& app, Context& context) {
  auto options = std::make_shared<TestCommandOptions>();
  options->play.jobs = cpu_count();
  options->play.stop = stop_asked;
  Command* command = app.add_subcommand("test", "Play scenarios of workflows in virtual time");
  command->add_option("FILE", options->files, "Files of scenarios, or folders with FILE.test.yaml")->required();
  command->add_option("--filter", options->play.filter, "Only scenarios with this in their name, or like it: * and ?")
      ->type_name("TEXT");
  command->add_option("-j,--jobs", options->play.jobs, "Scenarios at once")->type_name("N")->range(1, 1000);
  command->add_flag("--coverage", options->coverage, "Say what of the workflows no scenario has exercised");
  command->add_flag("--watch", options->watch, "Play again whenever a file changes");
  command->add_option("--report", options->report, "At the end write a report")->type_name("junit:FILE");
  command->add_option("--schedule", options->schedule, "Play this one schedule of a workflow, as `explore` tells it")
      ->type_name("TEXT");
  add_target_options(*command, options->target);
  command->add_option("--format", options->format, "text, json or github")->one_of({"text", "json", "github"});
  command->add_flag_callback(
      "--json", [options] { options->format = "json"; }, "Same as --format json");
  command->callback([&context, options] { context.chosen = [&context, options] { return test(context, *options); }; });
}

}  // namespace flowrun::cli
