// YAML text to nodes, on top of yaml-cpp's events. Does itself what yaml-cpp leaves open: the types of the 1.2 core
// schema, duplicate keys, limits, and positions of values.
#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <unordered_map>

#include "engine/language/core_schema.h"
#include "engine/language/node.h"
#include "engine/language/other_tools.h"
#include "engine/language/yaml_faults.h"
#include "engine/language/yaml_quirks.h"
#include "engine/language/yaml_text.h"

namespace flowrun {
namespace {

constexpr std::size_t kMaxNodes = 100'000;
// Aliases of long texts count too: a thousand times a megabyte is few nodes and much memory.
constexpr std::size_t kMaxAliasedText = 16 << 20;

/// Builds the node tree out of yaml-cpp's events. Throws Refusal.
class Builder : public YAML::EventHandler {
 public:
  Builder(const YamlText& text, Diagnostics& diagnostics) : text_(text), diagnostics_(diagnostics) {}

  bool has_document() const { return has_document_; }
  /// Where the parser was when it last told something.
  std::size_t last_offset() const { return last_offset_; }
  /// The outermost bracket that is still open; npos when there is none.
  std::size_t open_flow() const {
    auto flow = std::find_if(frames_.begin(), frames_.end(), [](const Frame& frame) { return !frame.indented; });
    if (flow == frames_.end()) return std::string_view::npos;
    return text_.start(flow->node.at.line) + static_cast<std::size_t>(flow->node.at.column - 1);
  }
  bool last_was_key() const { return !frames_.empty() && frames_.back().key.has_value(); }
  Node take() {
    if (merge_keys_) drop_merge_keys(root_);
    return std::move(root_);
  }

  /// Once, although both the scalar that was cut and the error behind it lead here.
  void report(const Quirk& quirk) {
    if (!has_told(quirk.at)) diagnostics_.error("E003", quirk.at, quirk.length, quirk.message, quirk.suggestion);
  }
  bool has_told(Position at) const {
    return std::any_of(diagnostics_.all().begin(), diagnostics_.all().end(), [&](const Diagnostic& told) {
      return told.code == "E003" && told.at.line == at.line && told.at.column == at.column;
    });
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (has_document_)
      throw Refusal{"E006", offset(mark), 3, "a second document begins here; a file holds one workflow",
                    "move it to a file of its own"};
    has_document_ = true;
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    std::size_t begin = behind_properties(offset(mark));
    std::string_view rest = text_.all().substr(std::min(begin, text_.all().size()));
    Node node;
    node.plain = true;
    node.at = text_.position(begin);
    if (rest.starts_with('~'))
      node.text = "~";
    else if (rest.size() >= 4 && core_kind(rest.substr(0, 4)) == Node::Kind::Null)
      node.text = std::string(rest.substr(0, 4));
    else if (expects_value())
      node.at = frames_.back().key_at;  // the parser's mark is of whatever comes next
    else
      node.at = text_.position(begin = dash_before(begin));
    scalar(std::move(node), anchor, begin);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    std::size_t begin = behind_properties(offset(mark));
    check_tag(tag, offset(mark));
    Node node;
    node.text = value;
    node.at = text_.position(begin);
    node.plain = tag != "!";
    char first = text_.at(begin);
    if (node.plain && (first == '"' || first == '\'' || first == '|' || first == '>')) node.plain = false;
    if (!node.plain && (first == '"' || first == '\'') && !closes(begin))
      throw Refusal{"E001", begin, 1, "this quote is never closed"};
    node.block = !node.plain && (first == '|' || first == '>');
    node.kind = node.plain ? core_kind(value) : Node::Kind::String;
    if (node.block) node.at = block_start(begin);
    node.offset = node.block ? text_.start(node.at.line) : begin;
    if (node.kind == Node::Kind::Float && !is_finite(value))
      throw Refusal{"E001", begin, static_cast<int>(value.size()),
                    fmt::format("`{}` is a number that JSON has no way to write", value), "put it in quotes"};
    if (node.plain && expects_value() && (node.is_string() || frames_.back().key == "shell"))
      if (auto quirk = cut_by_comment(text_.all(), begin, value, frames_.back().key == "shell")) report(*quirk);
    if (node.plain && !expects_value() && node.is_string())
      if (auto quirk = cut_by_comment(text_.all(), begin, value, false)) report(*quirk);
    scalar(std::move(node), anchor, begin);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    last_offset_ = offset(mark);
    auto found = anchors_.find(anchor);
    if (found == anchors_.end())
      throw Refusal{"E001", last_offset_, 1, "this alias stands for the value that it is part of"};
    const Node& target = resolve(found->second);
    if (expects_key()) {
      if (!target.is_scalar())
        throw Refusal{"E001", last_offset_, 1, "a key must be text, not " + std::string(target.kind_name())};
      key(target.text, last_offset_, false);
      return;
    }
    measure(target, frames_.size() + 1);
    attach(Node(target), 0);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    begin(mark, tag, anchor, style, Node::Kind::List);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    begin(mark, tag, anchor, style, Node::Kind::Map);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapEnd() override { end(); }

 private:
  /// A list or map that is being read.
  struct Frame {
    Node node;
    YAML::anchor_t anchor = 0;
    bool indented = false;           ///< block style
    std::optional<std::string> key;  ///< Map: of the value that comes next
    Position key_at;
    std::unordered_map<std::string, Position> seen;
  };

  std::size_t offset(const YAML::Mark& mark) { return static_cast<std::size_t>(std::max(mark.pos, 0)); }
  bool expects_key() const {
    return !frames_.empty() && frames_.back().node.is_map() && !frames_.back().key.has_value();
  }
  bool expects_value() const { return !frames_.empty() && frames_.back().key.has_value(); }

  void count(std::size_t nodes, std::size_t where) {
    nodes_ += nodes;
    if (nodes_ > kMaxNodes)
      throw Refusal{"E008", where, 1, "more than 100,000 values, those that aliases repeat included"};
  }

  void check_tag(const std::string& tag, std::size_t where) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    std::size_t end = std::min(text_.all().find_first_of(" \t\r\n,", where), text_.all().size());
    std::string_view written = text_.all().substr(where, end - where);
    diagnostics_.error("E005", text_.position(where), static_cast<int>(std::max<std::size_t>(written.size(), 1)),
                       fmt::format("tags such as `{}` are not part of flowrun's YAML", written),
                       "leave it out; quotes make text of a value");
  }

