// What is said of a result that was taken from an earlier run. Knows the note, not where it stands.
#pragma once

#include <string>

#include "engine/model/outcome.h"

namespace flowrun::cli {

/// `run r (entry 12), 3h old`, at |now|; of a note that names a run.
std::string origin_text(const MemoNote& note, Instant now);
/// What `why` tells of it, a line each; |at| is when the attempt ended.
std::string memo_explained(const MemoNote& note, Instant at, const std::string& indent);
/// For JSON: {run, seq, at, took_ms}, or {miss}, and {unkept}.
Json memo_json(const MemoNote& note);

}  // namespace flowrun::cli
