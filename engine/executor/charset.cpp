#include "engine/executor/charset.h"

#include <iconv.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>

#include "engine/model/value.h"

namespace flowrun {
namespace {

bool is_named(std::string_view text, std::string_view name) {
  return std::equal(text.begin(), text.end(), name.begin(), name.end(),
                    [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

/// A slash would be an instruction to iconv, and an empty name the charset of the surroundings.
bool is_name(std::string_view charset) {
  return !charset.empty() && charset.size() <= 40 && std::all_of(charset.begin(), charset.end(), [](unsigned char c) {
    return std::isalnum(c) || std::string_view("-_.:+()").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

class Converter {
 public:
  explicit Converter(const std::string& charset) : state_(iconv_open("UTF-8", charset.c_str())) {}
  ~Converter() {
    if (is_open()) iconv_close(state_);
  }
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;

  bool is_open() const { return state_ != reinterpret_cast<iconv_t>(-1); }
  /// Appends to |out| what |from| means; null: what is needed at the end. False: |from| is no text of this charset.
  bool convert(std::string* from, std::string& out) {
    char* in = from ? from->data() : nullptr;
    std::size_t left = from ? from->size() : 0;
    std::array<char, 16384> buffer;
    for (;;) {
      char* to = buffer.data();
      std::size_t room = buffer.size();
      const std::size_t done = iconv(state_, from ? &in : nullptr, &left, &to, &room);
      out.append(buffer.data(), buffer.size() - room);
      if (done != static_cast<std::size_t>(-1)) return true;
      // Without progress it would never end.
      if (errno != E2BIG || room == buffer.size()) return false;
    }
  }

 private:
  iconv_t state_;
};

}  // namespace

std::variant<std::string, Undecoded> decoded(std::string bytes, const std::string& charset) {
  if (is_named(charset, "utf-8") || is_named(charset, "utf8")) return bytes;
  if (!is_name(charset)) return Undecoded::Unknown;
  Converter converter(charset);
  if (!converter.is_open()) return Undecoded::Unknown;
  std::string text;
  text.reserve(bytes.size());
  if (!converter.convert(&bytes, text) || !converter.convert(nullptr, text) || !is_utf8(text))
    return Undecoded::Invalid;
  return text;
}

std::string charset_of(std::string_view content_type) {
  // RFC 9110, 5.6.6: what is between quotes may hold a semicolon.
  bool quoted = false;
  std::string name, value;
  bool in_value = false, first = true, found = false;
  auto take = [&] {
    const auto end = name.find_last_not_of(" \t");
    name.resize(end == name.npos ? 0 : end + 1);
    name.erase(0, name.find_first_not_of(" \t"));
    if (!first && in_value && !found && is_named(name, "charset")) found = true;
    if (found) return true;
    first = in_value = false;
    name.clear();
    value.clear();
    return false;
  };
  for (std::size_t i = 0; i < content_type.size(); ++i) {
    const char c = content_type[i];
    if (c == '"') {
      quoted = !quoted;
    } else if (quoted && c == '\\' && i + 1 < content_type.size()) {
      (in_value ? value : name) += content_type[++i];
    } else if (c == ';' && !quoted) {
      if (take()) break;
    } else if (c == '=' && !quoted && !in_value) {
      in_value = true;
    } else {
      (in_value ? value : name) += c;
    }
  }
  if (!found && !take()) return "";
  const auto end = value.find_last_not_of(" \t");
  value.resize(end == value.npos ? 0 : end + 1);
  return value.substr(std::min(value.find_first_not_of(" \t"), value.size()));
}

}  // namespace flowrun
