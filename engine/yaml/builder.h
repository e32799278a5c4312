// YAML events to nodes. Does what the parser leaves open: the types of the 1.2 core schema, duplicate keys, aliases,
// limits. Knows no key of the language but `shell`, whose text may look like a comment.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/yaml/events.h"
#include "engine/yaml/node.h"
#include "engine/yaml/quirks.h"
#include "engine/yaml/text.h"

namespace flowrun {

/// Builds the node tree out of the events. Throws Refusal.
class NodeBuilder {
 public:
  NodeBuilder(const YamlText& text, Diagnostics& diagnostics) : text_(text), diagnostics_(diagnostics) {}

  void add(YamlEvent event);
  bool has_document() const { return has_document_; }
  /// The outermost and the innermost bracket that is still open; npos when there is none.
  std::size_t outer_bracket() const;
  std::size_t inner_bracket() const;
  Node take();

  /// Once, although both the scalar that was cut and the error behind it lead here.
  void report(const Quirk& quirk);
  /// Whether what YAML breaks at |offset| was told of.
  bool has_told(std::size_t offset) const;

 private:
  /// A list or map that is being read.
  struct Frame {
    Node node;
    std::string anchor;
    bool indented = false;           ///< block style
    std::optional<std::string> key;  ///< Map: of the value that comes next
    Position key_at;
    std::unordered_map<std::string, Position> seen;
  };

  bool expects_key() const;
  bool expects_value() const { return !frames_.empty() && frames_.back().key.has_value(); }

  // One an event.
  void document(const YamlEvent& event);
  void begin(const YamlEvent& event, Node::Kind kind);
  void end();
  void scalar(YamlEvent event);
  /// A value that is not written.
  void nothing(const YamlEvent& event);
  void alias(const YamlEvent& event);

  // Into the tree.
  void put(Node node, const std::string& anchor, std::size_t where);
  void key(const std::string& name, std::size_t where, bool plain);
  void attach(Node node, const std::string& anchor);
  void drop_merge_keys(Node& node);

  // Where something stands.
  /// The `-` of an empty item of a list, behind what was read last; else where that ended.
  std::size_t next_dash() const;
  /// Where the text of a block scalar begins whose first line is that of |at|.
  Position block_start(Position at) const;
  /// The finished node that an anchor names, by its path: nodes move as lists grow, and copies of nested anchors would
  /// multiply.
  const Node& resolve(const std::vector<std::size_t>& path) const;

  // What is wrong.
  /// An error that leaves all below it readable.
  void tell(std::size_t where, int length, std::string message, std::string suggestion = "");
  void check_tag(const std::string& tag, std::size_t where);
  /// A value from |begin| to |end| stands deeper than what it is part of, on each of its lines. The parser does not
  /// insist.
  void check_deeper(std::size_t begin, std::size_t end);
  [[noreturn]] void refuse_key(std::size_t where, Node::Kind kind);
  /// Counts nodes, for the limit.
  void count(std::size_t nodes, std::size_t where);
  /// Counts what a copy of |node| at |depth| adds, before it is made.
  void measure(const Node& node, std::size_t depth);

  const YamlText& text_;
  Diagnostics& diagnostics_;
  std::vector<Frame> frames_;
  std::unordered_map<std::string, std::vector<std::size_t>> anchors_;  ///< finished nodes: indices from the root
  std::unordered_map<std::string, Node> key_anchors_;                  ///< of keys
  Node root_;
  std::size_t nodes_ = 0;
  std::size_t aliased_text_ = 0;
  std::size_t last_offset_ = 0;
  std::size_t last_end_ = 0;  ///< of what was read last
  bool has_document_ = false;
  bool merge_keys_ = false;
};

}  // namespace flowrun
