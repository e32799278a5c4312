// The steps of a workflow as a flat list, for people: where each stands in its file and what it waits for.
#pragma once

#include <string>
#include <vector>

#include "engine/machine/workflow.h"

namespace flowrun {

struct OutlineRow {
  std::string path;  ///< without keys of items: `enrich/profile`
  std::string kind;
  Origin origin;
  int depth = 0;
  std::string waits_for;  ///< `order, fraud settled`; empty: starts with its body
};

/// In file order. Bodies without a name are left out, their steps are not.
std::vector<OutlineRow> outline(const Workflow& workflow);

/// The row of a live step: keys of items are taken off |path|. Null when there is none.
const OutlineRow* find_row(const std::vector<OutlineRow>& rows, const std::string& path);

}  // namespace flowrun
