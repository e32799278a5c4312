// A JSON value that never changes: text, parsed only when somebody looks inside. The one header of ours that shows
// a third-party type. Knows nothing of expressions or steps.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace flowrun {

/// JSON as a tree. Keys are sorted, the last of two equal keys wins, integers keep 64 bits.
using Json = nlohmann::json;

/// Where texts are kept that nobody has to hold. One thread.
class TextHome {
 public:
  virtual ~TextHome() = default;
  /// Lends |take| the text of that number. Throws what can go wrong with reading.
  virtual void read(std::int64_t number, const std::function<void(std::string_view)>& take) const = 0;
};

/// An immutable JSON value, cheap to copy. It keeps text, a tree, or both, and makes the other on demand, so it
/// belongs to one thread at a time: hand it over, do not share it. A long text may be made of parts (value_writer.h),
/// or be kept elsewhere; it is put together when somebody asks for it as one.
class Value {
 public:
  /// A text of so many bytes is worth being kept elsewhere.
  static constexpr std::size_t kLong = 1 << 10;

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
  /// Whether json() costs nothing any more.
  bool has_tree() const;
  /// Whether somebody has looked at it before; from now on somebody has. Of one that is kept elsewhere: who looks once
  /// needs no tree that stays, who looks again needs one. False of all others.
  bool is_looked_at_again() const;
  bool is_null() const;

  /// text().size(); puts nothing together.
  std::size_t size() const;
  /// Lends |take| text(), piece by piece, until it says false; then this is false. Keeps nothing of what is elsewhere.
  using Take = std::function<bool(std::string_view)>;
  bool pieces(const Take& take) const;
  /// Its text, where that is long and here as one, is at |home| as well.
  void keep_at(const std::shared_ptr<const TextHome>& home, std::int64_t number) const;
  /// The same without its text, where that is elsewhere as well.
  Value let_go() const;
  /// How many bytes of it let_go() takes out of memory; a tree counts as its text.
  std::size_t in_memory() const;
  /// Whether let_go() frees memory, or has done so.
  bool is_kept_elsewhere() const;
  /// Is kept where |recorded| is, if they are the same.
  void keep_as(const Value& recorded) const;
  /// Whether they are one and the same, not only equal.
  bool is_same_as(const Value& other) const { return rep_ == other.rep_; }

  friend bool operator==(const Value& a, const Value& b) { return a.json() == b.json(); }

 private:
  friend class ValueWriter;
  struct Rep;
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
