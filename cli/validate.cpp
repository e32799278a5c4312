// flowrun validate: everything that is wrong with workflow files, at once.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "cli/render.h"
#include "cli/runs.h"
#include "engine/model/diagnostics.h"

namespace flowrun::cli {
namespace {

constexpr const char* kUnreadable = "E009";

struct ValidateOptions {
  std::vector<std::string> files;
  bool strict = false;
  std::string format = "text";
};

/// What is wrong with |file|; that it can not be read, too, so that nothing is lost of what was found in others.
Diagnostics findings_of(const std::string& file, Jq& jq) {
  try {
    Diagnostics diagnostics({shown_file(file), read_file(file)});
    // The newest is left to the end of the process: to free ten thousand steps would take a tenth of the time.
    static std::optional<Loaded>* const newest = new std::optional<Loaded>;
    *newest = load(file, diagnostics, &jq, Lints::Yes);
    return diagnostics;
  } catch (const Error& unreadable) {
    Diagnostics diagnostics({file, ""});
    diagnostics.error(kUnreadable, {}, 1, unreadable.what());
    return diagnostics;
  }
}

int validate(const Context& context, const ValidateOptions& options) {
  std::string text;
  Json records = Json::array();
  int exit = 0;
  std::unique_ptr<Jq> jq = make_jq();
  for (const std::string& file : options.files) {
    Diagnostics diagnostics = findings_of(file, *jq);
    const bool unreadable = !diagnostics.all().empty() && diagnostics.all().front().code == kUnreadable;
    if (!diagnostics.ok() || (options.strict && diagnostics.warnings() > 0)) exit = std::max(exit, unreadable ? 2 : 3);
    if (options.format == "json") {
      for (Json& record : diagnostics.json()) records.push_back(std::move(record));
    } else if (options.format == "github") {
      text += diagnostics.github();
    } else {
      text += diagnostics.text();
      bool clean = diagnostics.all().empty();
      if (!clean || !context.quiet)
        text += fmt::format("{}: {}\n", shown_file(file), clean ? "good" : diagnostics.summary());
    }
  }
  if (options.format == "json") text = records.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  options.format == "json" ? print_result(text) : print_view(text);
  return exit;
}

}  // namespace

void add_validate(Command& app, Context& context) {
  auto options = std::make_shared<ValidateOptions>();
  Command* command = app.add_subcommand("validate", "Say everything that is wrong with a workflow");
  command->alias("lint");
  command->add_option("FILE", options->files, "Workflows")->required();
  command->add_flag("--strict", options->strict, "Warnings count as errors");
  command->add_option("--format", options->format, "text, json or github")->one_of({"text", "json", "github"});
  command->add_flag_callback(
      "--json", [options] { options->format = "json"; }, "Same as --format json");
  command->callback(
      [&context, options] { context.chosen = [&context, options] { return validate(context, *options); }; });
}

}  // namespace flowrun::cli
