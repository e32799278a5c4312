// One line a subcommand: each adds itself to the app and, when it was chosen, sets what is to be run.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/command_line.h"

namespace flowrun::cli {

/// What holds for every command.
struct Context {
  std::string journal;  ///< --journal
  bool quiet = false;
  int verbose = 0;
  std::string color = "auto";
  bool no_input = false;
  std::string jq;  ///< --jq; empty: not given
  /// The chosen command's work; returns the exit code.
  std::function<int()> chosen;
};

void add_run(Command& app, Context& context);
void add_each(Command& app, Context& context);
void add_resume(Command& app, Context& context);
void add_retry(Command& app, Context& context);
void add_validate(Command& app, Context& context);
void add_test(Command& app, Context& context);
void add_explore(Command& app, Context& context);
void add_record(Command& app, Context& context);
void add_memo(Command& app, Context& context);
void add_plan(Command& app, Context& context);
void add_schema(Command& app, Context& context);
void add_eval(Command& app, Context& context);
void add_list(Command& app, Context& context);
void add_signal(Command& app, Context& context);
void add_cancel(Command& app, Context& context);
void add_fork(Command& app, Context& context);
void add_show(Command& app, Context& context);
void add_why(Command& app, Context& context);
void add_diff(Command& app, Context& context);
void add_watch(Command& app, Context& context);
void add_output(Command& app, Context& context);
void add_logs(Command& app, Context& context);
void add_journal(Command& app, Context& context);
void add_init(Command& app, Context& context);
void add_prune(Command& app, Context& context);
void add_export(Command& app, Context& context);
void add_import(Command& app, Context& context);
void add_report(Command& app, Context& context);
void add_worker(Command& app, Context& context);
void add_completion(Command& app, Context& context);
void add_version(Command& app, Context& context);

/// `flowrun __complete WORD...`: prints what may stand for the last of |words|, one a line, its meaning behind a tab.
int complete(const CLI::App& app, Context& context, const std::vector<std::string>& words);

}  // namespace flowrun::cli
