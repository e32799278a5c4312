#include "cli/runs.h"

#include <fmt/format.h>

#include <filesystem>
#include <iostream>
#include <iterator>

#include "engine/journal/typed_command.h"
#include "engine/model/diagnostics.h"

namespace flowrun::cli {

Loaded load_or_throw(const std::string& file, Jq& jq, bool quiet, const char* consequence) {
  Diagnostics diagnostics({shown_file(file), read_file(file)});
  std::optional<Loaded> loaded = load(file, diagnostics, &jq, quiet ? Lints::No : Lints::Yes);
  if (!loaded || !diagnostics.ok()) {
    throw Error(Problem::Invalid,
                fmt::format("{}{}: {}{}", diagnostics.text(), shown_file(file), diagnostics.summary(), consequence));
  }
  if (diagnostics.warnings() > 0 && !quiet)
    std::fprintf(stderr, "%zu %s: %s tells\n", diagnostics.warnings(),
                 diagnostics.warnings() == 1 ? "warning" : "warnings", typed_command({"validate", file}).c_str());
  return std::move(*loaded);
}

Loaded load_text_or_throw(const std::string& text, Jq& jq) {
  Diagnostics diagnostics({"the workflow of these options", text});
  std::optional<Loaded> loaded = load("", diagnostics, &jq);
  if (!loaded || !diagnostics.ok())
    throw Error(Problem::Invalid, diagnostics.text() + "--print shows that workflow; nothing was started");
  std::error_code error;
  loaded->folder = std::filesystem::current_path(error).string();
  return std::move(*loaded);
}

OnCrash on_crash_option(const std::string& text) {
  if (text == "rerun") return OnCrash::Rerun;
  if (text == "fail") return OnCrash::Fail;
  return OnCrash::Default;
}

void add_jobs_option(Command& command, int& jobs) {
  command.add_option("-j,--jobs", jobs, "Processes at once, from here to the end of this drive")
      ->range(1, 100000)
      ->type_name("N");
}

void add_workdir_option(Command& command, std::string& workdir) {
  command.add_option("--workdir", workdir, "Where processes run, when the old folder is gone")->type_name("DIR");
}

std::string workdir_option(const std::string& text) {
  if (text.empty()) return "";
  std::error_code error;
  const auto folder = std::filesystem::canonical(text, error);
  if (!error && !std::filesystem::is_directory(folder, error)) error = std::make_error_code(std::errc::not_a_directory);
  if (error) throw Error(Problem::Usage, fmt::format("--workdir {}: {}", text, error.message()));
  return folder.string();
}

std::string read_input_file(const std::string& name, const std::string& option) {
  if (name == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  return read_given_file(name, option);
}

RunRecord find_or_newest(const Journal& journal, const std::string& run) {
  return journal.find(run.empty() ? "@last" : run);
}

}  // namespace flowrun::cli
