// Which steps a run has, and how a person may write their paths. Reads the journal; changes nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/journal/journal.h"
#include "engine/run/history.h"

namespace flowrun {

/// What the entries of |run| say, up to entry |until|; 0: all of them.
History history_of(const Journal& journal, const RunRecord& run, std::int64_t until = 0);

/// |path| without its last part: `a/b[k]/c`, `a/b[k]`, `a/b`, `a`, nothing.
std::string path_above(const std::string& path);

/// Whether `*` and `?` in |text| stand for something: for any text and any character, of a path also beyond a `/`.
bool is_pattern(std::string_view text);
/// Whether |text| is like |pattern|, in which brackets stand for themselves: they are those of keys.
bool is_like(const std::string& pattern, const std::string& text);

/// The paths of steps that the entries of |run| name, and of the groups around these.
std::vector<std::string> paths_of(const Journal& journal, const RunRecord& run);

/// `enrich[C-1042]/profile` as people may type it: `enrich/C-1042/profile`.
std::string slashed(const std::string& path);

/// The path in |history| that |typed| stands for, as it is or slashed; |typed| when there is none.
std::string journal_spelling(const std::string& typed, const History& history);

/// The step of |run| that |typed| names, as the run spells it. Throws Error(Impossible), naming a near one, when
/// neither the run nor its workflow has it.
std::string known_step(const Journal& journal, const RunRecord& run, const std::string& typed);

/// What is told when |path| is none of the run's |known| paths. |journal| is the path of the file.
std::string no_such_step(const std::string& path, const std::string& run, const std::vector<std::string>& known,
                         const std::string& journal);

}  // namespace flowrun
