// Where the steps of a workflow stand, for messages: `charge (order.yaml:27)`.
#pragma once

#include <string>
#include <vector>

#include "engine/steps/outline.h"

namespace flowrun {

class WorkflowPlaces {
 public:
  /// |file|: how the person who asks calls the workflow.
  WorkflowPlaces(const Workflow& workflow, std::string file) : rows_(outline(workflow)), file_(std::move(file)) {}

  const std::vector<OutlineRow>& rows() const { return rows_; }
  /// `order.yaml:27` of the step at |path|; empty: there is none.
  std::string place_of(const std::string& path) const;
  std::string place_of(const OutlineRow& row) const;
  /// |path| with that in brackets behind it.
  std::string named(const std::string& path) const;

 private:
  const std::vector<OutlineRow> rows_;
  const std::string file_;
};

}  // namespace flowrun
