// What is never to be at the end of a run: `charge succeeded and run failed and charge not undone`. Knows how steps
// came out; not how they got there.
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "engine/model/outcome.h"
#include "engine/scenario/step_pattern.h"

namespace flowrun {

class NeverRule {
 public:
  struct Clause {
    StepPattern step;
    bool holds = true;  ///< false: `not`
    std::string word;   ///< a state, `ran` or `undone`
  };

  /// The rule that |text| says; or what is wrong with it.
  static std::variant<NeverRule, std::string> read(const std::string& text);

  const std::string& text() const { return text_; }
  const std::vector<Clause>& clauses() const { return clauses_; }
  /// Whether it has come about in a run that has ended in the state |run|, and its steps in |steps|, by their paths.
  /// |run_name|: as the run may be called besides `run`, where no step has that name.
  bool holds(State run, const std::map<std::string, State>& steps, const std::string& run_name) const;

 private:
  std::string text_;
  std::vector<Clause> clauses_;
};

}  // namespace flowrun
