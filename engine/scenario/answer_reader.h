// Reads `answers`: by step, how its attempts end. Knows what an answer looks like; not which steps there are.
#pragma once

#include <vector>

#include "engine/scenario/reading_values.h"

namespace flowrun {

class AnswerReader {
 public:
  /// Both are lent.
  AnswerReader(FileDiagnostics& findings, ScenarioValues& values) : findings_(findings), values_(values) {}

  /// Of a map of steps to answers.
  std::vector<AnswerRule> rules(const Node& node);

 private:
  struct Kind;
  static const std::vector<Kind>& kinds();

  ScriptedAnswer answer(const Node& node);
  /// Which kind of answer |node| is. Null: it does not say, which is told.
  const Kind* kind_of(const Node& node);
  void page(const Node& node, ScriptedAnswer& answer);
  void http(const Node& node, ScriptedAnswer& answer);
  void process(const Node& node, ScriptedAnswer& answer);
  void error(const Node& node, ScriptedAnswer& answer);

  FileDiagnostics& findings_;
  ScenarioValues& values_;
};

}  // namespace flowrun
