// Inputs: what was given becomes what was declared, or every mistake is named. Also evaluates `vars` and `exclusive`.
// Belongs to load.h.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "engine/language/json_schema.h"
#include "engine/model/error.h"
#include "engine/model/json_text.h"
#include "engine/run/load.h"

namespace flowrun {
namespace {

/// Text from the command line or the environment as |schema| declares it; the only place where values are converted.
std::variant<Json, std::string> coerced(const Json& schema, const std::string& text) {
  if (!is_utf8(text)) return std::string("its text is not UTF-8; give bytes as base64, or the name of a file");
  Json types = schema.is_object() ? schema.value("type", Json()) : Json();
  if (types.is_null() || types == "string") return Json(text);
  if (types.is_string()) types = Json::array({types});
  // A list or an object may have blanks around it; other literals are exact.
  bool blank = !text.empty() && (std::isspace(static_cast<unsigned char>(text.front())) ||
                                 std::isspace(static_cast<unsigned char>(text.back())));
  Json parsed = json_of(text).value_or(Json(Json::value_t::discarded));
  if (blank && !parsed.is_structured()) parsed = Json(Json::value_t::discarded);
  for (const Json& type : types) {
    if (type == "integer" && parsed.is_number_integer()) return parsed;
    if (type == "number" && parsed.is_number()) return parsed;
    if (type == "boolean" && parsed.is_boolean()) return parsed;
    if (type == "array" && parsed.is_array()) return parsed;
    if (type == "object" && parsed.is_object()) return parsed;
    if (type == "null" && parsed.is_null()) return parsed;
  }
  if (std::find(types.begin(), types.end(), Json("string")) != types.end()) return Json(text);
  const std::string shown = shortened(text, 60);
  if (std::string why = why_no_json(text); !why.empty()) return fmt::format("`{}` {}", shown, why);
  if (types == Json::array({"boolean"})) return fmt::format("`{}` is not true or false", shown);
  if (types == Json::array({"array"}))
    return fmt::format("`{}` is no JSON list; write for example [\"a\",\"b\"], or NAME=@lines:FILE", shown);
  if (types == Json::array({"object"})) return fmt::format("`{}` is no JSON object", shown);
  return fmt::format("`{}` is not of type {}", shown, fmt::join(types.get<std::vector<std::string>>(), " or "));
}

/// What the environment gives to the inputs of sub-workflows that no step gives: {path: {input: value}}, or null.
Value inputs_of_children(const Loaded& loaded,
                         const std::function<std::optional<std::string>(const std::string&)>& environment,
                         std::vector<std::string>& errors) {
  Json all;
  for (const auto& child : loaded.children)
    for (const InputSpec& spec : child->inputs) {
      if (!spec.left_to_env) continue;
      std::optional<std::string> text = environment(spec.env);
      if (!text && spec.default_value) continue;
      std::string trouble = "is not given by a step, and the environment variable " + spec.env + " is not set";
      if (text) {
        auto value = coerced(spec.schema, *text);
        trouble.clear();
        if (auto* json = std::get_if<Json>(&value)) {
          for (const std::string& error : schema_errors(spec.schema, *json)) trouble = error;
          all[child->path][spec.name] = std::move(*json);
        } else {
          trouble = std::get<std::string>(value);
        }
        trouble += trouble.empty() ? "" : " (from the environment variable " + spec.env + ")";
      }
      if (!trouble.empty()) errors.push_back(fmt::format("input {} of {}: {}", spec.name, child->path, trouble));
    }
  return Value(std::move(all));
}

constexpr std::size_t kLongestKey = 200;  // of `exclusive`

std::variant<std::string, Failure> key_of(const Exclusive& exclusive, const Scope& scope, Evaluator& evaluator) {
  const Evaluation evaluation = exclusive.key.evaluate(scope, evaluator);
  if (const auto* failure = std::get_if<Failure>(&evaluation)) return *failure;
  const bool whole = exclusive.key.is_one_expression();
  Fallible<std::string> text =
      as_text(std::get<Value>(evaluation), whole ? exclusive.key.expression().code() : std::string("the key"));
  if (const auto* key = std::get_if<std::string>(&text); key && (key->empty() || key->size() > kLongestKey))
    return Failure{"expression",
                   key->empty() ? "the key is empty" : fmt::format("the key is longer than {} bytes", kLongestKey)};
  return text;
}

}  // namespace

ResolvedInputs resolve_inputs(const Loaded& loaded, const GivenInputs& given,
                              const std::function<std::optional<std::string>(const std::string&)>& environment,
                              Evaluator& evaluator, Instant now) {
  if (!given.some)
    for (const auto& [secret, input] : loaded.secret_inputs)
      throw Error(Problem::Invalid,
                  fmt::format("{}: error: secret `{}` is what another file gives to the input `{}`; run the file that "
                              "has this one as a step\nnothing was started",
                              loaded.file, secret, input));
  std::vector<std::string> errors;
  StartScope scope(loaded.workflow.name, now, true);
  std::vector<std::string> names;
  for (const InputSpec& spec : loaded.inputs) names.push_back(spec.name);
  auto unknown = [&](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) != names.end()) return;
    std::string near = nearest(name, names);
    std::string known;
    for (const std::string& one : names) known += (known.empty() ? "" : ", ") + one;
    errors.push_back(fmt::format("input {}: the workflow has no such input; {}", name,
                                 !near.empty()   ? "did you mean `" + near + "`?"
                                 : known.empty() ? "it has none"
                                                 : "it has " + known));
  };
  for (const auto& [name, text] : given.texts) unknown(name);
  for (const auto& [name, value] : given.values.items()) unknown(name);

  for (const InputSpec& spec : loaded.inputs) {
    auto from_text = [&](const std::string& text, const std::string& source) -> std::optional<Json> {
      auto value = coerced(spec.schema, text);
      if (auto* json = std::get_if<Json>(&value)) return std::move(*json);
      errors.push_back(fmt::format("input {}: {}{}", spec.name, std::get<std::string>(value), source));
      return std::nullopt;
    };
    std::optional<Json> value;
    auto last =
        std::find_if(given.texts.rbegin(), given.texts.rend(), [&](const auto& one) { return one.first == spec.name; });
    std::optional<std::string> from_env = spec.env.empty() ? std::nullopt : environment(spec.env);
    if (last != given.texts.rend()) {
      value = from_text(last->second, "");
    } else if (given.values.contains(spec.name)) {
      value = given.values.at(spec.name);
    } else if (from_env) {
      value = from_text(*from_env, " (from the environment variable " + spec.env + ")");
    } else if (spec.default_value) {
      Evaluation evaluation = spec.default_value->evaluate(scope, evaluator);
      if (auto* failure = std::get_if<Failure>(&evaluation)) {
        errors.push_back(fmt::format("input {}: its default: {}", spec.name, failure->message));
      } else {
        value = std::get<Value>(evaluation).json();
      }
    } else if (given.some) {
      continue;
    } else {
      errors.push_back(fmt::format("input {} is missing{}; give it by -i {}=VALUE{}", spec.name,
                                   spec.description.empty() ? "" : " (" + spec.description + ")", spec.name,
                                   spec.env.empty() ? "" : " or the environment variable " + spec.env));
      continue;
    }
    if (!value) continue;
    for (const std::string& error : schema_errors(spec.schema, *value))
      errors.push_back(fmt::format("input {}: {}", spec.name, error));
    scope.inputs[spec.name] = std::move(*value);
  }
  auto lacks = [&](const Reference& reference) {
    const Json* known = reference.variable == "input"  ? &scope.inputs
                        : reference.variable == "vars" ? &scope.vars
                                                       : nullptr;
    return known && !reference.member.empty() && !known->contains(reference.member);
  };
  if (errors.empty())
    for (const Var& var : loaded.vars) {
      std::vector<Reference> references = var.value.references();
      if (given.some && std::any_of(references.begin(), references.end(), lacks)) continue;
      Evaluation evaluation = var.value.evaluate(scope, evaluator);
      if (auto* failure = std::get_if<Failure>(&evaluation)) {
        errors.push_back(fmt::format("vars.{}: {}", var.name, failure->message));
      } else {
        scope.vars[var.name] = std::get<Value>(evaluation).json();
      }
    }
  std::string key;
  if (errors.empty() && loaded.exclusive && !given.some) {
    auto found = key_of(*loaded.exclusive, scope, evaluator);
    if (const auto* failure = std::get_if<Failure>(&found)) errors.push_back("exclusive: " + failure->message);
    if (auto* text = std::get_if<std::string>(&found)) key = std::move(*text);
  }
  Value sub_inputs = given.some ? Value() : inputs_of_children(loaded, environment, errors);
  if (!errors.empty()) {
    std::string text;
    for (const std::string& error : errors) text += fmt::format("{}: error: {}\n", loaded.file, error);
    throw Error(Problem::Invalid, text + "nothing was started");
  }
  return {Value(std::move(scope.inputs)), Value(std::move(scope.vars)), std::move(sub_inputs), std::move(key)};
}

}  // namespace flowrun
