// The scanner of JSON beside the library of values: what one takes, the other takes, and they make the same of it.
#include <stdexcept>
#include <string>

#include "engine/executor/capture.h"
#include "engine/model/json_scan.h"
#include "engine/model/json_text.h"
#include "tests/fuzz/targets.h"

namespace flowrun::test {
namespace {

/// Told by the library of what it reads; false where that can not be kept.
struct LibraryReading {
  std::size_t depth = 0;
  bool null() { return true; }
  bool boolean(bool) { return true; }
  bool number_integer(std::int64_t) { return true; }
  bool number_unsigned(std::uint64_t) { return true; }
  bool number_float(double, const std::string& digits) { return digits.find_first_of(".eE") != digits.npos; }
  bool string(std::string&) { return true; }
  bool binary(Json::binary_t&) { return false; }
  bool start_object(std::size_t) { return ++depth <= kDeepestFromOutside; }
  bool key(std::string&) { return true; }
  bool end_object() { return --depth, true; }
  bool start_array(std::size_t) { return ++depth <= kDeepestFromOutside; }
  bool end_array() { return --depth, true; }
  bool parse_error(std::size_t, const std::string&, const Json::exception&) { return false; }
};

std::optional<Json> by_library(const std::string& text) {
  LibraryReading reading;
  if (text.find('\0') != text.npos || text.starts_with("\xEF\xBB\xBF") || !Json::sax_parse(text, &reading))
    return std::nullopt;
  return Json::parse(text);
}

/// |json| byte by byte, without what stands between its tokens.
std::string tokens_of(const std::string& json) {
  std::string out;
  bool quoted = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (quoted || std::string_view(" \t\r\n").find(json[i]) == std::string_view::npos) out += json[i];
    if (json[i] == '"') quoted = !quoted;
    if (quoted && json[i] == '\\') out += json[++i];
  }
  return out;
}

bool library_takes_text(const std::string& bytes) {
  try {
    return !Json(bytes).dump().empty();
  } catch (const Json::exception&) {
    return false;
  }
}

void demand(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

}  // namespace

void fuzz_json(const std::uint8_t* bytes, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(bytes), size);
  const std::optional<Json> expected = by_library(text);
  demand(is_json(text) == expected.has_value(), "not the same is taken for JSON");
  demand(is_utf8(text) == library_takes_text(text), "not the same is taken for UTF-8");
  const std::string bare(without_mark(text));
  const std::optional<Json> value = json_of(text), unmarked = by_library(bare);
  demand(value.has_value() == unmarked.has_value(), "not the same is read");
  const auto captured = json_value(text, "it");
  demand(std::holds_alternative<Value>(captured) == value.has_value(), "not the same is captured");
  if (!value) return;
  demand(*value == *unmarked && value->dump() == unmarked->dump(), "it is read as something else");
  const std::string& kept = std::get<Value>(captured).text();
  demand(kept == tokens_of(bare), "more than blanks is taken away");
  demand(json_of(kept) == unmarked, "without blanks it is something else");
}

}  // namespace flowrun::test
