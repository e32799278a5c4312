// Files become a Workflow, with every diagnostic there is. Runs nothing.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/jq/jq.h"
#include "engine/model/diagnostics.h"
#include "engine/model/secret.h"
#include "engine/steps/definition.h"

namespace flowrun {

/// Texts of sub-workflows by their paths, as they are seen from the folder of the main file.
using Texts = std::map<std::string, std::string>;

/// All that is known of a file after reading it, and all that it runs as steps.
struct Loaded : Definition {
  std::string text;
  std::vector<SecretSource> secrets;
  std::set<std::string> ignored_lints;
  bool http = false;                                  ///< some step is an HTTP call
  bool memo = false;                                  ///< some step may take an earlier result
  std::vector<std::string> secret_outputs;            ///< names of steps whose output is not to be seen
  std::set<std::string> pools;                        ///< of all steps that act; one is empty: any workers do
  std::vector<Program> programs;                      ///< every expression that needs jq, each once
  Texts sources;                                      ///< of its sub-workflows
  std::vector<std::unique_ptr<Definition>> children;  ///< the same, read; their steps refer to them
};

/// Whether a file that is right is also looked through for what is probably not meant.
enum class Lints { No, Yes };

/// Reads the text of |diagnostics| as the workflow |file|. Nothing when there are errors. |jq|, when given, is asked
/// whether it can compile what it will be asked for.
/// |for_questions|: steps keep all that `$steps` and `$status` can show, although no expression of the file looks at
/// it. |frozen|: the texts of sub-workflows; null: their files are read. What is wrong with them is included in
/// |diagnostics|, where they are named as an error.
std::optional<Loaded> load(const std::string& file, Diagnostics& diagnostics, Jq* jq = nullptr, Lints lints = Lints::No,
                           bool for_questions = false, const Texts* frozen = nullptr);

/// Reads the file's text, or what the reader needs to see that it is too long; throws Error(Usage) for what is missing,
/// a folder or unreadable. |pipes|: false: nothing but a regular file. Blocks for 10 min at most.
/// `-` is standard input, unless pipes are refused.
std::string read_file(const std::string& file, bool pipes = true);
/// |file| as a person knows it: `-` is standard input.
std::string shown_file(const std::string& file);
/// Whether |file|, which load() was given, stands for a text that came from standard input.
bool was_piped(const std::string& file);
/// The text of a file that |option| of a command names. Throws Error(Usage) that begins with |option|.
std::string read_given_file(const std::string& file, const std::string& option);

/// What the command line and the environment give for the inputs.
struct GivenInputs {
  std::vector<std::pair<std::string, std::string>> texts;  ///< -i NAME=TEXT, coerced by the declared type
  Json values = Json::object();                            ///< --inputs, not coerced
  bool some = false;  ///< what is missing is no mistake: it and the `vars` that use it are left out
};

struct ResolvedInputs {
  Value inputs, vars;
  Value sub_inputs{};          ///< as RunStarted has them
  std::string exclusive = {};  ///< the key that `exclusive` says; empty: none
};

/// Coerces, completes and checks the inputs, evaluates `vars` and `exclusive`. |lookup| reads the environment. Throws
/// Error(Invalid) that names every mistake at once.
ResolvedInputs resolve_inputs(const Loaded& loaded, const GivenInputs& given,
                              const std::function<std::optional<std::string>(const std::string&)>& environment,
                              Evaluator& evaluator, Instant now);

}  // namespace flowrun
