// The encoding of Protocol Buffers, as far as Restate's messages need it: numbers, bytes, messages in messages. Knows
// no message.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flowrun::restate {

/// Appends fields to a string. What is empty or 0 is left out by the `_if` forms, as proto3 does.
class FieldWriter {
 public:
  explicit FieldWriter(std::string& out) : out_(out) {}
  void number(std::uint32_t field, std::uint64_t value);
  void bytes(std::uint32_t field, std::string_view value);
  void number_if(std::uint32_t field, std::uint64_t value) {
    if (value != 0) number(field, value);
  }
  void bytes_if(std::uint32_t field, std::string_view value) {
    if (!value.empty()) bytes(field, value);
  }
  /// Several numbers in one field.
  void packed(std::uint32_t field, const auto& values) {
    std::string all;
    for (const auto value : values) append_number(all, value);
    bytes_if(field, all);
  }

 private:
  static void append_number(std::string& out, std::uint64_t value);

  std::string& out_;
};

/// The fields of a message in order. Throws Corruption where the bytes end early or are no message.
class FieldReader {
 public:
  explicit FieldReader(std::string_view message) : rest_(message) {}
  /// False when there is no further field.
  bool next();
  std::uint32_t field() const { return field_; }
  /// REQUIRES: the field is what it is read as; of another type it is 0 or empty.
  std::uint64_t number() const { return number_; }
  std::string_view bytes() const { return bytes_; }

 private:
  std::uint64_t take_number();
  std::string_view take_bytes(std::uint64_t count);

  std::string_view rest_;
  std::uint32_t field_ = 0;
  std::uint64_t number_ = 0;
  std::string_view bytes_;
};

}  // namespace flowrun::restate
