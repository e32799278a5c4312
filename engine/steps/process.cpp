#include "engine/steps/process.h"

#include "engine/model/json_text.h"
#include "engine/steps/words.h"

namespace flowrun {
namespace {

/// Numbers and booleans become text, objects and lists JSON.
std::string loose_text(const Json& json) {
  return json.is_string() ? json.get<std::string>() : json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// The same, without a tree where the text says it already.
std::string loose_text(const Value& value) {
  const std::string& text = value.text();
  return text.front() == '"' ? string_of(text) : text;
}

/// The same where secrets may go.
SecretText loose_secret_text(const Value& value) {
  if (auto text = secret_text_from(value.json())) return std::move(*text);
  return value.json().is_string() ? SecretText{value.json().get<std::string>()}
                                  : json_text_with_placeholders(value.json());
}

/// |text| without its secrets, whose places the executor is told.
std::string with_placeholders_noted(Process& process, TaskPlaceholder::In in, std::size_t index, SecretText text) {
  for (Placeholder& placeholder : text.placeholders)
    process.placeholders.push_back({in, index, std::move(placeholder)});
  return std::move(text.text);
}

void add_variables(Process& process, const Json& variables, bool names_secrets) {
  if (!variables.is_object()) return;
  for (const auto& [name, value] : variables.items()) {
    std::optional<std::string> text;
    if (!value.is_null())
      text = names_secrets ? with_placeholders_noted(process, TaskPlaceholder::In::Variable, process.env.size(),
                                                     loose_secret_text(Value(value)))
                           : loose_text(value);
    process.env.emplace_back(name, std::move(text));
  }
}

/// What an item's process may want to know without being told by `env`.
void add_item(Process& process, const FrameScope& scope) {
  auto item = scope.lookup({"item", "", ""});
  if (!item) return;
  // An environment string has to fit in 128 KiB (execve(2)); a larger item comes by `stdin`.
  if (std::string whole = loose_text(*item); whole.size() < 100 * 1024)
    process.env.emplace_back("FLOWRUN_ITEM", std::move(whole));
  for (auto [variable, name] : {std::pair{"FLOWRUN_KEY", "key"}, {"FLOWRUN_INDEX", "index"}})
    process.env.emplace_back(variable, loose_text(*scope.lookup({name, "", ""})));
}

/// Where it runs: |cwd| is seen from the folder of its file.
Fallible<std::string> working_folder(const std::optional<TextTemplate>& cwd, const FrameScope& scope,
                                     Evaluator& evaluator) {
  const std::string folder = folder_of(scope.frame());
  if (!cwd) return folder;
  Evaluation where = cwd->evaluate(scope, evaluator);
  if (!where) return std::move(where.failure());
  auto path = as_text(*where, "cwd");
  if (path && (path->empty() || path->front() != '/')) *path = folder + "/" + *path;
  return path;
}

}  // namespace

/// In this order, as the answers of jq are journaled in it: arguments, variables, folder, input, grace, via.
Fallible<Effect::Request> ProcessStep::resolve(const FrameScope& scope, Evaluator& evaluator, const Frame&,
                                               const std::string&, const std::string&) const {
  Process process;
  if (script) {
    process.argv = interpreter;
    process.argv.push_back("-c");
    process.argv.push_back(*script);
    process.script = true;
  }
  if (auto failure = add_words(process.argv, arguments, "exec", scope, evaluator)) return *std::move(failure);
  if (process.argv.empty()) return Failure{"expression", "exec has no program: its list came out empty"};
  Evaluation variables = env.evaluate(scope, evaluator);
  if (!variables) return std::move(variables.failure());
  add_variables(process, variables->json(), env.names_secrets());
  add_item(process, scope);
  auto folder = working_folder(cwd, scope, evaluator);
  if (!folder) return std::move(folder.failure());
  process.cwd = *std::move(folder);
  Evaluation fed = input.evaluate(scope, evaluator);
  if (!fed) return std::move(fed.failure());
  if (!fed->is_null())
    process.stdin_text = input.names_secrets()
                             ? with_placeholders_noted(process, TaskPlaceholder::In::Stdin, 0, loose_secret_text(*fed))
                             : loose_text(*fed);
  auto grace = flowrun::resolve(kill_grace, scope, evaluator, process.kill_grace, "kill_grace");
  if (!grace) return std::move(grace.failure());
  process.kill_grace = *grace;
  if (!via) {
    process.via = scope.frame().context().run().via;
  } else if (auto failure = add_words(process.via, *via, "via", scope, evaluator)) {
    return *std::move(failure);
  } else if (process.via.empty() && !via->empty()) {
    return Failure{"expression", "via has no program: its list came out empty; `none` is written as such"};
  }
  process.inherit = inherit;
  process.inherited = inherited;
  process.capture = capture;
  process.success_codes = success_codes;
  process.max_output = max_output;
  process.leave = leave;
  process.unread = unread;
  process.shares_cpus = shares_cpus;
  process.weight = static_cast<int>(weight);
  return Request(std::move(process));
}

std::unique_ptr<Frame> ProcessStep::frame(Context& context, Frame* parent, std::string path) const {
  return effect_frame(context, parent, *this, *this, *this, std::move(path));
}

}  // namespace flowrun
