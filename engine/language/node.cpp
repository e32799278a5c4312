// A YAML node as its readers ask about it.
#include "engine/language/node.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace flowrun {
namespace {

Json integer_of(std::string_view text) {
  // Hexadecimal and octal carry no sign in the core schema.
  int base = text.starts_with("0x") ? 16 : text.starts_with("0o") ? 8 : 10;
  std::string_view digits = base == 10 ? text : text.substr(2);
  if (digits.starts_with('+')) digits.remove_prefix(1);
  std::int64_t number = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), number, base).ec == std::errc{}) return number;
  std::uint64_t large = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), large, base).ec == std::errc{}) return large;
  return std::strtod(std::string(digits).c_str(), nullptr);
}

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

Position Node::position(std::size_t offset) const {
  Position where = at;
  if (!plain && !block) ++where.column;
  for (std::size_t i = 0; i < std::min(offset, text.size()); ++i) {
    ++where.column;
    if (text[i] == '\n') where = {where.line + 1, at.column};
  }
  return where;
}

Json Node::json() const {
  switch (kind) {
    case Kind::Null:
      return nullptr;
    case Kind::Boolean:
      return text.front() == 't' || text.front() == 'T';
    case Kind::Integer:
      return integer_of(text);
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
