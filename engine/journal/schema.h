// The tables of a journal and the numbers that say it is one. Knows no rows.
#pragma once

#include <cstdint>

#include "engine/journal/sqlite.h"

namespace flowrun {

/// PRAGMA application_id: `flow` in ASCII.
constexpr std::int64_t kApplicationId = 0x666c6f77;
/// That of an archive: `flar`.
constexpr std::int64_t kArchiveId = 0x666c6172;

/// A journal, or an archive: a file with the same tables, and two for files of runs.
enum class FileKind { Journal, Archive };

/// PRAGMA user_version that this program writes.
std::int64_t schema_version();

enum class Schema {
  Ours,   ///< what this program writes
  Older,  ///< apply_schema makes it ours
  Empty   ///< zero bytes: likewise
};

/// Reads the header of the open file. Throws Error(Journal) for what is not of this |kind|, is damaged, or is of a
/// newer flowrun. |path| is for the messages.
Schema check_schema(Database& database, const std::string& path, FileKind kind = FileKind::Journal);

/// Makes the schema ours in one transaction. REQUIRES: not Ours, and no other process writes; an archive is empty.
void apply_schema(Database& database, FileKind kind = FileKind::Journal);

}  // namespace flowrun
