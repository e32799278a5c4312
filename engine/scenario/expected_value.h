// A value as a scenario expects it, held against the one that came: equal, or what an expression says of it. Tells each
// place where they differ. Knows neither runs nor steps.
#pragma once

#include <string>
#include <vector>

#include "engine/model/diagnostics.h"
#include "engine/model/scope.h"
#include "engine/yaml/node.h"

namespace flowrun {

/// Where a value is not as it is expected.
struct Mismatch {
  Position at;  ///< in the file of scenarios
  std::size_t length = 1;
  std::string path;      ///< as jq names the place: `.lines[0].sku`; empty: the whole
  std::string got;       ///< what is there, short; empty: nothing is
  std::string expected;  ///< in words: `expected "P-1"`
};

enum class Match {
  Whole,   ///< nothing more may be there
  Partial  ///< of objects what is written; lists are whole
};

/// Tells what is no expression in |expected|, or is none that sees only `.`.
void check_expected(const Node& expected, Diagnostics& diagnostics);

/// Where |got| is not what |expected| says; empty: nowhere. REQUIRES: check_expected() had nothing against it.
std::vector<Mismatch> mismatches(const Node& expected, const Json& got, Match match, Evaluator& evaluator);

}  // namespace flowrun
