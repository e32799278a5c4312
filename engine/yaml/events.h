// YAML text as a row of events, on top of libfyaml. Knows where each stands; nothing of types, keys or limits.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace flowrun {

struct YamlEvent {
  enum class Kind { Document, Scalar, Alias, List, Map, End };  ///< End: of a list or map
  enum class Style { Plain, Single, Double, Block };
  Kind kind = Kind::Document;
  /// Bytes of the text, its quotes or the header of a block included; of a list or map in block style that of its
  /// first character. Nothing for what is not written, such as an empty value.
  std::optional<std::size_t> begin;
  std::size_t end = 0;
  Style style = Style::Plain;         ///< Scalar
  bool flow = false;                  ///< List, Map: in brackets
  std::string text;                   ///< Scalar: as decoded; Alias: the name
  std::string anchor;                 ///< empty: none
  std::optional<std::size_t> tagged;  ///< where its tag stands
  std::string tag;                    ///< `!` for the one that says nothing
};

/// What is no YAML, in the library's words.
struct YamlError {
  std::size_t begin, end;  ///< of what was being read
  std::string message;
};

/// The events of |text|, which is lent.
class YamlEvents {
 public:
  explicit YamlEvents(std::string_view text);
  ~YamlEvents();
  YamlEvents(const YamlEvents&) = delete;
  YamlEvents& operator=(const YamlEvents&) = delete;

  /// Nothing at the end, or where the text is no YAML: then error() says why.
  std::optional<YamlEvent> next();
  std::optional<YamlError> error() const;

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace flowrun
