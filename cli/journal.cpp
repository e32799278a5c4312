// flowrun journal show and verify: the completion log in order, and the proof that it is whole.
#include <fmt/format.h>

#include "cli/entry_text.h"
#include "cli/pager.h"
#include "cli/render.h"
#include "cli/runs.h"
#include "cli/source.h"
#include "engine/model/path.h"
#include "engine/run/verify.h"

namespace flowrun::cli {
namespace {

constexpr std::size_t kPrintedAtOnce = 1 << 16;  // bytes that are printed

struct ShowOptions {
  std::string run, on;
  std::int64_t from = 1;
  std::string step;
  bool full = false;
  bool json = false;
};

int show(const Context& context, const ShowOptions& options) {
  const RunSource source(context, options.on, options.run);
  Journal journal(source.path(), Journal::Mode::ReadOnly);
  RunRecord run = find_or_newest(journal, source.run());
  const std::string step = options.step.empty() ? "" : known_step(journal, run, options.step);
  // What stands before it was replayed by that drive; the rest it executed itself.
  std::int64_t drive = journal.newest_drive(run.number);
  bool was_replayed = false;
  if (!options.json) page_output();
  if (!options.json) print_view(fmt::format("{}  {}  {} entries\n", run.id, to_string(run.state), run.last_seq));
  std::string text;
  const auto print = [&] {
    options.json ? print_result(text) : print_view(text);
    text.clear();
  };
  for (const Entry& entry : entries(journal, run, options.from)) {
    if (!step.empty() && !is_below(entry.path, step)) continue;
    const bool replayed = entry.seq < drive;
    if (options.json) {
      Json record = entry_json(entry);
      record["replayed"] = replayed;
      text += record.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    } else {
      if (was_replayed && !replayed) text += "------  replayed up to here, executed from here on\n";
      was_replayed = replayed;
      const EntryLine line = describe(entry, options.full);
      const std::string row = fmt::format("{:>6}  {}  {:<10} {:<24} {}", entry.seq, clock_text(entry.at), line.what,
                                          line.step, line.detail);
      text += row.substr(0, row.find_last_not_of(' ') + 1) + "\n";
    }
    if (text.size() > kPrintedAtOnce) print();
  }
  print();
  return 0;
}

int verify_runs(const Context& context, const std::string& name, bool all, bool json) {
  Journal journal(journal_path(context.journal), Journal::Mode::ReadOnly);
  std::size_t bad = 0;
  auto print = [&](const Verified& found) {
    const RunRecord& run = found.run;
    if (!found.good()) ++bad;
    if (json) {
      Json record{{"run", run.id}, {"good", found.good()}, {"entries", run.last_seq}};
      if (!found.good()) record["error"] = found.wrong;
      print_result(record.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    } else {
      print_view(fmt::format("{}  {}  {}\n", run.id, found.good() ? "good" : "BAD",
                             found.good() ? fmt::format("{} entries", run.last_seq) : found.wrong));
    }
  };
  if (all)
    verify_all(journal, print);
  else
    print(verify(journal, find_or_newest(journal, name)));
  return bad == 0 ? 0 : 9;
}

}  // namespace

void add_journal(Command& app, Context& context) {
  Command* command = app.add_subcommand("journal", "Look into the journal");
  command->require_subcommand();
  auto options = std::make_shared<ShowOptions>();
  Command* shown = command->add_subcommand("show", "What happened, in order");
  shown->add_option("RUN", options->run, "The run; the newest when left out");
  shown->add_option("--from", options->from, "Begin with this entry")->at_least(1)->type_name("SEQ");
  shown->add_option("--step", options->step, "Only this step and what is below it")->type_name("PATH");
  add_server_option(*shown, options->on);
  shown->add_flag("--full", options->full, "Do not cut values");
  shown->add_flag("--json", options->json, "One JSON object a line");
  shown->callback([&context, options] { context.chosen = [&context, options] { return show(context, *options); }; });

  struct Verify {
    std::string run;
    bool all = false, json = false;
  };
  auto which = std::make_shared<Verify>();
  Command* verified = command->add_subcommand("verify", "Recompute every checksum and every decision");
  auto* run = verified->add_option("RUN", which->run, "The run; the newest when left out");
  verified->add_flag("--all", which->all, "All runs")->excludes(run);
  verified->add_flag("--json", which->json, "One JSON object a run");
  verified->callback([&context, which] {
    context.chosen = [&context, which] { return verify_runs(context, which->run, which->all, which->json); };
  });
}

}  // namespace flowrun::cli
