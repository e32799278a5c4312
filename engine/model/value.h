// A JSON value that never changes: text, parsed only when somebody looks inside. The one header of ours that shows
// a third-party type. Knows nothing of expressions or steps.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace flowrun {

/// JSON as a tree. Keys are sorted, the last of two equal keys wins, integers keep 64 bits.
using Json = nlohmann::json;

/// An immutable JSON value, cheap to copy. It keeps text, a tree, or both, and makes the other on demand, so it
/// belongs to one thread at a time: hand it over, do not share it.
class Value {
 public:
  Value() = default;  ///< null
  explicit Value(Json tree);
  /// |text| is one JSON value and is trusted to be so: it comes from a parser, a dump, or the journal.
  static Value from_text(std::string text);
  static Value string(std::string_view text);

  /// Compact JSON. Bytes that are not UTF-8 appear as U+FFFD.
  const std::string& text() const;
  const Json& json() const;
  /// The same for one look: where this has no tree yet, it gets none.
  Json tree() const;
  bool is_null() const { return rep_ == nullptr || text() == "null"; }

  friend bool operator==(const Value& a, const Value& b) { return a.json() == b.json(); }

 private:
  struct Rep {
    std::string text;            ///< empty: not made yet
    std::unique_ptr<Json> tree;  ///< null: not parsed yet
  };
  std::shared_ptr<Rep> rep_;  ///< null stands for JSON null
};

bool is_utf8(const std::string& text);
/// How many of the first |most| bytes of |text| are whole characters. |text| is UTF-8, or close to it.
std::size_t whole_characters(std::string_view text, std::size_t most);
/// |text|, or its beginning and three dots: |width| bytes at most.
std::string shortened(std::string_view text, std::size_t width);

/// Appends |text| as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace flowrun
