// YAML text to nodes, on top of yaml-cpp's events. Does itself what yaml-cpp leaves open: the types of the 1.2 core
// schema, duplicate keys, limits, and positions of values.
#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <sstream>
#include <unordered_map>

#include "engine/language/node.h"
#include "engine/language/yaml_quirks.h"

namespace flowrun {
namespace {

constexpr std::size_t kMaxFile = 4 << 20;
constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxNodes = 100'000;
// Aliases of long texts count too: a thousand times a megabyte is few nodes and much memory.
constexpr std::size_t kMaxAliasedText = 16 << 20;

/// Thrown when reading ends early.
struct Refusal {
  std::string code;
  std::size_t offset;
  int length;
  std::string message;
  std::string suggestion = "";
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Of a plain scalar: https://yaml.org/spec/1.2.2/#1032-tag-resolution
Node::Kind core_kind(std::string_view text) {
  static constexpr std::string_view kNulls[] = {"", "~", "null", "Null", "NULL"};
  static constexpr std::string_view kBooleans[] = {"true", "True", "TRUE", "false", "False", "FALSE"};
  if (std::find(std::begin(kNulls), std::end(kNulls), text) != std::end(kNulls)) return Node::Kind::Null;
  if (std::find(std::begin(kBooleans), std::end(kBooleans), text) != std::end(kBooleans)) return Node::Kind::Boolean;
  auto all = [](std::string_view digits, const char* set) {
    return !digits.empty() && digits.find_first_not_of(set) == std::string_view::npos;
  };
  if (text.starts_with("0x"))
    return all(text.substr(2), "0123456789abcdefABCDEF") ? Node::Kind::Integer : Node::Kind::String;
  if (text.starts_with("0o")) return all(text.substr(2), "01234567") ? Node::Kind::Integer : Node::Kind::String;
  if (text == ".nan" || text == ".NaN" || text == ".NAN") return Node::Kind::Float;
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (text == ".inf" || text == ".Inf" || text == ".INF") return Node::Kind::Float;
  std::size_t i = 0;
  auto digits = [&] {
    std::size_t from = i;
    while (i < text.size() && is_digit(text[i])) ++i;
    return i - from;
  };
  std::size_t whole = digits();
  if (whole > 0 && i == text.size()) return Node::Kind::Integer;
  if (i < text.size() && text[i] == '.') {
    ++i;
    if (digits() + whole == 0) return Node::Kind::String;
  } else if (whole == 0) {
    return Node::Kind::String;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
    if (digits() == 0) return Node::Kind::String;
  }
  return i == text.size() ? Node::Kind::Float : Node::Kind::String;
}

/// Of a Float.
bool is_finite(std::string_view text) {
  return std::isdigit(static_cast<unsigned char>(text.back()))
             ? std::isfinite(std::strtod(std::string(text).c_str(), nullptr))
             : text.back() == '.';
}

/// The file's text, and where its lines begin.
class Text {
 public:
  explicit Text(std::string_view text) : text_(text) {
    starts_.push_back(0);
    for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
      starts_.push_back(at + 1);
  }
  std::string_view all() const { return text_; }
  char at(std::size_t offset) const { return offset < text_.size() ? text_[offset] : '\0'; }
  Position position(std::size_t offset) const {
    offset = std::min(offset, text_.size());
    auto line = std::upper_bound(starts_.begin(), starts_.end(), offset) - 1;
    return {static_cast<int>(line - starts_.begin()) + 1, static_cast<int>(offset - *line) + 1};
  }
  std::string_view line(int number) const {
    std::size_t index = static_cast<std::size_t>(number) - 1;
    if (number < 1 || index >= starts_.size()) return {};
    std::string_view found = text_.substr(starts_[index], text_.find('\n', starts_[index]) - starts_[index]);
    if (found.ends_with('\r')) found.remove_suffix(1);
    return found;
  }
  std::size_t start(int number) const { return starts_[static_cast<std::size_t>(number) - 1]; }
  int lines() const { return static_cast<int>(starts_.size()); }

 private:
  std::string_view text_;
  std::vector<std::size_t> starts_;
};

bool indented_by_tab(std::string_view line) {
  std::size_t text = line.find_first_not_of(" \t");
  return line.substr(0, std::min(text, line.size())).find('\t') != std::string_view::npos;
}

/// Builds the node tree out of yaml-cpp's events. Throws Refusal.
class Builder : public YAML::EventHandler {
 public:
  Builder(const Text& text, Diagnostics& diagnostics) : text_(text), diagnostics_(diagnostics) {}

  bool has_document() const { return has_document_; }
  /// Where the parser was when it last told something.
  std::size_t last_offset() const { return last_offset_; }
  bool last_was_key() const { return !frames_.empty() && frames_.back().key.has_value(); }
  Node take() {
    if (merge_keys_) drop_merge_keys(root_);
    return std::move(root_);
  }

