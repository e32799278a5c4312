// Puts a value together from texts and other values, of which the long ones are not copied. Knows nothing of JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/model/value.h"

namespace flowrun {

/// Whether their texts are the same; puts neither together.
bool have_same_text(const Value& one, const Value& other);

class ValueWriter {
 public:
  void add(std::string_view text) { text_ += text; }
  /// Its text.
  void add(const Value& value);
  /// A part of its text, which is here as one.
  void add(const Value& value, std::size_t from, std::size_t size);
  /// What was added, which is JSON as a whole.
  Value done() &&;

 private:
  friend class Value;
  struct Part {
    Value value;
    std::size_t from, size;
  };
  /// Makes what was added as text a part.
  void close();

  std::string text_;  ///< behind the parts
  std::vector<Part> parts_;
};

}  // namespace flowrun
