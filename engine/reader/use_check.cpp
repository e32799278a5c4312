#include "engine/reader/use_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "engine/reader/secret_output.h"

namespace flowrun {
namespace {

constexpr std::array<const char*, 10> kRunFields{"id",         "name",       "dir",  "host",   "state",
                                                 "started_at", "elapsed_ms", "cpus", "undone", "failed"};
constexpr std::array<const char*, 14> kStatusFields{"state",      "ok",          "output",      "error", "attempts",
                                                    "started_at", "finished_at", "duration_ms", "by",    "winner",
                                                    "counts",     "branches",    "order",       "failed"};

/// The schema of `$status.x`, as far as it is the same for all steps.
const Json& status_schema() {
  static const Json schema = Json::parse(R"({"type": "object", "properties": {
    "state": {"type": "string"},
    "ok": {"type": "boolean"},
    "attempts": {"type": "integer"},
    "counts": {"type": "object", "additionalProperties": false, "properties": {
      "total": {"type": "integer"}, "succeeded": {"type": "integer"}, "failed": {"type": "integer"},
      "skipped": {"type": "integer"}, "cancelled": {"type": "integer"}, "blocked": {"type": "integer"}}}}})");
  return schema;
}

constexpr const char* kNameOrHyphen = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

/// What the raw result of a kind has, and where in it the fields of an answer stand.
struct RawResult {
  const char* kind;
  std::string_view fields;
  const char* own;
  const char* advice;
};
constexpr std::string_view kOfProcess = "exit_code duration_ms attempt stdout stderr_tail value polls elapsed_ms";
constexpr RawResult kRawResults[] = {
    {"http", "status duration_ms attempt url headers body page polls elapsed_ms", "body",
     "what the server answered is `.body`"},
    {"shell", kOfProcess, "value", "what `capture` made of its output is `.value`"},
    {"exec", kOfProcess, "value", "what `capture` made of its output is `.value`"},
    {"wait", "data by at", "data", "what came with the signal is `.data`"},
};

/// True when |offset| of |code| is within the brackets of a function: there the function decides what `.` is.
bool within_call(std::string_view code, std::size_t offset) {
  std::vector<bool> calls;
  for (std::size_t i = 0; i < std::min(offset, code.size()); ++i) {
    if (code[i] == '(')
      calls.push_back(i > 0 && (std::isalnum(static_cast<unsigned char>(code[i - 1])) || code[i - 1] == '_'));
    if (code[i] == ')' && !calls.empty()) calls.pop_back();
  }
  return std::find(calls.begin(), calls.end(), true) != calls.end();
}

}  // namespace

std::string raw_kind_of(const Node& node) {
  for (const RawResult& one : kRawResults)
    if (node.find(one.kind)) return one.kind;
  return "";
}

void UseCheck::check(const Use& use, const Expression& expression) {
  using Moment = ReadingContext::Moment;
  const Reference& reference = use.reference;
  const std::string& variable = reference.variable;
  const Moment moment = context_.moment;
  auto field_of = [&](const auto& fields) {
    std::vector<std::string> names(fields.begin(), fields.end());
    if (reference.member.empty() || std::find(names.begin(), names.end(), reference.member) != names.end()) return;
    error("E204", use, fmt::format("`${}` has no `{}`", variable, reference.member),
          suggested(reference.member, names));
  };
  if (variable == "." && !context_.raw_kind.empty()) check_raw(use, expression);
  if (names_.is_bound(variable) || use.implied) return;
  if (moment != Moment::Run) check_before_run(use);
  if (variable == "steps" || variable == "status") {
    if (moment != Moment::Run) return;
    check_step(use, expression);
    check_secret_output(use, expression);
  } else if (variable == "input") {
    if (moment == Moment::Inputs) return;
    std::vector<std::string> names;
    for (const auto& [known, schema] : index_.inputs) names.push_back(known);
    field_of(names);
    check_fields(use);
    if (index_.secret_inputs.count(reference.member))
      error("E401", use, fmt::format("input `{}` is a secret of this file", reference.member),
            "write the secret, ${ $secrets.NAME }");
  } else if (variable == "vars") {
    if (moment == Moment::Inputs) return;
    if (auto later = index_.later_vars.find(reference.member); later != index_.later_vars.end())
      error("E204", use,
            fmt::format("`$vars.{}` is not known yet: it comes on line {}", reference.member, later->second),
            "`vars` are evaluated from top to bottom");
    else
      field_of(index_.vars);
  } else if (variable == "run") {
    field_of(kRunFields);
  } else if (variable == "secrets") {
    if (moment != Moment::Inputs) field_of(index_.secrets);
    check_secret(use, expression);
  } else if (variable == ".") {
    error("E204", use, "`.` is the raw result of a step; there is none here",
          "an input is `$input.NAME`, a step's output `$steps.NAME`");
  } else if (variable != "now" && variable != "uuid" && variable != "random") {
    check_unknown(use);
  }
}

