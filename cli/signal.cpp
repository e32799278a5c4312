// flowrun signal, approve, reject: what a person or another program has to say to a run. The mail waits for whoever
// drives the run, now or later.
#include <fmt/format.h>

#include "cli/runs.h"
#include "cli/source.h"
#include "engine/journal/typed_command.h"
#include "engine/model/json_text.h"
#include "engine/run/control.h"
#include "engine/run/detached_start.h"

namespace flowrun::cli {
namespace {

struct SignalCommand {
  std::string run, on;
  std::string data;  ///< JSON, @FILE or -
  SignalOptions options;
};

Json data_of(const std::string& text) {
  if (text.empty()) return Json();
  std::string json = text;
  if (text[0] == '@' && text.size() > 1) json = read_input_file(text.substr(1), "--data");
  if (text == "-") json = read_input_file("-", "--data");
  if (json.empty()) throw Error(Problem::Usage, fmt::format("--data {}: it is empty; write null for no value", text));
  std::optional<Json> data = json_of(json);
  if (std::string why = data ? "" : why_no_json(json); !why.empty())
    throw Error(Problem::Usage, fmt::format("--data {}: this {}", one_line(text, 60), why));
  if (!data)
    throw Error(Problem::Usage, fmt::format("--data {}: this is no JSON; a text has quotes, for example --data "
                                            "'\"yes\"'",
                                            one_line(text, 60)));
  return std::move(*data);
}

int run_signal(const Context& context, SignalCommand& command) {
  const RunSource source(context, command.on, command.run);
  Journal journal(source.path(), Journal::Mode::ReadWrite);
  find_waiting(journal, source.run());  // before anything is read
  command.options.data = data_of(command.data);
  if (command.options.rejected && !is_utf8(*command.options.rejected))
    throw Error(Problem::Usage, "the reason of the rejection is not UTF-8");
  const auto [run, name] = source.copy() ? signal_detached(*source.copy(), command.options)
                                         : send_signal(journal, source.run(), command.options);
  if (!context.quiet)
    std::fprintf(stderr, "%s sent to run %s%s\n", name.c_str(), run.id.c_str(),
                 run.driver_pid > 0 || source.copy() ? ""
                                                     : fmt::format("; nobody drives it now: {} takes it in",
                                                                   typed_command({"resume", run.id}, journal.path()))
                                                           .c_str());
  return 0;
}

}  // namespace

void add_signal(Command& app, Context& context) {
  auto run_of = [](Command& command, SignalCommand& options) {
    command.add_option("RUN", options.run, "An id, a prefix, its last part, @last, @last:NAME")->required();
    command.add_option("--step", options.options.step, "The step that is meant, when several wait")->type_name("PATH");
    add_server_option(command, options.on);
  };
  auto chosen = [&context](Command& command, std::shared_ptr<SignalCommand> options) {
    command.callback(
        [&context, options] { context.chosen = [&context, options] { return run_signal(context, *options); }; });
  };
  auto signal = std::make_shared<SignalCommand>();
  Command* command = app.add_subcommand("signal", "Send a signal to a run that waits for it, or will");
  run_of(*command, *signal);
  command->add_option("NAME", signal->options.name, "Of the signal, as in `wait: NAME`")->required();
  auto* data = command->add_option("--data", signal->data, "What the step gets")->type_name("JSON|@FILE|-");
  command->add_option("--reject", signal->options.rejected, "The step fails, for this reason")
      ->type_name("WHY")
      ->excludes(data);
  chosen(*command, signal);

  auto approve = std::make_shared<SignalCommand>();
  command = app.add_subcommand("approve", "Let a step that waits go on");
  run_of(*command, *approve);
  command->add_option("NAME", approve->options.name, "Of the signal; may be left out when one is waited for");
  command->add_option("--data", approve->data, "What the step gets")->type_name("JSON|@FILE|-");
  chosen(*command, approve);

  auto reject = std::make_shared<SignalCommand>();
  command = app.add_subcommand("reject", "Let a step that waits fail");
  run_of(*command, *reject);
  command->add_option("NAME", reject->options.name, "Of the signal; may be left out when one is waited for");
  command->add_option("-m,--message", reject->options.rejected, "Why")->required()->type_name("WHY");
  chosen(*command, reject);
}

}  // namespace flowrun::cli
