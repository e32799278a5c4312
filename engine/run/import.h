// Takes a run that another journal has exported into this one. Believes nothing that it reads: what is to be taken in
// is checked before a byte of it is where anybody looks. Runs no step.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "engine/journal/journal.h"

namespace flowrun {

struct Imported {
  RunRecord run;
  std::string origin;       ///< the run that it is a fork of and that came along; empty: none
  bool has_origin = false;  ///< that one was here already
  std::size_t files = 0;
};

/// Reads an archive from |input|, which is called |name| in messages, to its end and takes it into |journal|, which is
/// open for writing: the whole of it or nothing, also when the process is killed. Throws Error(Journal) for what is no
/// archive or is damaged, Error(Impossible) when the journal has a run of that id. |stop| as for export_run().
Imported import_run(Journal& journal, int input, const std::string& name, const std::function<bool()>& stop);

/// Takes away what an import into |journal| has left in the folder of the run |id|, which is in no journal, because it
/// was killed before that.
void clear_import_rest(const Journal& journal, const std::string& id);

}  // namespace flowrun
