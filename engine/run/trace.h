// The place of a run in a distributed trace, as W3C Trace Context writes it: ids that follow from the run's seed, so
// that every drive, and a report years later, tells of one trace. Knows no clock and no environment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/machine/chance.h"
#include "engine/model/decision.h"
#include "engine/model/event.h"

namespace flowrun {

/// What a drive knows of the trace around it.
struct Tracing {
  bool recorded = false;    ///< spans of this drive are told to somebody
  std::string traceparent;  ///< of who started this process; empty: nobody says
};

/// The header `traceparent` (W3C Trace Context, 3.2) in its parts, which are lower case hexadecimal digits.
struct TraceParent {
  std::string trace;  ///< 32 digits
  std::string span;   ///< 16
  bool sampled = true;
};
/// Nothing: |text| is none.
std::optional<TraceParent> trace_parent(std::string_view text);
/// What version 00 has of |text|, a trace parent of any version, as whoever does not know a later one hands it on.
std::string as_version_00(std::string_view text);

/// The ids of one run. Each follows from the seed and what it is for, so none is ever kept.
class Trace {
 public:
  /// Throws Corruption for a seed that is none.
  explicit Trace(const RunStarted& run);

  /// 32 digits: that of who started the run, or the run's own.
  const std::string& id() const { return id_; }
  /// The span from which the run was started; empty: none.
  const std::string& parent() const { return parent_; }
  /// Whether who started the run wants its spans to be told.
  bool sampled() const { return sampled_; }

  /// Ids of spans, 16 digits. |seq|: of the entry with which it began: a step may begin again, an attempt be repeated.
  std::string run_span(std::int64_t seq) const;
  std::string step_span(std::string_view path, std::int64_t seq) const;
  std::string attempt_span(std::string_view path, int attempt, std::int64_t seq) const;
  /// What the other side of an attempt is told. Of a trace that nobody is told spans of, the span is the one that was
  /// inherited: so those of the other side still have a parent. Empty: there is no trace.
  std::string traceparent(const Tracing& tracing, const Task& task, std::int64_t seq) const;

 private:
  std::string span(std::string_view what, std::string_view path, std::int64_t number, std::int64_t seq) const;

  Chance chance_;
  std::string inherited_, id_, parent_;
  bool sampled_ = true;
};

}  // namespace flowrun
