// A workflow laid out for the lints: every step beside its node, what stands around it, what it mentions. Judges
// nothing.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "engine/language/keys.h"
#include "engine/model/diagnostics.h"
#include "engine/reader/file_index.h"
#include "engine/steps/root.h"
#include "engine/yaml/node.h"

namespace flowrun {

/// A step where it is written.
struct IndexedStep {
  const Node* node;  ///< as written, without defaults
  const CommonStep* step;
  std::uint32_t kind;       ///< kind_bit()
  Position at;              ///< of its name; of its kind where it has none
  int length;               ///< of what stands there
  int around;               ///< index of the step that it is inside of; -1: none
  const GraphStep* body;    ///< that it is a child of; null: a fallback or an undo
  std::size_t child_index;  ///< in that body
  std::size_t from, to;     ///< what is mentioned in it, anywhere inside: indices of FileIndex::mentions
  std::string said_name;    ///< "`order`", or "step 2" of a list
};

/// A body or the branches of a group.
struct IndexedBody {
  const Node* node;
  const GraphStep* graph;
  int around;
};

/// REQUIRES: the file was read without an error; then nodes and steps go pair by pair. All arguments outlive it.
class WorkflowIndex {
 public:
  WorkflowIndex(const Node& root, const RootStep& workflow, const FileIndex& index);

  const Node& root;
  const RootStep& workflow;
  const FileIndex& file;
  std::vector<IndexedStep> steps;  ///< a step before those inside it
  std::vector<IndexedBody> bodies;
  std::vector<int> owner;  ///< of each mention: the innermost step that says it; -1: said outside of all steps

  const IndexedStep& at(const Step& step) const { return steps[static_cast<std::size_t>(numbers_.at(&step))]; }
  /// The step's own, else that of `defaults`; null when neither says it.
  const Member* option(const IndexedStep& indexed, std::string_view name) const;
  /// Which step `$steps.NAME` means, said by the step |from| or, for -1, at the top; null when it is none of a file
  /// without errors.
  const IndexedStep* resolve(int from, const std::string& name) const;

 private:
  void body(const Node& node, const GraphStep& graph, int around);
  void step(const Node& node, const Step& step, IndexedStep indexed);

  std::unordered_map<const Step*, int> numbers_;
  std::unordered_map<const Step*, const MentionSpan*> spans_;
};

/// Where the rules put what they find.
class Findings {
 public:
  explicit Findings(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}
  /// What add() adds from now on.
  void begin(const char* code) { code_ = code; }
  const std::string& text() const { return diagnostics_.source().text; }
  /// What is read more than once, a default or an alias, is told of once.
  void add(Position at, std::size_t length, std::string message, std::string advice);
  void add(const Member& key, std::string message, std::string advice) {
    add(key.at, key.key.size(), std::move(message), std::move(advice));
  }
  void add(const Node& value, std::string message, std::string advice) {
    add(value.at, value.is_scalar() && !value.block ? value.text.size() : 1, std::move(message), std::move(advice));
  }
  void add(const IndexedStep& step, std::string message, std::string advice) {
    add(step.at, static_cast<std::size_t>(step.length), std::move(message), std::move(advice));
  }

 private:
  Diagnostics& diagnostics_;
  const char* code_ = "";
  std::set<std::tuple<std::string, int, int>> said_;
};

}  // namespace flowrun
