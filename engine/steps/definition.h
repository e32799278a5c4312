// A workflow as its file says it: inputs and `vars` around the tree of steps. What is run from the command line is one,
// and each file that is run as a step of another.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/language/template.h"
#include "engine/machine/workflow.h"
#include "engine/model/time.h"

namespace flowrun {

/// An input as declared.
struct InputSpec {
  std::string name;
  Json schema;                                 ///< JSON Schema without `default` and `env`; {} takes anything
  std::optional<ValueTemplate> default_value;  ///< `default`
  std::string env;                             ///< environment variable, or empty
  std::string description;
  bool secret = false;       ///< its value is a secret of the file that runs this one, see Definition::secret_inputs
  bool left_to_env = false;  ///< of a sub-workflow: some step does not give it, and there is an `env`
  bool required() const { return !default_value && env.empty(); }
};

struct Var {
  std::string name;
  ValueTemplate value;
};

/// `exclusive`: of all runs of a journal one at a time is driven that has the key.
struct Exclusive {
  enum class WhenTaken { Wait, Skip, Fail, Replace };
  TextTemplate key;  ///< sees what `vars` see
  WhenTaken when_taken = WhenTaken::Wait;
};

struct Definition {
  std::string file;    ///< absolute
  std::string path;    ///< of a sub-workflow: seen from the folder of the main file; its name in the journal
  std::string folder;  ///< where relative paths start and processes run: `cwd` of the file. Of a sub-workflow seen from
                       ///< that of the main file, when it is below it
  Workflow workflow;
  std::vector<InputSpec> inputs;
  std::vector<Var> vars;
  /// Secrets that come by an input, with its name: whoever runs this file gives one of its own.
  std::map<std::string, std::string> secret_inputs;
  std::vector<std::string> raised;  ///< types of its own errors
  std::optional<Exclusive> exclusive;
  std::size_t steps = 0;  ///< with those of its sub-workflows, as often as they are named
  std::size_t depth = 0;  ///< of files below it
};

/// What defaults and `vars` see: $input, $vars, $run.name and $now.
class StartScope : public Scope {
 public:
  /// |filters|: what filters_in_place() says.
  StartScope(std::string run_name, Instant now, bool filters)
      : run_name_(std::move(run_name)), now_(now), filters_(filters) {}
  Fallible<Value> lookup(const Reference& reference) const override;
  bool filters_in_place() const override { return filters_; }
  Json inputs = Json::object(), vars = Json::object();

 private:
  std::string run_name_;
  Instant now_;
  bool filters_;
};

}  // namespace flowrun
