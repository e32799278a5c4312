#include "cli/report/step_states.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include "engine/model/path.h"
#include "engine/run/step_paths.h"

namespace flowrun::cli {
namespace {

/// The step or item right below |above| at which, or in which, |path| is.
std::string child_towards(const std::string& above, const std::string& path) {
  const std::size_t from = above.size();
  const std::size_t end = path[from] == '[' ? path.find(']', from) + 1 : path.find_first_of("/[", from + 1);
  return path.substr(0, end);
}

bool is_open(const StepHistory& step) { return !is_terminal(step.state); }

}  // namespace

StepStates::StepStates(const PastRun& run) : run_(run) {
  for (const StepHistory& step : run.history.steps()) by_path_.push_back(&step);
  std::sort(by_path_.begin(), by_path_.end(),
            [](const StepHistory* one, const StepHistory* other) { return one->path < other->path; });
}

void StepStates::each_within(const std::string& path, const std::function<void(const StepHistory&)>& visit) const {
  // What is in a step follows it, though not right behind it: `a`, `a-`, `a/b`.
  for (auto at = std::lower_bound(by_path_.begin(), by_path_.end(), path,
                                  [](const StepHistory*one, const std::string&other) { return one->path < other; });
       at != by_path_.end() && (*at)->path.starts_with(path); ++at)
    if ((*at)->path != path && is_below((*at)->path, path) &&
        (*at)->path.find(".undo", path.size()) == std::string::npos)
      visit(**at);
}

bool StepStates::has_begun(const std::string& path) const {
  bool begun = run_.history.find(path) != nullptr;
  if (!begun) each_within(path, [&](const StepHistory&) { begun = true; });
  return begun;
}

const StepHistory* StepStates::first_within(const std::string& path, const Wanted& wanted) const {
  const StepHistory* first = nullptr;
  // A group ends with the last that is in it, so the leaf is the one that it is about.
  const auto before = [](const StepHistory& one, const StepHistory& other) {
    if (is_below(one.path, other.path) != is_below(other.path, one.path)) return is_below(one.path, other.path);
    return is_terminal(one.state) ? one.ended_at < other.ended_at : one.started_at < other.started_at;
  };
  each_within(path, [&](const StepHistory& step) {
    if (wanted(step) && (!first || before(step, *first))) first = &step;
  });
  return first;
}

State StepStates::of(const std::string& path) const {
  const StepHistory* step = run_.history.find(path);
  // What was over before a retry goes on again when something in it does.
  if (!all_over() && (!step || is_terminal(step->state)) && first_within(path, is_open)) return State::Running;
  if (step) return step->state;
  if (!has_begun(path)) return State::Pending;
  if (path.ends_with(']')) return of_item(path);
  return all_over() ? State::Cancelled : State::Running;
}

State StepStates::of_item(const std::string& path) const {
  const OutlineRow* group = run_.row_of(path_above(path));
  bool over = group != nullptr;
  State state = State::Succeeded;
  for (const OutlineRow& row : run_.rows) {
    if (!group || !row.parent || &run_.rows[*row.parent] != group || !row.role.empty()) continue;
    const State one = of(child_path(path, row.name));
    if (!is_terminal(one)) over = false;
    if (one == State::Failed && row.tolerated != "true") state = State::Failed;
    if ((one == State::Cancelled || one == State::Blocked) && state != State::Failed) state = State::Cancelled;
  }
  if (!over) return all_over() ? State::Cancelled : State::Running;
  return state;
}

std::string StepStates::first_beside(const std::string& path, State wanted) const {
  const std::string above = path_above(path);
  std::string first;
  std::optional<Instant> at;
  std::set<std::string> seen{path};
  each_within(above, [&](const StepHistory& step) {
    const std::string other = child_towards(above, step.path);
    if (other.ends_with(".fallback") || !seen.insert(other).second || of(other) != wanted) return;
    const StepHistory* own = run_.history.find(other);
    const Instant ended = own ? own->ended_at : step.ended_at;
    if (at && *at <= ended) return;
    at = ended;
    first = other;
  });
  return first;
}

std::string path_beside(const std::string& path, const OutlineRow& row) {
  const std::string above = path_above(path);
  return above.empty() ? row.path : child_path(above, row.path.substr(row.path.rfind('/') + 1));
}

}  // namespace flowrun::cli
