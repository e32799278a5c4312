// flowrun: builds the command line, runs the chosen command, turns exceptions into exit codes. Decides nothing else.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "cli/commands.h"
#include "cli/drive.h"
#include "cli/jq_option.h"
#include "cli/manual.h"
#include "cli/pager.h"
#include "cli/render.h"
#include "cli/terminal.h"
#include "engine/journal/typed_command.h"
#include "engine/jq/jq.h"
#include "engine/model/diagnostics.h"
#include "engine/model/error.h"

namespace {

using flowrun::Problem;

// The same table is in flowrun(1), "EXIT STATUS".
int exit_code(Problem problem) {
  switch (problem) {
    case Problem::Usage:
      return 2;
    case Problem::Invalid:
      return 3;
    case Problem::NeedsDecision:
      return 5;
    case Problem::Busy:
      return 6;
    case Problem::Impossible:
      return 8;
    case Problem::Journal:
      return 9;
    case Problem::Internal:
      return 70;
  }
  return 70;
}

void short_help() {
  std::fputs(
      "flowrun runs workflows of HTTP calls and processes, and goes on after a crash.\n\n"
      "  flowrun init              write a first workflow, hello.yaml\n"
      "  flowrun run hello.yaml    run it\n"
      "  flowrun resume @last      go on with a run that was cut off\n\n"
      "flowrun help lists all commands; flowrun COMMAND --help explains one.\n",
      stderr);
}

/// A word that is no command gets the nearest one.
std::string suggestion(const CLI::App& app, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  std::string near = flowrun::nearest(word, names);
  if (!near.empty()) return "; did you mean `" + near + "`?";
  if (access(word.c_str(), F_OK) == 0) return "; to run a file: " + flowrun::typed_command({"run", word});
  return "; flowrun help lists the commands";
}

/// The innermost command that the words named.
template <typename App>
App* innermost(App& app) {
  App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().back();
  return command;
}

/// The words that name |command|, each with a blank before it.
std::string typed_after(const CLI::App& command) {
  std::string words;
  for (const CLI::App* level = &command; level->get_parent(); level = level->get_parent())
    words = " " + level->get_name() + words;
  return words;
}

/// |what|: `NAME is required`. |help|: the command that says more.
std::string missing_argument(const CLI::App& command, const std::string& what, const std::string& help) {
  const std::string name = what.substr(0, what.find(' '));
  const CLI::Option* option = command.get_option_no_throw(name);
  std::string text = name + " is missing";
  if (option) text += ": " + option->get_description();
  return text + "; " + help + " says more";
}

std::string option_suggestion(const CLI::App& app, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::App* level = innermost(app); level; level = level->get_parent())
    for (const CLI::Option* option : level->get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  std::string near = flowrun::nearest(word.substr(0, word.find('=')), names);
  if (!near.empty()) return "; did you mean `" + near + "`?";
  if (innermost(app)->get_name() == "each") return "; options of the program stand behind `--`: flowrun each -- ls -l";
  return "; flowrun help" + typed_after(*innermost(app)) + " lists those there are";
}

/// The help of |command|, with its usage line as it is typed: flowrun journal show [OPTIONS] [RUN].
std::string help_text(const CLI::App& command) {
  std::string typed = command.get_name();
  for (const CLI::App* level = command.get_parent(); level; level = level->get_parent())
    typed = level->get_name() + " " + typed;
  // App::help would answer for the command that was parsed, which may be `help` itself.
  return command.get_formatter()->make_help(&command, typed, CLI::AppFormatMode::Normal);
}

/// The first argument from |i| on that is neither an option, of |app| or around it, nor the value of one; null: there
/// is none.
const char* first_word(const CLI::App& app, int i, int argc, char** argv) {
  for (; i < argc; ++i) {
    if (argv[i][0] != '-') return argv[i];
    const CLI::Option* option = nullptr;
    for (const CLI::App* level = &app; level && !option; level = level->get_parent())
      option = level->get_option_no_throw(argv[i]);
    if (option && option->get_items_expected_max() > 0) ++i;
  }
  return nullptr;
}

/// What is wrong when |command| wants one of its subcommands and has not got it.
std::string subcommand_wanted(const CLI::App& command, int argc, char** argv) {
  int i = 1;
  while (i < argc && argv[i] != command.get_name()) ++i;
  if (const char* word = first_word(command, i + 1, argc, argv))
    return "unknown command `" + command.get_name() + " " + word + "`" + suggestion(command, word);
  std::string names;
  for (const CLI::App* one : command.get_subcommands([](const CLI::App*) { return true; }))
    names += (names.empty() ? "`" : ", `") + command.get_name() + " " + one->get_name() + "`";
  return "`" + command.get_name() + "` is not complete; there are " + names;
}

int usage_error(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  std::string what = error.what();
  const std::string help = "flowrun help" + typed_after(*innermost(app));
  if (what == "A subcommand is required") {
    what = subcommand_wanted(*innermost(app), argc, argv);
  } else if (const auto* extras = dynamic_cast<const CLI::ExtrasError*>(&error);
             extras || what.find("not expected") != std::string::npos) {
    std::string word = what.substr(what.rfind(' ') + 1);
    if (!word.empty() && word[0] == '-') {
      what = "unknown option `" + word + "`" + option_suggestion(app, word);
    } else if (app.get_subcommands().empty()) {
      const char* typed = first_word(app, 1, argc, argv);
      const std::string first = typed ? typed : word;
      what = "unknown command `" + first + "`" + suggestion(app, first);
    } else {
      what = "unexpected argument `" + word + "`; " + help + " shows what it takes";
    }
  } else if (const auto* required = dynamic_cast<const CLI::RequiredError*>(&error)) {
    what = missing_argument(*innermost(app), required->what(), help);
  } else if (const std::size_t count = what.find(": 1 required "); count != std::string::npos) {
    what = what.substr(0, count) + " needs a value; " + help + " says which";
  } else if (const std::size_t other = what.find(" excludes "); other != std::string::npos) {
    what = what.substr(0, other) + " and " + what.substr(other + 10) + " do not go together; choose one";
  }
  std::fprintf(stderr, "error: %s\n", what.c_str());
  return exit_code(Problem::Usage);
}

constexpr const char* kCommandWords = "COMMAND";  // of `each`

/// The name of an option or argument that was given as an empty text. None has a meaning for it, and `show "$RUN"` of a
/// variable that is not set is not to be the newest run.
std::string empty_argument(const CLI::App& app) {
  for (const CLI::App* level = innermost(app); level; level = level->get_parent())
    for (const CLI::Option* option : level->get_options())
      for (const std::string& value : option->results())
        // The arguments of a program of the user's may be anything.
        if (value.empty() && option->get_name() != kCommandWords) return option->get_name();
  return "";
}

/// CLI11 from 2.4 on passes over a variable whose value an option does not take: here it is a mistake everywhere.
void take_variables(CLI::App& app) {
  for (CLI::App* level = innermost(app); level; level = level->get_parent())
    for (CLI::Option* option : level->get_options()) {
      const std::string value =
          option->get_envname().empty() ? "" : flowrun::cli::variable(option->get_envname().c_str());
      if (option->count() > 0 || value.empty()) continue;
      option->add_result(value);
      option->run_callback();
    }
}

/// With --jq a command prints JSON. Throws Error(Usage) when it has none, or prints it while it runs.
void wants_json(CLI::App& command) {
  const std::string& name = command.get_name();
  const auto refuse = [](const std::string& why) { throw flowrun::Error(Problem::Usage, "--jq " + why); };
  const auto given = [&](const char* option) {
    const CLI::Option* found = command.get_option_no_throw(option);
    return found ? found->results() : std::vector<std::string>();
  };
  if (name == "each" || given("--events") == std::vector<std::string>{"-"})
    refuse("is for what is printed at the end; pipe the lines into jq");
  if (const auto format = given("--format"); !format.empty() && format.front() != "json")
    refuse("goes with --format json, not " + format.front());
  if (name == "report" && given("--what-if").empty()) refuse("goes with --what-if here");
  CLI::Option* json = command.get_option_no_throw("--json");
  const bool prints = (json || name == "eval" || name == "schema") && (name == "prune" || given("--dry-run").empty());
  if (!prints) refuse("is for JSON, and `" + name + "` prints none here");
  if (json && json->count() == 0) {
    json->add_result("true");
    json->run_callback();
  }
}

struct Command {
  const char* names;  ///< of one file, with a blank around each
  void (*add)(flowrun::cli::Command&, flowrun::cli::Context&);
};

constexpr Command kCommands[] = {
    {" run ", flowrun::cli::add_run},
    {" each ", flowrun::cli::add_each},
    {" resume ", flowrun::cli::add_resume},
    {" retry ", flowrun::cli::add_retry},
    {" validate lint ", flowrun::cli::add_validate},
    {" test ", flowrun::cli::add_test},
    {" explore ", flowrun::cli::add_explore},
    {" record ", flowrun::cli::add_record},
    {" plan ", flowrun::cli::add_plan},
    {" schema ", flowrun::cli::add_schema},
    {" eval ", flowrun::cli::add_eval},
    {" list ls ", flowrun::cli::add_list},
    {" signal approve reject ", flowrun::cli::add_signal},
    {" cancel undo ", flowrun::cli::add_cancel},
    {" fork ", flowrun::cli::add_fork},
    {" show ", flowrun::cli::add_show},
    {" why ", flowrun::cli::add_why},
    {" diff ", flowrun::cli::add_diff},
    {" watch ", flowrun::cli::add_watch},
    {" output ", flowrun::cli::add_output},
    {" logs ", flowrun::cli::add_logs},
    {" journal ", flowrun::cli::add_journal},
    {" init ", flowrun::cli::add_init},
    {" prune ", flowrun::cli::add_prune},
    {" memo ", flowrun::cli::add_memo},
    {" export ", flowrun::cli::add_export},
    {" import ", flowrun::cli::add_import},
    {" report ", flowrun::cli::add_report},
    {" worker ", flowrun::cli::add_worker},
    {" completion ", flowrun::cli::add_completion},
    {" version ", flowrun::cli::add_version},
};

/// The command that the words seem to be about, when they are right: to make all of them takes as long as `version`.
const Command* named(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "-h") == 0 || std::strcmp(argv[i], "--help") == 0) return nullptr;
    if (argv[i][0] == '-') continue;
    const std::string word = std::string(" ") + argv[i] + " ";
    for (const Command& command : kCommands)
      if (std::strstr(command.names, word.c_str())) return &command;
    return nullptr;
  }
  return nullptr;
}

