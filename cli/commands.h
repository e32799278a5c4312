// One line a subcommand: each adds itself to the app and, when it was chosen, sets what is to be run.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <string>
#include <vector>

namespace flowrun::cli {

/// What holds for every command.
struct Context {
  std::string journal;  ///< --journal
  bool quiet = false;
  int verbose = 0;
  std::string color = "auto";
  bool no_input = false;
  /// The chosen command's work; returns the exit code.
  std::function<int()> chosen;
};

void add_run(CLI::App& app, Context& context);
void add_resume(CLI::App& app, Context& context);
void add_retry(CLI::App& app, Context& context);
void add_validate(CLI::App& app, Context& context);
void add_plan(CLI::App& app, Context& context);
void add_schema(CLI::App& app, Context& context);
void add_eval(CLI::App& app, Context& context);
void add_list(CLI::App& app, Context& context);
void add_signal(CLI::App& app, Context& context);
void add_cancel(CLI::App& app, Context& context);
void add_fork(CLI::App& app, Context& context);
void add_show(CLI::App& app, Context& context);
void add_output(CLI::App& app, Context& context);
void add_logs(CLI::App& app, Context& context);
void add_journal(CLI::App& app, Context& context);
void add_completion(CLI::App& app, Context& context);
void add_version(CLI::App& app, Context& context);

/// `flowrun __complete WORD...`: prints what may stand for the last of |words|, one a line, its meaning behind a tab.
int complete(const CLI::App& app, Context& context, const std::vector<std::string>& words);

}  // namespace flowrun::cli
