// Explores a workflow: every run in which one thing goes otherwise than it should, then those in which two do, and so
// on. Finds what is wrong with any of them, and says how much of all it has seen. Sends nothing and writes no journal.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/explore/findings.h"
#include "engine/explore/stand.h"

namespace flowrun {

/// Of the runs in which so many things go otherwise.
struct ExploredLevel {
  std::size_t seen = 0;
  std::size_t all = 0;    ///< that are known of
  bool complete = false;  ///< |all| are all that there are, and all were seen
};

struct ExploreProgress {
  std::size_t schedules = 0, findings = 0;
  std::size_t depth = 0;
};

struct ExploreOptions {
  std::size_t depth = 2;                                      ///< things that go otherwise in one run, at most
  int jobs = 1;                                               ///< threads
  std::function<bool()> enough = {};                          ///< whether the time is over
  std::function<bool()> stop = {};                            ///< whether somebody wants an end
  std::function<void(const ExploreProgress&)> progress = {};  ///< now and then, from the calling thread
};

struct Explored {
  std::string workflow, scenarios;  ///< files
  std::vector<ExploreFinding> findings;
  std::size_t schedules = 0;
  std::vector<ExploredLevel> levels;  ///< by the number of things that go otherwise
  std::size_t cut = 0;                ///< runs that were too long to be followed to their end
  std::size_t unclear = 0;            ///< that failed by an expression on a value that was made up
  std::vector<std::string> notes;
  std::vector<std::string> unreached;  ///< steps that act and could begin, and have not in any run, with their places
};

/// Throws Error as ReadFiles and Stand do.
Explored explore(const ExploreFiles& files, const ExploreOptions& options);

/// What |files| are explored with: the made-up answer with which the run goes well, if there is one.
Json chosen_leaf(const ReadFiles& files);

}  // namespace flowrun
