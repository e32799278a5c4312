// Names of live steps: `enrich[C-1042]/profile`. Equal across runs, and no two steps of a run share one.
#pragma once

#include <string>
#include <string_view>

namespace flowrun {

/// `parent/name`, or just `name` at the top.
std::string child_path(std::string_view parent, std::string_view name);
/// `parent[key]`. `% / [ ]` and control characters of |key| are percent-encoded; beyond 80 bytes it is cut and ends
/// in `~` and a hash of the whole.
std::string item_path(std::string_view parent, std::string_view key);
/// Whether |text| is no longer and has no more parts than the path of a step can have.
bool may_be_path(std::string_view text);
/// Whether |path| names the step at |above| or one within it: its fallback, its undo, what is inside. "" is the run.
bool is_below(std::string_view path, std::string_view above);
/// The step as it is written: |path| with the keys of its items taken off, `enrich/profile`.
std::string without_keys(std::string_view path);

}  // namespace flowrun
