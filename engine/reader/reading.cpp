#include "engine/reader/reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "engine/expression/advice.h"

namespace flowrun {
namespace {

constexpr std::array<const char*, 10> kRunFields{"id",         "name",       "dir",  "host",   "state",
                                                 "started_at", "elapsed_ms", "cpus", "undone", "failed"};
constexpr std::array<const char*, 14> kStatusFields{"state",      "ok",          "output",      "error", "attempts",
                                                    "started_at", "finished_at", "duration_ms", "by",    "winner",
                                                    "counts",     "branches",    "order",       "failed"};

/// Of `$status.x`, as far as it is always the same.
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

// What a setting takes when it is evaluated.
std::vector<std::string> types_for(bool) { return {"boolean"}; }
std::vector<std::string> types_for(std::int64_t) { return {"integer", "number"}; }
std::vector<std::string> types_for(double) { return {"integer", "number"}; }
std::vector<std::string> types_for(Duration) { return {"string"}; }

constexpr const char* kNameOrHyphen = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

bool is_name(const std::string& text) {
  if (text.empty() || text.size() > 64 || !(text[0] >= 'a' && text[0] <= 'z')) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

std::string name_like(const std::string& text) {
  std::string good;
  for (char c : text)
    good += std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::tolower(static_cast<unsigned char>(c)))
                                                        : '_';
  if (good.empty() || !(good[0] >= 'a' && good[0] <= 'z')) good = "s_" + good;
  return good.substr(0, 64);
}

std::string suggested(const std::string& word, const std::vector<std::string>& known) {
  std::string near = nearest(word, known);
  return near.empty() ? "" : "did you mean `" + near + "`?";
}

/// What is said of |word| in a step, when it leads to one of |known|.
std::string advice_among(const std::string& word, const std::vector<std::string>& known) {
  const std::string advice = advice_for(word, 0);
  bool leads = std::any_of(known.begin(), known.end(),
                           [&](const std::string& one) { return advice.starts_with("use `" + one + "`"); });
  return leads ? advice : "";
}

}  // namespace

Reading::Reading(Diagnostics& found, const Node& root, std::string where)
    : diagnostics(found), folder(std::move(where)), root_(root) {
  for (const Diagnostic& finding : diagnostics.all()) {
    if (finding.code == "E003" || finding.code == "E005") broken_lines_.insert(finding.at.line);
    if (finding.code == "E001") unreadable_.emplace(finding.at.line, finding.at.column);
  }
}

void Reading::error(const char* code, Position at, std::size_t length, std::string message, std::string suggestion) {
  if (unreadable_.count({at.line, at.column}) > 0) return;
  diagnostics.error(code, at, static_cast<int>(std::clamp<std::size_t>(length, 1, 200)), std::move(message),
                    std::move(suggestion));
}

bool Reading::is(const Node& node, Node::Kind kind, const char* what, const char* wanted) {
  if (node.kind == kind) return true;
  error("E102", node.at, node.text.size(), fmt::format("`{}` must be {}, not {}", what, wanted, node.kind_name()));
  return false;
}

void Reading::check_name(const std::string& name, Position at, const char* what, bool reserve_kinds) {
  if (reserve_kinds && kind_bit(name)) {
    error("E105", at, name.size(), fmt::format("{} can not be called `{}`: that is a kind of step", what, name),
          "choose another name");
  } else if (reserve_kinds && (name == "on_failure" || name == "finally")) {
    error("E105", at, name.size(), fmt::format("{} can not be called `{}`", what, name),
          "a handler of that name stands beside `steps`");
  } else if (!is_name(name)) {
    error("E105", at, name.size(),
          fmt::format("`{}` is no name for {}: a-z, 0-9 and _, at most 64, a letter first", name, what),
          "use " + name_like(name));
  }
}

void Reading::only(const Node& map, const std::vector<std::string>& known, const char* what) {
  for (const Member& member : map.members) {
    if (member.key.rfind("x-", 0) == 0 || std::find(known.begin(), known.end(), member.key) != known.end()) continue;
    std::string advice = advice_within(std::string_view(what).substr(1, std::string_view(what).size() - 2), member.key);
    if (advice.empty()) advice = advice_among(member.key, known);
    error("E101", member.at, member.key.size(), fmt::format("unknown key `{}` in {}", member.key, what),
          advice.empty() ? suggested(member.key, known) : advice);
  }
}

TextTemplate Reading::text(const Node& node, std::size_t from) {
  if (node.is_list() || node.is_map()) {
    // `- Authorization: x` is a map to YAML.
    bool colon = node.members.size() == 1 && node.members.front().value.is_scalar();
    error("E102", node.at, 1, fmt::format("text is needed here, not {}", node.kind_name()),
          colon ? fmt::format("put it in quotes: \"{}: {}\"", node.members.front().key, node.members.front().value.text)
                : "");
    return {};
  }
  if (broken(node)) return {};
  TextTemplate compiled = TextTemplate::compile(node, diagnostics, from);
  for (const TextTemplate::Part& part : compiled.parts)
    if (const auto* expression = std::get_if<Expression>(&part)) note(*expression, Mention::Place::Text);
  return compiled;
}

namespace {

/// The first key below |node| that is written as if it were an expression.
const Member* key_with_expression(const Node& node) {
  for (const Member& member : node.members) {
    if (member.key.find("${") != std::string::npos) return &member;
    if (const Member* inner = key_with_expression(member.value)) return inner;
  }
  for (const Node& item : node.items)
    if (const Member* inner = key_with_expression(item)) return inner;
  return nullptr;
}

}  // namespace

ValueTemplate Reading::value(const Node& node) {
  if (broken(node)) return {};
  if (const Member* key = key_with_expression(node))
    error("E210", key->at, key->key.size(), "no expression is evaluated in a key",
          "make the map with jq: ${ {($input.name): 1} }");
  ValueTemplate compiled = ValueTemplate::compile(node, diagnostics);
  compiled.each([&](const Expression& expression, bool whole) {
    note(expression, whole ? Mention::Place::Value : Mention::Place::Text);
  });
  return compiled;
}

template <typename T, typename Parse>
Setting<T> Reading::setting(const Node& node, const char* what, const char* wanted, Parse parse) {
  Setting<T> read;
  if (node.is_string() && node.text.find("${") != std::string::npos) {
    TextTemplate compiled = text(node);
    if (compiled.is_one_expression()) {
      read.expression = compiled.expression();
      must_be(*read.expression, types_for(T{}), fmt::format("`{}` must be {}", what, wanted));
    } else if (!compiled.parts.empty()) {
      error("E102", node.at, node.text.size(), fmt::format("`{}` must be {} or one whole expression", what, wanted));
    }
    return read;
  }
  read.value = parse(node);
  if (!read.value)
    error("E102", node.at, node.text.size(),
          fmt::format("`{}` must be {}, not {}", what, wanted,
                      node.is_scalar() ? "`" + node.text + "`" : node.kind_name()),
          node.is_string() ? advice_on_bare(node.text) : "");
  return read;
}

Setting<bool> Reading::boolean(const Node& node, const char* what) {
  return setting<bool>(node, what, "true or false", [](const Node& literal) -> std::optional<bool> {
    if (literal.kind != Node::Kind::Boolean) return std::nullopt;
    return literal.json().get<bool>();
  });
}

Setting<bool> Reading::condition(const Node& node) {
  if (node.kind == Node::Kind::Boolean) return Setting<bool>(node.json().get<bool>());
  if (!node.is_string() || node.text.find("${") == std::string::npos) {
    std::string suggestion = node.is_string() ? "an expression stands in ${ }, for example ${ $input.x == 1 }" : "";
    if (std::string bare = advice_on_bare(node.text); node.is_string() && !bare.empty()) suggestion = bare;
    if (node.text == "true" || node.text == "false") suggestion = "leave out the quotes: " + node.text;
    if (node.text == "yes" || node.text == "on") suggestion = "write true";
    if (node.text == "no" || node.text == "off") suggestion = "write false";
    for (const char* call : {"always()", "success()", "failure()", "cancelled()"})
      if (node.text.find(call) != std::string::npos)
        suggestion = "what became of a step is $status.STEP.ok; `after: [STEP]` starts whatever its outcome";
    error("E207", node.at, node.text.size(), "a condition must be true, false or an expression that yields one of them",
          suggestion);
    return {};
  }
  std::size_t from = mentions.size();
  TextTemplate compiled = text(node);
  for (std::size_t i = from; i < mentions.size(); ++i) mentions[i].place = Mention::Place::Condition;
  Setting<bool> read;
  if (!compiled.is_one_expression()) {
    if (!compiled.parts.empty())
      error("E207", node.at, node.text.size(), "a condition must be one whole expression, without text around it");
    return read;
  }
  read.expression = compiled.expression();
  if (!read.expression->native()) asked.back().strict = true;
  if (auto literal = read.expression->literal(); literal && !literal->json().is_boolean())
    error("E207", node.at, node.text.size(),
          fmt::format("this condition is always {}, which is neither true nor false", literal->text()));
  must_be(*read.expression, {"boolean"}, "a condition must be true or false", "compare it: ${{ {} == \"...\" }}");
  return read;
}

Setting<std::int64_t> Reading::count(const Node& node, const char* what, std::int64_t least) {
  auto read =
      setting<std::int64_t>(node, what, "a whole number", [](const Node& literal) -> std::optional<std::int64_t> {
        if (literal.kind != Node::Kind::Integer) return std::nullopt;
        return literal.json().get<std::int64_t>();
      });
  if (read.value && *read.value < least)
    error("E102", node.at, node.text.size(), fmt::format("`{}` must be at least {}", what, least));
  return read;
}

Setting<double> Reading::number(const Node& node, const char* what) {
  return setting<double>(node, what, "a number", [](const Node& literal) -> std::optional<double> {
    if (literal.kind != Node::Kind::Integer && literal.kind != Node::Kind::Float) return std::nullopt;
    return literal.json().get<double>();
  });
}

Setting<Duration> Reading::duration(const Node& node, const char* what) {
  if (node.kind == Node::Kind::Integer || node.kind == Node::Kind::Float) {
    error("E102", node.at, node.text.size(), fmt::format("`{}` needs a unit", what),
          fmt::format("write {}s, {}ms or {}m", node.text, node.text, node.text));
    return Setting<Duration>(Duration{0});
  }
  return setting<Duration>(node, what, "a duration such as 30s", [](const Node& literal) -> std::optional<Duration> {
    if (!literal.is_string()) return std::nullopt;
    return parse_duration(literal.text);
  });
}

std::optional<std::int64_t> Reading::size(const Node& node, const char* what) {
  static constexpr std::array<std::pair<const char*, double>, 11> kUnits{{{"KiB", 1024.0},
                                                                          {"MiB", 1048576.0},
                                                                          {"GiB", 1073741824.0},
                                                                          {"TiB", 1099511627776.0},
                                                                          {"kB", 1e3},
                                                                          {"KB", 1e3},
                                                                          {"MB", 1e6},
                                                                          {"GB", 1e9},
                                                                          {"TB", 1e12},
                                                                          {"B", 1},
                                                                          {"", 1}}};
  char* unit = nullptr;
  double amount = std::strtod(node.text.c_str(), &unit);
  if (node.is_scalar() && unit != node.text.c_str() && amount >= 0)
    for (const auto& [name, factor] : kUnits)
      if (std::string(unit) == name) return static_cast<std::int64_t>(amount * factor);
  error("E102", node.at, node.text.size(), fmt::format("`{}` must be a size such as 10MiB", what));
  return std::nullopt;
}

std::optional<std::int64_t> Reading::plain_count(const Node& node, const char* what, std::int64_t least) {
  if (node.is_string() && node.text.find("${") != std::string::npos) return plain_text(node, what), std::nullopt;
  return count(node, what, least).value;
}

std::optional<bool> Reading::plain_boolean(const Node& node, const char* what) {
  if (node.is_string() && node.text.find("${") != std::string::npos) return plain_text(node, what), std::nullopt;
  return boolean(node, what).value;
}

std::string Reading::word(const Node& node, const char* what, const std::vector<std::string>& words) {
  if (node.is_scalar() && std::find(words.begin(), words.end(), node.text) != words.end()) return node.text;
  std::string all;
  for (const std::string& one : words) all += (all.empty() ? "" : ", ") + one;
  std::string near = nearest(node.text, words);
  bool expression = node.is_string() && node.text.find("${") != std::string::npos;
  if (expression) {
    plain_text(node, what);
  } else {
    error("E102", node.at, node.text.size(), fmt::format("`{}` must be one of {}", what, all),
          near.empty() ? "" : "did you mean `" + near + "`?");
  }
  return words.front();
}

std::string Reading::plain_text(const Node& node, const char* what) {
  if (!is(node, Node::Kind::String, what, "text")) return "";
  if (node.text.find("${") != std::string::npos)
    error("E210", node.at, node.text.size(), fmt::format("no expression is evaluated in `{}`", what), "write it out");
  return node.text;
}

std::string Reading::name(const Node& node, const char* what) {
  std::string text = plain_text(node, what);
  if (!text.empty() && text.find("${") == std::string::npos) check_name(text, node.at, what);
  return text;
}

FailFast Reading::fail_fast(const Node& node) {
  if (node.kind == Node::Kind::Boolean) return node.json().get<bool>() ? FailFast::Cancel : FailFast::Continue;
  if (node.is_string() && node.text == "drain") return FailFast::Drain;
  if (node.is_string() && node.text.find("${") != std::string::npos) {
    plain_text(node, "fail_fast");
  } else {
    error("E102", node.at, node.text.size(), "`fail_fast` must be true, false or drain");
  }
  return FailFast::Drain;
}

void Reading::note(const Expression& expression, Mention::Place place) {
  if (!expression.native()) asked.push_back({expression, false});
  for (const Use& use : expression.uses()) check_use(use, expression);
  for (const Reference& reference : expression.references())
    mentions.push_back({reference, expression, place, fallback_level_});
}

void Reading::check_use(const Use& use, const Expression& expression) {
  const Reference& reference = use.reference;
  const std::string& variable = reference.variable;
  auto field_of = [&](const auto& fields) {
    std::vector<std::string> names(fields.begin(), fields.end());
    if (reference.member.empty() || std::find(names.begin(), names.end(), reference.member) != names.end()) return;
    error("E204", use.at, use.length, fmt::format("`${}` has no `{}`", variable, reference.member),
          suggested(reference.member, names));
  };
  if (variable == "." && !raw_kind_.empty()) check_raw(use, expression);
  if (is_bound(variable) || use.implied) return;
  if (moment != Moment::Run) check_before_run(use);
  if (variable == "steps" || variable == "status") {
    if (moment == Moment::Run) check_step_use(use, expression);
  } else if (variable == "input") {
    if (moment == Moment::Inputs) return;
    std::vector<std::string> names;
    for (const auto& [known, schema] : inputs) names.push_back(known);
    field_of(names);
    check_fields(use);
    if (secret_inputs.count(reference.member))
      error("E401", use.at, use.length, fmt::format("input `{}` is a secret of this file", reference.member),
            "write the secret, ${ $secrets.NAME }");
  } else if (variable == "vars") {
    if (moment == Moment::Inputs) return;
    if (auto later = later_vars.find(reference.member); later != later_vars.end())
      error("E204", use.at, use.length,
            fmt::format("`$vars.{}` is not known yet: it comes on line {}", reference.member, later->second),
            "`vars` are evaluated from top to bottom");
    else
      field_of(vars);
  } else if (variable == "run") {
    field_of(kRunFields);
  } else if (variable == "secrets") {
    if (moment != Moment::Inputs) field_of(secrets);
    bool alone = expression.code() == "$secrets." + reference.member;
    if (!alone) {
      error("E401", use.at, use.length,
            "a secret is written alone, `${ $secrets.NAME }`, never within a larger expression");
    } else if (!secrets_allowed) {
      error("E401", use.at, use.length, "a secret may not flow here: others could see it",
            "it may go into the URL, query, headers, auth and body of http, into env and stdin of processes, and to a "
            "secret of a sub-workflow");
    }
  } else if (variable == ".") {
    error("E204", use.at, use.length, "`.` is the raw result of a step; there is none here",
          "an input is `$input.NAME`, a step's output `$steps.NAME`");
  } else if (variable != "now" && variable != "uuid" && variable != "random") {
    std::vector<std::string> names{"input", "vars", "steps", "status", "run", "secrets", "now", "uuid", "random"};
    names.insert(names.end(), bound_.begin(), bound_.end());
    std::string suggestion = suggested(variable, names);
    if (variable == "item" || variable == "key" || variable == "index") suggestion = "it is bound inside for_each only";
    if (variable == "error") suggestion = "it is bound in `fallback`, `undo`, `retry.if`, `on_failure` and `finally`";
    if (variable == "polls" || variable == "matrix")
      suggestion = variable == "polls" ? "" : "items of a for_each are `$item`";
    if (variable == "env") suggestion = "an environment variable comes in by an input with `env: NAME`";
    error("E204", use.at, use.length, fmt::format("`${}` is not known here", variable), suggestion);
  }
}

void Reading::check_before_run(const Use& use) {
  const Reference& reference = use.reference;
  const std::string& variable = reference.variable;
  if (variable == "now") return;
  if (moment == Moment::Inputs) {
    if (variable == "input" || variable == "vars" || variable == "run" || variable == "steps" || variable == "status" ||
        variable == "uuid" || variable == "random")
      error("E204", use.at, use.length,
            fmt::format("`${}` is not known yet: a default is evaluated before everything else", variable),
            "only $now is; `vars` can combine inputs");
    return;
  }
  bool early = variable == "steps" || variable == "status" || variable == "uuid" || variable == "random" ||
               (variable == "run" && reference.member != "name");
  if (early)
    error("E204", use.at, use.length,
          fmt::format("`${}{}{}` is not known yet: `vars` are evaluated before any step", variable,
                      reference.member.empty() ? "" : ".", reference.member),
          "$input, earlier $vars, $run.name and $now are");
}

namespace {

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

/// Whether |offset| of |code| is within the brackets of a function, which decides itself what `.` is there.
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

StaticType Reading::type_of(const Use& use) const {
  const Reference& reference = use.reference;
  // What is cut short by `?` or written by pieces may have no member.
  if (use.hops.empty() || use.hops[0].name != reference.member || is_bound(reference.variable)) return {};
  if (reference.variable == "input") {
    auto schema = inputs.find(reference.member);
    return schema == inputs.end() ? StaticType() : follow(schema->second, use.hops, 1);
  }
  if (reference.variable == "status") return follow(status_schema(), use.hops, 1);
  if (reference.variable != "steps") return {};
  for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
    auto step = level->nodes.find(reference.member);
    if (step == level->nodes.end()) continue;
    const Node* returns = step->second->find("returns");
    // The output of a fallback may stand in, which is another schema's.
    return returns && !step->second->find("fallback") ? follow(returns->json(), use.hops, 1) : StaticType();
  }
  return {};
}

void Reading::must_be(const Expression& expression, const std::vector<std::string>& types, const std::string& need,
                      const char* advice) {
  const Use* path = expression.plain_path();
  if (!path) return;
  StaticType type = type_of(*path);
  std::string only = only_type(type.schema);
  if (!type.good() || only.empty() || std::find(types.begin(), types.end(), only) != types.end()) return;
  error("E208", path->at, path->length, fmt::format("{}; `{}` is of type {}", need, expression.code(), only),
        only == "string" ? fmt::format(fmt::runtime(advice), expression.code()) : "");
}

void Reading::check_fields(const Use& use) {
  StaticType type = type_of(use);
  if (type.good()) return;
  const std::string value = "$" + use.reference.variable + as_written(use.hops, type.followed);
  const Hop& hop = use.hops[type.followed];
  std::string missing = hop.kind == Hop::Kind::Field ? "no `" + hop.name + "`" : "no items";
  if (type.no_such_type) {
    error("E208", use.at, use.length,
          fmt::format("`{}` is of type {}; it has {}", value, only_type(type.schema), missing));
    return;
  }
  std::vector<std::string> names;
  for (const auto& [name, property] : type.schema["properties"].items()) names.push_back(name);
  error("E209", use.at, use.length, fmt::format("`{}` has {} by its schema", value, missing),
        suggested(hop.name, names));
}

Reading::RawBinding::RawBinding(Reading& reading, const Node& node) : reading_(reading), dot_(reading, {"."}) {
  std::string kind;
  for (const RawResult& one : kRawResults)
    if (node.find(one.kind)) kind = one.kind;
  outer_ = std::exchange(reading.raw_kind_, kind);
}

void Reading::check_raw(const Use& use, const Expression& expression) {
  if (use.hops.empty() || use.hops[0].kind != Hop::Kind::Field) return;
  if (within_call(expression.code(), use.offset)) return;
  const std::string& field = use.hops[0].name;
  for (const RawResult& raw : kRawResults) {
    if (raw.kind != raw_kind_) continue;
    std::vector<std::string> names;
    for (std::string_view fields = raw.fields; !fields.empty();) {
      names.emplace_back(fields.substr(0, fields.find(' ')));
      fields.remove_prefix(std::min(names.back().size() + 1, fields.size()));
    }
    if (std::find(names.begin(), names.end(), field) != names.end()) return;
    std::string near = nearest(field, names);
    error("E204", use.at, use.length, fmt::format("the raw result of {} has no `{}`", raw.kind, field),
          near.empty() ? fmt::format("{}: write `.{}{}`", raw.advice, raw.own, as_written(use.hops, use.hops.size()))
                       : "did you mean `." + near + "`?");
  }
}

bool Reading::is_bound(const std::string& name) const {
  return std::find(bound_.begin(), bound_.end(), name) != bound_.end();
}

bool Reading::visible(const std::string& name) const {
  return std::any_of(levels_.begin(), levels_.end(), [&](const Level& level) { return level.names.count(name) > 0; });
}

std::vector<std::string> Reading::visible_names() const {
  std::vector<std::string> names;
  for (const Level& level : levels_)
    for (const auto& [known, line] : level.names) names.push_back(known);
  return names;
}

void Reading::check_step_use(const Use& use, const Expression& expression) {
  const Reference& reference = use.reference;
  const std::string& step = reference.member;
  // Innermost first: a list may be followed by a step of the same name further out.
  bool found = false;
  for (auto level = levels_.rbegin(); level != levels_.rend() && !found; ++level) {
    found = level->names.count(step) > 0;
    if (found && level->self == step) {
      error("E302", use.at, use.length, fmt::format("step `{}` refers to itself", step),
            reference.variable == "status" ? "what went wrong is `$error`, in its fallback" : "");
      return;
    }
    if (auto later = level->later.find(step); !found && later != level->later.end()) {
      error("E203", use.at, use.length,
            fmt::format("step `{}` (line {}) comes later in this list", step, later->second),
            "a list runs from top to bottom");
      return;
    }
  }
  if (!found) {
    std::optional<Place> place = where_is(step);
    bool here = place && std::any_of(levels_.begin(), levels_.end(),
                                     [&](const Level& level) { return level.self == place->innermost; });
    if (here && place->of_switch) {
      error("E303", use.at, use.length,
            fmt::format("step `{}` is inside the switch `{}`, of whose ways only one runs", step, place->innermost),
            "let the switch come first, and use its output");
      return;
    }
    // jq takes the hyphen of a name for a minus.
    std::string_view code = std::string_view(expression.code()).substr(use.offset);
    std::string_view written = code.substr(0, code.find_first_not_of(kNameOrHyphen, reference.variable.size() + 2));
    std::string name(written.substr(std::min(written.size(), reference.variable.size() + 2)));
    std::string good = name_like(name);
    if (good != step && (visible(good) || visible(name))) {
      error("E203", use.at, written.size(), fmt::format("no step `{}` here: the hyphen is a minus in jq", step),
            fmt::format("use ${}.{}", reference.variable, good));
      return;
    }
    std::string suggestion = suggested(step, visible_names());
    if (here) suggestion = fmt::format("it exists, but the steps inside `{}` are not in sight here", place->innermost);
    if (place && !here)
      suggestion = reference.variable == "status"
                       ? fmt::format("it exists, but inside `{0}`: use $status.{0}", place->groups)
                       : fmt::format("it exists, but inside `{0}`: use $steps.{0}.{1}", place->groups, step);
    error("E203", use.at, use.length, fmt::format("no step `{}` here", step), suggestion);
    return;
  }
  if (reference.variable == "status" && !reference.field.empty()) {
    std::vector<std::string> names(kStatusFields.begin(), kStatusFields.end());
    names.push_back("items");
    if (std::find(names.begin(), names.end(), reference.field) == names.end())
      error("E204", use.at, use.length, fmt::format("`$status.{}` has no `{}`", step, reference.field),
            suggested(reference.field, names));
  }
  check_fields(use);
}

namespace {

using Place = Reading::Place;

std::optional<Place> in_body(const Node& body, const std::string& name, const Place& around);

/// Looks for the step |name| below a step that |around| describes.
std::optional<Place> in_step(const Node& step, const std::string& name, Place around) {
  for (const char* key : {"parallel", "race", "sequence", "do"})
    if (const Node* body = step.find(key))
      if (auto found = in_body(*body, name, around)) return found;
  const Node* ways = step.find("switch");
  if (!ways) return std::nullopt;
  around.of_switch = true;
  for (const Node& way : ways->items)
    for (const char* key : {"do", "else"})
      if (const Node* body = way.find(key))
        if (auto found = in_body(*body, name, around)) return found;
  return std::nullopt;
}

std::optional<Place> in_body(const Node& body, const std::string& name, const Place& around) {
  auto look = [&](const std::string& own, const Node& step) -> std::optional<Place> {
    if (own == name && !around.groups.empty()) return around;
    Place below = around;
    below.innermost = own;
    below.groups += (around.groups.empty() ? "" : ".") + own;
    below.of_switch = false;
    return in_step(step, name, below);
  };
  bool single = std::any_of(body.members.begin(), body.members.end(),
                            [](const Member& member) { return kind_bit(member.key) != 0; });
  if (single) return in_step(body, name, around);
  for (const Member& member : body.members)
    if (auto found = look(member.key, member.value)) return found;
  for (const Node& item : body.items) {
    const Node* id = item.find("id");
    if (auto found = id ? look(id->text, item) : in_step(item, name, around)) return found;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Reading::Place> Reading::where_is(const std::string& name) const {
  const Node* steps_node = root_.find("steps");
  return steps_node ? in_body(*steps_node, name, {}) : std::nullopt;
}

}  // namespace flowrun
