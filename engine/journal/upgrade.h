// What upgrades of the schema do to rows, beyond what SQL can: their sums go along. Knows no tables but `entries` and
// `runs`.
#pragma once

#include "engine/journal/sqlite.h"

namespace flowrun {

/// Gives entries of schema 1 the names that their kinds have since schema 2, and every sum behind them anew. A run
/// whose sums do not fit is left as it is: what is damaged there must be found afterwards, too, and a reader knows the
/// old names. REQUIRES: within a transaction.
void rename_kinds(Database& database);

}  // namespace flowrun
