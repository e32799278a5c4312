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

  /// Adds the edges of child |i| that follow from its mentions, |span|.
  void infer(std::size_t i, const MentionSpan& span);
  /// Adds the edges of child |i| that `needs` and `after` of |node| name.
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
