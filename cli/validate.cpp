// flowrun validate: everything that is wrong with workflow files, at once.
#include <fmt/format.h>

#include "cli/open.h"
#include "cli/render.h"
#include "engine/language/diagnostics.h"

namespace flowrun::cli {
namespace {

struct ValidateOptions {
  std::vector<std::string> files;
  bool strict = false;
  std::string format = "text";
};

int validate(const Context& context, const ValidateOptions& options) {
  std::string text;
  Json records = Json::array();
  bool good = true;
  std::unique_ptr<Jq> jq = make_jq();
  for (const std::string& file : options.files) {
    Diagnostics diagnostics({file, read_file(file)});
    load(file, diagnostics, jq.get(), Lints::Yes);
    good = good && diagnostics.ok() && !(options.strict && diagnostics.warnings() > 0);
    if (options.format == "json") {
      for (Json& record : diagnostics.json()) records.push_back(std::move(record));
    } else if (options.format == "github") {
      text += diagnostics.github();
    } else {
      text += diagnostics.text();
      bool clean = diagnostics.all().empty();
      if (!clean || !context.quiet) text += fmt::format("{}: {}\n", file, clean ? "good" : diagnostics.summary());
    }
  }
  if (options.format == "json") text = records.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  print_result(text);
  return good ? 0 : 3;
}

}  // namespace

void add_validate(CLI::App& app, Context& context) {
  auto options = std::make_shared<ValidateOptions>();
  CLI::App* command = app.add_subcommand("validate", "Say everything that is wrong with a workflow");
  command->alias("lint");
  command->add_option("FILE", options->files, "Workflows")->required();
  command->add_flag("--strict", options->strict, "Warnings count as errors");
  command->add_option("--format", options->format, "text, json or github")
      ->check(CLI::IsMember({"text", "json", "github"}));
  command->add_flag_callback(
      "--json", [options] { options->format = "json"; }, "Same as --format json");
  command->callback(
      [&context, options] { context.chosen = [&context, options] { return validate(context, *options); }; });
}

}  // namespace flowrun::cli
