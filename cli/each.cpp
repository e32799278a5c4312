// flowrun each: a command or request for each item of standard input, as xargs and parallel do it, but journaled. It is
// a workflow that is written here and run as any other.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "cli/drive.h"
#include "cli/render.h"
#include "cli/runs.h"
#include "cli/start.h"
#include "engine/model/json_text.h"
#include "engine/run/control.h"

namespace flowrun::cli {
namespace {

constexpr const char* kName = "each";  // of the workflow and of its step
constexpr int kItemsFailed = 123;      // xargs(1)
constexpr int kAllAtOnce = 1024;       // -P 0
constexpr int kRequests = 16;          // at once, when -P does not say it
constexpr std::string_view kPlace = "{}";

struct EachOptions {
  std::vector<std::string> command;
  std::string http, body;
  std::optional<std::string> at_once;
  int retries = 0;
  std::string timeout, tolerate, rate;
  bool json = false, nul = false, ordered = false, quiet_output = false, print = false;
  StartFlags start;
  DriveFlags drive;
};

/// |text| as YAML and as a template that stands for itself.
std::string literal(std::string_view text) {
  std::string escaped;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '$' && i + 1 < text.size() && text[i + 1] == '{') escaped += '$';
    escaped += text[i];
  }
  return escaped;
}

/// Whether |inner| of `{inner}` is a path into an item: `.`, `.name`, `.a.b[0]`.
bool is_item_path(std::string_view inner) {
  return inner.starts_with('.') && std::all_of(inner.begin(), inner.end(), [](unsigned char c) {
           return std::isalnum(c) || c == '.' || c == '_' || c == '[' || c == ']';
         });
}

/// |text| with the item in place of each `{}`; with |json| its JSON text, and in place of `{.name}` a member of it.
/// |found| becomes true when there was one.
std::string with_item(std::string_view text, bool json, bool& found) {
  std::string result;
  while (!text.empty()) {
    const std::size_t open = text.find('{');
    const std::size_t close = open == std::string_view::npos ? open : text.find('}', open);
    if (close == std::string_view::npos) break;
    const std::string_view inner = text.substr(open + 1, close - open - 1);
    const bool place = inner.empty() || (json && is_item_path(inner));
    result += literal(text.substr(0, open));
    if (json && inner.starts_with('.') && !place)
      throw Error(Problem::Usage,
                  fmt::format("{{{}}} is no member of an item: a name is of letters, digits and _", inner));
    if (place) {
      found = true;
      // A `$` in front of `${` would be an escape.
      const std::size_t end = result.find_last_not_of('$') + 1;
      if (end < result.size()) result.replace(end, std::string::npos, "${ \"" + result.substr(end) + "\" }");
      result +=
          inner.empty() && json ? "${ $item | tojson }" : fmt::format("${{ $item{} }}", inner == "." ? "" : inner);
      text.remove_prefix(close + 1);
    } else {
      // `${`: the escape looks at both characters.
      if (open > 0 && text[open - 1] == '$') result += '$';
      result += '{';
      text.remove_prefix(open + 1);
    }
  }
  return result + literal(text);
}

std::string quoted(const std::string& text) {
  if (!is_utf8(text)) throw Error(Problem::Usage, "an argument of the command is not UTF-8");
  std::string quotes;
  for (const char c : Json(text).dump())
    quotes += c == '\x7f' ? "\\u007f" : std::string(1, c);  // which YAML does not take as it is
  return quotes;
}

/// `PUT https://...` or `https://...`; whether a request of that method takes a body.
bool sends_body(const std::string& request) {
  return request.starts_with("POST ") || request.starts_with("PUT ") || request.starts_with("PATCH ");
}

std::string work_of(const EachOptions& options) {
  bool found = false;
  if (!options.http.empty()) {
    std::string work = "http: " + quoted(with_item(options.http, options.json, found)) + "\n";
    if (!options.body.empty()) {
      work += "text: " + quoted(with_item(options.body, options.json, found)) + "\n";
    } else if (!found && sends_body(options.http)) {
      work += "json: ${ $item }\n";
      found = true;
    }
    if (!found)
      throw Error(
          Problem::Usage,
          "the request says nothing of the item: put {} into its URL or --body; without --body a POST sends it");
    return work;
  }
  std::string list;
  for (const std::string& word : options.command) {
    if (!list.empty()) list += ", ";
    list += quoted(with_item(word, options.json, found));
  }
  if (!found) list += ", " + quoted(with_item(kPlace, options.json, found));
  return "exec: [" + list + "]\n";
}

