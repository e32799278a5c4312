// flowrun worker: carries out steps that a Restate server asks for, until it is told to end.
#include <fmt/format.h>
#include <limits.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "cli/runs.h"
#include "cli/stop_signals.h"
#include "engine/run/serve.h"

namespace flowrun::cli {
namespace {

/// Where a server finds who listens at |address|: one for all addresses of this machine stands for its name.
std::string url_of(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  const std::string host = address.substr(0, colon);
  if (host != "0.0.0.0" && host != "[::]") return "http://" + address;
  char name[HOST_NAME_MAX + 1]{};
  gethostname(name, sizeof name - 1);
  return "http://" + std::string(name) + address.substr(colon);
}

int run_worker(const Context& context, ServeOptions options) {
  options.workdir = workdir_option(options.workdir.empty() ? "." : options.workdir);
  options.journal = journal_path(context.journal);
  hear_signals();
  ServeObserver observer;
  observer.asked = signals_heard;
  observer.say = [&](const std::string& line, bool detail) {
    if (detail ? context.verbose > 0 : !context.quiet) std::fprintf(stderr, "%s\n", line.c_str());
  };
  observer.ready = [&](const Serving& serving) {
    if (context.quiet) return;
    for (const Leftover& one : serving.leftovers)
      std::fprintf(stderr, "ended what a worker had left running: %s (process %d, step %s)\n", one.command.c_str(),
                   one.pid, one.step.c_str());
    std::fprintf(stderr,
                 "worker of %s listens at %s\n"
                 "register it:  curl http://127.0.0.1:9070/deployments --json '{\"uri\": \"%s\", "
                 "\"use_http_11\": true}'\n",
                 serving.service.c_str(), serving.address.c_str(), url_of(serving.address).c_str());
  };
  serve(options, observer);
  return 0;
}

}  // namespace

void add_worker(Command& app, Context& context) {
  auto options = std::make_shared<ServeOptions>();
  Command* command = app.add_subcommand("worker", "Carry out steps of runs elsewhere, for a Restate server");
  command->add_option("--listen", options->listen, "Where; port 0 is any that is free")
      ->type_name("ADDRESS:PORT")
      ->shows_default();
  command->add_option("--name", options->pool, "The pool it belongs to, `pool` of a step")->type_name("POOL");
  command->add_option("-j,--jobs", options->jobs, "Processes at once, of all runs together")
      ->range(1, 100000)
      ->envname("FLOWRUN_JOBS")
      ->type_name("N");
  command->add_option("--key", options->keys, "Answer only who has signed with this key: publickeyv1_...")
      ->type_name("KEY")
      ->repeatable();
  command->add_option("--workdir", options->workdir, "What stands for the folder of a run; else where it is started")
      ->type_name("DIR");
  command->callback(
      [&context, options] { context.chosen = [&context, options] { return run_worker(context, *options); }; });
}

}  // namespace flowrun::cli
