// Spans as OTLP writes them in JSON, and where they go, by the variables of the OpenTelemetry specification.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/executor/otlp_sender.h"
#include "engine/run/spans.h"
#include "engine/run/trace.h"

namespace flowrun {

/// What the environment says of telemetry.
struct OtlpSettings {
  OtlpTarget target;  ///< without a URL: nothing is sent
  std::string shown;  ///< the URL, as people may see it
  Tracing tracing;    ///< as in TRACEPARENT; recorded when something is sent
  /// What is wrong with the variables; each begins with the name of one, and says what follows.
  std::vector<std::string> faults;
};

/// |variable|: the value of one by its name, or null, as getenv() has it.
OtlpSettings otlp_settings(const std::function<const char*(const char*)>& variable);

/// One span, as an element of `spans`.
std::string to_otlp(const Trace& trace, const Span& span);

}  // namespace flowrun
