// flowrun signal, approve, reject: what a person or another program has to say to a run. The mail waits for whoever
// drives the run, now or later.
#include <fmt/format.h>

#include <algorithm>

#include "cli/render.h"
#include "cli/runs.h"
#include "engine/journal/typed_command.h"
#include "engine/language/json_schema.h"
#include "engine/model/json_text.h"
#include "engine/run/history.h"

namespace flowrun::cli {
namespace {

struct SignalOptions {
  std::string run, name, step;
  std::string data;
  std::optional<std::string> reject;  ///< why the step fails; nothing: it goes on
};

Json data_of(const std::string& text) {
  if (text.empty()) return Json();
  std::string json = text;
  if (text[0] == '@' && text.size() > 1) json = read_input_file(text.substr(1), "--data");
  if (text == "-") json = read_input_file("-", "--data");
  std::optional<Json> data = json_of(json);
  if (std::string why = data ? "" : why_no_json(json); !why.empty())
    throw Error(Problem::Usage, fmt::format("--data {}: this {}", one_line(text, 60), why));
  if (!data)
    throw Error(Problem::Usage, fmt::format("--data {}: this is no JSON; a text has quotes, for example --data "
                                            "'\"yes\"'",
                                            one_line(text, 60)));
  return std::move(*data);
}

/// A wait whose date is over is decided, though nobody may have driven the run since.
bool is_open(const StepHistory& step) {
  return step.state == State::Waiting &&
         (!step.due || *step.due > std::chrono::floor<Duration>(std::chrono::system_clock::now()));
}

std::vector<const StepHistory*> waiting_steps(const History& history, const std::string& name) {
  std::vector<const StepHistory*> found;
  for (const StepHistory& step : history.steps())
    if (is_open(step) && (name.empty() || step.signal == name)) found.push_back(&step);
  return found;
}

/// Nothing that waits for |name|, or will, is left: no item of a for_each and no step of a file that may run again.
void refuse_decided(const Loaded& loaded, const History& history, const std::string& name, const RunRecord& run) {
  std::size_t decided = 0;
  std::string text;
  for (const StepHistory& step : history.steps()) {
    if (step.signal != name) continue;
    if (is_open(step) || !(is_terminal(step.state) || step.state == State::Waiting)) return;
    if (step.path.find('[') != std::string::npos) return;
    ++decided;
    std::string why = step.failure          ? step.failure->message
                      : step.reason.empty() ? "had its answer"
                                            : "cancelled: " + step.reason;
    text += fmt::format("\n   {}  {}", step.path, step.state == State::Waiting ? "its time is over" : why);
  }
  auto waits = std::count_if(loaded.workflow.signals.begin(), loaded.workflow.signals.end(),
                             [&](const Signal& signal) { return signal.name == name; });
  if (decided == 0 || static_cast<std::size_t>(waits) > decided || !loaded.children.empty()) return;
  throw Error(Problem::Impossible,
              fmt::format("no step of run {} waits for `{}` any more; nothing was sent{}", run.id, name, text));
}

std::string listed(const std::vector<const StepHistory*>& steps) {
  std::string text;
  for (const StepHistory* step : steps)
    text += fmt::format("\n   {}  waits for {}{}", step->path, step->signal,
                        step->what.empty() ? "" : ": " + one_line(step->what, 80));
  return text;
}

/// The signal that is meant: the one that is waited for when none is named.
std::string meant(const SignalOptions& options, const History& history, const RunRecord& run) {
  if (!options.name.empty()) return options.name;
  std::vector<const StepHistory*> waiting = waiting_steps(history, "");
  if (waiting.empty())
    throw Error(Problem::Impossible,
                fmt::format("no step of run {} waits for a signal now; an early one is sent by its name", run.id));
  for (const StepHistory* step : waiting)
    if (step->signal != waiting.front()->signal)
      throw Error(Problem::Impossible,
                  fmt::format("several signals are waited for in run {}; name one:{}", run.id, listed(waiting)));
  return waiting.front()->signal;
}

void check(const Loaded& loaded, const RunRecord& run, const std::string& name, const Json& data, bool rejects) {
  std::vector<std::string> names, errors;
  bool accepted = false;
  for (const Signal& signal : loaded.workflow.signals) {
    names.push_back(signal.name);
    if (signal.name != name) continue;
    std::vector<std::string> against = rejects ? std::vector<std::string>{} : schema_errors(signal.accept, data);
    accepted = accepted || against.empty();
    errors.insert(errors.end(), against.begin(), against.end());
  }
  if (accepted) return;
  if (!errors.empty()) {
    std::string text = fmt::format("`{}` does not accept this data; nothing was sent", name);
    for (const std::string& error : errors) text += "\n   " + error;
    throw Error(Problem::Invalid, "error: " + text);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string near = nearest(name, names), all;
  for (const std::string& one : names) all += (all.empty() ? "" : ", ") + one;
  throw Error(Problem::Impossible, fmt::format("no step of run {} waits for `{}`; {}", run.id, name,
                                               names.empty()   ? "its workflow has no `wait`"
                                               : !near.empty() ? "did you mean `" + near + "`?"
                                                               : "it waits for " + all));
}

int send(const Context& context, const SignalOptions& options) {
  Journal journal(journal_path(context.journal), Journal::Mode::ReadWrite);
  RunRecord run = journal.find(options.run);
  if (run.state == "succeeded" || run.state == "failed" || run.state == "cancelled")
    throw Error(Problem::Impossible,
                fmt::format("run {} has {} already; nobody waits there", run.id, ended_as(run.state)));
  History history = history_of(journal, run);
  std::string name = meant(options, history, run);
  Json data = data_of(options.data);
  Loaded loaded = load_own_copy(journal, run);
  check(loaded, run, name, data, options.reject.has_value());
  refuse_decided(loaded, history, name, run);
  const std::string meant_step = options.step.empty() ? "" : journal_spelling(options.step, history);
  std::vector<const StepHistory*> waiting = waiting_steps(history, name);
  if (!options.step.empty()) {
    bool there =
        std::any_of(waiting.begin(), waiting.end(), [&](const StepHistory* step) { return step->path == meant_step; });
    if (!there && !waiting.empty())
      throw Error(Problem::Impossible, fmt::format("step {} does not wait for `{}` in run {}; these do:{}",
                                                   options.step, name, run.id, listed(waiting)));
  } else if (waiting.size() > 1) {
    throw Error(Problem::Impossible,
                fmt::format("{} steps wait for `{}`; name one with --step:{}", waiting.size(), name, listed(waiting)));
  }
  Json said = Json::object();
  if (!options.step.empty()) said["path"] = meant_step;
  if (options.reject) {
    if (!is_utf8(*options.reject)) throw Error(Problem::Usage, "the reason of the rejection is not UTF-8");
    said["rejected"] = *options.reject;
  } else {
    said["data"] = std::move(data);
  }
  Journal::Mail mail;
  mail.at = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  mail.kind = "signal";
  mail.name = name;
  mail.data = said.dump(-1, ' ', false, Json::error_handler_t::replace);
  mail.sender = sender();
  journal.post(run, mail);
  if (!context.quiet)
    std::fprintf(stderr, "%s sent to run %s%s\n", name.c_str(), run.id.c_str(),
                 run.driver_pid > 0 ? ""
                                    : fmt::format("; nobody drives it now: {} takes it in",
                                                  typed_command({"resume", run.id}, journal.path()))
                                          .c_str());
  return 0;
}

}  // namespace

void add_signal(Command& app, Context& context) {
  auto run_of = [](Command& command, SignalOptions& options) {
    command.add_option("RUN", options.run, "An id, a prefix, its last part, @last, @last:NAME")->required();
    command.add_option("--step", options.step, "The step that is meant, when several wait")->type_name("PATH");
  };
  auto chosen = [&context](Command& command, std::shared_ptr<SignalOptions> options) {
    command.callback([&context, options] { context.chosen = [&context, options] { return send(context, *options); }; });
  };
  auto signal = std::make_shared<SignalOptions>();
  Command* command = app.add_subcommand("signal", "Send a signal to a run that waits for it, or will");
  run_of(*command, *signal);
  command->add_option("NAME", signal->name, "Of the signal, as in `wait: NAME`")->required();
  auto* data = command->add_option("--data", signal->data, "What the step gets")->type_name("JSON|@FILE|-");
  command->add_option("--reject", signal->reject, "The step fails, for this reason")->type_name("WHY")->excludes(data);
  chosen(*command, signal);

  auto approve = std::make_shared<SignalOptions>();
  command = app.add_subcommand("approve", "Let a step that waits go on");
  run_of(*command, *approve);
  command->add_option("NAME", approve->name, "Of the signal; may be left out when one is waited for");
  command->add_option("--data", approve->data, "What the step gets")->type_name("JSON|@FILE|-");
  chosen(*command, approve);

  auto reject = std::make_shared<SignalOptions>();
  command = app.add_subcommand("reject", "Let a step that waits fail");
  run_of(*command, *reject);
  command->add_option("NAME", reject->name, "Of the signal; may be left out when one is waited for");
  command->add_option("-m,--message", reject->reject, "Why")->required()->type_name("WHY");
  chosen(*command, reject);
}

}  // namespace flowrun::cli
