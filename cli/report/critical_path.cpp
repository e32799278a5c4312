#include "cli/report/critical_path.h"

#include <algorithm>
#include <map>
#include <set>

#include "cli/render.h"
#include "engine/model/path.h"
#include "engine/run/step_paths.h"

namespace flowrun::cli {
namespace {

/// What a clock that counts milliseconds may be wrong by.
constexpr Duration kBlur{2};

class Chain {
 public:
  explicit Chain(const PastRun& run) : run_(run) {
    // A step that was stopped holds nobody up, unless somebody has stopped all.
    const bool stopped = run.record.state == RunState::Cancelled;
    for (const StepHistory& step : run.history.steps())
      if ((stopped || step.state != State::Cancelled) && is_terminal(step.state) && step.started_at != Instant{} &&
          !has_parts(step) && !is_part_of_step(step))
        leaves_.push_back(&step);
    std::sort(leaves_.begin(), leaves_.end(),
              [](const StepHistory* one, const StepHistory* other) { return one->path < other->path; });
  }

  std::vector<CriticalStep> walk() {
    std::vector<CriticalStep> chain;
    std::set<std::string> seen;
    const StepHistory* at = last_of(leaves_);
    while (at && seen.insert(at->path).second) {
      const StepHistory* before = before_it(*at);
      const Instant from = before ? before->ended_at : run_.record.started_at;
      chain.push_back({at->path, at->started_at, at->ended_at, std::max(at->started_at - from, Duration{0})});
      at = before;
    }
    std::reverse(chain.begin(), chain.end());
    return chain;
  }

 private:
  using Steps = std::vector<const StepHistory*>;

  /// Whether the steps in it tell more than it does, or it took no time.
  static bool has_parts(const StepHistory& step) {
    const bool waits = step.kind == "sleep" || step.kind == "wait";
    return only_holds_others(step) || (step.attempts == 0 && !waits);
  }

  /// A fallback, whose time is in that of the step that it stands in for.
  bool is_part_of_step(const StepHistory& step) const {
    constexpr std::string_view kFallback = ".fallback";
    std::string_view path = step.path;
    const StepHistory* its = nullptr;
    // Of a chain of fallbacks those that were not for the error are not there.
    while (!its && path.ends_with(kFallback)) {
      path.remove_suffix(kFallback.size());
      its = run_.history.find(std::string(path));
    }
    return its && its->attempts > 0 && its->reason == "fallback";
  }

  static const StepHistory* last_of(const Steps& steps) {
    const auto last = std::max_element(
        steps.begin(), steps.end(),
        [](const StepHistory* one, const StepHistory* other) { return one->ended_at < other->ended_at; });
    return last == steps.end() ? nullptr : *last;
  }

  /// The last of |steps|, which are in order of their ends, that had ended when |step| began and is not at |but| or
  /// below.
  static const StepHistory* last_before(const Steps& steps, const StepHistory& step, const std::string& but) {
    auto behind = std::upper_bound(steps.begin(), steps.end(), step.started_at + kBlur,
                                   [](Instant at, const StepHistory* one) { return at < one->ended_at; });
    while (behind != steps.begin())
      // Within the blur of the clock that began earlier was before.
      if (const StepHistory* one = *--behind; one->started_at < step.started_at && !is_below(one->path, but))
        return one;
    return nullptr;
  }

  /// Those at |path| and below it, in order of their ends.
  const Steps& below(const std::string& path) {
    const auto [known, fresh] = below_.try_emplace(path);
    if (!fresh) return known->second;
    Steps& found = known->second;
    // What is below follows it, though not right behind it: `a`, `a-`, `a/b`.
    for (auto leaf = std::lower_bound(leaves_.begin(), leaves_.end(), path,
                                      [](const StepHistory*one, const std::string&at) { return one->path < at; });
         leaf != leaves_.end() && (*leaf)->path.starts_with(path); ++leaf)
      if (is_below((*leaf)->path, path)) found.push_back(*leaf);
    std::stable_sort(found.begin(), found.end(),
                     [](const StepHistory* one, const StepHistory* other) { return one->ended_at < other->ended_at; });
    return found;
  }

  const StepHistory* before_it(const StepHistory& step) {
    if (run_.rows.empty()) return last_before(below(""), step, step.path);
    std::set<std::string> passed;
    return before(step.path, step, passed);
  }

  /// The last that had ended when |step| began, of those that the step at |from| waits for. What took no time, such as
  /// a step that was skipped, stands for what it waits for itself.
  const StepHistory* before(const std::string& from, const StepHistory& step, std::set<std::string>& passed) {
    // From the step outwards: the first that waits for others, or for the slot of another item, says for what.
    for (std::string path = from; !path.empty() && passed.insert(path).second; path = path_above(path)) {
      if (path.ends_with(']')) {
        // An item that began with its group waited for no other.
        if (const StepHistory* slot = last_before(below(path_above(path)), step, path)) return slot;
        continue;
      }
      const OutlineRow* row = run_.row_of(path);
      if (!row) continue;
      const std::string above = path_above(path);
      const StepHistory* last = nullptr;
      for (const OutlineEdge& edge : row->edges) {
        const std::string& other = run_.rows[edge.from].path;
        const std::string live = above.empty() ? other : child_path(above, other.substr(other.rfind('/') + 1));
        const StepHistory* found = last_before(below(live), step, path);
        if (!found) found = before(live, step, passed);
        if (found && (!last || found->ended_at > last->ended_at)) last = found;
      }
      if (last) return last;
      // These begin when all others have ended.
      if (row->role == "undo" || row->role == "on_failure" || row->role == "finally")
        return last_before(below(""), step, path);
    }
    return nullptr;
  }

  const PastRun& run_;
  Steps leaves_;  ///< by path
  std::map<std::string, Steps> below_;
};

}  // namespace

std::vector<CriticalStep> critical_path(const PastRun& run) { return Chain(run).walk(); }

}  // namespace flowrun::cli
