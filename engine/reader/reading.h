// One file while its steps are read: what the readers of all kinds share. Reads nodes of YAML; runs nothing.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/reader/file_diagnostics.h"
#include "engine/reader/file_index.h"
#include "engine/reader/names_in_scope.h"
#include "engine/reader/use_check.h"
#include "engine/reader/value_reader.h"
#include "engine/steps/definition.h"
#include "engine/steps/graph.h"

namespace flowrun {

class Reading : public FileDiagnostics {
 public:
  /// Reads the file that a `workflow` names; null after a mistake, which it has told.
  using SubWorkflow = std::function<Definition*(const Node& path)>;

  /// |diagnostics| and |root| are lent.
  Reading(Diagnostics& diagnostics, const Node& root, std::string folder, SubWorkflow sub_workflow);

  /// Reads a step of any kind; null after a mistake, which it has told.
  std::unique_ptr<Step> step(const Node& node, const std::string& name, Position name_at);
  /// Reads a body: a map of steps, a list of them, or one step. |inside| is called while they are still in sight.
  std::unique_ptr<GraphStep> body(const Node& node, const char* what, const std::function<void()>& inside = nullptr);
  /// Reads the children of a map, with their edges; those of a list.
  void graph(GraphStep& graph, const Node& map, const std::function<void()>& inside = nullptr);
  void sequence(GraphStep& graph, const Node& list, const std::function<void()>& inside = nullptr);
  /// Adds to the steps of the file. Returns false when there are too many, and tells it once.
  bool count_steps(std::size_t more, Position at, std::size_t length);
  Definition* sub_workflow(const Node& path) { return sub_workflow_(path); }

  const Node& root() const { return root_; }
  ValueReader& values() { return values_; }
  UseCheck& uses() { return uses_; }
  NamesInScope& names() { return names_; }
  FileIndex& index() { return index_; }
  const ReadingContext& context() const { return context_; }

  /// The context as |change| has made it holds while this lives.
  class Within {
   public:
    template <typename Change>
    Within(Reading& reading, Change change) : reading_(reading), outer_(reading.context_) {
      change(reading.context_);
    }
    ~Within() { reading_.context_ = std::move(outer_); }
    Within(const Within&) = delete;
    Within& operator=(const Within&) = delete;

   private:
    Reading& reading_;
    ReadingContext outer_;
  };

 private:
  std::unique_ptr<Step> step_without_kind(const Node& node, const std::string& name, Position name_at);

  const Node& root_;
  const SubWorkflow sub_workflow_;
  NamesInScope names_;
  FileIndex index_;
  ReadingContext context_;
  UseCheck uses_;
  ValueReader values_;
  std::size_t depth_ = 0;
};

/// `.` is the raw result of the step |node| while this lives: of some kinds its fields are known.
class RawBinding {
 public:
  RawBinding(Reading& reading, const Node& node)
      : dot_(reading.names(), {"."}),
        within_(reading, [&](ReadingContext& context) { context.raw_kind = raw_kind_of(node); }) {}

 private:
  NamesInScope::Binding dot_;
  Reading::Within within_;
};

/// The keys of |node| that are kinds of step; one of a good step.
std::vector<const Member*> kinds_of(const Node& node);

}  // namespace flowrun
