// What was met while a file was read: declared names, mentions, groups, limits. Plain data for whoever judges the file
// as a whole.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/expression/expression.h"
#include "engine/expression/references.h"
#include "engine/machine/limit.h"
#include "engine/machine/workflow.h"
#include "engine/model/diagnostics.h"
#include "engine/steps/for_each.h"

namespace flowrun {

/// A reference as it was met while reading.
struct Mention {
  /// Where it stands: a null is a value like any other there, or a failure.
  enum class Place { Value, Text, Condition };
  Reference reference;
  Expression expression;
  Place place = Place::Value;
  /// A fallback runs later, so a mention in one makes no edge among the steps of the outermost levels, this many. 0: it
  /// stands in no fallback.
  std::size_t fallback_level = 0;
};

/// A step and what was mentioned in it, as indices of FileIndex::mentions.
struct MentionSpan {
  const Step* step;
  std::size_t from, to;
};

/// An expression that jq is asked for.
struct JqUse {
  Expression expression;
  bool strict;  ///< a condition
};

struct FileIndex {
  std::map<std::string, Json> inputs;  ///< schemas by name
  std::set<std::string> vars, secrets;
  std::map<std::string, int> later_vars;  ///< that are not read yet, with their lines
  std::set<std::string> secret_inputs;    ///< what they hold is named as a secret only
  std::vector<Mention> mentions;
  std::vector<MentionSpan> spans;
  std::vector<Position> implied_edges;  ///< names in `needs` and `after` that an expression has said already
  std::vector<JqUse> jq_uses;
  std::vector<std::pair<GroupSettings*, std::string>> groups;    ///< with their names; bodies have none
  std::size_t steps = 0;                                         ///< with those of the sub-workflows that are named
  bool http = false;                                             ///< some step is an HTTP call
  bool memo = false;                                             ///< some step may take an earlier result
  std::vector<std::string> secret_outputs;                       ///< names of steps whose output is not to be seen
  std::set<std::string> pools;                                   ///< of the steps that act; empty: of one without
  std::vector<std::pair<const ForEachStep*, Position>> streams;  ///< that run over standard input
  StreamFormat stream_format = StreamFormat::Lines;              ///< of the last of them
  std::vector<Signal> signals;                                   ///< that steps wait for
  std::vector<std::unique_ptr<Limit>> limits;                    ///< those with names first
  std::vector<std::string> raised;  ///< types of errors that `fail` gives, those of sub-workflows among them
};

/// What holds where something is read. A copy is changed on the way down; see Reading::Within.
struct ReadingContext {
  /// When the expressions that are read now will be evaluated: defaults before there are inputs, `vars` at the start.
  enum class Moment { Inputs, Vars, Run };
  Moment moment = Moment::Run;
  FailFast nearest_fail_fast = FailFast::Drain;
  bool secrets_allowed = false;  ///< an expression may be a secret alone
  bool in_for_each = false;      ///< of this file
  bool in_unsized_for_each = false;
  const char* no_undo = nullptr;   ///< why no step that is read now can have an `undo`
  std::string raw_kind;            ///< of the step whose raw result `.` is
  std::size_t fallback_level = 0;  ///< as Mention has it
  /// Of a fallback: FileIndex::raised of the step that it stands in for begins here.
  std::optional<std::size_t> raised_from{};
};

}  // namespace flowrun
