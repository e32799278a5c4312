// JSON objects as text, written and read without a tree. A value that goes in as text comes out as the same text,
// so what was computed from it before a crash is computed again to the byte. Knows nothing of entries.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/value.h"

namespace flowrun {

/// Who walks a tree, does so by recursion. What is made of values in a run is deeper than they are.
constexpr std::size_t kDeepestFromOutside = 1000;

/// |text| without one byte order mark in front.
std::string_view without_mark(std::string_view text);
/// Why foreign |text| is not JSON as is_json() has it, in words that follow its name: "has an integer of more than 64
/// bits"; empty where it simply is none.
std::string why_no_json(std::string_view text);
/// Whether foreign |text| is one JSON value and nothing else but blanks: no NUL, at which the library's parser would
/// stop reading, no byte order mark, no bytes that are not UTF-8, no number beyond a double, and no integer that 64
/// bits do not hold: it would become another. Nor are lists and maps in each other |deepest| levels deep.
bool is_json(std::string_view text, std::size_t deepest = kDeepestFromOutside);
/// The value of foreign |text|, which may have a mark in front; nothing when it is not JSON as is_json() has it.
/// Text that comes from outside (a server, a process, a file, an argument) is read by these two and by nothing else.
std::optional<Json> json_of(std::string_view text, std::size_t deepest = kDeepestFromOutside);

/// Dates end with the year 9999, and nothing that is counted comes near: sums of such numbers are numbers.
constexpr std::int64_t kLargestNumber = 253'402'300'799'999;

/// Appends what stands between two brackets to a string, with commas.
class BracketWriter {
 public:
  BracketWriter(const BracketWriter&) = delete;
  BracketWriter& operator=(const BracketWriter&) = delete;

  /// Where the next element, of an object `"key":value`, is to be appended, by the caller.
  std::string& next() {
    if (!first_) out_ += ',';
    first_ = false;
    return out_;
  }

 protected:
  BracketWriter(std::string& out, char opening, char closing) : out_(out), closing_(closing) { out_ += opening; }
  ~BracketWriter() { out_ += closing_; }

 private:
  std::string& out_;
  const char closing_;
  bool first_ = true;
};

/// Appends an object to a string, member by member. Keys are literals that need no escape.
class ObjectWriter : public BracketWriter {
 public:
  explicit ObjectWriter(std::string& out) : BracketWriter(out, '{', '}') {}

  void text(std::string_view key, std::string_view value) { append_json_string(member(key), value); }
  void number(std::string_view key, std::int64_t value) { member(key) += std::to_string(value); }
  void boolean(std::string_view key, bool value) { member(key) += value ? "true" : "false"; }
  void value(std::string_view key, const Value& value) { member(key) += value.text(); }

  // The same, but left out when they say nothing.
  void text_if(std::string_view key, std::string_view value) {
    if (!value.empty()) text(key, value);
  }
  void number_if(std::string_view key, std::int64_t value) {
    if (value != 0) number(key, value);
  }
  void true_if(std::string_view key, bool value) {
    if (value) boolean(key, true);
  }
  void value_if(std::string_view key, const Value& value) {
    if (!value.is_null()) this->value(key, value);
  }

  /// Where the value of a member is to be appended next, by the caller.
  std::string& member(std::string_view key) {
    std::string& out = next();
    out += '"';
    out += key;
    out += "\":";
    return out;
  }
};

/// Appends a list to a string, element by element.
class ListWriter : public BracketWriter {
 public:
  explicit ListWriter(std::string& out) : BracketWriter(out, '[', ']') {}

  void number(std::int64_t value) { next() += std::to_string(value); }
  void text(std::string_view value) { append_json_string(next(), value); }
};

/// The string that |raw| writes. Corruption when it is none.
std::string string_of(std::string_view raw);

/// The members of a JSON object in order, as slices of its text. Throws Corruption where the text ends early or is
/// no object; what a slice holds is for its reader to doubt.
class ObjectReader {
 public:
  explicit ObjectReader(std::string_view object);
  /// False when there is no further member.
  bool next();
  /// Without quotes, as written: our own keys have no escapes.
  std::string_view key() const { return key_; }
  std::string_view raw() const { return raw_; }

  // The value as what it must be; Corruption when it is not.
  std::string text() const { return string_of(raw_); }
  /// A whole number, and none beyond kLargestNumber.
  std::int64_t number() const;
  int integer() const;
  bool boolean() const;
  Value value() const { return Value::from_text(std::string(raw_)); }

 private:
  std::string_view rest_, key_, raw_;
  bool first_ = true;
};

/// The elements of a JSON list, as slices of its text. Corruption as above.
std::vector<std::string_view> list_elements(std::string_view list);

/// One list of all |values|: the elements of lists and other values as they are; nulls add nothing.
Value joined(const std::vector<Value>& values);

}  // namespace flowrun
