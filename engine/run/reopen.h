// Whether a retry can do just what it is asked for, and what would do it else. Writes nothing, reopens nothing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/journal/journal.h"
#include "engine/machine/machine.h"

namespace flowrun {

/// |machine| has been replayed to the end of run |id|, foreseeing |asked|. Throws Error(Impossible) when it can not be
/// done. |known| gives paths to choose a near one from; |journal| is the path of the file.
void check_retry(const Machine& machine, const Workflow& workflow, const std::string& id, const std::string& journal,
                 const RunReopened& asked, const std::function<std::vector<std::string>()>& known);

/// Throws Error(Impossible) when one of |marks| would put into the journal what must not be there.
void check_marks(const Workflow& workflow, const std::vector<Mark>& marks);

}  // namespace flowrun