  /// yaml-cpp marks a value where its anchor or tag begins; this skips those.
  std::size_t behind_properties(std::size_t at) {
    std::string_view all = text_.all();
    while (at < all.size() && (all[at] == '&' || all[at] == '!')) {
      std::size_t next = std::min(all.find_first_of(" \t\r\n", at), all.size());
      for (;;) {
        next = std::min(all.find_first_not_of(" \t\r\n", next), all.size());
        if (next >= all.size() || all[next] != '#') break;
        next = std::min(all.find('\n', next), all.size());
      }
      if (next >= all.size()) return at;
      at = next;
    }
    return at;
  }

  /// The `-` of the empty list item that ends before |next|; |next| itself when there is none.
  std::size_t dash_before(std::size_t next) const {
    std::size_t end = next;
    for (int line = text_.position(next).line; line > 0; --line) {
      std::string_view before = text_.all().substr(text_.start(line), end - text_.start(line));
      before = before.substr(0, std::min(before.find('#'), before.size()));
      std::size_t last = before.find_last_not_of(" \t\r\n");
      if (last != std::string_view::npos) return before[last] == '-' ? text_.start(line) + last : next;
      end = text_.start(line);
    }
    return next;
  }

  /// yaml-cpp takes the end of the file for a closing quote.
  bool closes(std::size_t quote) const {
    std::string_view all = text_.all();
    for (std::size_t i = quote + 1; i < all.size(); ++i) {
      bool escape = all[quote] == '"' ? all[i] == '\\' : all.substr(i, 2) == "''";
      if (escape)
        ++i;
      else if (all[i] == all[quote])
        return true;
    }
    return false;
  }

  /// Where the text of the block scalar begins whose `|` or `>` is at |header|.
  Position block_start(std::size_t header) {
    Position at = text_.position(header);
    int first = at.line + 1;
    for (int line = first; line <= text_.lines(); ++line) {
      std::size_t indent = text_.line(line).find_first_not_of(' ');
      if (indent == std::string_view::npos) continue;
      return {first, static_cast<int>(indent) + 1};
    }
    return at;
  }

  void scalar(Node node, YAML::anchor_t anchor, std::size_t where) {
    last_offset_ = where;
    if (expects_key()) {
      // The key can be aliased, but has no place in the tree to find it again.
      key(node.text, where, node.plain);
      return;
    }
    count(1, where);
    attach(std::move(node), anchor);
  }

