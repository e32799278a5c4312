// Whether what an expression uses is there: variables, steps in sight, fields of inputs and results, and where a secret
// may flow. Reads no node by itself.
#pragma once

#include <string>
#include <vector>

#include "engine/expression/static_type.h"
#include "engine/reader/file_diagnostics.h"
#include "engine/reader/file_index.h"
#include "engine/reader/names_in_scope.h"

namespace flowrun {

/// Checks uses against what is known so far. All it is made of is lent, and changes while the file is read.
class UseCheck {
 public:
  UseCheck(FileDiagnostics& findings, const NamesInScope& names, const FileIndex& index, const ReadingContext& context)
      : findings_(findings), names_(names), index_(index), context_(context) {}

  /// Tells what is wrong with |use| of |expression|.
  void check(const Use& use, const Expression& expression);
  /// Whether |expression| is what stands for the secret output of a step.
  bool names_secret_output(const Expression& expression) const;
  /// E208, when |expression| is a path to a value that by its schema is of a type not among |types|. |need| says what
  /// is needed; |advice|, with the path for its `{}`, what to do about a string.
  void must_be(const Expression& expression, const std::vector<std::string>& types, const std::string& need,
               const char* advice = "");

 private:
  void error(const char* code, const Use& use, std::string message, std::string suggestion = "") {
    findings_.error(code, use.at, use.length, std::move(message), std::move(suggestion));
  }
  void check_before_run(const Use& use);
  void check_unknown(const Use& use);
  void check_secret(const Use& use, const Expression& expression);
  void check_secret_output(const Use& use, const Expression& expression);
  /// Whether a secret may stand where |use| does.
  void check_flow(const Use& use);
  /// What schemas say of the value that |use| names.
  StaticType type_of(const Use& use) const;
  void check_fields(const Use& use);
  void check_raw(const Use& use, const Expression& expression);
  void check_step(const Use& use, const Expression& expression);
  void out_of_sight(const Use& use, const Expression& expression);

  FileDiagnostics& findings_;
  const NamesInScope& names_;
  const FileIndex& index_;
  const ReadingContext& context_;
};

/// The kind of the step |node| by what is known of its raw result; empty: nothing is.
std::string raw_kind_of(const Node& node);

}  // namespace flowrun
