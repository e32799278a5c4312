// What is wrong with a file, said so that a person can mend it. Collects all, prints none.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "engine/model/value.h"

namespace flowrun {

/// Line and column from 1, columns in bytes; 0: unknown. Who is shown one is shown characters.
struct Position {
  int line = 0;
  int column = 0;
};

struct Diagnostic {
  enum class Severity { Error, Warning, Hint };
  Severity severity = Severity::Error;
  std::string code;  ///< `E101`, see flowrun-workflow(5)
  std::string file;
  Position at;
  int length = 1;  ///< columns to underline
  std::string message;
  std::string suggestion;  ///< shown behind the carets; may be empty, may have several lines
};

/// A file's name and text, for the source lines that messages show.
struct Source {
  std::string name;
  std::string text;
};

class Diagnostics {
 public:
  explicit Diagnostics(Source source) : source_(std::move(source)) {}
  /// What has been told of a place is not told again: defaults and aliases are read for every step that has them.
  void error(std::string code, Position at, int length, std::string message, std::string suggestion = "");
  /// A hint when |code| begins with I.
  void warning(std::string code, Position at, int length, std::string message, std::string suggestion = "");
  const std::vector<Diagnostic>& all() const { return all_; }
  std::size_t errors() const;
  std::size_t warnings() const;
  std::size_t hints() const;
  bool ok() const { return errors() == 0; }
  const Source& source() const { return source_; }
  /// What was found in a file that this one names; it is shown before what is found here, and not counted.
  void include(Diagnostics other) { included_.push_back(std::move(other)); }
  /// In order of position: message, source line, carets. No summary line.
  std::string text() const;
  /// `2 errors, 1 warning`; hints are counted when there are any.
  std::string summary() const;
  Json json() const;           ///< list of {severity, code, file, line, column, message, suggestion}
  std::string github() const;  ///< `::error file=...,line=...,col=...,title=CODE::message`

 private:
  void add(Diagnostic finding);
  std::size_t count(Diagnostic::Severity severity) const;

  Source source_;
  std::vector<Diagnostic> all_;
  std::unordered_set<std::string> told_;
  std::vector<Diagnostics> included_;
};

/// The nearest of |candidates| by Damerau-Levenshtein distance, when at most a third of the length away, or 1; or "".
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace flowrun
