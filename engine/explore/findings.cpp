#include "engine/explore/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>

#include "engine/model/path.h"

namespace flowrun {
namespace {

/// In the order in which they are told.
constexpr std::array<std::string_view, 9> kKinds{"stuck",  "never",   "stays", "twice",     "endless",
                                                 "output", "finally", "join",  "never_runs"};

std::size_t weight_of(const ExploreFinding& finding) {
  return static_cast<std::size_t>(std::find(kKinds.begin(), kKinds.end(), finding.kind) - kKinds.begin());
}

/// The first of the causes of |failure|, or it itself.
Failure root_of(const Failure& failure) {
  Failure root = failure;
  for (Json detail = failure.detail.json(); detail.is_object() && detail.contains("causes");) {
    const Json& causes = detail["causes"];
    if (!causes.is_array() || causes.empty() || !causes.front().is_object()) break;
    const Json cause = causes.front();
    root.step = cause.value("step", root.step);
    root.type = cause.value("type", root.type);
    detail = cause;
  }
  return root;
}

constexpr std::string_view kOutput = "output: ";  // begins the message of an output that fails

bool is_output_failure(const Outcome& outcome) {
  return outcome.failure && outcome.failure->type == "expression" && outcome.failure->message.starts_with(kOutput);
}

bool is_expression_failure(const Outcome& outcome) {
  return outcome.failure && root_of(*outcome.failure).type == "expression";
}

/// Whether |a| and |b| belong to the same items, as far as both are inside the same for_each.
bool same_items(const std::string& a, const std::string& b) {
  std::size_t i = 0;
  while (i < a.size() && i < b.size() && a[i] == b[i]) ++i;
  // The first difference is inside of brackets: another item.
  const std::size_t open = a.rfind('[', i == 0 ? 0 : i - 1);
  return open == std::string::npos || a.find(']', open) < i || i == 0 || a.substr(0, open) != b.substr(0, open);
}

bool is_request(const Step& step) { return step.kind == "http"; }

/// What lets a step start whatever became of the one that |edge| waits for, which is called |name|.
std::string whatever_became(const OutlineEdge& edge, const std::string& name) {
  if (edge.by_place)
    return fmt::format("`continue_on_error: true` at `{}` lets the list go on; in a map of steps `after: [{}]` does",
                       name, name);
  if (edge.because.starts_with("$"))
    return fmt::format("`$status.{}` in the place of `{}` waits for its end, whatever that is", name, edge.because);
  return fmt::format("`after: [{}]` starts it whatever became of that", name);
}

}  // namespace

void ExploreFindings::add(ExploreFinding finding, const std::string& key, const ExploredRun* run) {
  finding.faults = faults_;
  finding.number = number_;
  if (run) {
    finding.schedule = run->text();
    finding.length = run->length();
  }
  if (!finding.step.empty()) finding.place = places_.place_of(finding.step);
  const std::string whose = finding.kind + " " + key;
  keep(whose, std::move(finding));
}

/// The same in any order in which runs are judged.
void ExploreFindings::keep(const std::string& key, ExploreFinding finding) {
  const auto rank = [](const ExploreFinding& one) { return std::tuple(one.faults, one.length, one.number); };
  const auto [found, fresh] = found_.try_emplace(key, finding);
  if (!fresh && rank(finding) < rank(found->second)) found->second = std::move(finding);
}

void ExploreFindings::take_over(const ExploreFindings& other) {
  unclear_ += other.unclear_;
  reached_.resize(steps_.size());
  for (std::size_t row = 0; row < other.reached_.size(); ++row) reached_[row] = reached_[row] || other.reached_[row];
  for (const auto& [key, finding] : other.found_) keep(key, finding);
}

std::vector<std::string> ExploreFindings::unreached() const {
  std::vector<std::string> paths;
  for (std::size_t row = 0; row < steps_.size(); ++row)
    if (steps_.of(row).acts && steps_.of(row).can_start && (row >= reached_.size() || !reached_[row]))
      paths.push_back(places_.named(steps_.rows()[row].path));
  return paths;
}

std::vector<ExploreFinding> ExploreFindings::sorted() const {
  std::vector<ExploreFinding> all;
  for (const auto& [key, finding] : found_) all.push_back(finding);
  std::stable_sort(all.begin(), all.end(), [](const ExploreFinding& a, const ExploreFinding& b) {
    return std::tuple(a.faults, a.length, weight_of(a), a.step) < std::tuple(b.faults, b.length, weight_of(b), b.step);
  });
  return all;
}

void ExploreFindings::judge_written() {
  for (std::size_t row = 0; row < steps_.size(); ++row) {
    const WrittenStep& step = steps_.of(row);
    const OutlineRow& written = steps_.rows()[row];
    ExploreFinding finding;
    finding.step = written.path;
    finding.everywhere = true;
    if (step.can_start && !step.can_succeed && !written.join.empty()) {
      finding.kind = "join";
      finding.message = fmt::format("the join of {} can never hold: it is `{}`, and that is more than can come",
                                    shown(written.path), written.join);
      finding.advice = written.kind == "for_each" ? "ask for less, or give it more items that can succeed"
                                                  : "some of its steps can never succeed: ask for less, or mend them";
      add(finding, written.path, nullptr);
    }
    if (step.can_start) continue;
    if (written.parent && !steps_.of(*written.parent).can_start) continue;
    for (const OutlineEdge& edge : written.edges) {
      const WrittenStep& before = steps_.of(edge.from);
      // What waits for that is told there.
      if (!edge.success || !before.can_start || before.can_succeed) continue;
      finding.kind = "never_runs";
      finding.message = fmt::format("{} can never run: it waits for {}, which can never succeed", shown(written.path),
                                    shown(steps_.rows()[edge.from].path));
      finding.advice = whatever_became(edge, steps_.rows()[edge.from].name);
      add(finding, written.path, nullptr);
      break;
    }
  }
}

std::string ExploreFindings::why(const ExploredRun& run) const {
  const Outcome& outcome = run.outcome();
  if (run.cancelled()) return "the run is cancelled";
  if (!outcome.failure) return "the run fails";
  // Of a group the first of its causes tells more.
  const Failure root = root_of(*outcome.failure);
  if (root.step.empty()) return fmt::format("the run fails with {}", root.type);
  return fmt::format("{} fails with {}", shown(root.step), root.type);
}

bool ExploreFindings::in_handler(std::size_t row) const {
  for (std::optional<std::size_t> at = row; at; at = steps_.rows()[*at].parent) {
    const std::string& role = steps_.rows()[*at].role;
    if (role == "undo" || role == "on_failure" || role == "finally") return true;
  }
  return false;
}

/// Whether a step that has come to a good end, or that looks at what became of it, makes something of it.
bool ExploreFindings::is_used(const ExploredRun& run, const ExploredRun::Act& act) const {
  for (std::size_t row = 0; row < steps_.size(); ++row) {
    const bool uses = std::any_of(steps_.of(row).uses.begin(), steps_.of(row).uses.end(), [&](std::size_t used) {
      return steps_.is_within(act.live->row, used) && !steps_.is_within(row, used);
    });
    // A value alone, and a request that only looks, is nothing that was made of it, but where a handler tells it.
    const bool looks = is_request(*steps_.of(row).step) && !steps_.of(row).changes;
    if (!uses || ((looks || !steps_.of(row).acts) && !in_handler(row))) continue;
    const std::string& path = steps_.rows()[row].path;
    // What tidies up is told by itself when it fails, as an undo is.
    const bool tidies = in_handler(row) || steps_.of(row).looks_back;
    for (const auto& [live, state] : run.states())
      if ((state == State::Succeeded || (tidies && state == State::Failed)) && without_keys(live) == path &&
          same_items(act.live->path, live))
        return true;
  }
  return false;
}

/// A fallback is undone with the step that it stands in for.
bool ExploreFindings::is_undone(const ExploredRun& run, std::string path) {
  constexpr std::string_view kFallback = ".fallback";
  while (run.states().count(path + ".undo") == 0) {
    if (!path.ends_with(kFallback)) return false;
    path.resize(path.size() - kFallback.size());
  }
  return true;
}

void ExploreFindings::judge(const ExploredRun& run, std::size_t faults, std::size_t number) {
  faults_ = faults;
  number_ = number;
  reached_.resize(steps_.size());
  for (std::size_t row = 0; row < steps_.size(); ++row) reached_[row] = reached_[row] || run.has_begun(row);
  for (const std::string& path : run.endless()) {
    ExploreFinding finding{"endless", without_keys(path)};
    finding.message = fmt::format("the run may never end: nothing says how often or how long {} is asked", shown(path));
    finding.advice = "give the step a `deadline`, or its `poll` a number of `attempts`";
    add(std::move(finding), without_keys(path), &run);
  }
  if (run.end() == ExploredRun::End::Stuck)
    add({"stuck", "", "", "nothing is in flight, due or awaited, and the run has not ended"}, "", &run);
  if (run.end() != ExploredRun::End::Ended) return;
  for (const ExploredRun::Twice& twice : run.twice()) {
    const std::string path = without_keys(twice.first.live->path);
    ExploreFinding finding{"twice", path};
    const std::string again = twice.first.ended == "crash" ? "it begins again"
                              : twice.other_key            ? "the file around it begins again"
                                                           : fmt::format("attempt {} begins", twice.attempt);
    const std::string first =
        twice.first.ended == "crash"
            ? fmt::format("a crash cuts off attempt {}, which may have been done", twice.first.attempt)
        : twice.first.certain
            ? fmt::format("attempt {} has been done", twice.first.attempt)
            : fmt::format("attempt {} ends with {} and may have been done", twice.first.attempt, twice.first.ended);
    finding.message = fmt::format("{} may happen twice: {}, and {} {}", shown(path), first, again,
                                  twice.other_key ? "with another idempotency key" : "without an idempotency key");
    finding.advice = twice.other_key
                         ? "give its request an `idempotency_key` that is the same whenever it is meant once"
                         : "let it look at an idempotency key, or neither try nor begin it again: `on_crash: ask`";
    add(std::move(finding), path, &run);
  }
  const Outcome& outcome = run.outcome();
  const bool output_failed = outcome.state == State::Failed && is_output_failure(outcome);
  if (faults == 0 && output_failed) output_fails_anyway_ = true;
  if (output_failed && !(output_fails_anyway_ && run.made_up())) {
    ExploreFinding finding{"output", ""};
    finding.message =
        fmt::format("the output of a run that went well fails: {}", outcome.failure->message.substr(kOutput.size()));
    finding.advice = "say what is to be there instead: `// null`";
    add(std::move(finding), "", &run);
  }
  if (is_expression_failure(outcome) && run.made_up() && !output_failed) ++unclear_;
  judge_acts(run);
  judge_handlers(run);
  judge_rules(run);
}

void ExploreFindings::judge_acts(const ExploredRun& run) {
  const Outcome& outcome = run.outcome();
  if (outcome.state != State::Failed || run.cancelled()) return;
  if (is_output_failure(outcome) || (is_expression_failure(outcome) && run.made_up())) return;
  // What fails behind the end of the work changes nothing of it.
  if (outcome.failure && outcome.failure->step.starts_with("finally/")) return;
  // Of an undo that fails the run tells by itself, and `flowrun undo` tries it again.
  if (std::any_of(run.states().begin(), run.states().end(),
                  [](const auto& one) { return one.second == State::Failed && one.first.ends_with(".undo"); }))
    return;
  const bool undoes = std::any_of(run.states().begin(), run.states().end(), [](const auto& one) {
    return one.second == State::Succeeded && one.first.ends_with(".undo");
  });
  for (const ExploredRun::Act& act : run.acts()) {
    const WrittenStep& step = steps_.of(act.live->row);
    if (in_handler(act.live->row) || step.looks_back) continue;
    const auto state = run.states().find(act.live->path);
    if (state == run.states().end() || is_undone(run, act.live->path) || is_used(run, act)) continue;
    const std::string path = without_keys(act.live->path);
    ExploreFinding finding{"stays", path};
    if (act.certain && state->second == State::Succeeded) {
      finding.message = fmt::format("{} stays done when {}", shown(act.live->path), why(run));
      finding.advice = "give it an `undo`, or use what it has done in `on_failure`";
      add(std::move(finding), path, &run);
    } else if (act.ended == "timeout" && state->second != State::Succeeded &&
               (step.has_undo ? !step.says_undo_on : undoes)) {
      // Who undoes nothing has a step that failed tried again, with the same key.
      finding.message =
          fmt::format("{} may stay done: attempt {} ends with a timeout, and nobody knows how far it came",
                      shown(act.live->path), act.attempt);
      finding.advice = step.has_undo ? "`undo_on: started` undoes it then, too"
                                     : "give it an `undo` with `undo_on: started`, as others are undone";
      add(std::move(finding), path + " perhaps", &run);
    }
  }
}

void ExploreFindings::judge_handlers(const ExploredRun& run) {
  for (std::size_t row = 0; row < steps_.size(); ++row) {
    const OutlineRow& written = steps_.rows()[row];
    if (run.has_begun(row) || !written.condition.empty() || !steps_.of(row).can_start) continue;
    ExploreFinding finding{"finally", written.path};
    if (written.role == "finally" && written.file.empty() && written.depth == 0) {
      finding.message = fmt::format("{} is not reached when {}", shown(written.path), why(run));
      const auto first =
          std::find_if(written.edges.begin(), written.edges.end(), [](auto& edge) { return edge.success; });
      finding.advice = first == written.edges.end() || first->by_place
                           ? "a map of steps lets each run whatever becomes of the others"
                           : whatever_became(*first, steps_.rows()[first->from].name);
      add(std::move(finding), written.path, &run);
      continue;
    }
    // What tidies up behind a step without being a handler.
    if (!steps_.of(row).acts || !steps_.of(row).looks_back || in_handler(row)) continue;
    for (const std::size_t used : steps_.of(row).uses) {
      const bool done = std::any_of(run.acts().begin(), run.acts().end(), [&](const ExploredRun::Act& act) {
        return act.certain && act.live->row == used && steps_.of(used).changes;
      });
      const std::string& before = steps_.rows()[used].path;
      if (!done || run.states().count(before + ".undo") > 0) continue;
      finding.message =
          fmt::format("{} is not reached when {}, though {} is done", shown(written.path), why(run), shown(before));
      finding.advice = "what has to run at every end stands in `finally`";
      add(std::move(finding), written.path, &run);
      break;
    }
  }
}

void ExploreFindings::judge_rules(const ExploredRun& run) {
  for (const NeverRule& rule : never_) {
    if (!rule.holds(run.outcome().state, run.states(), run_name_)) continue;
    add({"never", "", "", fmt::format("what is never to be has come about: {}", rule.text())}, rule.text(), &run);
  }
}

}  // namespace flowrun
