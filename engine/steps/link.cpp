#include "engine/steps/link.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace flowrun {
namespace {

bool same(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

/// Reads from the left; false says: not what should stand here.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool over() {
    skip_blanks();
    return rest_.empty();
  }
  bool take(char c) {
    skip_blanks();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  /// `<...>`
  bool reference(std::string& out) {
    if (!take('<')) return false;
    std::size_t end = rest_.find('>');
    if (end == rest_.npos) return false;
    out = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return true;
  }
  bool name(std::string& out) {
    skip_blanks();
    out = take_until(" \t=;,");
    return !out.empty();
  }
  /// A token or a quoted string.
  bool value(std::string& out) {
    if (!take('"')) {
      out = take_until(" \t;,");
      return true;
    }
    for (out.clear(); !rest_.empty(); rest_.remove_prefix(1)) {
      if (rest_.front() == '"') {
        rest_.remove_prefix(1);
        return true;
      }
      if (rest_.front() == '\\' && rest_.size() > 1) rest_.remove_prefix(1);
      out += rest_.front();
    }
    return false;
  }

 private:
  void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size())); }
  std::string take_until(std::string_view ends) {
    std::size_t end = std::min(rest_.find_first_of(ends), rest_.size());
    std::string taken(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return taken;
  }

  std::string_view rest_;
};

/// Whether |relations|, words with blanks between, say `next`.
bool says_next(std::string_view relations) {
  while (!relations.empty()) {
    std::size_t end = std::min(relations.find_first_of(" \t"), relations.size());
    if (same(relations.substr(0, end), "next")) return true;
    relations.remove_prefix(std::min(end + 1, relations.size()));
  }
  return false;
}

struct Link {
  std::string reference, relations;
  bool of_another = false;  ///< it has an `anchor`: it tells of another page than this one
};

bool read_link(Reader& reader, Link& link) {
  if (!reader.reference(link.reference)) return false;
  bool related = false;  // section 3.3: only the first `rel` counts
  while (reader.take(';')) {
    std::string name, value;
    if (!reader.name(name)) continue;
    if (reader.take('=') && !reader.value(value)) return false;
    if (same(name, "rel") && !related) {
      link.relations = value;
      related = true;
    }
    if (same(name, "anchor")) link.of_another = true;
  }
  return true;
}

}  // namespace

Fallible<std::optional<std::string>> next_link(std::string_view header) {
  Reader reader(header);
  while (!reader.over()) {
    if (reader.take(',')) continue;
    Link link;
    if (!read_link(reader, link) || !(reader.over() || reader.take(',')))
      return Failure{"parse", fmt::format("the header Link can not be read: {}", header)};
    if (!link.of_another && says_next(link.relations)) return std::optional<std::string>(std::move(link.reference));
  }
  return std::optional<std::string>();
}

}  // namespace flowrun
