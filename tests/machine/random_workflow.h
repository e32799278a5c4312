// Random workflows of every kind and option, for tests that drive a machine at random.
#pragma once

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/model/decision.h"
#include "engine/run/load.h"

namespace flowrun::test {

using Random = std::mt19937;

int below(Random& random, int n);
bool percent(Random& random, int chance);

/// What the model of a group needs to know.
struct GroupSpec {
  std::string join = "all";  ///< all, best_effort, at_least, tolerate, quorum, first_completed
  int amount = 0;
  std::vector<std::string> children;  ///< paths
  std::set<std::string> tolerated;
  bool told = true;    ///< the entries tell how each child came out
  bool needs = false;  ///< a child waits for the success of another
};

/// Its expressions are all answered without libjq. The input `flag` is a boolean.
struct RandomWorkflow {
  explicit RandomWorkflow(Random& random);

  std::string text;
  Texts files;                              ///< sub-workflows
  std::map<std::string, GroupSpec> groups;  ///< by path
};

/// The start of a run of such a workflow. |seed| says all that differs between two.
RunStarted random_start(unsigned seed);

/// Names of signals that waits of such a workflow wait for.
constexpr const char* kSignals[] = {"go", "yes"};

/// How an attempt at |task| of such a workflow ends, |dice| being at random.
Result random_result(const Task& task, unsigned dice);

/// Of such a workflow no question is left to jq.
class NoJq : public Evaluator {
 public:
  Answer evaluate(const Question& question) override;
};

}  // namespace flowrun::test
