#include "engine/model/json_scan.h"

#include <algorithm>

#include "engine/model/json_text.h"

// Debian has no archive of it: the program in one file does without, and is slower.
#ifdef FLOWRUN_SIMDJSON
#include <simdjson.h>
#endif

namespace flowrun {

#ifdef FLOWRUN_SIMDJSON

namespace {

constexpr std::size_t kLongest = 4 << 20;  // its notes take up to 14 bytes for one of the text
constexpr std::size_t kKept = 256 << 10;   // the room for notes of such a text stays for the next one

/// Gives |use| the value of |text|. False: it is not taken, or |use| says so.
template <class Use>
bool with_value(std::string_view text, Use use) {
  if (text.size() > kLongest) return false;
  thread_local simdjson::dom::parser parser;
  if (parser.max_depth() != kDeepestFromOutside &&
      parser.allocate(simdjson::dom::MINIMAL_DOCUMENT_CAPACITY, kDeepestFromOutside) != simdjson::SUCCESS)
    return false;
  simdjson::dom::element root;
  const bool taken = parser.parse(text.data(), text.size(), true).get(root) == simdjson::SUCCESS && use(root);
  if (text.size() > kKept) parser = simdjson::dom::parser();
  return taken;
}

/// False: it is of a type that this version does not know.
bool take(const simdjson::dom::element& from, Json& to) {
  using Type = simdjson::dom::element_type;
  switch (from.type()) {
    case Type::NULL_VALUE:
      return true;
    case Type::BOOL:
      to = bool(from);
      return true;
    case Type::STRING:
      to = std::string_view(from);
      return true;
    case Type::DOUBLE:
      to = double(from);
      return true;
    case Type::UINT64:
      to = std::uint64_t(from);
      return true;
    case Type::INT64:
      // Without a sign the library of values has it as unsigned.
      if (const std::int64_t number(from); number < 0)
        to = number;
      else
        to = static_cast<std::uint64_t>(number);
      return true;
    case Type::ARRAY: {
      to = Json::array();
      auto& list = to.get_ref<Json::array_t&>();
      for (const simdjson::dom::element& each : simdjson::dom::array(from))
        if (!take(each, list.emplace_back())) return false;
      return true;
    }
    case Type::OBJECT: {
      to = Json::object();
      auto& map = to.get_ref<Json::object_t&>();
      for (const auto& [key, value] : simdjson::dom::object(from)) {
        Json& member = map[std::string(key)];
        member = nullptr;  // the last of equal keys counts
        if (!take(value, member)) return false;
      }
      return true;
    }
    default:
      return false;
  }
}

}  // namespace

bool scans_as_json(std::string_view text) {
  return with_value(text, [](const simdjson::dom::element&) { return true; });
}

std::optional<Json> scanned_json(std::string_view text) {
  Json value;
  if (!with_value(text, [&](const simdjson::dom::element& root) { return take(root, value); })) return std::nullopt;
  return value;
}

std::string without_blanks(std::string_view json) {
  std::string out(json.size(), '\0');
  std::size_t size = 0;
  if (simdjson::minify(json.data(), json.size(), out.data(), size) != simdjson::SUCCESS) return std::string(json);
  out.resize(size);
  // A value may be kept for long.
  if (out.capacity() > size + size / 16 + 64) out.shrink_to_fit();
  return out;
}

bool is_utf8(const std::string& text) { return simdjson::validate_utf8(text.data(), text.size()); }

#else

bool scans_as_json(std::string_view) { return false; }

std::optional<Json> scanned_json(std::string_view) { return std::nullopt; }

std::string without_blanks(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (std::size_t at = 0; at < json.size();) {
    const char c = json[at];
    if (c == '"') {
      std::size_t end = at + 1;
      while (json[end] != '"') end += json[end] == '\\' ? 2 : 1;
      out.append(json, at, end + 1 - at);
      at = end + 1;
      continue;
    }
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r') out += c;
    ++at;
  }
  return out;
}

bool is_utf8(const std::string& text) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; })) return true;
  try {
    (void)Json(text).dump();
    return true;
  } catch (const Json::exception&) {
    return false;
  }
}

#endif

}  // namespace flowrun
