// A YAML node as its readers ask about it.
#include "engine/yaml/node.h"

#include <algorithm>
#include <cstdlib>

#include "engine/yaml/core_schema.h"

namespace flowrun {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

const Member* Node::member(std::string_view key) const {
  for (const Member& each : members)
    if (each.key == key) return &each;
  return nullptr;
}

const Node* Node::find(std::string_view key) const {
  const Member* found = member(key);
  return found ? &found->value : nullptr;
}

ScalarWalk::ScalarWalk(const Node& scalar, std::string_view file) : scalar_(scalar), file_(file) {
  if (file_.starts_with("\xEF\xBB\xBF")) file_.remove_prefix(3);
  if (!scalar_.plain && !scalar_.block) {
    quote_ = scalar_.offset < file_.size() ? file_[scalar_.offset] : '\0';
    lost_ = quote_ != '\'' && quote_ != '"';
  }
  restart();
}

void ScalarWalk::restart() {
  text_ = 0;
  at_ = scalar_.offset;
  where_ = scalar_.block ? Position{scalar_.at.line, 1} : scalar_.at;
  if (quote_) step(1);
}

void ScalarWalk::step(std::size_t bytes) {
  for (; bytes > 0 && at_ < file_.size(); --bytes, ++at_) {
    ++where_.column;
    if (file_[at_] == '\n') where_ = {where_.line + 1, 1};
  }
}

/// Blanks of the file, and line ends that a `\` takes away.
void ScalarWalk::skip_blanks() {
  for (; at_ < file_.size(); step(1)) {
    bool joined = quote_ == '"' && file_[at_] == '\\' && at_ + 1 < file_.size() &&
                  (file_[at_ + 1] == '\n' || file_[at_ + 1] == '\r');
    if (!is_blank(file_[at_]) && !joined) return;
  }
}

/// Character by character, blanks on both sides aside: of those YAML leaves as many as it likes.
bool ScalarWalk::follow(std::size_t offset) {
  const std::string& text = scalar_.text;
  while (text_ < offset) {
    skip_blanks();
    if (at_ >= file_.size()) return false;
    std::string_view rest = file_.substr(at_);
    bool escape = quote_ == '"' && rest.size() > 1 && rest[0] == '\\';
    if (is_blank(text[text_]) && !(escape && std::string_view("ntrxu \t").find(rest[1]) != std::string_view::npos)) {
      ++text_;
    } else if (escape) {
      step(rest[1] == 'x' ? 4 : rest[1] == 'u' ? 6 : rest[1] == 'U' ? 10 : 2);
      for (++text_; text_ < text.size() && (static_cast<unsigned char>(text[text_]) & 0xC0) == 0x80;) ++text_;
    } else if (rest[0] != text[text_]) {
      return false;
    } else {
      step(quote_ == '\'' && rest.starts_with("''") ? 2 : 1);
      ++text_;
    }
  }
  if (offset >= text.size() || is_blank(text[offset])) return true;
  skip_blanks();
  return at_ < file_.size() && (file_[at_] == text[offset] || file_[at_] == '\\');
}

Position ScalarWalk::position(std::size_t offset) {
  offset = std::min(offset, scalar_.text.size());
  if (offset < text_) restart();
  lost_ = lost_ || !follow(offset);
  if (!lost_) return where_;
  const int quote = scalar_.plain || scalar_.block ? 0 : 1;
  return {scalar_.at.line, scalar_.at.column + quote + static_cast<int>(offset)};
}

Json Node::json() const {
  switch (kind) {
    case Kind::Null:
      return nullptr;
    case Kind::Boolean:
      return text.front() == 't' || text.front() == 'T';
    case Kind::Integer:
      return integer_of(text).value_or(0);  // what does not fit is refused, and what else is wrong is looked for
    case Kind::Float:
      return std::strtod(text.c_str(), nullptr);
    case Kind::String:
      return text;
    case Kind::List: {
      Json list = Json::array();
      for (const Node& item : items) list.push_back(item.json());
      return list;
    }
    case Kind::Map: {
      Json object = Json::object();
      for (const Member& each : members) object.emplace(each.key, each.value.json());
      return object;
    }
  }
  return nullptr;
}

const char* Node::kind_name() const {
  switch (kind) {
    case Kind::Null:
      return "nothing";
    case Kind::Boolean:
      return "true or false";
    case Kind::Integer:
    case Kind::Float:
      return "a number";
    case Kind::String:
      return "text";
    case Kind::List:
      return "a list";
    case Kind::Map:
      return "a map";
  }
  return "nothing";
}

}  // namespace flowrun