void UseCheck::check_secret(const Use& use, const Expression& expression) {
  if (expression.code() != "$secrets." + use.reference.member)
    error("E401", use, "a secret is written alone, `${ $secrets.NAME }`, never within a larger expression");
  else
    check_flow(use);
}

void UseCheck::check_flow(const Use& use) {
  if (context_.secrets_allowed) return;
  error("E401", use, "a secret may not flow here: others could see it",
        "it may go into the URL, query, headers, auth and body of http, into env and stdin of processes, and to a "
        "secret of a sub-workflow");
}

bool UseCheck::names_secret_output(const Expression& expression) const {
  const Use* use = expression.plain_path();
  const Node* step = use && use->reference.variable == "steps" ? names_.node_of(use->reference.member) : nullptr;
  return step && has_secret_output(*step);
}

void UseCheck::check_secret_output(const Use& use, const Expression& expression) {
  const std::string& name = use.reference.member;
  const Node* step = names_.node_of(name);
  if (!step) return;
  const bool secret = has_secret_output(*step);
  if (use.reference.variable == "status") {
    if (secret && use.reference.field == "output")
      error("E401", use, fmt::format("the output of `{}` is secret", name),
            fmt::format("write ${{ $steps.{} }}", name));
  } else if (!secret) {
    if (leads_to_secret(*step, use.hops, 1))
      error("E401", use, "the output of a step in it is secret, and is known where that step is in sight only",
            "use it there, or say with `output` what the group puts out");
  } else if (!expression.plain_path() || !std::all_of(use.hops.begin(), use.hops.end(), is_written_out)) {
    error("E401", use,
          fmt::format("the output of `{0}` is secret: it is written as a path alone, such as `${{ $steps.{0}.token }}`",
                      name));
  } else {
    check_flow(use);
  }
}

void UseCheck::check_unknown(const Use& use) {
  const std::string& variable = use.reference.variable;
  std::vector<std::string> names{"$input",   "$vars", "$steps", "$status", "$run",
                                 "$secrets", "$now",  "$uuid",  "$random"};
  for (const std::string& bound : names_.bound()) names.push_back("$" + bound);
  std::string suggestion = suggested("$" + variable, names);
  if (variable == "item" || variable == "key" || variable == "index") suggestion = "it is bound inside for_each only";
  if (variable == "carry" || variable == "round") suggestion = "it is bound inside repeat only";
  if (variable == "error") suggestion = "it is bound in `fallback`, `undo`, `retry.if`, `on_failure` and `finally`";
  if (variable == "matrix") suggestion = "items of a for_each are `$item`";
  if (variable == "env") suggestion = "an environment variable comes in by an input with `env: NAME`";
  error("E204", use, fmt::format("`${}` is not known here", variable), suggestion);
}

void UseCheck::check_before_run(const Use& use) {
  const Reference& reference = use.reference;
  const std::string& variable = reference.variable;
  if (variable == "now") return;
  if (context_.moment == ReadingContext::Moment::Inputs) {
    if (variable == "input" || variable == "vars" || variable == "run" || variable == "steps" || variable == "status" ||
        variable == "uuid" || variable == "random")
      error("E204", use, fmt::format("`${}` is not known yet: a default is evaluated before everything else", variable),
            "only $now is; `vars` can combine inputs");
    return;
  }
  bool early = variable == "steps" || variable == "status" || variable == "uuid" || variable == "random" ||
               (variable == "run" && reference.member != "name");
  if (early)
    error("E204", use,
          fmt::format("`${}{}{}` is not known yet: this is evaluated before any step", variable,
                      reference.member.empty() ? "" : ".", reference.member),
          "$input, earlier $vars, $run.name and $now are");
}

StaticType UseCheck::type_of(const Use& use) const {
  const Reference& reference = use.reference;
  // A path that is cut short by `?` or written by pieces may have no member.
  if (use.hops.empty() || use.hops[0].name != reference.member || names_.is_bound(reference.variable)) return {};
  if (reference.variable == "input") {
    auto schema = index_.inputs.find(reference.member);
    return schema == index_.inputs.end() ? StaticType() : follow(schema->second, use.hops, 1);
  }
  if (reference.variable == "status") return follow(status_schema(), use.hops, 1);
  if (reference.variable != "steps") return {};
  const Node* step = names_.node_of(reference.member);
  const Node* returns = step ? step->find("returns") : nullptr;
  // The output of a fallback may stand in, and has another schema.
  return returns && !step->find("fallback") ? follow(returns->json(), use.hops, 1) : StaticType();
}

void UseCheck::must_be(const Expression& expression, const std::vector<std::string>& types, const std::string& need,
                       const char* advice) {
  const Use* path = expression.plain_path();
  if (!path) return;
  StaticType type = type_of(*path);
  std::string only = only_type(type.schema);
  if (!type.good() || only.empty() || std::find(types.begin(), types.end(), only) != types.end()) return;
  error("E208", *path, fmt::format("{}; `{}` is of type {}", need, expression.code(), only),
        only == "string" ? fmt::format(fmt::runtime(advice), expression.code()) : "");
}

