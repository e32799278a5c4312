// flowrun eval: tries an expression, over the data of a run, over a file's inputs, or over nothing.
#include <fmt/format.h>
#include <unistd.h>

#include <set>

#include "cli/inputs.h"
#include "cli/render.h"
#include "cli/runs.h"
#include "cli/terminal.h"
#include "engine/journal/typed_command.h"
#include "engine/run/view.h"

namespace flowrun::cli {
namespace {

struct EvalOptions {
  std::string expression;
  std::string file, run, step;
  InputOptions inputs;
};

/// Neither a run nor a file.
class Nowhere : public Scope {
 public:
  Fallible<Value> lookup(const Reference& reference) const override {
    static const std::set<std::string> kGiven{".",     "input",  "vars",  "secrets", "run",   "now",
                                              "steps", "status", "error", "item",    "index", "key"};
    std::string name = reference.variable == "." ? "`.`" : "$" + reference.variable;
    return Failure{"expression",
                   name + (kGiven.count(reference.variable) > 0
                               ? " is not known here; -f FILE or --run RUN give values"
                               : " is not known; there are $input, $vars, $steps, $status, $run and $now")};
  }
};

std::string_view without_blanks(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\n"), last = text.find_last_not_of(" \t\n");
  return first == std::string_view::npos ? std::string_view() : text.substr(first, last - first + 1);
}

/// As written in a file, `${ EXPR }` is meant without its braces.
std::string_view without_braces(std::string_view text) {
  const std::string_view inner = without_blanks(text);
  if (inner.size() < 3 || inner.substr(0, 2) != "${" || inner.back() != '}') return inner;
  return without_blanks(inner.substr(2, inner.size() - 3));
}

/// The place of a failure is the whole expression, which stands first where it is all there is.
std::string placed(const std::string& message, const std::string& expression) {
  const std::string code = shortened(without_braces(expression), 120), tail = " in `" + code + "`";
  if (!message.ends_with(tail)) return message;
  return fmt::format("`{}`: {}", code, message.substr(0, message.size() - tail.size()));
}

int print(const Evaluation& evaluation, const EvalOptions& options) {
  if (const auto* failure = std::get_if<Failure>(&evaluation)) {
    std::fprintf(stderr, "error: %s\n", placed(failure->message, options.expression).c_str());
    // Of "$input.x" in double quotes a shell leaves `.x`, which looks at nothing.
    if (options.expression.find('$') == std::string::npos && failure->message.starts_with("`.` is not known"))
      std::fprintf(stderr, "   a shell replaces $NAME in double quotes: write '$input.x' in single quotes\n");
    return 1;
  }
  const Json& json = std::get<Value>(evaluation).json();
  print_result(json.dump(stdout_is_terminal() ? 2 : -1, ' ', false, Json::error_handler_t::replace) + "\n");
  return 0;
}

int eval(const Context& context, const EvalOptions& options) {
  if (!options.step.empty() && options.run.empty())
    throw Error(Problem::Usage, "--step is of a run: --run RUN, or --run @last for the newest");
  if (options.inputs.given() && options.file.empty())
    throw Error(Problem::Usage, "-i and --inputs are for a workflow: -f FILE");
  std::string_view code = without_braces(options.expression);
  if (code.empty()) throw Error(Problem::Usage, "the expression is empty; for example flowrun eval '1 + 1'");
  Diagnostics diagnostics({"EXPR", std::string(code)});
  // With a blank before it `length` is an expression; `${length}` in a file is taken for the shell's.
  Expression expression = Expression::compile(" " + std::string(code), {1, 0}, diagnostics);
  if (!diagnostics.ok()) {
    std::fputs(diagnostics.text().c_str(), stderr);
    return 1;
  }
  std::unique_ptr<Jq> jq = make_jq();
  if (!options.run.empty()) {
    Journal journal(journal_path(context.journal), Journal::Mode::ReadOnly);
    RunRecord run = find_or_newest(journal, options.run);
    Loaded loaded = own_copy(journal, run, true);
    History history = history_of(journal, run);
    std::string step = journal_spelling(options.step, history);
    if (!step.empty() && !history.find(step))
      throw Error(Problem::Impossible, no_such_step(options.step, run.id, paths_of(journal, run), journal.path()));
    RunView view(journal, run, loaded, history, *jq, step);
    return print(evaluate(expression, view, *jq), options);
  }
  if (options.file.empty()) return print(evaluate(expression, Nowhere(), *jq), options);
  Loaded loaded = load_or_throw(options.file, *jq, context.quiet, "");
  GivenInputs given = given_inputs(options.inputs);
  given.some = true;
  FileView view(loaded, resolved_inputs(loaded, given, *jq));
  return print(evaluate(expression, view, *jq), options);
}

}  // namespace

void add_eval(Command& app, Context& context) {
  auto options = std::make_shared<EvalOptions>();
  Command* command = app.add_subcommand("eval", "Try an expression, with the data of a run or a file");
  command->add_option("EXPR", options->expression, "The expression, in single quotes")->required();
  auto* file = command->add_option("-f,--file", options->file, "With the inputs and vars of this workflow");
  file->type_name("FILE");
  command->add_option("--run", options->run, "With the data of this run")->type_name("RUN")->excludes(file);
  command->add_option("--step", options->step, "What this step of the run saw, its result as `.`")->type_name("PATH");
  add_input_options(*command, options->inputs);
  command->callback([&context, options] { context.chosen = [&context, options] { return eval(context, *options); }; });
}

}  // namespace flowrun::cli
