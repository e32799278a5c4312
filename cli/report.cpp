// flowrun report: a run as a file for other programs, or for people in CI.
#include "cli/report.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

#include "cli/draft.h"
#include "cli/render.h"
#include "cli/report/reports.h"
#include "cli/runs.h"
#include "cli/span_export.h"
#include "engine/executor/named_file.h"

namespace flowrun::cli {
namespace {

struct Format {
  const char* name;
  std::string (*report)(const Journal& journal, const RunRecord& run);
};

template <std::string (*report)(const PastRun& run)>
std::string of_past_run(const Journal& journal, const RunRecord& run) {
  return report(past_run(journal, run));
}

constexpr std::array kFormats = {
    Format{"html", html_report},
    Format{"junit", of_past_run<junit_report>},
    Format{"markdown", of_past_run<markdown_report>},
    Format{"mermaid", of_past_run<mermaid_report>},
    Format{"otlp", otlp_report},
    Format{"perfetto", of_past_run<perfetto_report>},
};

struct ReportOptions {
  std::string run, format, file;
  std::vector<std::string> what_ifs;
  bool json = false;
};

int report(const Context& context, ReportOptions options) {
  const bool compares = !options.what_ifs.empty();
  if (options.json && !compares) throw Error(Problem::Usage, "--json goes with --what-if");
  if (compares && options.file.ends_with(".html"))
    throw Error(Problem::Usage, "--what-if makes a table, no page; -o with another name takes it");
  if (options.format.empty() && options.file.ends_with(".html")) options.format = "html";
  if (options.format.empty() && !compares)
    throw Error(Problem::Usage, fmt::format("which format? say --format with one of {}, or -o FILE.html",
                                            fmt::join(report_formats(), ", ")));
  Journal journal(journal_path(context.journal), Journal::Mode::ReadOnly);
  const RunRecord run = find_or_newest(journal, options.run);
  if (options.format == "otlp" && options.file.empty()) return send_spans(journal, run, context.quiet);
  const std::string text =
      compares ? what_if_report(journal, run, options.what_ifs, options.json) : report_of(journal, run, options.format);
  if (options.file.empty() || options.file == "-") {
    compares && !options.json ? print_view(text) : print_result(text);
  } else {
    write_report(options.file, text);
    if (!context.quiet) std::fprintf(stderr, "wrote %s\n", options.file.c_str());
  }
  return 0;
}

}  // namespace

std::vector<std::string> report_formats() {
  std::vector<std::string> names;
  for (const Format& format : kFormats) names.emplace_back(format.name);
  return names;
}

std::string report_of(const Journal& journal, const RunRecord& run, const std::string& format) {
  for (const Format& one : kFormats)
    if (format == one.name) return one.report(journal, run);
  throw Error(Problem::Usage, fmt::format("{} is no format of a report", format));
}

void write_report(const std::string& file, const std::string& text) {
  if (is_written_through(file)) return write_through(file, text);
  Draft draft(file, std::nullopt);
  if (!write_all(draft.descriptor(), text)) can_not_be_written(file, errno);
  draft.finish();
}

void append_report(const std::string& file, const std::string& text) {
  const int out = open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (out < 0) can_not_be_written(file, errno);
  const int why = write_all(out, text) ? 0 : errno;
  close(out);
  if (why != 0) can_not_be_written(file, why);
}

void add_report(Command& app, Context& context) {
  auto options = std::make_shared<ReportOptions>();
  Command* command = app.add_subcommand("report", "A run as a file: for CI, or as a picture of its time");
  command->add_option("RUN", options->run, "The run; the newest when left out");
  Option* format = command->add_option("--format", options->format,
                                       "html, junit, markdown, mermaid, otlp or perfetto; html for a FILE.html");
  format->one_of(report_formats());
  command->add_option("-o,--output", options->file, "Where to; standard output when left out, a collector for otlp")
      ->type_name("FILE");
  command
      ->add_option("--what-if", options->what_ifs,
                   "How long it would take: jobs=N, concurrency=N, limit.NAME=N, scale.STEP=FACTOR; runs nothing")
      ->repeatable()
      ->excludes(format)
      ->type_name("SETTINGS");
  command->add_flag("--json", options->json, "With --what-if: one JSON object a line");
  command->callback(
      [&context, options] { context.chosen = [&context, options] { return report(context, *options); }; });
}

}  // namespace flowrun::cli