// Behind the list of all commands.
constexpr const char* kWhereToBegin =
    "To begin: `flowrun init` writes a first workflow and says how to run it; `flowrun init --list` shows others.\n"
    "The manual: man flowrun, man flowrun-workflow (the language), man flowrun-journal (what is remembered).";

/// |only|: the command that is made; null: all of them.
int run(int argc, char** argv, const Command* only) {
  CLI::App app(
      "flowrun runs workflows of HTTP calls and processes, writes every step to a journal, and goes on after a crash.",
      "flowrun");
  flowrun::cli::Context context;
  app.set_version_flag("--version", std::string("flowrun ") + FLOWRUN_VERSION, "Print the version");
  app.set_help_flag("-h,--help", "Print this help");
  flowrun::cli::Command commands(app);
  commands.add_option("--journal", context.journal, "The journal file; see FILES in flowrun(1)")->type_name("FILE");
  commands.add_flag("-q,--quiet", context.quiet, "Only errors on standard error");
  commands.add_flag("-v,--verbose", context.verbose, "Say more");
  commands.add_option("--color", context.color, "Colour: auto, always, never")->one_of({"auto", "always", "never"});
  commands.add_flag("--no-input", context.no_input, "Never ask");
  commands.add_option("--jq", context.jq, "Of the JSON that is printed, what this expression gives")->type_name("EXPR");
  app.fallthrough();
  app.require_subcommand(0, 1);
  for (const Command& command : kCommands)
    if (!only || only == &command) command.add(commands, context);
  app.footer(kWhereToBegin);
  std::vector<std::string> topic;
  flowrun::cli::Command* help = commands.add_subcommand("help", "Help on a command");
  help->add_option("TOPIC", topic,
                   "A command, with the one below it: journal show; or `workflow`, which opens flowrun-workflow(5)");
  help->callback([&] {
    context.chosen = [&] {
      if (topic.size() == 1)
        if (const std::string page = flowrun::cli::manual_page(topic.front()); !page.empty())
          flowrun::cli::open_manual(page);
      const CLI::App* command = &app;
      for (const std::string& word : topic) {
        auto named = command->get_subcommands([&](const CLI::App* one) { return one->check_name(word); });
        if (named.empty())
          throw flowrun::Error(Problem::Usage, "no command `" + word + "`" + suggestion(*command, word));
        command = named.front();
      }
      flowrun::cli::print_result(help_text(*command));
      return 0;
    };
  });

  if (argc > 1 && std::strcmp(argv[1], "__complete") == 0)
    return flowrun::cli::complete(app, context, {argv + 2, argv + argc});
  try {
    app.parse(argc, argv);
    take_variables(app);
  } catch (const CLI::CallForHelp&) {
    flowrun::cli::print_result(help_text(*innermost(app)));
    return 0;
  } catch (const CLI::CallForVersion& version) {
    flowrun::cli::print_result(std::string(version.what()) + "\n");
    return 0;
  } catch (const CLI::ParseError& error) {
    if (only) return run(argc, argv, nullptr);
    return usage_error(app, error, argc, argv);
  }
  if (std::string name = empty_argument(app); !name.empty()) {
    std::fprintf(stderr, "error: %s is empty; say what is meant, or leave it out where it may be\n", name.c_str());
    return exit_code(Problem::Usage);
  }
  if (!context.chosen) {
    short_help();
    return exit_code(Problem::Usage);
  }
  if (!context.jq.empty()) {
    wants_json(*innermost(app));
    flowrun::cli::filter_results([filter = std::make_shared<flowrun::cli::JqOption>(context.jq)](
                                     std::string_view json) { return filter->of(json); });
  }
  return context.chosen();
}

}  // namespace

