// flowrun memo: the results of earlier runs that steps with `memo` may take.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/drive.h"
#include "cli/render.h"
#include "cli/runs.h"
#include "engine/run/clocks.h"
#include "engine/run/memo_list.h"

namespace flowrun::cli {
namespace {

std::string left_of(const MemoRow& row, Instant now) {
  const Duration left = row.at_most - std::max(Duration{0}, now - row.at);
  return left < Duration{0} ? "too old" : to_display(left);
}

int list_memo(const Context& context, bool json) {
  const Journal journal(journal_path(context.journal), Journal::Mode::ReadOnly);
  const Instant now = wall_clock();
  std::string text;
  std::vector<std::vector<std::string>> rows{{"STEP", "WORKFLOW", "RUN", "KEPT", "GOOD FOR", "FILES"}};
  for (const MemoRow& row : memo_rows(journal)) {
    if (json) {
      const Json one{
          {"step", row.step},     {"workflow", row.workflow},      {"run", row.run},     {"seq", row.seq},
          {"key", row.key},       {"at", timestamp(row.at)},       {"input", row.input}, {"reads", row.reads},
          {"writes", row.writes}, {"memo_ms", row.at_most.count()}};
      text += one.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    } else {
      rows.push_back({row.step, row.workflow, row.run, date_text(row.at), left_of(row, now),
                      row.writes.empty() ? "" : fmt::format("{}, {}", row.writes.size(), bytes_text(row.bytes))});
    }
  }
  if (!json && rows.size() == 1) {
    std::fprintf(stderr, "no results are kept beside %s\n", journal.path().c_str());
    return 0;
  }
  json ? print_result(text) : print_view(table(rows));
  return 0;
}

struct ClearFlags {
  MemoChoice choice;
  std::string older;
  bool all = false;
};

int clear(const Context& context, const ClearFlags& flags) {
  MemoChoice choice = flags.choice;
  if (!flags.older.empty()) choice.older = duration_option(flags.older, "--older");
  if (choice.steps.empty() && !choice.older && !flags.all)
    throw Error(Problem::Usage, "which results? name steps, or say --older 7d or --all");
  if (flags.all && (!choice.steps.empty() || choice.older))
    throw Error(Problem::Usage, "--all: all results go; leave the others out");
  const Journal journal(journal_path(context.journal), Journal::Mode::ReadOnly);
  const MemoCleared cleared = clear_memo(journal, choice, wall_clock());
  if (cleared.results == 0 && !choice.steps.empty() && !choice.older)
    throw Error(Problem::Impossible, fmt::format("no result is kept of {}; `flowrun memo list` shows those there are",
                                                 fmt::join(choice.steps, ", ")));
  if (!context.quiet)
    std::fprintf(stderr, "%zu %s removed%s\n", cleared.results, cleared.results == 1 ? "result" : "results",
                 cleared.bytes > 0 ? fmt::format(", and {} of files", bytes_text(cleared.bytes)).c_str() : "");
  return 0;
}

}  // namespace

void add_memo(Command& app, Context& context) {
  Command* command = app.add_subcommand("memo", "Results that steps with `memo` may take");
  command->require_subcommand();
  auto json = std::make_shared<bool>(false);
  Command* listed = command->add_subcommand("list", "Which there are, newest first");
  listed->add_flag("--json", *json, "One JSON object a line");
  listed->callback([&context, json] { context.chosen = [&context, json] { return list_memo(context, *json); }; });

  auto flags = std::make_shared<ClearFlags>();
  Command* cleared = command->add_subcommand("clear", "Remove some, with their files");
  cleared->add_option("STEP", flags->choice.steps, "Of these steps; * and ? stand for any text and any character");
  cleared->add_option("--older", flags->older, "That are older")->type_name("D");
  cleared->add_flag("--all", flags->all, "All of them");
  cleared->callback([&context, flags] { context.chosen = [&context, flags] { return clear(context, *flags); }; });
}

}  // namespace flowrun::cli
