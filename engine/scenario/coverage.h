// Which parts of a workflow its scenarios have exercised: steps, ways of a switch, joins, fallbacks and undos. A fold
// over the runs; runs nothing.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/run/history.h"
#include "engine/scenario/workflow_places.h"

namespace flowrun {

/// Paths of steps as they are written, without keys of items.
struct Exercised {
  std::set<std::string> ran, succeeded, failed;

  void add(const History& history);
  void add(const Exercised& other);
};

struct Coverage {
  struct Part {
    std::string what;  ///< `step`, `way`, `fallback`, `undo`, `join`
    std::string path;
    std::string place;  ///< `order.yaml:27`
    std::string why;    ///< what has not been seen of it; empty: all has
  };
  std::vector<Part> parts;

  std::size_t seen() const;
};

Coverage coverage_of(const WorkflowPlaces& places, const Exercised& exercised);

}  // namespace flowrun
