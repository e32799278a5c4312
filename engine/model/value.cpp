#include "engine/model/value.h"

#include <algorithm>

#include "engine/model/error.h"
#include "engine/model/hash.h"
#include "engine/model/json_text.h"
#include "engine/model/value_writer.h"

namespace flowrun {
namespace {

std::string written(const Json& tree) {
  // Items and their numbers, one or two a step: to set up a serializer costs ten times what the digits do.
  if (tree.is_number_unsigned()) return std::to_string(tree.get<std::uint64_t>());
  if (tree.is_number_integer()) return std::to_string(tree.get<std::int64_t>());
  return tree.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

struct Value::Rep {
  /// Where the text is besides, or instead.
  struct Elsewhere {
    std::vector<ValueWriter::Part> parts;
    std::shared_ptr<const TextHome> home;
    std::int64_t number = 0;
    std::size_t size = 0;
    std::uint64_t hash = 0;  ///< of the text at |home|, since it was let go
    bool looked_at = false;
  };
  /// What few have. Not larger than a tree: there may be a million.
  struct Behind {
    Json tree = Json(Json::value_t::discarded);  ///< that: not parsed yet
    std::unique_ptr<Elsewhere> elsewhere;
  };

  std::string text;  ///< empty: not made yet
  std::unique_ptr<Behind> behind;

  const Json* tree() const { return behind && !behind->tree.is_discarded() ? &behind->tree : nullptr; }
  const Elsewhere* elsewhere() const { return behind ? behind->elsewhere.get() : nullptr; }
  void set(Json tree) {
    if (!behind) behind = std::make_unique<Behind>();
    behind->tree = std::move(tree);
  }
  void set(std::unique_ptr<Elsewhere> elsewhere) {
    if (!behind) behind = std::make_unique<Behind>();
    behind->elsewhere = std::move(elsewhere);
  }
};

Value::Value(Json tree) {
  if (tree.is_null()) return;
  rep_ = std::make_shared<Rep>();
  rep_->set(std::move(tree));
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
  if (!rep_->text.empty()) return rep_->text;
  if (!rep_->elsewhere()) return rep_->text = written(*rep_->tree());
  std::string whole;
  whole.reserve(size());
  pieces([&](std::string_view piece) {
    whole += piece;
    return true;
  });
  return rep_->text = std::move(whole);
}

const Json& Value::json() const {
  static const Json kNull;
  if (!rep_) return kNull;
  if (!rep_->tree()) rep_->set(tree());
  return *rep_->tree();
}

Json Value::tree() const {
  if (!rep_) return nullptr;
  if (const Json* tree = rep_->tree()) return *tree;
  const auto parsed = [](std::string_view text) {
    // What other programs say was parsed before it became a value, and a value holds others.
    auto tree = json_of(text, text.size());
    if (!tree) throw Corruption("a value of the journal is not JSON: " + shortened(text, 60));
    return std::move(*tree);
  };
  const Rep::Elsewhere* elsewhere = rep_->elsewhere();
  if (!rep_->text.empty() || !elsewhere || !elsewhere->home) return parsed(text());
  Json tree;
  pieces([&](std::string_view all) {
    tree = parsed(all);
    return true;
  });
  return tree;
}

bool Value::is_null() const {
  if (!rep_) return true;
  return rep_->text.empty() && rep_->elsewhere() ? false : text() == "null";
}

std::size_t Value::size() const {
  if (rep_ && rep_->text.empty() && rep_->elsewhere()) return rep_->elsewhere()->size;
  return text().size();
}

bool Value::pieces(const Take& take) const {
  const Rep::Elsewhere* elsewhere = rep_ && rep_->text.empty() ? rep_->elsewhere() : nullptr;
  if (!elsewhere) return take(text());
  for (const ValueWriter::Part& part : elsewhere->parts) {
    const bool all = part.from == 0 && part.size == part.value.size();
    if (!(all ? part.value.pieces(take) : take(std::string_view(part.value.text()).substr(part.from, part.size))))
      return false;
  }
  if (!elsewhere->home) return true;
  bool more = true, right = false;
  elsewhere->home->read(elsewhere->number, [&](std::string_view text) {
    right = text.size() == elsewhere->size && hash64(text) == elsewhere->hash;
    if (right) more = take(text);
  });
  if (!right) throw Corruption("a value of the journal has changed since it was written");
  return more;
}

void Value::keep_at(const std::shared_ptr<const TextHome>& home, std::int64_t number) const {
  // One that is taken over from another run has two homes, and the newer one stays open.
  if (!rep_ || rep_->text.size() < kLong) return;
  auto elsewhere = std::make_unique<Rep::Elsewhere>();
  elsewhere->home = home;
  elsewhere->number = number;
  elsewhere->size = rep_->text.size();
  rep_->set(std::move(elsewhere));
}

Value Value::let_go() const {
  const Rep::Elsewhere* elsewhere = rep_ ? rep_->elsewhere() : nullptr;
  if (!elsewhere) return *this;
  auto all = std::make_unique<Rep::Elsewhere>(*elsewhere);
  for (ValueWriter::Part& part : all->parts)
    if (part.size == part.value.size()) part.value = part.value.let_go();
  if (all->home && !rep_->text.empty()) all->hash = hash64(rep_->text);
  Value bare;
  bare.rep_ = std::make_shared<Rep>();
  bare.rep_->set(std::move(all));
  return bare;
}

bool Value::has_tree() const { return !rep_ || rep_->tree(); }

bool Value::is_looked_at_again() const {
  Rep::Elsewhere* elsewhere = rep_ && rep_->behind ? rep_->behind->elsewhere.get() : nullptr;
  return elsewhere && std::exchange(elsewhere->looked_at, true);
}

std::size_t Value::in_memory() const {
  const Rep::Elsewhere* elsewhere = rep_ ? rep_->elsewhere() : nullptr;
  if (!elsewhere) return 0;
  std::size_t bytes = rep_->text.empty() && rep_->tree() ? elsewhere->size : rep_->text.size();
  for (const ValueWriter::Part& part : elsewhere->parts) bytes += part.value.in_memory();
  return bytes;
}

bool Value::is_kept_elsewhere() const {
  const Rep::Elsewhere* elsewhere = rep_ ? rep_->elsewhere() : nullptr;
  return elsewhere && (elsewhere->home || std::any_of(elsewhere->parts.begin(), elsewhere->parts.end(),
                                                      [](const auto& part) { return part.value.is_kept_elsewhere(); }));
}

void Value::keep_as(const Value& recorded) const {
  const Rep::Elsewhere* elsewhere = recorded.rep_ ? recorded.rep_->elsewhere() : nullptr;
  if (!elsewhere || !elsewhere->home || !rep_ || rep_->elsewhere()) return;
  if (have_same_text(*this, recorded)) keep_at(elsewhere->home, elsewhere->number);
}

void ValueWriter::add(const Value& value) {
  const std::size_t size = value.size();
  if (size < Value::kLong) {
    text_ += value.text();
    return;
  }
  close();
  parts_.push_back({value, 0, size});
}

void ValueWriter::add(const Value& value, std::size_t from, std::size_t size) {
  if (size < Value::kLong) return add(std::string_view(value.text()).substr(from, size));
  close();
  parts_.push_back({value, from, size});
}

bool have_same_text(const Value& one, const Value& other) {
  if (one.is_same_as(other)) return true;
  if (one.size() != other.size()) return false;
  // One of them is mostly a text by itself, so |other| is when |one| has parts.
  const std::string& whole = other.text();
  std::size_t at = 0;
  return one.pieces([&](std::string_view piece) {
    const bool same = whole.compare(at, piece.size(), piece) == 0;
    at += piece.size();
    return same;
  });
}

void ValueWriter::close() {
  if (text_.empty()) return;
  const std::size_t size = text_.size();
  // A copy, which is no longer than it has to be.
  parts_.push_back({Value::from_text(std::string(text_)), 0, size});
  text_.clear();
}

Value ValueWriter::done() && {
  if (parts_.empty()) return Value::from_text(std::move(text_));
  close();
  Value value;
  value.rep_ = std::make_shared<Value::Rep>();
  auto elsewhere = std::make_unique<Value::Rep::Elsewhere>();
  for (const Part& part : parts_) elsewhere->size += part.size;
  elsewhere->parts = std::move(parts_);
  value.rep_->set(std::move(elsewhere));
  return value;
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
