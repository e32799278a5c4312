// flowrun list: runs, newest first.
#include "cli/render.h"
#include "cli/runs.h"
#include "cli/source.h"

namespace flowrun::cli {
namespace {

struct ListOptions {
  Journal::Filter filter;
  std::string state;
  std::string on;
  bool json = false;
};

int list_server(const ListOptions& options) {
  if (!options.state.empty() || !options.filter.name.empty())
    throw Error(Problem::Usage, "--on lists all runs of a server: it knows neither their names nor how they ended");
  const DetachedServer server = DetachedServer::at(options.on, "--on");
  std::string text;
  std::vector<std::vector<std::string>> rows{{"RUN", "STATUS", "STARTED", "NOTE"}};
  for (const ServerRun& run : server.list(options.filter.limit)) {
    if (options.json) {
      const Json json{{"run", run.id},
                      {"invocation", run.invocation},
                      {"status", run.status},
                      {"started_at", timestamp(run.created)},
                      {"trouble", run.trouble}};
      text += json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    } else {
      rows.push_back({run.id, run.status, date_text(run.created), one_line(run.trouble, 60)});
    }
  }
  options.json ? print_result(text) : print_view(table(rows));
  return 0;
}

int list(const Context& context, const ListOptions& options) {
  if (!options.on.empty()) return list_server(options);
  Journal journal(journal_path(context.journal), Journal::Mode::ReadOnly);
  std::string text;
  std::vector<std::vector<std::string>> rows{{"RUN", "STATE", "STARTED", "TOOK", "ENTRIES"}};
  Journal::Filter filter = options.filter;
  filter.state = run_state_from(options.state);
  for (const RunRecord& run : journal.list(filter)) {
    if (options.json) {
      text += run_json(run).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
      continue;
    }
    rows.push_back({run.id, std::string(standing_of(run)), date_text(run.started_at),
                    to_display(until_of(run) - run.started_at), std::to_string(run.last_seq)});
  }
  if (!options.json) {
    if (rows.size() == 1) {
      const bool all = options.state.empty() && options.filter.name.empty();
      std::fprintf(stderr, "no %s in %s\n", all ? "runs" : "such runs", journal.path().c_str());
      return 0;
    }
    text = table(rows);
  }
  options.json ? print_result(text) : print_view(text);
  return 0;
}

}  // namespace

void add_list(Command& app, Context& context) {
  auto options = std::make_shared<ListOptions>();
  Command* command = app.add_subcommand("list", "Runs, newest first");
  command->alias("ls");
  command->add_option("--state", options->state, "Only runs in this state")
      ->one_of({"running", "suspended", "succeeded", "failed", "cancelled"});
  command->add_option("--name", options->filter.name, "Only runs of this workflow");
  add_server_option(*command, options->on);
  command->add_option("-n", options->filter.limit, "At most so many")->range(1, 1000000)->shows_default();
  command->add_flag("--json", options->json, "One JSON object a line");
  command->callback([&context, options] { context.chosen = [&context, options] { return list(context, *options); }; });
}

}  // namespace flowrun::cli
