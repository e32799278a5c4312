// Another file as a step. Its steps stand below the path of this one, see nothing of what is around it, and are part of
// the same journal.
//
//     workflow: ./etl/load-table.yaml
//     with: { table: "${ $item }" }
//     retry: { attempts: 2 }
#pragma once

#include "engine/language/template.h"
#include "engine/steps/definition.h"
#include "engine/steps/retry.h"

namespace flowrun {

class WorkflowStep final : public CommonStep, public RetrySettings {
 public:
  std::unique_ptr<Frame> frame(Context& context, Frame* parent, std::string path) const override;

  const Definition* child = nullptr;  ///< lent by who has loaded the files
  ValueTemplate with;                 ///< a map; null: nothing is given
  bool shares_cpus = false;           ///< inside a for_each that wrote no `concurrency`
  bool follows_file = false;          ///< in no for_each of its file: as the step that runs that one
};

}  // namespace flowrun