  void key(const std::string& name, std::size_t where, bool plain) {
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
      if (auto quirk = broken_value(text_.all(), at.line)) report(*quirk);
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

  void begin(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value style,
             Node::Kind kind) {
    std::size_t where = behind_properties(offset(mark));
    check_tag(tag, offset(mark));
    last_offset_ = where;
    if (expects_key()) refuse_key(where, kind);
    if (frames_.size() >= kMaxYamlDepth)
      throw Refusal{"E008", where, 1, fmt::format("nested deeper than {} levels", kMaxYamlDepth)};
    count(1, where);
    Frame frame;
    frame.node.kind = kind;
    frame.node.at = text_.position(where);
    frame.anchor = anchor;
    frame.indented = style == YAML::EmitterStyle::Block;
    frames_.push_back(std::move(frame));
  }

  [[noreturn]] void refuse_key(std::size_t where, Node::Kind kind) {
    std::string_view all = text_.all();
    std::size_t close = all.find("}}", where);
    if (where > 0 && all[where] == '{' && all[where - 1] == '{' && close != std::string_view::npos &&
        close < all.find('\n', where)) {
      std::string_view written = all.substr(where - 1, close + 3 - where);
      throw Refusal{"E202", where - 1, static_cast<int>(written.size()), "`{{ }}` is the syntax of another tool",
                    advice_on_braces(written)};
    }
    if (auto quirk = broken_value(all, text_.position(where).line)) {
      report(*quirk);
      throw Refusal{"", where, 1, ""};
    }
    throw Refusal{"E001", where, 1,
                  fmt::format("a key must be text, not {}", kind == Node::Kind::List ? "a list" : "a map")};
  }

  void end() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    attach(std::move(frame.node), frame.anchor);
  }

  void attach(Node node, YAML::anchor_t anchor) {
    if (anchor != 0) {
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

  /// The finished node that an anchor names, by its path: nodes move as lists grow, and copies of nested anchors would
  /// multiply.
  const Node& resolve(const std::vector<std::size_t>& path) const {
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

  /// Counts what a copy of |node| at |depth| adds, before it is made.
  void measure(const Node& node, std::size_t depth) {
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

  void drop_merge_keys(Node& node) {
    std::erase_if(node.members, [](const Member& each) { return each.key == "<<"; });
    for (Node& item : node.items) drop_merge_keys(item);
    for (Member& each : node.members) drop_merge_keys(each.value);
  }

  const YamlText& text_;
  Diagnostics& diagnostics_;
  std::vector<Frame> frames_;
  std::unordered_map<YAML::anchor_t, std::vector<std::size_t>> anchors_;  ///< finished nodes: indices from the root
  Node root_;
  std::size_t nodes_ = 0;
  std::size_t aliased_text_ = 0;
  std::size_t last_offset_ = 0;
  bool has_document_ = false;
  bool merge_keys_ = false;
};

}  // namespace

std::optional<Node> read_yaml(Diagnostics& diagnostics) {
  std::string_view bytes = diagnostics.source().text;
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  auto refuse = [&](const YamlText& text, const Refusal& refusal) {
    if (refusal.code.empty()) return;  // already told
    diagnostics.error(refusal.code, text.position(refusal.offset), refusal.length, refusal.message, refusal.suggestion);
  };
  if (auto refusal = refused_bytes(bytes)) {
    refuse(YamlText(bytes), *refusal);
    return std::nullopt;
  }
  std::string rewritten;
  std::size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && bytes[first] == '{' && bytes.find("\\u") != std::string_view::npos) {
    rewritten = without_surrogates(bytes);
    bytes = rewritten;
  }
  YamlText text(bytes);
  Builder builder(text, diagnostics);
  try {
    std::istringstream stream{std::string(bytes)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refusal& refusal) {
    refuse(text, refusal);
    return std::nullopt;
  } catch (const YAML::Exception& exception) {
    auto where = static_cast<std::size_t>(std::max(exception.mark.pos, 0));
    std::size_t hash = comment_in_flow(text, exception.msg, builder.open_flow(), where);
    if (auto quirk = broken_near(text, where))
      builder.report(*quirk);
    else if (hash == where)
      refuse(text, translated(text, exception.msg, where, builder.last_offset() + (builder.last_was_key() ? 1 : 0)));
    else if (!builder.has_told(text.position(hash)))
      refuse(text, {"E001", hash, 1, "a comment begins at this ` #`, and the bracket that should close is in it",
                    "put the text in quotes"});
    return std::nullopt;
  }
  if (!builder.has_document()) {
    refuse(text, {"E001", 0, 1, "this file is empty; a workflow begins with `flowrun: 1` and has `steps:`"});
    return std::nullopt;
  }
  return builder.take();
}

}  // namespace flowrun
