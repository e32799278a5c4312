// libjq behind the Evaluator port, in a child process that can be killed. Knows programs and values only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/model/scope.h"

namespace flowrun {

class Jq : public Evaluator {
 public:
  /// What jq has against each of |programs|, in their order; empty where one compiles. Variables count as known. Costs
  /// about 20 ms for every 64 programs, which a later question about one of them then does not.
  /// Throws Error(Impossible) where libjq is missing; an evaluation then fails, and says so.
  virtual std::vector<std::string> check(const std::vector<Program>& programs) = 0;
};

/// Limits of one evaluation (flowrun-workflow(5), "Expressions"): 2 s, 256 MiB, output 16 MiB. The child is started at
/// the first question or check, and again when it died. |programs|: known beforehand, compiled in batches of at
/// most 64.
std::unique_ptr<Jq> make_jq(std::vector<Program> programs = {});

/// Body of the child process, `flowrun __jq FD PID`; returns its exit code. It ends with |parent|.
int serve_jq(int socket, int parent);

}  // namespace flowrun
