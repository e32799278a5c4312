// Reads `expect`: what must hold of a run. Knows what can be expected; not how a run went.
#pragma once

#include <vector>

#include "engine/scenario/reading_values.h"

namespace flowrun {

class ExpectReader {
 public:
  /// Both are lent.
  ExpectReader(FileDiagnostics& findings, ScenarioValues& values) : findings_(findings), values_(values) {}

  Expectations read(const Node& node);

 private:
  /// An empty list or map, which would hold of every run, is told.
  bool says_nothing(const Node& node, const char* what);
  void state(const Node& node, Expectations& expect);
  void error(const Node& node, Expectations& expect);
  std::vector<Expectations::Ran> steps(const Node& node, const char* what);
  void order(const Node& node, Expectations& expect);
  void requests(const Node& node, Expectations& expect);
  void request(Node& node);
  void undone(const Member& key, Expectations& expect);
  void time(const Member& key, Expectations& expect);

  FileDiagnostics& findings_;
  ScenarioValues& values_;
};

}  // namespace flowrun