/// A count or a percentage.
std::string amount(const std::string& text, const char* option) {
  const std::string digits = text.ends_with('%') ? text.substr(0, text.size() - 1) : text;
  const bool good = !digits.empty() && digits.size() < 10 &&
                    std::all_of(digits.begin(), digits.end(), [](unsigned char c) { return std::isdigit(c); });
  if (!good)
    throw Error(Problem::Usage, fmt::format("{} {}: write a count or a percentage, as in 5 or 5%", option, text));
  return text;
}

/// The workflow that the options stand for.
std::string workflow_of(const EachOptions& options) {
  std::string text = fmt::format("flowrun: 1\nname: {}\n", kName);
  if (!options.rate.empty()) {
    const std::string digits = options.rate.substr(0, options.rate.find('/'));
    const std::string unit = options.rate.substr(digits.size());
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos ||
        (unit != "/s" && unit != "/m" && unit != "/h"))
      throw Error(Problem::Usage, fmt::format("--rate {}: write starts in a second, a minute or an hour, as in 100/s, "
                                              "30/m or 5/h",
                                              options.rate));
    text += fmt::format("limits: {{ {}: {{ rate: {} }} }}\n", kName, Json(options.rate).dump());
  }
  text += fmt::format("steps:\n  {}:\n    for_each: stdin\n", kName);
  if (options.json || options.nul) text += fmt::format("    split: {}\n", options.json ? "json" : "nul");
  text += "    fail_fast: false\n";
  if (!options.tolerate.empty())
    text += fmt::format("    join: {{ tolerate: {} }}\n", amount(options.tolerate, "--tolerate"));
  text += "    do:\n";
  const auto add = [&](std::string_view lines) {
    for (std::size_t at = 0; at < lines.size();) {
      const std::size_t end = lines.find('\n', at);
      text += fmt::format("      {}\n", lines.substr(at, end - at));
      at = end + 1;
    }
  };
  add(work_of(options));
  if (options.retries > 0)
    add(fmt::format("retry: {{ attempts: {}{} }}\n", options.retries + 1, options.http.empty() ? ", on: any" : ""));
  if (!options.timeout.empty())
    add(fmt::format("timeout: {}ms\n", duration_option(options.timeout, "--timeout").count()));
  if (!options.rate.empty()) add(fmt::format("limit: {}\n", kName));
  return text;
}

void check(const EachOptions& options) {
  check_id(options.start.options.id);
  if (options.command.empty() == options.http.empty())
    throw Error(Problem::Usage,
                options.http.empty()
                    ? "what is to be done for each item? flowrun each -- COMMAND {}, or --http 'GET URL/{}'"
                    : "--http and a command do not go together; choose one");
  if (!options.command.empty() && options.command.front().empty())
    throw Error(Problem::Usage, "the program is an empty word; flowrun each -- COMMAND {}");
  if (options.json && options.nul) throw Error(Problem::Usage, "--json and -0 do not go together");
  if (!options.body.empty() && options.http.empty()) throw Error(Problem::Usage, "--body goes with --http");
}

/// The exit code of xargs(1) for a program that is not there, or can not be run, after a word about it; 0: all is well.
int missing_program(const EachOptions& options) {
  if (options.command.empty() || options.command.front().find('{') != std::string::npos) return 0;
  const std::string& name = options.command.front();
  const char* path = name.find('/') == std::string::npos ? std::getenv("PATH") : nullptr;
  std::vector<std::string> candidates{name};
  if (path) {
    candidates.clear();
    std::istringstream folders(path);
    for (std::string folder; std::getline(folders, folder, ':');)
      candidates.push_back((folder.empty() ? "." : folder) + "/" + name);
  }
  bool there = false;
  for (const std::string& candidate : candidates) {
    std::error_code error;
    if (access(candidate.c_str(), X_OK) == 0 && std::filesystem::is_regular_file(candidate, error)) return 0;
    there = there || access(candidate.c_str(), F_OK) == 0;
  }
  std::fprintf(stderr, "error: program %s %s; nothing was started\n", name.c_str(),
               there ? "may not be executed" : "is not found");
  return there ? 126 : 127;
}

