#include "engine/reader/value_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "engine/expression/advice.h"
#include "engine/language/other_words.h"

namespace flowrun {
namespace {

// What a setting takes when it is evaluated.
std::vector<std::string> types_for(bool) { return {"boolean"}; }
std::vector<std::string> types_for(std::int64_t) { return {"integer", "number"}; }
std::vector<std::string> types_for(double) { return {"integer", "number"}; }
std::vector<std::string> types_for(Duration) { return {"string"}; }

}  // namespace

TextTemplate ValueReader::text(const Node& node, std::size_t from) {
  if (node.is_list() || node.is_map()) {
    // `- Authorization: x` is a map to YAML.
    bool colon = node.members.size() == 1 && node.members.front().value.is_scalar();
    findings_.error(
        "E102", node.at, 1, fmt::format("text is needed here, not {}", node.kind_name()),
        colon ? fmt::format("put it in quotes: \"{}: {}\"", node.members.front().key, node.members.front().value.text)
              : "");
    return {};
  }
  if (findings_.broken(node)) return {};
  TextTemplate compiled = TextTemplate::compile(node, findings_.diagnostics(), from);
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

ValueTemplate ValueReader::value(const Node& node) {
  if (findings_.broken(node)) return {};
  if (const Member* key = key_with_expression(node))
    findings_.error("E210", key->at, key->key.size(), "no expression is evaluated in a key",
                    "make the map with jq: ${ {($input.name): 1} }");
  ValueTemplate compiled = ValueTemplate::compile(node, findings_.diagnostics());
  compiled.each([&](const Expression& expression, bool whole) {
    note(expression, whole ? Mention::Place::Value : Mention::Place::Text);
    if (uses_.names_secret_output(expression)) compiled.note_secrets();
  });
  return compiled;
}

template <typename T, typename Parse>
Setting<T> ValueReader::setting(const Node& node, const char* what, const char* wanted, Parse parse) {
  Setting<T> read;
  if (node.is_string() && node.text.find("${") != std::string::npos) {
    TextTemplate compiled = text(node);
    if (compiled.is_one_expression()) {
      read.expression = compiled.expression();
      uses_.must_be(*read.expression, types_for(T{}), fmt::format("`{}` must be {}", what, wanted));
    } else if (!compiled.parts.empty()) {
      findings_.error("E102", node.at, node.text.size(),
                      fmt::format("`{}` must be {} or one whole expression", what, wanted));
    }
    return read;
  }
  read.value = parse(node);
  const bool word = std::is_same_v<T, bool> && (node.text == "true" || node.text == "false");
  if (!read.value)
    findings_.error("E102", node.at, node.text.size(),
                    fmt::format("`{}` must be {}, not {}", what, wanted,
                                node.is_scalar() ? "`" + node.text + "`" : node.kind_name()),
                    !node.is_string() ? ""
                    : word            ? "leave out the quotes"
                                      : advice_on_bare(node.text));
  return read;
}

std::optional<Expression> ValueReader::whole_expression(const Node& node, const char* what) {
  TextTemplate compiled = text(node);
  if (compiled.is_one_expression()) return compiled.expression();
  if (!compiled.parts.empty())
    findings_.error("E102", node.at, node.text.size(), fmt::format("{} must be one whole expression", what),
                    "put all of it within the braces: ${ \"\\($input.share)%\" }");
  return std::nullopt;
}

Setting<bool> ValueReader::boolean(const Node& node, const char* what) {
  return setting<bool>(node, what, "true or false", [](const Node& literal) -> std::optional<bool> {
    if (literal.kind != Node::Kind::Boolean) return std::nullopt;
    return literal.json().get<bool>();
  });
}

Setting<bool> ValueReader::condition(const Node& node) {
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
    findings_.error("E207", node.at, node.text.size(),
                    "a condition must be true, false or an expression that yields one of them", suggestion);
    return {};
  }
  std::size_t from = index_.mentions.size();
  TextTemplate compiled = text(node);
  for (std::size_t i = from; i < index_.mentions.size(); ++i) index_.mentions[i].place = Mention::Place::Condition;
  Setting<bool> read;
  if (!compiled.is_one_expression()) {
    if (!compiled.parts.empty())
      findings_.error("E207", node.at, node.text.size(),
                      "a condition must be one whole expression, without text around it",
                      "put all of it within the braces: ${ ... and ... }");
    return read;
  }
  read.expression = compiled.expression();
  if (!read.expression->native()) index_.jq_uses.back().strict = true;
  if (auto literal = read.expression->literal(); literal && !literal->json().is_boolean())
    findings_.error("E207", node.at, node.text.size(),
                    fmt::format("this condition is always {}, which is neither true nor false", literal->text()));
  uses_.must_be(*read.expression, {"boolean"}, "a condition must be true or false", "compare it: ${{ {} == \"...\" }}");
  return read;
}

std::optional<Expression> ValueReader::condition_expression(const Node& node) {
  const Setting<bool> read = condition(node);
  if (!read.value) return read.expression;
  Diagnostics none({});
  return Expression::compile(*read.value ? "true" : "false", node.at, none);
}

Setting<std::int64_t> ValueReader::count(const Node& node, const char* what, std::int64_t least) {
  auto read =
      setting<std::int64_t>(node, what, "a whole number", [](const Node& literal) -> std::optional<std::int64_t> {
        if (literal.kind != Node::Kind::Integer) return std::nullopt;
        return literal.json().get<std::int64_t>();
      });
  if (read.value && *read.value < least)
    findings_.error("E102", node.at, node.text.size(), fmt::format("`{}` must be at least {}", what, least));
  return read;
}

Setting<double> ValueReader::number(const Node& node, const char* what) {
  return setting<double>(node, what, "a number", [](const Node& literal) -> std::optional<double> {
    if (literal.kind != Node::Kind::Integer && literal.kind != Node::Kind::Float) return std::nullopt;
    return literal.json().get<double>();
  });
}

Setting<Duration> ValueReader::duration(const Node& node, const char* what) {
  if (node.kind == Node::Kind::Integer || node.kind == Node::Kind::Float) {
    findings_.error("E102", node.at, node.text.size(), fmt::format("`{}` needs a unit", what),
                    fmt::format("write {}s, {}ms or {}m", node.text, node.text, node.text));
    return Setting<Duration>(Duration{0});
  }
  return setting<Duration>(node, what, "a duration such as 30s", [](const Node& literal) -> std::optional<Duration> {
    if (!literal.is_string()) return std::nullopt;
    return parse_duration(literal.text);
  });
}

std::optional<std::int64_t> ValueReader::size(const Node& node, const char* what) {
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
  findings_.error("E102", node.at, node.text.size(), fmt::format("`{}` must be a size such as 10MiB", what));
  return std::nullopt;
}

std::optional<std::int64_t> ValueReader::plain_count(const Node& node, const char* what, std::int64_t least) {
  if (node.is_string() && node.text.find("${") != std::string::npos) return plain_text(node, what), std::nullopt;
  return count(node, what, least).value;
}

std::optional<bool> ValueReader::plain_boolean(const Node& node, const char* what) {
  if (node.is_string() && node.text.find("${") != std::string::npos) return plain_text(node, what), std::nullopt;
  return boolean(node, what).value;
}

std::string ValueReader::word(const Node& node, const char* what, const std::vector<std::string>& words) {
  if (node.is_scalar() && std::find(words.begin(), words.end(), node.text) != words.end()) return node.text;
  std::string all;
  for (const std::string& one : words) all += (all.empty() ? "" : ", ") + one;
  std::string near = nearest(node.text, words);
  bool expression = node.is_string() && node.text.find("${") != std::string::npos;
  if (expression) {
    plain_text(node, what);
  } else {
    std::string advice = advice_on_value(what, node.text);
    if (advice.empty() && !near.empty()) advice = "did you mean `" + near + "`?";
    findings_.error("E102", node.at, node.text.size(), fmt::format("`{}` must be one of {}", what, all), advice);
  }
  return words.front();
}

std::string ValueReader::plain_text(const Node& node, const char* what) {
  if (!findings_.is(node, Node::Kind::String, what, "text")) return "";
  if (node.text.find("${") != std::string::npos)
    findings_.error("E210", node.at, node.text.size(), fmt::format("no expression is evaluated in `{}`", what),
                    "write it out");
  return node.text;
}

std::string ValueReader::name(const Node& node, const char* what) {
  std::string text = plain_text(node, what);
  if (!text.empty() && text.find("${") == std::string::npos) findings_.check_name(text, node.at, what);
  return text;
}

FailFast ValueReader::fail_fast(const Node& node) {
  if (node.kind == Node::Kind::Boolean) return node.json().get<bool>() ? FailFast::Cancel : FailFast::Continue;
  if (node.is_string() && node.text == "drain") return FailFast::Drain;
  if (node.is_string() && node.text.find("${") != std::string::npos) {
    plain_text(node, "fail_fast");
  } else {
    findings_.error("E102", node.at, node.text.size(), "`fail_fast` must be true, false or drain",
                    advice_on_value("fail_fast", node.text));
  }
  return FailFast::Drain;
}

void ValueReader::note(const Expression& expression, Mention::Place place) {
  if (!expression.native()) index_.jq_uses.push_back({expression, false});
  for (const Use& use : expression.uses()) uses_.check(use, expression);
  for (const Reference& reference : expression.references())
    index_.mentions.push_back({reference, expression, place, context_.fallback_level});
}

}  // namespace flowrun
