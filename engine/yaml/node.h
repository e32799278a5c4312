// A YAML document typed by the 1.2 core schema, with positions. Knows no key of the language.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/model/diagnostics.h"
#include "engine/model/value.h"

namespace flowrun {

struct Member;

struct Node {
  enum class Kind { Null, Boolean, Integer, Float, String, List, Map };
  Kind kind = Kind::Null;
  Position at;                  ///< of the value; of the first character inside the quotes is one column further
  std::string text;             ///< scalars: as decoded by YAML
  bool plain = false;           ///< scalar without quotes, not a block scalar
  bool block = false;           ///< block scalar (| or >); |at| is where its first line of text begins
  std::size_t offset = 0;       ///< scalars: of |at| in the file, of a block scalar that of its line
  std::vector<Node> items;      ///< List
  std::vector<Member> members;  ///< Map, in file order

  bool is_scalar() const { return kind < Kind::List; }
  bool is_string() const { return kind == Kind::String; }
  bool is_list() const { return kind == Kind::List; }
  bool is_map() const { return kind == Kind::Map; }
  const Node* find(std::string_view key) const;
  const Member* member(std::string_view key) const;
  Json json() const;              ///< as plain data, expressions as their text
  const char* kind_name() const;  ///< "a list", "a map", "text", "a number", "true or false", "nothing"
};

struct Member {
  std::string key;
  Position at;  ///< of the key
  Node value;
};

/// Follows the text of a scalar through the file, past the escapes, the indentation and the folded lines that YAML has
/// taken away.
class ScalarWalk {
 public:
  /// Both are lent. Where |file| does not hold the scalar, its text counts as one line that stands there as it is.
  ScalarWalk(const Node& scalar, std::string_view file);
  /// Where the byte |offset| of the text stands. Quick when offsets grow.
  Position position(std::size_t offset);

 private:
  void restart();
  void step(std::size_t bytes);
  void skip_blanks();
  bool follow(std::size_t offset);

  const Node& scalar_;
  std::string_view file_;
  char quote_ = 0;  ///< `'` or `"`, when it is in quotes
  bool lost_ = false;
  std::size_t text_ = 0;  ///< offset in the text
  std::size_t at_ = 0;    ///< the same place in the file
  Position where_;
};

/// Reads one YAML document strictly: errors E001 to E008 go to |diagnostics|.
/// Nothing when it can not be read at all.
std::optional<Node> read_yaml(Diagnostics& diagnostics);

}  // namespace flowrun
