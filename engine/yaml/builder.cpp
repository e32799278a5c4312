#include "engine/yaml/builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/yaml/core_schema.h"

namespace flowrun {
namespace {

constexpr std::size_t kMaxNodes = 250'000;  // keys are some: a step has ten of them, easily
// Aliases of long texts count too: a thousand times a megabyte is few nodes and much memory.
constexpr std::size_t kMaxAliasedText = 16 << 20;

}  // namespace

std::size_t NodeBuilder::outer_bracket() const {
  auto flow = std::find_if(frames_.begin(), frames_.end(), [](const Frame& frame) { return !frame.indented; });
  return flow == frames_.end() ? std::string_view::npos : text_.offset(flow->node.at);
}

std::size_t NodeBuilder::inner_bracket() const {
  return frames_.empty() || frames_.back().indented ? outer_bracket() : text_.offset(frames_.back().node.at);
}

Node NodeBuilder::take() {
  if (merge_keys_) drop_merge_keys(root_);
  return std::move(root_);
}

void NodeBuilder::report(const Quirk& quirk) {
  if (!has_told(text_.offset(quirk.at)))
    diagnostics_.error(quirk.code, quirk.at, quirk.length, quirk.message, quirk.suggestion);
}

bool NodeBuilder::has_told(std::size_t offset) const {
  const Position at = text_.position(offset);
  return std::any_of(diagnostics_.all().begin(), diagnostics_.all().end(), [&](const Diagnostic& known) {
    return known.code == "E003" && known.at.line == at.line && known.at.column == at.column;
  });
}

void NodeBuilder::add(YamlEvent event) {
  if (event.tagged) check_tag(event.tag, *event.tagged);
  switch (event.kind) {
    case YamlEvent::Kind::Document:
      document(event);
      break;
    case YamlEvent::Kind::Scalar:
      if (event.begin)
        scalar(std::move(event));
      else
        nothing(event);
      break;
    case YamlEvent::Kind::Alias:
      alias(event);
      break;
    case YamlEvent::Kind::List:
      begin(event, Node::Kind::List);
      break;
    case YamlEvent::Kind::Map:
      begin(event, Node::Kind::Map);
      break;
    case YamlEvent::Kind::End:
      end();
      break;
  }
  last_end_ = std::max(last_end_, event.end);
}

bool NodeBuilder::expects_key() const {
  return !frames_.empty() && frames_.back().node.is_map() && !frames_.back().key.has_value();
}

void NodeBuilder::count(std::size_t nodes, std::size_t where) {
  nodes_ += nodes;
  if (nodes_ > kMaxNodes)
    throw Refusal{"E008", where, 1, "more than 250,000 values, those that aliases repeat included"};
}

void NodeBuilder::tell(std::size_t where, int length, std::string message, std::string suggestion) {
  diagnostics_.error("E001", text_.position(where), length, std::move(message), std::move(suggestion));
}

void NodeBuilder::check_tag(const std::string& tag, std::size_t where) {
  if (tag == "!") return;
  std::size_t end = std::min(text_.all().find_first_of(" \t\r\n,", where), text_.all().size());
  std::string_view written = text_.all().substr(where, end - where);
  diagnostics_.error("E005", text_.position(where), static_cast<int>(std::max<std::size_t>(written.size(), 1)),
                     fmt::format("tags such as `{}` are not part of flowrun's YAML", written),
                     "leave it out; quotes make text of a value");
}

void NodeBuilder::document(const YamlEvent& event) {
  if (has_document_)
    throw Refusal{"E006", event.begin.value_or(last_end_), 3,
                  "a second document begins here; a file holds one workflow", "move it to a file of its own"};
  has_document_ = true;
}

std::size_t NodeBuilder::next_dash() const {
  std::string_view all = text_.all();
  for (std::size_t i = last_end_; i < all.size(); ++i) {
    if (all[i] == '-') return i;
    if (all[i] == '#') i = std::min(all.find('\n', i), all.size());
  }
  return last_end_;
}

void NodeBuilder::nothing(const YamlEvent& event) {
  Node node;
  node.plain = event.tag != "!";
  if (!node.plain) node.kind = Node::Kind::String;
  std::size_t where = last_end_;
  if (expects_value()) {
    node.at = frames_.back().key_at;
  } else {
    where = next_dash();
    last_end_ = std::min(where + 1, text_.all().size());
    node.at = text_.position(where);
  }
  put(std::move(node), event.anchor, where);
}

void NodeBuilder::scalar(YamlEvent event) {
  const bool quoted = event.style == YamlEvent::Style::Single || event.style == YamlEvent::Style::Double;
  const std::size_t begin = *event.begin - (quoted ? 1 : 0);
  if (event.style != YamlEvent::Style::Block) check_deeper(begin, event.end);
  Node node;
  node.text = std::move(event.text);
  node.at = text_.position(begin);
  node.plain = event.style == YamlEvent::Style::Plain && event.tag != "!";
  node.block = event.style == YamlEvent::Style::Block;
  node.kind = node.plain ? core_kind(node.text) : Node::Kind::String;
  if (node.block) node.at = block_start(node.at);
  node.offset = node.block ? text_.start(node.at.line) : begin;
  if ((node.kind == Node::Kind::Float && !is_finite(node.text)) ||
      (node.kind == Node::Kind::Integer && !integer_of(node.text)))
    tell(begin, static_cast<int>(node.text.size()),
         node.kind == Node::Kind::Float ? fmt::format("`{}` is a number that JSON has no way to write", node.text)
                                        : fmt::format("`{}` is an integer that does not fit into 64 bits", node.text),
         "put it in quotes");
  if (node.plain && expects_value() && (node.is_string() || frames_.back().key == "shell"))
    if (auto quirk = cut_by_comment(text_, begin, node.text, frames_.back().key == "shell")) report(*quirk);
  if (node.plain && !expects_value() && node.is_string())
    if (auto quirk = cut_by_comment(text_, begin, node.text, false)) report(*quirk);
  put(std::move(node), event.anchor, begin);
}

void NodeBuilder::check_deeper(std::size_t begin, std::size_t end) {
  if (frames_.empty() || !frames_.back().indented || expects_key()) return;
  const Position first = text_.position(begin), last = text_.position(end);
  const int column = frames_.back().node.at.column;
  for (int line = first.line; line <= last.line; ++line) {
    const std::size_t indent = text_.line(line).find_first_not_of(" \t");
    if (indent == std::string_view::npos || static_cast<int>(indent) >= column) continue;
    if (line == first.line && first.column > column) continue;
    return tell(text_.start(line) + indent, 1, "this value is not deeper than its key or its `-`", "indent it");
  }
}

void NodeBuilder::alias(const YamlEvent& event) {
  last_offset_ = *event.begin - 1;  // of the `*`
  check_deeper(last_offset_, last_offset_);
  const int length = static_cast<int>(event.text.size()) + 1;
  if (const auto found = key_anchors_.find(event.text); found != key_anchors_.end()) {
    if (expects_key())
      key(found->second.text, last_offset_, false);
    else
      put(Node(found->second), "", last_offset_);
    return;
  }
  const auto found = anchors_.find(event.text);
  if (found == anchors_.end()) {
    const bool within =
        std::any_of(frames_.begin(), frames_.end(), [&](const Frame& frame) { return frame.anchor == event.text; });
    if (within)
      tell(last_offset_, length, "this alias stands for the value that it is part of");
    else
      tell(last_offset_, length, "`*` makes an alias, and no anchor `&` of this name is above",
           "put the value in quotes if it is text");
    Node nothing;
    nothing.at = text_.position(last_offset_);
    return put(std::move(nothing), event.anchor, last_offset_);
  }
  const Node& target = resolve(found->second);
  if (expects_key()) {
    if (!target.is_scalar())
      throw Refusal{"E001", last_offset_, length, "a key must be text, not " + std::string(target.kind_name())};
    key(target.text, last_offset_, false);
    return;
  }
  measure(target, frames_.size() + 1);
  attach(Node(target), "");
}

Position NodeBuilder::block_start(Position at) const {
  for (int line = at.line; line <= text_.lines(); ++line) {
    std::size_t indent = text_.line(line).find_first_not_of(' ');
    if (indent != std::string_view::npos) return {at.line, static_cast<int>(indent) + 1};
  }
  return at;
}

void NodeBuilder::put(Node node, const std::string& anchor, std::size_t where) {
  last_offset_ = where;
  count(1, where);
  if (expects_key()) {
    key(node.text, where, node.plain);
    // It has no place in the tree where an alias would find it again.
    if (!anchor.empty()) key_anchors_[anchor] = std::move(node);
    return;
  }
  attach(std::move(node), anchor);
}

void NodeBuilder::key(const std::string& name, std::size_t where, bool plain) {
  Frame& frame = frames_.back();
  Position at = text_.position(where);
  int length = static_cast<int>(std::max<std::size_t>(name.size(), 1));
  if (frame.indented && indented_by_tab(text_.line(at.line)))
    diagnostics_.error("E004", {at.line, 1}, at.column - 1, "this line is indented with a tab", "use blanks");
  if (plain && name == "<<") {
    merge_keys_ = true;
    diagnostics_.error("E005", at, length, "merge keys `<<` are not part of flowrun's YAML",
                       "repeat the keys, or alias a whole value");
  }
  if (plain && has_open_expression(name)) {
    if (auto quirk = broken_value(text_, at.line)) report(*quirk);
  }
  auto [first, fresh] = frame.seen.emplace(name, at);
  if (!fresh && name != "<<") {
    std::string_view line = text_.line(first->second.line);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    diagnostics_.error("E002", at, length, fmt::format("duplicate key `{}`", name),
                       fmt::format("first on line {}: {}", first->second.line, shortened(line, 60)));
  }
  frame.key = name;
  frame.key_at = at;
}

void NodeBuilder::begin(const YamlEvent& event, Node::Kind kind) {
  const std::size_t where = event.begin.value_or(last_end_);
  last_offset_ = where;
  if (expects_key()) refuse_key(where, kind);
  if (event.flow) check_deeper(where, where);
  if (frames_.size() >= kMaxYamlDepth)
    throw Refusal{"E008", where, 1, fmt::format("nested deeper than {} levels", kMaxYamlDepth)};
  count(1, where);
  Frame frame;
  frame.node.kind = kind;
  frame.node.at = text_.position(where);
  frame.anchor = event.anchor;
  frame.indented = !event.flow;
  frames_.push_back(std::move(frame));
}

void NodeBuilder::refuse_key(std::size_t where, Node::Kind kind) {
  auto quirk = where > 0 ? foreign_braces(text_, where - 1) : std::nullopt;
  if (!quirk) quirk = broken_value(text_, text_.position(where).line);
  if (quirk) {
    report(*quirk);
    throw Refusal{"", where, 1, ""};
  }
  throw Refusal{"E001", where, 1,
                fmt::format("a key must be text, not {}", kind == Node::Kind::List ? "a list" : "a map")};
}

void NodeBuilder::end() {
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  attach(std::move(frame.node), frame.anchor);
}

void NodeBuilder::attach(Node node, const std::string& anchor) {
  if (!anchor.empty()) {
    key_anchors_.erase(anchor);
    std::vector<std::size_t> path;
    for (const Frame& frame : frames_)
      path.push_back(frame.node.is_list() ? frame.node.items.size() : frame.node.members.size());
    anchors_[anchor] = std::move(path);
  }
  if (frames_.empty()) {
    root_ = std::move(node);
    return;
  }
  Frame& frame = frames_.back();
  if (frame.node.is_list()) {
    frame.node.items.push_back(std::move(node));
  } else {
    frame.node.members.push_back({std::move(*frame.key), frame.key_at, std::move(node)});
    frame.key.reset();
  }
}

const Node& NodeBuilder::resolve(const std::vector<std::size_t>& path) const {
  const Node* node = frames_.empty() ? &root_ : &frames_.front().node;
  bool open = true;
  for (std::size_t i = 0; i < path.size(); ++i) {
    std::size_t size = node->is_list() ? node->items.size() : node->members.size();
    open = open && path[i] == size;
    if (open)
      node = &frames_[i + 1].node;
    else
      node = node->is_list() ? &node->items[path[i]] : &node->members[path[i]].value;
  }
  return *node;
}

void NodeBuilder::measure(const Node& node, std::size_t depth) {
  count(1, last_offset_);
  aliased_text_ += node.text.size();
  if (aliased_text_ > kMaxAliasedText)
    throw Refusal{"E008", last_offset_, 1,
                  fmt::format("aliases repeat more than {} MiB of text", kMaxAliasedText >> 20)};
  if (!node.is_scalar() && depth > kMaxYamlDepth)
    throw Refusal{"E008", last_offset_, 1, fmt::format("nested deeper than {} levels", kMaxYamlDepth)};
  for (const Node& item : node.items) measure(item, depth + 1);
  for (const Member& each : node.members) {
    aliased_text_ += each.key.size();
    measure(each.value, depth + 1);
  }
}

void NodeBuilder::drop_merge_keys(Node& node) {
  std::erase_if(node.members, [](const Member& each) { return each.key == "<<"; });
  for (Node& item : node.items) drop_merge_keys(item);
  for (Member& each : node.members) drop_merge_keys(each.value);
}

}  // namespace flowrun
