// Warnings and hints about a workflow that is right: what probably is not meant. Knows the rules by a table and
// changes nothing.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/model/diagnostics.h"
#include "engine/reader/file_diagnostics.h"
#include "engine/reader/file_index.h"
#include "engine/steps/root.h"
#include "engine/yaml/node.h"

namespace flowrun {

/// The codes that `lint_ignore` may name, in order; those of coming versions are among them.
std::vector<std::string> lint_codes();

/// The codes in `lint_ignore` of the file |root|; E102 for what is none.
std::set<std::string> ignored_lints(const Node& root, FileDiagnostics& diagnostics);

/// Adds all findings but those that are |ignored|. REQUIRES: the file was read without an error.
void lint(const Node& root, const RootStep& workflow, const FileIndex& file, const std::set<std::string>& ignored,
          Diagnostics& diagnostics);

}  // namespace flowrun
