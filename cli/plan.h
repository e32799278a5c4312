// The graph of a workflow as text, as `flowrun plan` and `flowrun run --dry-run` show it.
#pragma once

#include <string>

#include "engine/run/load.h"

namespace flowrun::cli {

/// A line a step in file order, with lines below it that say what it waits for and why.
std::string plan_as_tree(const Loaded& loaded);

}  // namespace flowrun::cli
