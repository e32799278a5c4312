#include "engine/expression/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <vector>

#include "engine/expression/native.h"
#include "engine/expression/references.h"
#include "engine/expression/tokens.h"

namespace flowrun {

struct Expression::Compiled {
  std::string code;
  Position at;
  std::vector<Use> uses;
  std::vector<std::pair<std::string, Position>> words;
  std::vector<Reference> references;
  std::vector<Use> bare_uses;  ///< as |uses|, without what can be seen
  std::unique_ptr<NativeNode> node;
  bool filter = false;  ///< as in Parsed

  bool native() const { return node && node->native; }
};

namespace {

Failure refuse(std::string message) { return {"expression", std::move(message)}; }

bool is_identifier(std::string_view text) {
  if (text.empty() || !(std::isalpha(static_cast<unsigned char>(text[0])) || text[0] == '_')) return false;
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

/// Where jq's doubles would change an integer: its path below |json|, or nothing.
std::optional<std::string> lossy(const Json& json) {
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  if (json.is_number_unsigned()) {
    if (json.get<std::uint64_t>() > static_cast<std::uint64_t>(kExact)) return "";
  } else if (json.is_number_integer()) {
    if (std::int64_t number = json.get<std::int64_t>(); number < -kExact || number > kExact) return "";
  } else if (json.is_array()) {
    for (std::size_t i = 0; i < json.size(); ++i)
      if (auto where = lossy(json[i])) return fmt::format("[{}]{}", i, *where);
  } else if (json.is_object()) {
    for (const auto& [key, value] : json.items())
      if (auto where = lossy(value)) return "." + key + *where;
  }
  return std::nullopt;
}

/// A value that is handed over as it is: no tree is made of it, which takes several times its text.
constexpr std::size_t kLong = 64 << 10;

/// Whether jq would take |json| as it takes the tree of it: no integer that its doubles would change, and the keys of
/// each object in order, each once. Seldom wrong, and then false.
bool is_as_its_tree(std::string_view json) {
  constexpr std::size_t kDigits = 16;
  struct Level {
    bool object;
    std::string_view key;  ///< the last
  };
  std::vector<Level> levels;
  bool key_follows = false;
  for (std::size_t i = 0, digits = 0; i < json.size(); ++i) {
    const char c = json[i];
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    if (digits >= kDigits) return false;
    if (c == '{' || c == '[') {
      levels.push_back({c == '{', {}});
      key_follows = c == '{';
    } else if ((c == '}' || c == ']') && !levels.empty()) {
      levels.pop_back();
      key_follows = false;
    } else if (c == ',') {
      key_follows = !levels.empty() && levels.back().object;
    } else if (c == '"') {
      const std::size_t from = ++i;
      bool escaped = false;
      for (; i < json.size() && json[i] != '"'; ++i)
        if (json[i] == '\\') {
          escaped = true;
          ++i;
        }
      if (!key_follows) continue;
      const std::string_view key = json.substr(from, i - from);
      std::string_view& last = levels.back().key;
      // The key of no bytes has to be the first.
      if (escaped || (last.data() && key <= last)) return false;
      last = key;
      key_follows = false;
    }
  }
  return true;
}

/// Puts |value| at |path| below |root|, unless more than that is there already.
void plant(Json& root, const std::vector<std::string>& path, std::size_t from, Json value) {
  Json* at = &root;
  for (std::size_t i = from; i < path.size(); ++i) {
    if (!at->is_object() && !at->is_null()) return;
    at = &(*at)[path[i]];
  }
  if (at->is_null()) *at = std::move(value);
}

/// Collects what jq is to see: of each variable only the plain paths that are written, and of these what can be seen.
class Bindings {
 public:
  Bindings(const std::vector<Use>& uses, const Scope& scope) {
    // Shorter paths first: what they bring holds the longer ones already.
    std::vector<const Use*> ordered;
    for (const Use& use : uses) ordered.push_back(&use);
    std::stable_sort(ordered.begin(), ordered.end(),
                     [](const Use* a, const Use* b) { return a->path.size() < b->path.size(); });
    for (const Use* use : ordered)
      if (!failure) add(*use, scope);
  }

  std::vector<std::pair<std::string, Json>> roots;
  std::vector<std::pair<std::string, Value>> whole;  ///< long values, by names such as `$steps.x`
  std::optional<Failure> failure;

 private:
  void add(const Use& use, const Scope& scope) {
    const std::string& variable = use.reference.variable;
    auto found = scope.lookup(use.reference);
    if (auto* bad = std::get_if<Failure>(&found)) {
      if (use.implied) return;
      failure = std::move(*bad);
      return;
    }
    std::string name = variable == "." ? "." : "$" + variable;
    const Value& value = std::get<Value>(found);
    bool by_member = variable == "steps" || variable == "status" || (variable == "secrets" && !use.path.empty());
    if (use.path.size() == (by_member ? 1 : 0) && (!use.reference.sight || use.reference.sight->whole) &&
        value.text().size() > kLong && is_as_its_tree(value.text())) {
      if (by_member) name += "." + use.path[0];
      // Longer paths come behind it, and find it there.
      whole_names_.insert(name);
      whole.emplace_back(std::move(name), value);
      return;
    }
    if (whole_names_.contains(by_member ? name + "." + use.path[0] : name)) return;
    if (value.is_looked_at_again()) value.json();  // which stays
    const Json trimmed = use.reference.sight ? seen(value, *use.reference.sight) : Json();
    const Json* at = use.reference.sight ? &trimmed : &value.json();
    std::size_t depth = by_member ? 1 : 0;
    for (; depth < use.path.size() && at->is_object(); ++depth) {
      auto member = at->find(use.path[depth]);
      if (member == at->end()) break;
      at = &*member;
    }
    if (auto where = lossy(*at)) {
      std::string path = name == "." ? "" : name;
      for (std::size_t i = 0; i < depth; ++i) path += "." + use.path[i];
      failure = refuse(fmt::format("would lose precision at {}{}; take it with a plain path or ask the API for strings",
                                   path, *where));
      return;
    }
    Json& root = root_of(name);
    std::vector<std::string> path(use.path.begin(), use.path.begin() + static_cast<std::ptrdiff_t>(depth));
    plant(root, path, 0, *at);
  }

  std::set<std::string> whole_names_;

  Json& root_of(const std::string& name) {
    for (auto& [known, root] : roots)
      if (known == name) return root;
    roots.emplace_back(name, Json());
    return roots.back().second;
  }
};

Evaluation ask(const std::string& code, const std::vector<Use>& uses, bool strict, const Scope& scope,
               Evaluator& evaluator) {
  Bindings bindings(uses, scope);
  if (bindings.failure) return std::move(*bindings.failure);
  Question question{{code, strict}, {}};
  for (auto& [name, root] : bindings.roots) question.bindings.emplace_back(name, Value(std::move(root)));
  for (auto& [name, value] : bindings.whole) question.bindings.emplace_back(name, std::move(value));
  Answer answer = evaluator.evaluate(question);
  if (!answer.ok()) return refuse(answer.error);
  return answer.value;
}

Evaluation named(Evaluation evaluation, const std::string& code) {
  auto* failure = std::get_if<Failure>(&evaluation);
  if (failure && failure->message.find(code) == std::string::npos)
    failure->message += fmt::format(" in `{}`", shortened(code, 120));
  return evaluation;
}

}  // namespace

Expression Expression::compile(std::string_view code, Position at, Diagnostics& diagnostics) {
  std::size_t seen = 0;
  auto place = [&, where = at](std::size_t offset) mutable {
    if (offset < seen) {
      where = at;
      seen = 0;
    }
    for (; seen < std::min(offset, code.size()); ++seen) {
      ++where.column;
      if (code[seen] == '\n') where = {where.line + 1, 1};
    }
    return where;
  };
  return compile(code, place, diagnostics);
}

Expression Expression::compile(std::string_view code, const std::function<Position(std::size_t)>& place,
                               Diagnostics& diagnostics) {
  auto compiled = std::make_shared<Compiled>();
  std::size_t first = code.find_first_not_of(" \t\r\n");
  std::size_t last = code.find_last_not_of(" \t\r\n");
  compiled->code = first == std::string_view::npos ? "" : std::string(code.substr(first, last - first + 1));
  const Position at = compiled->at = place(0);
  if (is_identifier(code) && code != "now" && code != "null" && code != "true" && code != "false") {
    diagnostics.error(
        "E202", at, static_cast<int>(code.size()), fmt::format("`${{{}}}` is the shell's syntax", code),
        fmt::format(
            "an input is `${{ $input.{} }}`; an environment variable comes in by `input: {{ NAME: {{ env: {} }} }}`",
            code, code));
    Expression expression;
    expression.compiled_ = std::move(compiled);
    return expression;
  }
  try {
    std::vector<Token> tokens = tokenize(code);
    check_structure(tokens, code.size());
    compiled->uses = uses_of(tokens);
    for (Use& use : compiled->uses) {
      use.at = place(use.offset);
      use.offset -= first;
    }
    Parsed parsed = parse_native(tokens);
    compiled->node = std::move(parsed.node);
    compiled->filter = parsed.filter;
    if (compiled->filter) compiled->bare_uses = compiled->uses;
    if (compiled->node) note_sights(*compiled->node, compiled->uses);
    if (compiled->filter || !compiled->node)
      for (const Token& token : tokens)
        if (token.kind == Token::Kind::Word) compiled->words.emplace_back(token.value, place(token.offset));
  } catch (const TokenError& error) {
    bool coded = error.message.size() > 5 && error.message[0] == 'E' && error.message[4] == ' ';
    std::string kind = coded ? error.message.substr(0, 4) : "E201";
    diagnostics.error(kind, place(error.offset), 1, coded ? error.message.substr(5) : error.message);
  }
  for (const Use& use : compiled->uses) {
    bool known = std::any_of(compiled->references.begin(), compiled->references.end(), [&](const Reference& reference) {
      return reference.variable == use.reference.variable && reference.member == use.reference.member &&
             reference.field == use.reference.field;
    });
    if (!known) compiled->references.push_back(use.reference);
  }
  Expression expression;
  expression.compiled_ = std::move(compiled);
  return expression;
}

const std::string& Expression::code() const { return compiled_->code; }
Position Expression::at() const { return compiled_->at; }
const std::vector<Reference>& Expression::references() const { return compiled_->references; }
const std::vector<Use>& Expression::uses() const { return compiled_->uses; }

const Use* Expression::plain_path() const {
  if (!native() || compiled_->filter || compiled_->uses.size() != 1 ||
      compiled_->uses[0].length != compiled_->code.size())
    return nullptr;
  return &compiled_->uses[0];
}

std::optional<Position> Expression::word(std::string_view word) const {
  for (const auto& [name, where] : compiled_->words)
    if (name == word) return where;
  return std::nullopt;
}

bool Expression::native() const { return compiled_->native(); }

std::optional<Value> Expression::literal() const {
  if (!native() || compiled_->node->kind != NativeNode::Kind::Literal) return std::nullopt;
  return Value(compiled_->node->literal);
}

Evaluation Expression::answer(const Scope& scope, Evaluator& evaluator, bool strict) const try {
  const bool as_before = compiled_->filter && !scope.filters_in_place();
  if (compiled_->native() && !as_before) return evaluate_native(*compiled_->node, scope, strict);
  return ask(compiled_->code, as_before ? compiled_->bare_uses : compiled_->uses, strict, scope, evaluator);
} catch (const Json::exception& error) {
  // A value that is not what it should be, however it came in, is an error of the step and no end of the run.
  return refuse(fmt::format("looks at a value that can not be read: {}", error.what()));
}

Evaluation Expression::evaluate(const Scope& scope, Evaluator& evaluator) const {
  return named(answer(scope, evaluator, false), compiled_->code);
}

Evaluation Expression::condition(const Scope& scope, Evaluator& evaluator) const {
  Evaluation evaluation = answer(scope, evaluator, true);
  if (auto* value = std::get_if<Value>(&evaluation); value && !value->json().is_boolean())
    evaluation = refuse(fmt::format("a condition must be true or false, not {}", shortened(value->text(), 80)));
  return named(std::move(evaluation), compiled_->code);
}

}  // namespace flowrun
