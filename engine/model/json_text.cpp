#include "engine/model/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "engine/model/error.h"
#include "engine/model/json_scan.h"

namespace flowrun {

namespace {

[[noreturn]] void malformed(std::string_view text) {
  throw Corruption(fmt::format("this is not the JSON that was written: {}", text.substr(0, 80)));
}

void skip_space(std::string_view& rest) {
  while (!rest.empty() && (rest[0] == ' ' || rest[0] == '\n' || rest[0] == '\t' || rest[0] == '\r'))
    rest.remove_prefix(1);
}

/// Cuts |token| off; false when something else stands there.
bool take(std::string_view& rest, char token) {
  skip_space(rest);
  if (rest.empty() || rest[0] != token) return false;
  rest.remove_prefix(1);
  return true;
}

/// Length of the string at the beginning of |rest|, with its quotes.
std::size_t string_length(std::string_view rest) {
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '\\')
      ++i;
    else if (rest[i] == '"')
      return i + 1;
  }
  malformed(rest);
}

/// Cuts one value off. It counts brackets and minds strings; whether what is between them is JSON shows when somebody
/// looks inside.
std::string_view take_value(std::string_view& rest) {
  skip_space(rest);
  std::size_t i = 0;
  int depth = 0;
  while (i < rest.size()) {
    const char c = rest[i];
    if (c == '"') {
      i += string_length(rest.substr(i));
    } else if (c == '{' || c == '[') {
      ++depth;
      ++i;
    } else if (c == '}' || c == ']') {
      if (depth == 0) break;
      --depth;
      ++i;
    } else if (depth == 0 && (c == ',' || c == ' ' || c == '\n' || c == '\t' || c == '\r')) {
      break;
    } else {
      ++i;
      continue;
    }
    if (depth == 0) break;
  }
  if (i == 0 || depth != 0) malformed(rest);
  const std::string_view value = rest.substr(0, i);
  rest.remove_prefix(i);
  return value;
}

}  // namespace

std::string_view without_mark(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return text;
}

namespace {

/// Reads on as long as it is not too deep and numbers can be kept: an integer that is too large comes as a double, with
/// its digits.
struct Keepable {
  std::size_t deepest;
  std::string lost = {};  ///< the digits of the one that can not
  std::size_t depth = 0;
  bool too_deep = false;

  bool null() { return true; }
  bool boolean(bool) { return true; }
  bool number_integer(std::int64_t) { return true; }
  bool number_unsigned(std::uint64_t) { return true; }
  bool number_float(double, const std::string& text) {
    if (text.find_first_of(".eE") != text.npos) return true;
    lost = text;
    return false;
  }
  bool string(std::string&) { return true; }
  bool binary(Json::binary_t&) { return true; }
  bool start_object(std::size_t) { return deeper(); }
  bool key(std::string&) { return true; }
  bool end_object() { return --depth, true; }
  bool start_array(std::size_t) { return deeper(); }
  bool end_array() { return --depth, true; }
  bool parse_error(std::size_t, const std::string&, const Json::exception&) { return false; }
  bool deeper() {
    too_deep = ++depth > deepest;
    return !too_deep;
  }
};

/// No JSON text has a NUL in it, not even in a string (RFC 8259, 7). The library takes one for the end of the text.
bool may_be_json(std::string_view text) {
  return text.find('\0') == text.npos && without_mark(text).size() == text.size();
}

/// Whether what was scanned is not too deep: none is deeper than it is long.
bool may_be_scanned(std::string_view text, std::size_t deepest) {
  return deepest >= std::min(kDeepestFromOutside, text.size());
}

bool is_kept_by_library(std::string_view text, std::size_t deepest) {
  Keepable reader{deepest};
  return Json::sax_parse(text, &reader);
}

}  // namespace

bool is_json(std::string_view text, std::size_t deepest) {
  return may_be_json(text) &&
         ((may_be_scanned(text, deepest) && scans_as_json(text)) || is_kept_by_library(text, deepest));
}

std::string why_no_json(std::string_view text) {
  text = without_mark(text);
  if (text.find('\0') != text.npos) return "has a NUL in it";
  if (!is_utf8(std::string(text))) return "is not UTF-8";
  Keepable reader{kDeepestFromOutside};
  Json::sax_parse(text, &reader);
  if (reader.too_deep) return fmt::format("is nested more than {} levels deep", kDeepestFromOutside);
  return reader.lost.empty() ? "" : fmt::format("has an integer of more than 64 bits, {}", shortened(reader.lost, 60));
}

std::optional<Json> json_of(std::string_view text, std::size_t deepest) {
  text = without_mark(text);
  if (!may_be_json(text)) return std::nullopt;
  if (may_be_scanned(text, deepest))
    if (auto value = scanned_json(text)) return value;
  if (!is_kept_by_library(text, deepest)) return std::nullopt;
  Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) return std::nullopt;
  return value;
}

std::string string_of(std::string_view raw) {
  if (raw.size() < 2 || raw[0] != '"') malformed(raw);
  // Most have nothing that could be wrong with them.
  const bool plain =
      std::all_of(raw.begin(), raw.end(), [](unsigned char c) { return c >= ' ' && c < 0x80 && c != '\\'; });
  if (plain) return std::string(raw.substr(1, raw.size() - 2));
  try {
    return Json::parse(raw).get<std::string>();
  } catch (const Json::exception&) {
    malformed(raw);
  }
}

ObjectReader::ObjectReader(std::string_view object) : rest_(object) {
  if (!take(rest_, '{')) malformed(object);
}

bool ObjectReader::next() {
  if (take(rest_, '}')) {
    skip_space(rest_);
    if (!rest_.empty()) malformed(rest_);
    return false;
  }
  if (!first_ && !take(rest_, ',')) malformed(rest_);
  first_ = false;
  skip_space(rest_);
  if (rest_.empty() || rest_[0] != '"') malformed(rest_);
  const std::size_t length = string_length(rest_);
  key_ = rest_.substr(1, length - 2);
  rest_.remove_prefix(length);
  if (!take(rest_, ':')) malformed(rest_);
  raw_ = take_value(rest_);
  return true;
}

std::int64_t ObjectReader::number() const {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(raw_.data(), raw_.data() + raw_.size(), number);
  if (error != std::errc() || end != raw_.data() + raw_.size()) malformed(raw_);
  if (number > kLargestNumber || number < -kLargestNumber) malformed(raw_);
  return number;
}

int ObjectReader::integer() const {
  const std::int64_t wide = number();
  if (wide != static_cast<int>(wide)) malformed(raw_);
  return static_cast<int>(wide);
}

bool ObjectReader::boolean() const {
  if (raw_ != "true" && raw_ != "false") malformed(raw_);
  return raw_ == "true";
}

std::vector<std::string_view> list_elements(std::string_view list) {
  std::vector<std::string_view> elements;
  std::string_view rest = list;
  if (!take(rest, '[')) malformed(list);
  if (take(rest, ']')) return elements;
  do elements.push_back(take_value(rest));
  while (take(rest, ','));
  if (!take(rest, ']')) malformed(list);
  skip_space(rest);
  if (!rest.empty()) malformed(list);
  return elements;
}

Value joined(const std::vector<Value>& values) {
  std::string list = "[";
  for (const Value& value : values) {
    if (value.is_null()) continue;
    std::string_view text = value.text();
    if (text.front() == '[') text = text.substr(1, text.size() - 2);
    skip_space(text);
    if (text.empty()) continue;
    if (list.size() > 1) list += ',';
    list += text;
  }
  return Value::from_text(list + ']');
}

}  // namespace flowrun
