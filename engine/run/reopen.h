// Whether a retry can do just what it is asked for, and what would do it else. Writes nothing, reopens nothing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/journal/journal.h"
#include "engine/machine/machine.h"

namespace flowrun {

/// The paths of steps that the entries of |run| name, and of the groups around these.
std::vector<std::string> paths_of(const Journal& journal, const RunRecord& run);

/// What is told when |path| is none of the run's |known| paths.
std::string no_such_step(const std::string& path, const std::string& run, const std::vector<std::string>& known,
                         const std::string& journal);

/// |machine| has been replayed to the end of run |id|, foreseeing |asked|. Throws Error(Impossible) when it can not be
/// done. |known| gives paths to choose a near one from; |journal| is the path of the file.
void check_retry(const Machine& machine, const Workflow& workflow, const std::string& id, const std::string& journal,
                 const RunReopened& asked, const std::function<std::vector<std::string>()>& known);

}  // namespace flowrun
