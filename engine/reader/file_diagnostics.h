// What is wrong with a file, told in the words of the language. Knows keys and kinds of value, no step.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/model/diagnostics.h"
#include "engine/yaml/node.h"

namespace flowrun {

class FileDiagnostics {
 public:
  /// |diagnostics| is lent and has what was wrong with the file as YAML. Paths start at |folder|.
  FileDiagnostics(Diagnostics& diagnostics, std::string folder);

  /// Adds an error. A value that YAML could not read gets none: YAML's is enough.
  void error(const char* code, Position at, std::size_t length, std::string message, std::string suggestion = "");
  /// E102 when |node| is of another |kind|; |wanted| is what `|what|` must be.
  bool is(const Node& node, Node::Kind kind, const char* what, const char* wanted);
  /// Refuses what is not |known| in a map of options.
  void only(const Node& map, const std::vector<std::string>& known, const char* what);
  /// |reserve_kinds|: the words of the language are no names here.
  void check_name(const std::string& name, Position at, const char* what, bool reserve_kinds = true);
  /// Tells |code| when no file stands at |path|, relative to the folder.
  void must_exist(const Node& node, const std::string& path, const char* code);

  /// True when YAML has cut or changed the value on this line, and an error says so: the rest of it makes no sense.
  bool broken(const Node& node) const { return broken_lines_.count(node.at.line) > 0; }
  const std::string& folder() const { return folder_; }
  Diagnostics& diagnostics() const { return diagnostics_; }

 private:
  Diagnostics& diagnostics_;
  const std::string folder_;
  std::set<int> broken_lines_;
  std::set<std::pair<int, int>> unreadable_;  ///< values that YAML could not read; null stands for them
};

/// `did you mean `X`?`, when one of |known| is near to |word|; else what there is, when that is not too much.
std::string suggested(const std::string& word, const std::vector<std::string>& known);

/// The name that |text| was probably meant to be.
std::string name_like(const std::string& text);

}  // namespace flowrun