/// -P.
int at_once(const EachOptions& options) {
  if (!options.at_once) return options.http.empty() ? 0 : kRequests;
  const std::string& text = *options.at_once;
  const bool number = !text.empty() && text.size() < 6 &&
                      std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
  if (!number) throw Error(Problem::Usage, fmt::format("-P {}: write a count; 0: as many as possible", text));
  const int count = std::atoi(text.c_str());
  return count > 0 ? count : kAllAtOnce;
}

int run_each(const Context& context, EachOptions& options) {
  check(options);
  const std::string text = workflow_of(options);
  if (options.print) {
    print_result(text);
    return 0;
  }
  const std::string on = on_option(options.drive, true);
  const bool here = on.empty() || on == "here";
  if (const int code = here ? missing_program(options) : 0) return code;
  options.start.options.concurrency = at_once(options);
  if (here) options.drive.jobs = options.start.options.concurrency;
  std::unique_ptr<Jq> evaluator = make_jq();
  Loaded loaded = load_text_or_throw(text, *evaluator);
  const InputStream stream = *loaded.workflow.stream;
  ResolvedInputs inputs = resolve_inputs(loaded, {}, [](const std::string&) { return std::nullopt; }, *evaluator, {});
  Journal journal(journal_path(context.journal), Journal::Mode::Create);
  if (!context.quiet && isatty(STDIN_FILENO) == 1)
    std::fputs("note: reads items from the terminal, a line each; Ctrl-D ends\n", stderr);
  Drive drive(context, options.drive, journal);
  if (!options.quiet_output && !drive.output_taken()) drive.print_items(stream.path, options.ordered);
  StartRequest request{std::move(loaded), std::move(inputs), start_options(options.start, options.drive),
                       std::move(evaluator), read_items(STDIN_FILENO, stream.format)};
  const Opened opened = start_or_resume(journal, std::move(request), OnCrash::Default, drive);
  if (!opened.run) {
    if (!context.quiet)
      std::fprintf(stderr, "run %s has succeeded before, and its input has nothing new\n", opened.record.id.c_str());
    return drive.write_reports(opened.record.id, 0);
  }
  const int code = drive.finish(*opened.run, false);
  return code == 1 && opened.run->machine().outcome().state == State::Failed ? kItemsFailed : code;
}

}  // namespace

void add_each(Command& app, Context& context) {
  auto options = std::make_shared<EachOptions>();
  Command* command =
      app.add_subcommand("each", "Run a command or a request for each line of standard input, as xargs does, durably");
  command->add_option("COMMAND", options->command, "The program and its arguments, behind `--`; {} is the item");
  command->add_option("--http", options->http, "A request instead: 'GET https://host/{}'")->type_name("REQUEST");
  command->add_option("--body", options->body, "The body of the request; without it and {} a POST sends the item")
      ->type_name("TEXT");
  command->add_option("-P,--max-procs", options->at_once, "Items at once; 0: as many as possible")->type_name("N");
  command->add_option("--retry", options->retries, "Times that a failed item is tried again")
      ->range(0, 1000)
      ->type_name("N");
  command->add_option("--timeout", options->timeout, "Of a try")->type_name("D");
  command->add_option("--tolerate", options->tolerate, "So many items may fail: 5, 2%")->type_name("N|N%");
  command->add_option("--rate", options->rate, "Starts at most, as in 100/s or 30/m")->type_name("N/s");
  command->add_flag("--json", options->json, "Each line is a JSON value; {.name} is a member of it");
  command->add_flag("-0,--null", options->nul, "Items end in NUL, not with the line");
  command->add_flag("--ordered", options->ordered, "Print results in the order of the items");
  command->add_flag("--quiet-output", options->quiet_output, "Print no results; they are in the journal");
  command->add_flag("--print", options->print, "Print the workflow that this stands for; run nothing");
  command->add_option("--id", options->start.options.id, "The run's id; the same line again goes on with that run")
      ->type_name("ID");
  add_on_option(*command, options->drive);
  add_drive_options(*command, options->drive, false);
  command->callback(
      [&context, options] { context.chosen = [&context, options] { return run_each(context, *options); }; });
}

}  // namespace flowrun::cli
