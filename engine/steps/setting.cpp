#include "engine/steps/setting.h"

#include <fmt/format.h>

namespace flowrun {
namespace {

std::optional<bool> read(const Json& json, bool) {
  if (json.is_boolean()) return json.get<bool>();
  return std::nullopt;
}
std::optional<std::int64_t> read(const Json& json, std::int64_t) {
  if (json.is_number_integer()) return json.get<std::int64_t>();
  // jq answers in doubles; a whole one is the integer that was meant.
  if (json.is_number_float() && json.get<double>() == static_cast<double>(json.get<std::int64_t>()))
    return json.get<std::int64_t>();
  return std::nullopt;
}
std::optional<double> read(const Json& json, double) {
  if (json.is_number()) return json.get<double>();
  return std::nullopt;
}
std::optional<Duration> read(const Json& json, Duration) {
  if (json.is_string()) return parse_duration(json.get_ref<const std::string&>());
  return std::nullopt;
}

const char* wanted(bool) { return "true or false"; }
const char* wanted(std::int64_t) { return "a whole number"; }
const char* wanted(double) { return "a number"; }
const char* wanted(Duration) { return "a duration such as 30s"; }

}  // namespace

template <typename T>
Fallible<T> resolve(const Setting<T>& setting, const FrameScope& scope, Evaluator& evaluator, T default_value,
                    const char* what) {
  if (setting.value) return *setting.value;
  if (!setting.expression) return default_value;
  Evaluation evaluation = setting.expression->evaluate(scope, evaluator);
  if (!evaluation) return std::move(evaluation.failure());
  const Value& value = *evaluation;
  if (auto typed = read(value.json(), T{})) return *typed;
  return Failure{"expression", fmt::format("{} is {}, but must be {}", what, shortened(value.text(), 80), wanted(T{}))};
}

template Fallible<bool> resolve(const Setting<bool>&, const FrameScope&, Evaluator&, bool, const char*);
template Fallible<std::int64_t> resolve(const Setting<std::int64_t>&, const FrameScope&, Evaluator&, std::int64_t,
                                        const char*);
template Fallible<double> resolve(const Setting<double>&, const FrameScope&, Evaluator&, double, const char*);
template Fallible<Duration> resolve(const Setting<Duration>&, const FrameScope&, Evaluator&, Duration, const char*);

Fallible<bool> resolve_condition(const Setting<bool>& setting, const FrameScope& scope, Evaluator& evaluator) {
  if (setting.value) return *setting.value;
  if (!setting.expression) return true;
  Evaluation evaluation = setting.expression->condition(scope, evaluator);
  if (!evaluation) return std::move(evaluation.failure());
  return evaluation->json().get<bool>();
}

}  // namespace flowrun
