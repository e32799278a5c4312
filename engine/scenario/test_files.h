// Files of scenarios are read and played, several at a time. Finds them, tells of each as soon as it is over, in order.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/scenario/coverage.h"
#include "engine/scenario/play.h"

namespace flowrun {

/// A file of scenarios, and how they went.
struct PlayedFile {
  std::string file;      ///< as it is called
  std::string workflow;  ///< the same of the workflow; empty: not known
  Diagnostics mistakes;  ///< what keeps it from being played
  std::vector<PlayedScenario> scenarios;
  Coverage coverage;
  std::vector<std::string> read;  ///< all files that say how they go
};

struct TestOptions {
  std::string filter;  ///< only scenarios with this in their name, or whose name it stands for with `*` and `?`
  int jobs = 1;        ///< at once
  std::function<bool()> stop = {};  ///< whether somebody wants an end
};

/// Whether |file| is one of scenarios by its name: FILE.test.yaml.
bool is_test_file(const std::string& file);

/// The files of scenarios that |named| stands for: of a folder all FILE.test.yaml below it. Throws Error(Usage) where
/// there is none.
std::vector<std::string> test_files(const std::vector<std::string>& named);

/// |done| is told of each file in order, from the calling thread. Throws Interrupted when an end is wanted.
void play_files(const std::vector<std::string>& files, const TestOptions& options,
                const std::function<void(const PlayedFile&)>& done);

}  // namespace flowrun
