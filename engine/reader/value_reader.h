// Values as they are written: text and data with expressions in them, settings, literals. Remembers what the
// expressions mention; knows no step.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/language/template.h"
#include "engine/reader/use_check.h"
#include "engine/steps/setting.h"

namespace flowrun {

/// Each takes the node of a value, and |what| its key is called in messages. A mistake is told; then there is no value.
class ValueReader {
 public:
  /// All is lent.
  ValueReader(FileDiagnostics& findings, UseCheck& uses, FileIndex& index, const ReadingContext& context)
      : findings_(findings), uses_(uses), index_(index), context_(context) {}

  // Values with expressions in them.
  /// |from|: behind that many bytes.
  TextTemplate text(const Node& node, std::size_t from = 0);
  ValueTemplate value(const Node& node);

  // A literal or one whole expression.
  /// Of any type; nothing after a mistake.
  std::optional<Expression> whole_expression(const Node& node, const char* what);
  Setting<bool> boolean(const Node& node, const char* what);
  Setting<bool> condition(const Node& node);
  /// A condition where only an expression is evaluated: `if: false` is one, too.
  std::optional<Expression> condition_expression(const Node& node);
  Setting<std::int64_t> count(const Node& node, const char* what, std::int64_t least);
  Setting<double> number(const Node& node, const char* what);
  Setting<Duration> duration(const Node& node, const char* what);

  // Literals.
  std::optional<std::int64_t> size(const Node& node, const char* what);
  std::optional<std::int64_t> plain_count(const Node& node, const char* what, std::int64_t least);
  std::optional<bool> plain_boolean(const Node& node, const char* what);
  /// One of |words|; the first of them after a mistake.
  std::string word(const Node& node, const char* what, const std::vector<std::string>& words);
  std::string name(const Node& node, const char* what);
  std::string plain_text(const Node& node, const char* what);
  FailFast fail_fast(const Node& node);

 private:
  /// Remembers what |expression| mentions.
  void note(const Expression& expression, Mention::Place place);
  template <typename T, typename Parse>
  Setting<T> setting(const Node& node, const char* what, const char* wanted, Parse parse);

  FileDiagnostics& findings_;
  UseCheck& uses_;
  FileIndex& index_;
  const ReadingContext& context_;
};

}  // namespace flowrun
