// Files become a Workflow, with every diagnostic there is. Runs nothing.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/jq/jq.h"
#include "engine/language/diagnostics.h"
#include "engine/language/expression.h"
#include "engine/machine/workflow.h"
#include "engine/model/secret.h"

namespace flowrun {

/// An input as declared.
struct InputSpec {
  std::string name;
  Json schema;                             ///< JSON Schema without `default` and `env`; {} takes anything
  std::optional<ValueTemplate> otherwise;  ///< `default`
  std::string env;                         ///< environment variable, or empty
  std::string description;
};

struct Var {
  std::string name;
  ValueTemplate value;
};

/// All that is known of a file after reading it.
struct Loaded {
  std::string file;    ///< absolute
  std::string folder;  ///< where relative paths start: `cwd` of the file
  std::string text;
  Workflow workflow;
  bool http = false;  ///< some step is an HTTP call
  std::vector<InputSpec> inputs;
  std::vector<Var> vars;
  std::vector<SecretSource> secrets;
  std::set<std::string> ignored_lints;
  std::vector<Program> programs;  ///< every expression that needs jq, each once
};

/// Whether a file that is right is also looked through for what is probably not meant.
enum class Lints { No, Yes };

/// Reads the text of |diagnostics| as the workflow |file|. Nothing when there are errors. |jq|, when given, is asked
/// whether it can compile what it will be asked for.
/// |for_questions|: groups keep all that `$status` can show, although no expression of the file looks at it.
std::optional<Loaded> load(const std::string& file, Diagnostics& diagnostics, Jq* jq = nullptr, Lints lints = Lints::No,
                           bool for_questions = false);

/// Reads the file's text; throws Error(Usage) for what is missing, a folder or unreadable, Error(Invalid) beyond 4 MiB.
std::string read_file(const std::string& file);

/// What the command line and the environment give for the inputs.
struct GivenInputs {
  std::vector<std::pair<std::string, std::string>> texts;  ///< -i NAME=TEXT, coerced by the declared type
  Json values = Json::object();                            ///< --inputs, not coerced
  bool some = false;  ///< what is missing is no mistake: it and the `vars` that use it are left out
};

struct ResolvedInputs {
  Value inputs, vars;
};

/// Coerces, completes and checks the inputs, evaluates `vars`. |lookup| reads the environment. Throws Error(Invalid)
/// that names every mistake at once.
ResolvedInputs resolve_inputs(const Loaded& loaded, const GivenInputs& given,
                              const std::function<std::optional<std::string>(const std::string&)>& environment,
                              Evaluator& evaluator, Instant now);

}  // namespace flowrun
