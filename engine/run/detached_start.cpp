#include "engine/run/detached_start.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <set>
#include <utility>

#include "engine/journal/typed_command.h"
#include "engine/machine/machine.h"
#include "engine/model/hash.h"
#include "engine/model/random_number.h"
#include "engine/restate/server.h"
#include "engine/run/clocks.h"
#include "engine/run/detached_run.h"
#include "engine/run/export.h"
#include "engine/run/fresh.h"
#include "engine/run/replay.h"
#include "engine/run/step_paths.h"

namespace flowrun {
namespace {

void check_detachable(const Loaded& loaded) {
  if (loaded.workflow.stream)
    throw Error(Problem::Usage, "--detach: the workflow reads its items from standard input, which stays here");
  if (loaded.exclusive)
    throw Error(Problem::Usage, "--detach: `exclusive` is about runs that share a journal; a run on a server has none");
  if (!loaded.secret_outputs.empty())
    throw Error(Problem::Usage, fmt::format("--detach: the output of step `{}` is secret, and a server would keep it "
                                            "on its disk",
                                            loaded.secret_outputs.front()));
  for (const auto& limit : loaded.workflow.limits)
    if (limit->shared)
      throw Error(Problem::Usage, fmt::format("--detach: limit `{}` is shared by runs that share a journal; a run on a "
                                              "server has none",
                                              limit->name));
}

/// Throws when the run that has the id of |input| is another one.
void check_same(const DetachedServer& server, const DetachedInput& input) {
  const std::string& id = input.started.id;
  const DetachedInput before = detached_input_from(server.read(server.find(id), 0).input);
  if (before.text != input.text || before.sources != input.sources)
    throw Error(
        Problem::Impossible,
        fmt::format("run {} was started on the server from another text of the workflow; choose another --id", id));
  if (!(before.started.inputs == input.started.inputs))
    throw Error(Problem::Impossible,
                fmt::format("run {} was started on the server with other inputs; choose another --id", id));
}

}  // namespace

DetachedStarted start_detached(const DetachedServer& server, const Loaded& loaded, ResolvedInputs inputs,
                               const StartOptions& options) {
  check_detachable(loaded);
  std::set<std::string> pools = loaded.pools;
  pools.insert("");  // has the run itself
  restate::check_server(server.place(), pools);
  DetachedInput input;
  input.at = wall_clock();
  input.text = loaded.text;
  input.sources = loaded.sources;
  input.admin = server.place().admin;
  RunStarted& started = input.started;
  started.semantics = Machine::kSemantics;
  started.name = loaded.workflow.name;
  started.id = options.id.empty() ? made_up_id(started.name, input.at) : options.id;
  started.source_hash = hash_name(loaded.text);
  for (const auto& [path, text] : loaded.sources) started.sources[path] = hash_name(text);
  started.seed = random_hex(16);
  started.token = random_hex(16);
  started.inputs = std::move(inputs.inputs);
  started.vars = std::move(inputs.vars);
  started.sub_inputs = std::move(inputs.sub_inputs);
  started.file = loaded.file;
  started.folder = loaded.folder;
  // Below the folder, for which each worker has one of its own.
  started.run_dir = loaded.folder + "/.flowrun/runs/" + started.id;
  started.host = host_identity().host;
  started.cpus = cpu_count();
  started.concurrency = options.concurrency;
  started.via = options.via;
  started.fail_fast = options.fail_fast;
  started.timeout = options.timeout;
  // Workers read them; which are there is not known here.
  for (const SecretSource& source : loaded.secrets) started.secrets.push_back({source.name, "", false});
  started.measured = true;
  started.traceparent = options.tracing.traceparent;
  DetachedStarted result{started.id};
  result.before = !server.start(started.id, to_text(input));
  if (result.before) check_same(server, input);
  return result;
}

SignalSent signal_detached(const DetachedCopy& copy, const SignalOptions& options) {
  const Journal journal(copy.path(), Journal::Mode::ReadOnly);
  const RunRecord run = find_waiting(journal, copy.id());
  const Loaded loaded = own_copy(journal, run);
  const Instant now = wall_clock();
  SignalReceived signal = chosen_signal(options, run, loaded, history_of(journal, run), now);
  signal.by = sender();
  SignalSent sent{run, signal.name};
  copy.server().send(copy.on_server(), mail_text(std::move(signal), now));
  return sent;
}

bool cancel_detached(const DetachedCopy& copy, CancelRequested request) {
  const Journal journal(copy.path(), Journal::Mode::ReadOnly);
  if (has_ended(journal.find(copy.id()).state)) return false;
  request.by = sender();
  copy.server().send(copy.on_server(), mail_text(std::move(request), wall_clock()));
  return true;
}

Imported import_detached(Journal& journal, const DetachedCopy& copy, const std::function<bool()>& stop) {
  const Journal from(copy.path(), Journal::Mode::ReadOnly);
  const bool ended = has_ended(from.find(copy.id()).state);
  if (!ended && !copy.goes_on())
    throw Error(
        Problem::Impossible,
        fmt::format("run {} was ended on the server before it came to its end, so there is nothing to import: {}",
                    copy.id(), copy.trouble()));
  if (!ended)
    throw Error(Problem::Impossible,
                fmt::format("run {} has not ended; until then the server goes on with it, and it can not be imported",
                            copy.id()));
  const std::string file = copy.path() + ".archive";
  const int made = open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (made < 0) throw Error(Problem::Journal, fmt::format("{} can not be written", file));
  close(made);
  export_run(from, copy.id(), file, stop);
  const int input = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (input < 0) throw Error(Problem::Journal, fmt::format("{} can not be read", file));
  try {
    Imported imported = import_run(journal, input, "run " + copy.id(), stop);
    close(input);
    return imported;
  } catch (...) {
    close(input);
    throw;
  }
}

}  // namespace flowrun
