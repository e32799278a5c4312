#include "engine/scenario/never_rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <string_view>

#include "engine/model/diagnostics.h"
#include "engine/model/path.h"

namespace flowrun {
namespace {

constexpr std::array<std::string_view, 7> kWords{"succeeded", "failed", "skipped", "cancelled",
                                                 "blocked",   "ran",    "undone"};

bool has_ran(State state) { return state == State::Succeeded || state == State::Failed || state == State::Cancelled; }

}  // namespace

std::variant<NeverRule, std::string> NeverRule::read(const std::string& text) {
  NeverRule rule;
  rule.text_ = text;
  std::istringstream in(text);
  for (std::string step, word; in >> step;) {
    if (!(in >> word)) return fmt::format("behind `{}` stands how it came out, such as `succeeded`", step);
    Clause clause{StepPattern(step), true, ""};
    if (word == "not") {
      clause.holds = false;
      if (!(in >> word)) return fmt::format("behind `{} not` stands how it came out, such as `undone`", step);
    }
    if (std::find(kWords.begin(), kWords.end(), word) == kWords.end()) {
      const std::string near = nearest(word, {kWords.begin(), kWords.end()});
      return fmt::format("`{}` is not how a step comes out; {}", word,
                         near.empty() ? "there are succeeded, failed, skipped, cancelled, blocked, ran and undone"
                                      : "did you mean `" + near + "`?");
    }
    clause.word = word;
    rule.clauses_.push_back(std::move(clause));
    if (!(in >> word)) break;
    if (word != "and") return fmt::format("between two parts stands `and`, not `{}`", word);
    if (in.peek(), (in >> std::ws).eof()) return std::string("behind `and` stands another part");
  }
  if (rule.clauses_.empty()) return std::string("it says nothing");
  return rule;
}

bool NeverRule::holds(State run, const std::map<std::string, State>& steps, const std::string& run_name) const {
  return std::all_of(clauses_.begin(), clauses_.end(), [&](const Clause& clause) {
    const auto is = [&](State state) {
      return clause.word == "ran" ? has_ran(state) : std::string_view(to_string(state)) == clause.word;
    };
    bool known = false, found = false;
    for (const auto& [path, state] : steps) {
      if (!clause.step.matches(path)) continue;
      known = true;
      if (clause.word == "undone") {
        const auto undo = steps.find(path + ".undo");
        // One that fails is told by the run itself, and can be tried again.
        found = found || (undo != steps.end() && has_ran(undo->second));
      } else {
        found = found || is(state);
      }
    }
    const std::string& name = clause.step.text();
    if (!known && (name == "run" || name == run_name)) found = clause.word != "undone" && is(run);
    return found == clause.holds;
  });
}

}  // namespace flowrun
