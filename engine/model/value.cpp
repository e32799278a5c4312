#include "engine/model/value.h"

#include <algorithm>

#include "engine/model/error.h"
#include "engine/model/json_text.h"

namespace flowrun {
namespace {

std::string written(const Json& tree) {
  // Items and their numbers, one or two a step: to set up a serializer costs ten times what the digits do.
  if (tree.is_number_unsigned()) return std::to_string(tree.get<std::uint64_t>());
  if (tree.is_number_integer()) return std::to_string(tree.get<std::int64_t>());
  return tree.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

Value::Value(Json tree) {
  if (tree.is_null()) return;
  rep_ = std::make_shared<Rep>();
  rep_->tree = std::make_unique<Json>(std::move(tree));
}

Value Value::from_text(std::string text) {
  Value value;
  if (text.empty() || text == "null") return value;
  value.rep_ = std::make_shared<Rep>();
  value.rep_->text = std::move(text);
  return value;
}

Value Value::string(std::string_view text) {
  std::string quoted;
  quoted.reserve(text.size() + 2);
  append_json_string(quoted, text);
  return from_text(std::move(quoted));
}

const std::string& Value::text() const {
  static const std::string kNull = "null";
  if (!rep_) return kNull;
  if (rep_->text.empty()) rep_->text = written(*rep_->tree);
  return rep_->text;
}

const Json& Value::json() const {
  static const Json kNull;
  if (!rep_) return kNull;
  if (!rep_->tree) rep_->tree = std::make_unique<Json>(tree());
  return *rep_->tree;
}

Json Value::tree() const {
  if (!rep_) return nullptr;
  if (rep_->tree) return *rep_->tree;
  // What other programs say was parsed before it became a value, and a value holds others.
  auto tree = json_of(rep_->text, rep_->text.size());
  if (!tree) throw Corruption("a value of the journal is not JSON: " + shortened(rep_->text, 60));
  return std::move(*tree);
}

std::size_t whole_characters(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text.size();
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  return most;
}

std::string shortened(std::string_view text, std::size_t width) {
  if (text.size() <= width) return std::string(text);
  return std::string(text.substr(0, whole_characters(text, width > 3 ? width - 3 : width))) + "...";
}

void append_json_string(std::string& out, std::string_view text) {
  bool plain = true;
  for (unsigned char c : text)
    if (c < 0x20 || c == '"' || c == '\\' || c >= 0x7f) {
      plain = false;
      break;
    }
  if (plain) {
    out += '"';
    out += text;
    out += '"';
  } else {
    out += Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
  }
}

}  // namespace flowrun