  /// Once, although both the scalar that was cut and the error behind it lead here.
  void report(const Quirk& quirk) {
    for (const Diagnostic& told : diagnostics_.all())
      if (told.code == "E003" && told.at.line == quirk.at.line && told.at.column == quirk.at.column) return;
    diagnostics_.error("E003", quirk.at, quirk.length, quirk.message, quirk.suggestion);
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
                         fmt::format("first on line {}: {}", first->second.line, line.substr(0, 60)));
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
    if (frames_.size() >= kMaxDepth)
      throw Refusal{"E008", where, 1, fmt::format("nested deeper than {} levels", kMaxDepth)};
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
      std::string_view inner = all.substr(where + 1, close - where - 1);
      throw Refusal{"E202", where - 1, static_cast<int>(close + 3 - where), "`{{ }}` is the syntax of another tool",
                    fmt::format("an expression is written ${{{}}}", inner)};
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
    if (!node.is_scalar() && depth > kMaxDepth)
      throw Refusal{"E008", last_offset_, 1, fmt::format("nested deeper than {} levels", kMaxDepth)};
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

  const Text& text_;
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

/// What yaml-cpp's |message| about |where| means for the one who wrote the file.
Refusal translated(const Text& text, const Builder& builder, const std::string& message, std::size_t where) {
  auto is = [&](const char* theirs) { return message.find(theirs) != std::string::npos; };
  Position at = text.position(where);
  std::string_view line = text.line(at.line);
  std::string_view before = line.substr(0, std::min(line.size(), static_cast<std::size_t>(at.column - 1)));
  char c = text.at(where);
  if (is("illegal tab") || indented_by_tab(line))
    return {"E004", text.start(at.line), std::max(1, static_cast<int>(line.find_first_not_of(" \t"))),
            "this line is indented with a tab", "use blanks"};
  if (is("bad file")) return {"E008", where, 1, fmt::format("nested deeper than {} levels", kMaxDepth)};
  if (is("illegal map value")) {
    if (before.find(": ") != std::string_view::npos)
      return {"E001", where, 1, "`: ` begins a second value on this line", "put the value in quotes"};
    return {"E001", text.start(at.line) + std::min(line.find_first_not_of(' '), line.size()),
            static_cast<int>(
                std::max<std::size_t>(1, before.size() - std::min(before.find_first_not_of(' '), before.size()))),
            "a key does not belong here", "check its indentation, and that the line above ends in a value or in `:`"};
  }
  if (is("end of map flow")) return {"E001", where, 1, "`,` or `}` is missing here: a `{` was not closed"};
  if (is("end of sequence flow")) return {"E001", where, 1, "`,` or `]` is missing here: a `[` was not closed"};
  if (is("end of map") || is("end of sequence"))
    return {"E001", where, 1, "this line fits no line above",
            "keys of one map and items of one list have the same indentation"};
  if (is("illegal block entry"))
    return {"E001", where, 1, "a list item can not begin here", "put `- ` on a line of its own"};
  if (is("illegal flow end"))
    return {"E001", where, 1, fmt::format("`{}` closes nothing", c), "put the value in quotes"};
  if (is("illegal EOF")) {
    // The opening quote is the first one behind what was read last.
    std::size_t quote = text.all().find_first_of("\"'", builder.last_offset() + (builder.last_was_key() ? 1 : 0));
    return {"E001", quote == std::string_view::npos ? where : quote, 1, "this quote is never closed"};
  }
  if (is("unknown escape"))
    return {"E001", where > 1 ? where - 2 : 0, 2, "no such escape in double quotes",
            "write `\\\\`, or use single quotes"};
  if (is("invalid unicode") || is("hex number")) return {"E001", where, 1, "not a Unicode character"};
  if (is("unknown token")) {
    if (c == '\t') return {"E004", where, 1, "a tab can not stand here", "use blanks"};
    return {"E001", where, 1, fmt::format("a value can not begin with `{}`", c), "put it in quotes"};
  }
  if (is("anchor is not defined"))
    return {"E001", where, 1, "`*` makes an alias, and no anchor `&` of this name is above",
            "put the value in quotes if it is text"};
  if (is("anchor") || is("alias"))
    return {"E001", where, 1, "`&` and `*` make anchors and aliases, which need a name",
            "put the value in quotes if it is text"};
  if (is("tag"))
    return {"E005", where, 1, "tags are not part of flowrun's YAML", "put the value in quotes if it is text"};
  if (is("document indicator")) return {"E001", where, 3, "`---` or `...` ends the document within a quoted text"};
  return {"E001", where, 1, "YAML: " + message};
}

/// The expression or script that made YAML fail at |where|, if one did.
std::optional<Quirk> broken_near(const Text& text, std::size_t where) {
  if (where > 0 && text.at(where) == '{' && text.at(where - 1) == '$') return broken_in_flow(text.all(), where - 1);
  int line = text.position(where).line;
  // The parser notices at the latest a few lines behind: where the value ends, or where the next key begins.
  for (int back = 0; back <= 3 && line - back > 0; ++back)
    if (auto quirk = broken_value(text.all(), line - back)) return quirk;
  return std::nullopt;
}

/// Offset of the first byte that is not UTF-8 or not text; npos when there is none.
std::size_t find_not_text(std::string_view text) {
  auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  auto tail = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
  for (std::size_t i = 0; i < text.size();) {
    unsigned c = byte(i);
    std::size_t size = 1;
    if (c >= 0x80) {
      // Lead bytes, and what overlong forms and surrogates look like: RFC 3629, section 4.
      if (c >= 0xC2 && c <= 0xDF)
        size = 2;
      else if (c >= 0xE0 && c <= 0xEF && !(c == 0xE0 && byte(i + 1) < 0xA0) && !(c == 0xED && byte(i + 1) >= 0xA0))
        size = 3;
      else if (c >= 0xF0 && c <= 0xF4 && !(c == 0xF0 && byte(i + 1) < 0x90) && !(c == 0xF4 && byte(i + 1) >= 0x90))
        size = 4;
      else
        return i;
      for (std::size_t k = 1; k < size; ++k)
        if (!tail(i + k)) return i;
    } else if (c == 0x7F || (c < 0x20 && c != '\t' && c != '\n' && c != '\r')) {
      return i;
    }
    i += size;
  }
  return std::string_view::npos;
}

/// True when some prefix of |text| leaves so many brackets open that yaml-cpp must not see it.
bool far_too_deep(std::string_view text) {
  constexpr std::ptrdiff_t kHopeless = 2000;  // far beyond what scripts and quoted text have of unpaired brackets
  std::ptrdiff_t open = 0;
  for (char c : text) {
    if (c == '[' || c == '{') ++open;
    if ((c == ']' || c == '}') && open > 0) --open;
    if (open > kHopeless) return true;
  }
  return false;
}

/// JSON writes characters beyond U+FFFF as two \u escapes, which YAML does not know. They become the character itself,
/// which moves what follows on the line to the left.
std::string without_surrogates(std::string_view json) {
  std::string out;
  auto unit = [&](std::size_t at) -> unsigned {
    if (at + 6 > json.size() || json[at] != '\\' || json[at + 1] != 'u') return 0;
    return static_cast<unsigned>(std::strtoul(std::string(json.substr(at + 2, 4)).c_str(), nullptr, 16));
  };
  for (std::size_t i = 0; i < json.size();) {
    unsigned high = unit(i);
    unsigned low = high >= 0xD800 && high < 0xDC00 ? unit(i + 6) : 0;
    if (low >= 0xDC00 && low < 0xE000) {
      unsigned character = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
      out += static_cast<char>(0xF0 | (character >> 18));
      out += static_cast<char>(0x80 | ((character >> 12) & 0x3F));
      out += static_cast<char>(0x80 | ((character >> 6) & 0x3F));
      out += static_cast<char>(0x80 | (character & 0x3F));
      i += 12;
      continue;
    }
    std::size_t step = json[i] == '\\' && i + 1 < json.size() ? 2 : 1;
    out += json.substr(i, step);
    i += step;
  }
  return out;
}

/// What is wrong with the bytes, before YAML is asked.
std::optional<Refusal> refused_bytes(std::string_view text) {
  if (text.size() > kMaxFile)
    return Refusal{"E008", 0, 1, fmt::format("{} bytes are too many: a workflow has at most 4 MiB", text.size())};
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    return Refusal{"E007", 0, 1, "this file is UTF-16", "save it as UTF-8"};
  if (std::size_t bad = find_not_text(text); bad != std::string_view::npos) {
    unsigned value = static_cast<unsigned char>(text[bad]);
    if (value < 0x80) return Refusal{"E007", bad, 1, fmt::format("byte 0x{:02x}: this is no text file", value), ""};
    return Refusal{"E007", bad, 1, fmt::format("byte 0x{:02x} is not UTF-8", value), "save the file as UTF-8"};
  }
  if (far_too_deep(text)) return Refusal{"E008", 0, 1, fmt::format("nested deeper than {} levels", kMaxDepth)};
  return std::nullopt;
}

}  // namespace

std::optional<Node> read_yaml(Diagnostics& diagnostics) {
  std::string_view bytes = diagnostics.source().text;
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  auto refuse = [&](const Text& text, const Refusal& refusal) {
    if (refusal.code.empty()) return;  // already told
    diagnostics.error(refusal.code, text.position(refusal.offset), refusal.length, refusal.message, refusal.suggestion);
  };
  if (auto refusal = refused_bytes(bytes)) {
    refuse(Text(bytes), *refusal);
    return std::nullopt;
  }
  std::string rewritten;
  std::size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && bytes[first] == '{' && bytes.find("\\u") != std::string_view::npos) {
    rewritten = without_surrogates(bytes);
    bytes = rewritten;
  }
  Text text(bytes);
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
    if (auto quirk = broken_near(text, where))
      builder.report(*quirk);
    else
      refuse(text, translated(text, builder, exception.msg, where));
    return std::nullopt;
  }
  if (!builder.has_document()) {
    refuse(text, {"E001", 0, 1, "this file is empty; a workflow begins with `flowrun: 1` and has `steps:`"});
    return std::nullopt;
  }
  return builder.take();
}

}  // namespace flowrun
