#include "engine/run/trace.h"

#include <fmt/format.h>

#include <algorithm>

namespace flowrun {
namespace {

constexpr std::size_t kTraceDigits = 32, kSpanDigits = 16;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// An id of |digits|, which may not be zero.
bool is_id(std::string_view text, std::size_t digits) {
  return text.size() == digits && is_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

std::string without_dashes(std::string uuid) {
  std::erase(uuid, '-');
  return uuid;
}

}  // namespace

std::optional<TraceParent> trace_parent(std::string_view text) {
  // VERSION-TRACE-SPAN-FLAGS. Later versions may say more behind the flags.
  constexpr std::size_t kSize = 2 + 1 + kTraceDigits + 1 + kSpanDigits + 1 + 2;
  if (text.size() < kSize || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  const std::string_view version = text.substr(0, 2), flags = text.substr(53, 2);
  if (!is_hex(version) || version == "ff" || !is_hex(flags)) return std::nullopt;
  if (text.size() > kSize && (version == "00" || text[kSize] != '-')) return std::nullopt;
  TraceParent parent{std::string(text.substr(3, kTraceDigits)), std::string(text.substr(36, kSpanDigits))};
  if (!is_id(parent.trace, kTraceDigits) || !is_id(parent.span, kSpanDigits)) return std::nullopt;
  const char last = flags[1];
  parent.sampled = ((last <= '9' ? last - '0' : last - 'a' + 10) & 1) != 0;
  return parent;
}

std::string as_version_00(std::string_view text) { return "00" + std::string(text.substr(2, 53)); }

Trace::Trace(const RunStarted& run) : chance_(run.seed), id_(without_dashes(chance_.uuid("trace"))) {
  const std::optional<TraceParent> parent = trace_parent(run.traceparent);
  if (!parent) return;
  inherited_ = as_version_00(run.traceparent);
  id_ = parent->trace;
  parent_ = parent->span;
  sampled_ = parent->sampled;
}

std::string Trace::span(std::string_view what, std::string_view path, std::int64_t number, std::int64_t seq) const {
  // A UUID's first half has its version in it, so it is never zero.
  return without_dashes(chance_.uuid(fmt::format("span {} {} {} {}", what, seq, number, path))).substr(0, kSpanDigits);
}

std::string Trace::run_span(std::int64_t seq) const { return span("run", "", 0, seq); }

std::string Trace::step_span(std::string_view path, std::int64_t seq) const { return span("step", path, 0, seq); }

std::string Trace::attempt_span(std::string_view path, int attempt, std::int64_t seq) const {
  return span("attempt", path, attempt, seq);
}

std::string Trace::traceparent(const Tracing& tracing, const Task& task, std::int64_t seq) const {
  if (tracing.recorded && sampled_) return fmt::format("00-{}-{}-01", id_, attempt_span(task.path, task.attempt, seq));
  return inherited_.empty() ? tracing.traceparent : inherited_;
}

}  // namespace flowrun