int main(int argc, char** argv) {
  // The evaluator's child process is this program again; nothing of the command line concerns it.
  if (argc == 4 && std::strcmp(argv[1], "__jq") == 0) return flowrun::serve_jq(std::atoi(argv[2]), std::atoi(argv[3]));
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // a file that may grow no further is a full disk
  // With 0, 1 or 2 closed, the next file that is opened would take its place and be written into. For reading only:
  // what is written to a closed standard output must still fail.
  int lowest = 0;
  while (lowest >= 0 && lowest <= STDERR_FILENO) lowest = open("/dev/null", O_RDONLY);
  if (lowest > STDERR_FILENO) close(lowest);
  flowrun::cli::guard_stderr();
  flowrun::cli::Paging paging;
  try {
    const int code = run(argc, argv, named(argc, argv));
    return paging.finish() ? code : flowrun::cli::kOutputLost;
  } catch (const flowrun::cli::OutputLost& lost) {
    if (paging.in_use()) return paging.finish() ? 0 : flowrun::cli::kOutputLost;  // who reads has seen enough
    std::fprintf(stderr, "error: %s\n", lost.what());
    return flowrun::cli::kOutputLost;
  } catch (const flowrun::Interrupted& stopped) {
    std::fprintf(stderr, "%s\n", stopped.what());
    return flowrun::cli::code_of_signal();
  } catch (const flowrun::Error& error) {
    paging.finish();
    std::fprintf(stderr, "%s%s\n", error.problem() == Problem::Invalid ? "" : "error: ", error.what());
    return exit_code(error.problem());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: internal: %s\n", error.what());
    return 70;
  }
}
