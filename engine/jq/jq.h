// libjq behind the Evaluator port, in a child process that can be killed. Knows programs and values only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/model/scope.h"

namespace flowrun {

/// Limits of one evaluation (LANGUAGE.md 2.11): 2 s, 256 MiB, output 16 MiB. The child is started at the first
/// question, and again when it died. |programs|: expressions known beforehand, compiled in batches of at most 64.
std::unique_ptr<Evaluator> make_jq(std::vector<std::string> programs);

/// Body of the child process, `flowrun __jq FD`; returns its exit code.
int serve_jq(int socket);

/// What jq has against each of |programs|, in their order; empty where one compiles. Variables count as known. Costs
/// a process and about 20 ms for every 64 programs.
std::vector<std::string> jq_syntax_errors(const std::vector<std::string>& programs);

/// The same for one.
std::string jq_syntax_error(const std::string& program);

}  // namespace flowrun
