// A run as a file that another journal can take in. Reads the journal and the folder of the run, and writes nothing but
// that file.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "engine/journal/journal.h"

namespace flowrun {

/// In the folder of a run that was just imported: belongs to no run yet. Never exported.
constexpr const char* kImportMark = ".flowrun-import";

/// Whether |name|, of a file in an archive, can only be one in the folder of its run.
bool is_plain(const std::string& name);

struct Exported {
  RunRecord run;       ///< as it stood
  std::string origin;  ///< the run that it takes results over from, which goes along; empty: none
  std::size_t files = 0;
  std::vector<std::string> left_out;  ///< what in its folder is neither a file nor a folder, or has no plain name
};

/// Writes |run|, as Journal::find() takes it, to |path|, a file of zero bytes. The entries are those of one moment,
/// also while another process drives the run; its files are copied afterwards. |stop|: asked now and then; when it says
/// so, throws Interrupted. |path| is of no use after any exception.
Exported export_run(const Journal& journal, const std::string& run, const std::string& path,
                    const std::function<bool()>& stop);

}  // namespace flowrun
