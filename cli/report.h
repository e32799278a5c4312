// Reports of runs as files: which formats there are, and how one is written whole or not at all.
#pragma once

#include <string>
#include <vector>

#include "engine/journal/journal.h"

namespace flowrun::cli {

/// The words of `--format`.
std::vector<std::string> report_formats();

/// The report of |run| in |format|, one of report_formats(). Throws Error(Journal) when the journal can not be read.
std::string report_of(const Journal& journal, const RunRecord& run, const std::string& format);

/// Writes |text| to |file|, which is then there as a whole or as it was before. Throws Error(Usage) when it can not be
/// written.
void write_report(const std::string& file, const std::string& text);

/// Adds |text| to the end of |file|.
void append_report(const std::string& file, const std::string& text);

}  // namespace flowrun::cli
