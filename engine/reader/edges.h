// Which step of a map waits for which: by what it mentions, and by `needs` and `after`. Reads no other key.
#pragma once

#include "engine/reader/file_diagnostics.h"
#include "engine/reader/file_index.h"
#include "engine/reader/names_in_scope.h"
#include "engine/steps/graph.h"

namespace flowrun {

/// `$steps.a.b`, as a reference is written.
std::string as_written(const Reference& reference);

/// Refuses `needs` and `after` of |node|, which have no place there.
void refuse_edges(FileDiagnostics& findings, const Node& node, const char* why, const char* suggestion);

/// Edges of one map of steps, while its names are in sight. All is lent.
class Edges {
 public:
  Edges(FileDiagnostics& findings, const NamesInScope& names, FileIndex& index, GraphStep& graph)
      : findings_(findings), names_(names), index_(index), graph_(graph) {}

  /// Those of child |i| by what it mentions; |span| of it, anywhere inside it.
  void infer(std::size_t i, const MentionSpan& span);
  /// Those of child |i| as |node| has them.
  void read(std::size_t i, const Node& node);
  void check_cycles();

 private:
  void no_sibling(const Node& name);

  FileDiagnostics& findings_;
  const NamesInScope& names_;
  FileIndex& index_;
  GraphStep& graph_;
};

}  // namespace flowrun
