#include "engine/steps/process.h"

#include <fmt/format.h>

#include "engine/model/json_text.h"

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

std::optional<Failure> append_argument(std::vector<std::string>& argv, const Json& json, std::string_view code) {
  auto text = as_text(Value(json), code);
  if (auto* failure = std::get_if<Failure>(&text)) return std::move(*failure);
  std::string argument = std::get<std::string>(std::move(text));
  if (argument.find('\0') != std::string::npos)
    return Failure{"expression", fmt::format("`{}` has a zero byte in it; no argument can", code)};
  argv.push_back(std::move(argument));
  return std::nullopt;
}

}  // namespace

Fallible<EffectStep::Request> ProcessStep::resolve(const FrameScope& scope, Evaluator& evaluator, const Frame&,
                                                   const std::string&, const std::string&) const {
  Process process;
  if (script) {
    process.argv = interpreter;
    process.argv.push_back("-c");
    process.argv.push_back(*script);
    process.script = true;
  }
  for (const TextTemplate& argument : arguments) {
    if (const std::string* text = argument.literal(); text && text->find('\0') == std::string::npos) {
      process.argv.push_back(*text);
      continue;
    }
    Evaluation evaluation = argument.evaluate(scope, evaluator);
    if (auto* failure = std::get_if<Failure>(&evaluation)) return std::move(*failure);
    const Json& json = std::get<Value>(evaluation).json();
    std::string code = argument.is_one_expression() ? argument.expression().code() : "exec";
    if (json.is_array()) {
      for (const Json& one : json)
        if (auto failure = append_argument(process.argv, one, code)) return *failure;
    } else if (auto failure = append_argument(process.argv, json, code)) {
      return *failure;
    }
  }
  if (process.argv.empty()) return Failure{"expression", "exec has no program: its list came out empty"};

  Evaluation variables = env.evaluate(scope, evaluator);
  if (auto* failure = std::get_if<Failure>(&variables)) return std::move(*failure);
  auto place = [&](TaskPlaceholder::In in, std::size_t index, SecretText text) {
    for (Placeholder& placeholder : text.placeholders)
      process.placeholders.push_back({in, index, std::move(placeholder)});
    return std::move(text.text);
  };
  if (const Json& json = std::get<Value>(variables).json(); json.is_object()) {
    for (const auto& [name, value] : json.items()) {
      std::optional<std::string> text;
      if (!value.is_null())
        text = env.names_secrets()
                   ? place(TaskPlaceholder::In::Variable, process.env.size(), loose_secret_text(Value(value)))
                   : loose_text(value);
      process.env.emplace_back(name, std::move(text));
    }
  }
  // What an item's process may want to know without being told by `env`.
  if (auto item = scope.lookup({"item", "", ""}); std::holds_alternative<Value>(item)) {
    auto text = [&](const char* name) { return loose_text(std::get<Value>(scope.lookup({name, "", ""}))); };
    // An environment string has to fit in 128 KiB (execve(2)); a larger item comes by `stdin`.
    if (std::string whole = loose_text(std::get<Value>(item)); whole.size() < 100 * 1024)
      process.env.emplace_back("FLOWRUN_ITEM", std::move(whole));
    process.env.emplace_back("FLOWRUN_KEY", text("key"));
    process.env.emplace_back("FLOWRUN_INDEX", text("index"));
  }

  const std::string folder = folder_of(scope.frame());
  process.cwd = folder;
  if (cwd) {
    Evaluation where = cwd->evaluate(scope, evaluator);
    if (auto* failure = std::get_if<Failure>(&where)) return std::move(*failure);
    auto text = as_text(std::get<Value>(where), "cwd");
    if (auto* failure = std::get_if<Failure>(&text)) return std::move(*failure);
    std::string path = std::get<std::string>(std::move(text));
    process.cwd = !path.empty() && path.front() == '/' ? path : folder + "/" + path;
  }
  Evaluation fed = input.evaluate(scope, evaluator);
  if (auto* failure = std::get_if<Failure>(&fed)) return std::move(*failure);
  if (const Value& value = std::get<Value>(fed); !value.is_null())
    process.stdin_text =
        input.names_secrets() ? place(TaskPlaceholder::In::Stdin, 0, loose_secret_text(value)) : loose_text(value);

  auto grace = flowrun::resolve(kill_grace, scope, evaluator, process.kill_grace, "kill_grace");
  if (auto* failure = std::get_if<Failure>(&grace)) return std::move(*failure);
  process.kill_grace = std::get<Duration>(grace);
  process.inherit = inherit;
  process.inherited = inherited;
  process.capture = capture;
  process.success_codes = success_codes;
  process.max_output = max_output;
  process.leave = leave;
  process.unread = unread;
  process.shares_cpus = shares_cpus;
  return Request(std::move(process));
}

}  // namespace flowrun
