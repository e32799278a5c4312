#include "cli/span_export.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include "cli/render.h"
#include "cli/stop_signals.h"
#include "engine/model/error.h"
#include "engine/run/replay.h"

namespace flowrun::cli {
namespace {

constexpr Duration kLastMoment{2000};  // for what is left when a drive is over
// Of a past run, so many wait at once, and so many fewer have to be there after the time of a request.
constexpr std::size_t kManySpans = 10000, kFewSpans = 500;

/// What is to be told of spans that did not arrive.
std::string trouble_of(const OtlpReport& report, const std::string& where) {
  const auto spans = [](std::size_t count) { return fmt::format("{} span{}", count, count == 1 ? "" : "s"); };
  std::string text;
  if (report.lost > 0)
    text = fmt::format("{} of {} not sent to {}: {}", spans(report.lost), report.lost + report.sent, where,
                       report.trouble.empty() ? "it has not answered in time" : one_line(report.trouble, 300));
  const std::string words = one_line(report.words, 300);
  if (report.refused == 0 && words.empty()) return text;
  if (!text.empty()) text += "; ";
  if (report.refused == 0) return text + fmt::format("{} says: {}", where, words);
  return text + fmt::format("{} refused by {}{}{}", spans(report.refused), where, words.empty() ? "" : ": ", words);
}

/// Gives each span of |run| to |sink|, as one of its drives would.
void past_spans(const Journal& journal, const RunRecord& run, Spans::Sink sink) {
  std::vector<OutlineRow> rows;
  try {
    rows = outline(own_copy(journal, run).workflow);
  } catch (const Error&) {
    // The entries say enough for most.
  }
  Spans spans(rows, std::move(sink));
  for (const Entry& entry : entries(journal, run)) spans.add(entry);
  spans.flush();
}

}  // namespace

OtlpSettings otlp_settings_here() {
  return otlp_settings([](const char* name) { return std::getenv(name); });
}

SpanExport::SpanExport(OtlpSettings settings, const std::vector<OutlineRow>& rows)
    : settings_(std::move(settings)),
      sender_(settings_.target),
      spans_(rows, [this](const Trace& trace, const Span& span) {
        if (trace.sampled()) sender_.add(to_otlp(trace, span));
      }) {}

void SpanExport::earlier(const Entry& entry) {
  spans_.mute(true);
  take(entry);
}

void SpanExport::entry(const Entry& entry) {
  spans_.mute(false);
  take(entry);
}

void SpanExport::take(const Entry& entry) {
  if (!trouble_.empty()) return;
  try {
    spans_.add(entry);
  } catch (const std::exception& error) {
    // Whatever it is: the run goes on.
    trouble_ = error.what();
  }
}

void SpanExport::finish() noexcept {
  if (std::exchange(finished_, true)) return;
  try {
    if (trouble_.empty()) spans_.flush();
    // Who asks for an end now has it.
    const OtlpReport report =
        sender_.finish(kLastMoment, [before = signals_heard()] { return signals_heard() > before; });
    if (trouble_.empty()) trouble_ = trouble_of(report, settings_.shown);
  } catch (const std::exception& error) {
    trouble_ = error.what();
  }
  if (!trouble_.empty()) std::fprintf(stderr, "warning: %s\n", trouble_.c_str());
}

std::unique_ptr<SpanExport> export_spans(const OtlpSettings& settings, const Workflow& workflow, bool quiet) {
  if (!quiet)
    for (const std::string& fault : settings.faults) std::fprintf(stderr, "warning: %s\n", fault.c_str());
  return settings.tracing.recorded ? std::make_unique<SpanExport>(settings, outline(workflow)) : nullptr;
}

std::string otlp_report(const Journal& journal, const RunRecord& run) {
  const OtlpSettings settings = otlp_settings_here();
  std::string text = settings.target.head;
  bool first = true;
  past_spans(journal, run, [&](const Trace& trace, const Span& span) {
    if (!std::exchange(first, false)) text += ',';
    text += to_otlp(trace, span);
  });
  return text + settings.target.tail + "\n";
}

int send_spans(const Journal& journal, const RunRecord& run, bool quiet) {
  const OtlpSettings settings = otlp_settings_here();
  for (const std::string& fault : settings.faults) std::fprintf(stderr, "warning: %s\n", fault.c_str());
  if (settings.target.url.empty())
    throw Error(
        Problem::Usage,
        "--format otlp sends to the URL in OTEL_EXPORTER_OTLP_ENDPOINT, which names none; or write a file: -o FILE");
  OtlpSender sender(settings.target);
  // Here somebody waits for it. Once the collector has had the time of a request for nothing, nobody waits again.
  bool takes = true;
  past_spans(journal, run, [&](const Trace& trace, const Span& span) {
    takes = takes && sender.wait_for_fewer(kManySpans, settings.target.timeout);
    sender.add(to_otlp(trace, span));
  });
  for (std::size_t left = kManySpans; takes && left > 0; left -= std::min(left, kFewSpans))
    takes = sender.wait_for_fewer(left, settings.target.timeout);
  const OtlpReport report = sender.finish(settings.target.timeout);
  if (const std::string trouble = trouble_of(report, settings.shown); !trouble.empty()) {
    std::fprintf(stderr, "error: %s\n", trouble.c_str());
    return kOutputLost;
  }
  if (!quiet) std::fprintf(stderr, "sent %zu spans to %s\n", report.sent, settings.shown.c_str());
  return 0;
}

}  // namespace flowrun::cli
