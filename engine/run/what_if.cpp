#include "engine/run/what_if.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "engine/model/diagnostics.h"
#include "engine/model/error.h"
#include "engine/model/path.h"
#include "engine/reader/rate.h"
#include "engine/run/step_paths.h"
#include "engine/steps/outline.h"

namespace flowrun {
namespace {

constexpr int kMostAtOnce = 100000;  // as of -j
constexpr double kLargestFactor = 1e6;
/// So many attempts of such a length, one behind the other, are still counted.
constexpr Duration kCentury = std::chrono::hours(24 * 365 * 100);

[[noreturn]] void refuse(const std::string& setting, const std::string& why) {
  throw Error(Problem::Usage, fmt::format("--what-if {}: {}", setting, why));
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& known) {
  const std::string near = nearest(word, known);
  return near.empty() ? "" : fmt::format("; did you mean `{}`?", near);
}

/// |text| at its commas, but for those of keys: `map[a,b]`.
std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts{""};
  int depth = 0;
  for (const char c : text) {
    if (c == '[') ++depth;
    if (c == ']' && depth > 0) --depth;
    if (c == ',' && depth == 0)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

template <typename Number>
std::optional<Number> whole_number(const std::string& text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

int count_of(const std::string& setting, const std::string& value) {
  const std::optional<int> number = whole_number<int>(value);
  if (!number || *number < 1 || *number > kMostAtOnce)
    refuse(setting, fmt::format("write a number from 1 to {}", kMostAtOnce));
  return *number;
}

double factor_from(const std::string& setting, const std::string& value) {
  const std::optional<double> number = whole_number<double>(value);
  if (!number || !std::isfinite(*number) || *number < 0 || *number > kLargestFactor)
    refuse(setting, "write a factor, for example 0.5 for twice as fast, 0 for at once");
  return *number;
}

void read_setting(WhatIf& what_if, const std::string& setting) {
  static const std::vector<std::string> kNames{"jobs", "concurrency", "limit", "scale"};
  // The value has no `=`, a key of an item may.
  const std::size_t equals = setting.rfind('=');
  const std::string name = setting.substr(0, equals),
                    value = equals == std::string::npos ? "" : setting.substr(equals + 1);
  const std::size_t dot = name.find('.');
  const std::string first = name.substr(0, dot), rest = dot == std::string::npos ? "" : name.substr(dot + 1);
  if (std::find(kNames.begin(), kNames.end(), first) == kNames.end())
    refuse(setting, "the settings are jobs=N, concurrency=N, limit.NAME=N, limit.NAME.rate=N/s and scale.STEP=FACTOR" +
                        did_you_mean(first, kNames));
  const bool named = first == "limit" || first == "scale";
  if (named && rest.empty()) refuse(setting, first == "limit" ? "write limit.NAME=N" : "write scale.STEP=FACTOR");
  if (!named && dot != std::string::npos) refuse(setting, fmt::format("write {}=N", first));
  if (equals == std::string::npos)
    refuse(setting, fmt::format("it has no value; write for example {}={}", name, first == "scale" ? "0.5" : "16"));
  if (first == "jobs" || first == "concurrency") {
    int& count = first == "jobs" ? what_if.jobs : what_if.concurrency;
    if (count > 0) refuse(setting, first + " is said twice");
    count = count_of(setting, value);
  } else if (first == "scale") {
    what_if.scales.push_back({rest, factor_from(setting, value)});
  } else if (constexpr std::string_view kRate = ".rate"; rest.size() > kRate.size() && rest.ends_with(kRate)) {
    WhatIf::LimitChange change{rest.substr(0, rest.size() - kRate.size())};
    if (!parse_rate(value, change.rate)) refuse(setting, "write starts in a second, a minute or an hour: 50/s, 300/m");
    what_if.limits.push_back(std::move(change));
  } else {
    what_if.limits.push_back({rest, static_cast<std::size_t>(count_of(setting, value))});
  }
}

}  // namespace

WhatIf what_if_from(const std::string& text) {
  WhatIf what_if;
  what_if.text = text.empty() ? "same" : text;
  if (what_if.text == "same") return what_if;
  for (const std::string& setting : parts_of(text)) {
    if (setting.empty()) refuse(text, "there is nothing between two commas");
    read_setting(what_if, setting);
  }
  return what_if;
}

void change_limits(Workflow& workflow, const WhatIf& what_if) {
  for (const WhatIf::LimitChange& change : what_if.limits) {
    std::vector<std::string> names;
    bool found = false;
    for (const auto& limit : workflow.limits) {
      if (limit->name.empty()) continue;
      names.push_back(limit->name);
      if (limit->name != change.name) continue;
      found = true;
      if (change.max > 0) limit->max = change.max;
      if (change.rate.rate == 0) continue;
      limit->rate = change.rate.rate;
      limit->per = change.rate.per;
      limit->rate_text = change.rate.rate_text;
    }
    if (found) continue;
    if (names.empty()) refuse("limit." + change.name, "the workflow has no `limits`");
    std::string near = did_you_mean(change.name, names);
    refuse("limit." + change.name, near.empty() ? fmt::format("the workflow has the limits {}", fmt::join(names, ", "))
                                                : "the workflow has no such limit" + near);
  }
}

bool is_meant(const std::string& step, const std::string& path) {
  if (!is_pattern(step))
    return is_below(path, step) || is_below(without_keys(path), step) || is_below(slashed(path), step);
  for (std::string at = path; !at.empty(); at = path_above(at))
    if (is_like(step, at) || is_like(step, without_keys(at))) return true;
  return false;
}

void check_steps(const WhatIf& what_if, const Recording& recording, const Workflow& workflow) {
  if (what_if.scales.empty()) return;
  const std::vector<OutlineRow> rows = outline(workflow);
  std::vector<std::string> known;
  for (const OutlineRow& row : rows) known.push_back(row.path);
  for (const WhatIf::Scale& scale : what_if.scales) {
    const auto meant = [&](const std::string& path) { return is_meant(scale.step, path); };
    if (std::any_of(known.begin(), known.end(), meant) || recording.has_step(meant)) continue;
    const std::string near = did_you_mean(scale.step, known);
    refuse("scale." + scale.step, "the run has no such step" + (near.empty() ? "; flowrun show lists them" : near));
  }
}

double factor_of(const WhatIf& what_if, const std::string& path) {
  double product = 1;
  for (const WhatIf::Scale& scale : what_if.scales)
    if (is_meant(scale.step, path)) product *= scale.factor;
  return product;
}

Duration scaled(Duration span, double factor) {
  if (factor == 1) return span;
  const double product = static_cast<double>(span.count()) * factor;
  return product < static_cast<double>(kCentury.count()) ? Duration(static_cast<std::int64_t>(product + 0.5))
                                                         : kCentury;
}

}  // namespace flowrun
