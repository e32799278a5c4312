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

}  // namespace flowrun
