// Files by patterns of their names, as `reads` of a step has them. Opens folders, never a file; knows no step.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace flowrun {

/// Whether |name| is a pattern: `*`, `?` and `[...]` stand for parts of a name, `**` for any number of folders.
bool has_wildcards(std::string_view name);

struct NamedFiles {
  std::vector<std::string> unmatched;  ///< patterns that are the name of no file
  /// By the name as the pattern says it: seen from the folder, or absolute. True: it is there.
  std::map<std::string, bool> files;
  std::string trouble;  ///< not empty: why they can not be told
};

/// The files that |patterns| name, seen from |folder|; at most |most|, more are trouble. A folder stands for all files
/// in it, also further down. What a pattern does not begin with a dot for is not hidden. Links to files count as those;
/// links to folders are not followed by `**` and folders. A name that is no pattern is there or not.
NamedFiles files_named(const std::string& folder, const std::vector<std::string>& patterns, std::size_t most);

}  // namespace flowrun
