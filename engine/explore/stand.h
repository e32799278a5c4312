// What an exploration stands on: a workflow, read; its scenarios, if it has some; what it is given. Reads files; runs
// nothing but expressions.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/explore/answer_cache.h"
#include "engine/explore/explored_run.h"
#include "engine/jq/jq.h"
#include "engine/scenario/scenario_file.h"
#include "engine/scenario/workflow_places.h"

namespace flowrun {

struct ExploreFiles {
  std::string workflow;   ///< as the person calls it; may be a file of scenarios, which names it
  std::string scenarios;  ///< empty: the one beside it, if there is one
  GivenInputs inputs;     ///< what the command line gives; goes before the scenario's
};

/// A workflow and its scenarios as they were found good. Plain texts: threads may share it.
class ReadFiles {
 public:
  /// Throws Error(Invalid) with what is wrong with a file, Error(Usage) for what can not be read.
  explicit ReadFiles(const ExploreFiles& files);

  std::string workflow, text;
  Texts sub_workflows;
  std::optional<ScenarioFile> scenarios;
  std::string scenario_name;  ///< of the file of scenarios; empty: none
  GivenInputs inputs;
};

/// All that one thread needs for its runs.
class Stand {
 public:
  /// |leaf|: what answers are made up of. Throws Error(Invalid) for inputs that do not do.
  Stand(const ReadFiles& files, Json leaf, bool every);

  Stage& stage() { return *stage_; }
  const WrittenSteps& steps() const { return *steps_; }
  const WorkflowPlaces& places() const { return *places_; }
  const std::vector<NeverRule>& never() const { return never_; }
  const std::string& run_name() const { return loaded_->workflow.name; }

 private:
  RunStarted started(const ReadFiles& files);

  std::optional<Loaded> loaded_;
  std::unique_ptr<Jq> jq_;
  std::unique_ptr<AnswerCache> cache_;
  std::vector<const Scenario*> scenarios_;
  std::vector<NeverRule> never_;
  std::unique_ptr<WrittenSteps> steps_;
  std::unique_ptr<Endings> endings_;
  std::unique_ptr<WorkflowPlaces> places_;
  std::unique_ptr<Stage> stage_;
};

}  // namespace flowrun