void UseCheck::check_fields(const Use& use) {
  StaticType type = type_of(use);
  if (type.good()) return;
  const std::string value = "$" + use.reference.variable + as_written(use.hops, type.followed);
  const Hop& hop = use.hops[type.followed];
  std::string missing = hop.kind == Hop::Kind::Field ? "no `" + hop.name + "`" : "no items";
  if (type.no_such_type) {
    error("E208", use, fmt::format("`{}` is of type {}; it has {}", value, only_type(type.schema), missing));
    return;
  }
  std::vector<std::string> names;
  for (const auto& [name, property] : type.schema["properties"].items()) names.push_back(name);
  error("E209", use, fmt::format("`{}` has {} by its schema", value, missing), suggested(hop.name, names));
}

void UseCheck::check_raw(const Use& use, const Expression& expression) {
  if (use.hops.empty() || use.hops[0].kind != Hop::Kind::Field) return;
  if (within_call(expression.code(), use.offset)) return;
  const std::string& field = use.hops[0].name;
  for (const RawResult& raw : kRawResults) {
    if (raw.kind != context_.raw_kind) continue;
    std::vector<std::string> names;
    for (std::string_view fields = raw.fields; !fields.empty();) {
      names.emplace_back(fields.substr(0, fields.find(' ')));
      fields.remove_prefix(std::min(names.back().size() + 1, fields.size()));
    }
    if (std::find(names.begin(), names.end(), field) != names.end()) return;
    std::string near = nearest(field, names);
    error("E204", use, fmt::format("the raw result of {} has no `{}`", raw.kind, field),
          near.empty() ? fmt::format("{}: write `.{}{}`", raw.advice, raw.own, as_written(use.hops, use.hops.size()))
                       : "did you mean `." + near + "`?");
  }
}

void UseCheck::check_step(const Use& use, const Expression& expression) {
  const Reference& reference = use.reference;
  const std::string& step = reference.member;
  // The innermost comes first: further out, a step of the same name may follow the list.
  bool found = false;
  for (auto level = names_.levels().rbegin(); level != names_.levels().rend() && !found; ++level) {
    found = level->names.count(step) > 0;
    if (found && level->self == step) {
      error("E302", use, fmt::format("step `{}` refers to itself", step),
            reference.variable == "status"
                ? "in its `output` what came out is `.`, in its `fallback` what went wrong is `$error`"
                : "in its `output` what came out is `.`");
      return;
    }
    if (auto later = level->later.find(step); !found && later != level->later.end()) {
      error("E203", use, fmt::format("step `{}` (line {}) comes later in this list", step, later->second),
            "a list runs from top to bottom");
      return;
    }
  }
  if (!found) return out_of_sight(use, expression);
  if (reference.variable == "status" && !reference.field.empty()) {
    std::vector<std::string> names(kStatusFields.begin(), kStatusFields.end());
    names.push_back("items");
    if (std::find(names.begin(), names.end(), reference.field) == names.end())
      error("E204", use, fmt::format("`$status.{}` has no `{}`", step, reference.field),
            suggested(reference.field, names));
  }
  check_fields(use);
}

/// Tells that |use| names no step that is in sight, and where one of that name is.
void UseCheck::out_of_sight(const Use& use, const Expression& expression) {
  const Reference& reference = use.reference;
  const std::string& step = reference.member;
  std::optional<NamesInScope::Inside> place = names_.where_is(step);
  bool here = place && names_.is_around(place->innermost);
  if (here && place->of_switch) {
    error("E303", use,
          fmt::format("step `{}` is inside the switch `{}`, of whose ways only one runs", step, place->innermost),
          "let the switch come first, and use its output");
    return;
  }
  // jq takes the hyphen of a name for a minus.
  std::string_view code = std::string_view(expression.code()).substr(use.offset);
  std::string_view written = code.substr(0, code.find_first_not_of(kNameOrHyphen, reference.variable.size() + 2));
  std::string name(written.substr(std::min(written.size(), reference.variable.size() + 2)));
  std::string good = name_like(name);
  if (good != step && (names_.visible(good) || names_.visible(name))) {
    findings_.error("E203", use.at, written.size(), fmt::format("no step `{}` here: the hyphen is a minus in jq", step),
                    fmt::format("use ${}.{}", reference.variable, good));
    return;
  }
  std::string suggestion = suggested(step, names_.visible_names());
  if (here) suggestion = fmt::format("it exists, but the steps inside `{}` are not in sight here", place->innermost);
  if (place && !here)
    suggestion = reference.variable == "status"
                     ? fmt::format("it exists, but inside `{0}`: use $status.{0}", place->groups)
                     : fmt::format("it exists, but inside `{0}`: use $steps.{0}.{1}", place->groups, step);
  error("E203", use, fmt::format("no step `{}` here", step), suggestion);
}

}  // namespace flowrun
