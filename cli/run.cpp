// flowrun run: validate, start, drive, print the output.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "cli/drive.h"
#include "cli/open.h"
#include "cli/render.h"
#include "engine/jq/jq.h"
#include "engine/steps/outline.h"

namespace flowrun::cli {
namespace {

struct RunOptions {
  std::string file;
  std::vector<std::string> inputs;
  std::string inputs_file;
  std::string id;
  int jobs = 0;
  int concurrency = 0;
  bool keep_going = false;
  bool fail_fast = false;
  std::string timeout;
  bool dry_run = false;
  std::string on_crash;
  DriveOptions drive;
};

/// `NAME=VALUE`, `NAME=@FILE`, `NAME=@-`, `NAME=@lines:FILE`.
void add_input(GivenInputs& given, const std::string& text) {
  std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw Error(Problem::Usage, fmt::format("-i {}: write NAME=VALUE", text));
  std::string name = text.substr(0, equals);
  std::string value = text.substr(equals + 1);
  if (value.rfind("@lines:", 0) == 0) {
    Json lines = Json::array();
    std::istringstream in(read_input_file(value.substr(7), "input " + name));
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    std::erase_if(given.texts, [&](const auto& earlier) { return earlier.first == name; });
    given.values[name] = std::move(lines);
    return;
  }
  if (value.size() > 1 && value[0] == '@') value = read_input_file(value.substr(1), "input " + name);
  given.texts.emplace_back(std::move(name), std::move(value));
}

GivenInputs given_inputs(const RunOptions& options) {
  GivenInputs given;
  if (!options.inputs_file.empty()) {
    std::string text = read_input_file(options.inputs_file, "--inputs");
    Diagnostics diagnostics({options.inputs_file, text});
    auto node = read_yaml(diagnostics);
    if (!node || !diagnostics.ok()) throw Error(Problem::Invalid, diagnostics.text());
    if (!node->is_map())
      throw Error(Problem::Invalid, fmt::format("{}: inputs must be a map of names to values", options.inputs_file));
    given.values = node->json();
  }
  for (const std::string& text : options.inputs) add_input(given, text);
  return given;
}

void print_plan(const Loaded& loaded, const ResolvedInputs& inputs) {
  std::string text = fmt::format("{} would run with {}\n", loaded.workflow.name, inputs.inputs.text());
  std::vector<std::vector<std::string>> rows;
  for (const OutlineRow& row : outline(loaded.workflow)) {
    std::string name(static_cast<std::size_t>(row.depth) * 2, ' ');
    name += row.path.substr(row.path.find_last_of('/') == std::string::npos ? 0 : row.path.find_last_of('/') + 1);
    rows.push_back(
        {name, row.kind, row.waits_for.empty() ? (row.depth == 0 ? "starts first" : "") : "after " + row.waits_for});
  }
  print_result(text + table(rows) + "nothing was started\n");
}

/// --id: one line for CI that starts, resumes or prints again.
std::optional<int> same_id(Journal& journal, const RunOptions& options, const Context& context, const Loaded& loaded,
                           const ResolvedInputs& inputs) {
  if (options.id.empty()) return std::nullopt;
  auto record = journal.find_exact(options.id);
  if (!record) return std::nullopt;
  if (journal.source(record->source_hash) != loaded.text)
    throw Error(Problem::Impossible, fmt::format("run {} was started from another text of the workflow; choose another "
                                                 "--id, or go on with the run's own text: flowrun resume {}",
                                                 record->id, record->id));
  if (!(record->input == inputs.inputs))
    throw Error(Problem::Impossible,
                fmt::format("run {} was started with other inputs; choose another --id", record->id));
  if (record->last_seq == 0) return std::nullopt;  // cut off before anything was started
  if (record->state == "succeeded") return print_ended(*record, options.drive.json);
  ResumeOptions resume;
  resume.on_crash = on_crash_option(options.on_crash);
  return go_on(journal, *record, resume, context, options.drive,
               record->state == "failed" || record->state == "cancelled");
}

int run_workflow(const Context& context, const RunOptions& options) {
  std::unique_ptr<Jq> evaluator = make_jq();
  Loaded loaded = load_or_throw(options.file, *evaluator, context.quiet);
  auto environment = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  };
  Instant now = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  ResolvedInputs inputs = resolve_inputs(loaded, given_inputs(options), environment, *evaluator, now);
  if (options.dry_run) {
    print_plan(loaded, inputs);
    return 0;
  }
  Journal journal(journal_path(context.journal), Journal::Mode::Create);
  if (auto code = same_id(journal, options, context, loaded, inputs)) return *code;

  StartOptions start;
  start.id = options.id;
  start.jobs = options.jobs;
  start.concurrency = options.concurrency;
  if (options.keep_going) start.fail_fast = FailFast::Continue;
  if (options.fail_fast) start.fail_fast = FailFast::Cancel;
  if (!options.timeout.empty()) start.timeout = duration_option(options.timeout, "--timeout");
  Drive drive(context, options.drive);
  auto run = Run::start(journal, std::move(loaded), std::move(inputs), start, std::move(evaluator), drive.observer());
  return drive.finish(*run);
}

void check_id(const std::string& id) {
  if (id.empty()) return;
  bool good = id.size() <= 100 && std::isalnum(static_cast<unsigned char>(id[0]));
  for (char c : id) good = good && (std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-');
  if (!good)
    throw Error(
        Problem::Usage,
        fmt::format("--id {}: letters, digits, `.`, `_` and `-`, at most 100, the first a letter or digit", id));
}

}  // namespace

void add_run(CLI::App& app, Context& context) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand("run", "Run a workflow in the foreground and print its output");
  command->add_option("FILE", options->file, "The workflow")->required();
  command->add_option("-i,--input", options->inputs, "An input: NAME=VALUE, NAME=@FILE, NAME=@-, NAME=@lines:FILE")
      ->type_name("NAME=VALUE")
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false);
  command->add_option("--inputs", options->inputs_file, "All inputs as JSON or YAML; -i overrides")
      ->type_name("FILE|-");
  command->add_option("--id", options->id, "The run's id; an unfinished run of that id is resumed")->type_name("ID");
  command->add_option("-j,--jobs", options->jobs, "Processes at once")
      ->check(CLI::Range(1, 100000))
      ->envname("FLOWRUN_JOBS")
      ->type_name("N");
  command->add_option("--concurrency", options->concurrency, "Attempts at once")
      ->check(CLI::Range(1, 1000000))
      ->type_name("N");
  auto* keep = command->add_flag("-k,--keep-going", options->keep_going, "At a failure run everything else anyway");
  command->add_flag("--fail-fast", options->fail_fast, "At a failure cancel what runs")->excludes(keep);
  command->add_option("--timeout", options->timeout, "Of the run")->type_name("D");
  command->add_flag("--dry-run", options->dry_run, "Validate, resolve the inputs, print the plan; start nothing");
  command->add_option("--on-crash", options->on_crash, "Answer for `on_crash: ask`")
      ->check(CLI::IsMember({"rerun", "fail"}));
  add_drive_options(*command, options->drive);
  command->callback([&context, options] {
    context.chosen = [&context, options] {
      check_id(options->id);
      return run_workflow(context, *options);
    };
  });
}

}  // namespace flowrun::cli
