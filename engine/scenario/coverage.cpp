#include "engine/scenario/coverage.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/model/path.h"

namespace flowrun {
namespace {

constexpr const char* kItem = "[]";

/// |path| without keys; an item itself is told apart from its for_each.
std::string as_written(const std::string& path) { return without_keys(path) + (path.ends_with("]") ? kItem : ""); }

/// Where Exercised has the step of |row|.
std::string name_of(const OutlineRow& row, const std::vector<OutlineRow>& rows) {
  const bool item = row.parent && rows[*row.parent].kind == "for_each" && rows[*row.parent].path == row.path;
  return row.path + (item ? kItem : "");
}

bool is_way(const OutlineRow& row) { return row.role == "else" || row.role.starts_with("if "); }

/// Of another way of the same switch, with the same path: which of both ran is not written anywhere.
const OutlineRow* twin_of(const OutlineRow& row, const std::vector<OutlineRow>& rows) {
  const auto twin = std::find_if(rows.begin(), rows.end(), [&](const OutlineRow& other) {
    return &other != &row && is_way(other) && other.parent == row.parent && other.path == row.path &&
           other.role != row.role;
  });
  return is_way(row) && twin != rows.end() ? &*twin : nullptr;
}

}  // namespace

void Exercised::add(const History& history) {
  for (const StepHistory& step : history.steps()) {
    const std::string name = as_written(step.path);
    if (step.attempts > 0 || step.state == State::Succeeded || step.state == State::Failed) ran.insert(name);
    if (step.state == State::Succeeded) succeeded.insert(name);
    if (step.state == State::Failed) failed.insert(name);
  }
}

void Exercised::add(const Exercised& other) {
  ran.insert(other.ran.begin(), other.ran.end());
  succeeded.insert(other.succeeded.begin(), other.succeeded.end());
  failed.insert(other.failed.begin(), other.failed.end());
}

std::size_t Coverage::seen() const {
  return static_cast<std::size_t>(
      std::count_if(parts.begin(), parts.end(), [](const Part& part) { return part.why.empty(); }));
}

Coverage coverage_of(const WorkflowPlaces& places, const Exercised& exercised) {
  Coverage coverage;
  const std::vector<OutlineRow>& rows = places.rows();
  for (const OutlineRow& row : rows) {
    const std::string name = name_of(row, rows), place = places.place_of(row);
    const std::string what = row.role == "fallback" || row.role == "undo" ? row.role : is_way(row) ? "way" : "step";
    std::string why;
    if (exercised.ran.count(name) == 0)
      why = "never ran";
    else if (const OutlineRow* twin = twin_of(row, rows))
      why = fmt::format("can not be told apart from line {}: give the steps names, as in a map", twin->origin.line);
    coverage.parts.push_back({what, row.path, place, std::move(why)});
    if (row.join.empty() || row.join == "all") continue;
    // What has a fallback has failed when that ran.
    const bool failed = exercised.failed.count(name) > 0 || exercised.ran.count(row.path + ".fallback") > 0;
    coverage.parts.push_back({"join", row.path, place,
                              exercised.succeeded.count(name) == 0 ? "never held"
                              : !failed                            ? "never failed"
                                                                   : ""});
  }
  return coverage;
}

}  // namespace flowrun
