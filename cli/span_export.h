// The spans of a drive on their way to a collector, made of entries as they are committed. Costs the run nothing: what
// can not be sent is lost, and told of once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/journal/journal.h"
#include "engine/model/entry.h"
#include "engine/run/otlp.h"

namespace flowrun::cli {

/// By the variables of this process.
OtlpSettings otlp_settings_here();

class SpanExport {
 public:
  /// |rows|: the outline of the workflow.
  SpanExport(OtlpSettings settings, const std::vector<OutlineRow>& rows);
  ~SpanExport() { finish(); }
  SpanExport(const SpanExport&) = delete;
  SpanExport& operator=(const SpanExport&) = delete;

  /// Of an earlier drive, which has told it.
  void earlier(const Entry& entry);
  void entry(const Entry& entry);
  /// Sends what is left for a short time, and less when a signal asks for an end; tells what went wrong. Once.
  void finish() noexcept;

 private:
  void take(const Entry& entry);

  const OtlpSettings settings_;
  OtlpSender sender_;
  Spans spans_;
  std::string trouble_;  ///< no more spans are made
  bool finished_ = false;
};

/// By |settings|, whose faults it tells unless |quiet|; null: nothing is to be sent.
std::unique_ptr<SpanExport> export_spans(const OtlpSettings& settings, const Workflow& workflow, bool quiet);

/// |run| of the past as one request of OTLP, in JSON.
std::string otlp_report(const Journal& journal, const RunRecord& run);
/// Sends the spans of |run| to where the variables say; throws Error(Usage) when they do not. Returns the exit code.
int send_spans(const Journal& journal, const RunRecord& run, bool quiet);

}  // namespace flowrun::cli
