// Lints of what is written in scripts, arguments and values.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "engine/language/template.h"
#include "engine/lint/rules.h"
#include "engine/lint/script.h"
#include "engine/steps/process.h"

namespace flowrun::lint_rules {
namespace {

bool is_token(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-'; }

/// How a secret of some service begins, and how many letters and digits follow at least.
struct SecretForm {
  std::string_view begin;
  std::size_t more;
  const char* what;
};
constexpr std::array<SecretForm, 14> kSecretForms{{
    {"AKIA", 16, "an access key of AWS"},
    {"ASIA", 16, "an access key of AWS"},
    {"ghp_", 20, "a token of GitHub"},
    {"gho_", 20, "a token of GitHub"},
    {"ghs_", 20, "a token of GitHub"},
    {"github_pat_", 20, "a token of GitHub"},
    {"glpat-", 16, "a token of GitLab"},
    {"sk_live_", 10, "a key of Stripe"},
    {"rk_live_", 10, "a key of Stripe"},
    {"xoxb-", 10, "a token of Slack"},
    {"xoxp-", 10, "a token of Slack"},
    {"AIza", 30, "a key of Google"},
    {"npm_", 36, "a token of npm"},
    {"-----BEGIN ", 0, "a private key"},
}};

std::optional<std::size_t> secret_length(std::string_view text, std::size_t at, const SecretForm& form) {
  if (form.more == 0) {
    std::string_view line = text.substr(at, text.find('\n', at) - at);
    std::size_t end = line.find("PRIVATE KEY-----");
    return end == std::string_view::npos ? std::nullopt : std::optional(end + 16);
  }
  if (at > 0 && is_token(text[at - 1])) return std::nullopt;
  std::size_t end = at + form.begin.size();
  // Keys of AWS know no small letters; a word that only begins like one does.
  bool capitals = form.begin.ends_with("IA");
  while (end < text.size() && is_token(text[end]) && !(capitals && std::islower(static_cast<unsigned char>(text[end]))))
    ++end;
  if (end - at - form.begin.size() < form.more) return std::nullopt;
  return end - at;
}

Position position_of(std::string_view text, std::size_t offset) {
  std::string_view before = text.substr(0, offset);
  std::size_t line = before.rfind('\n');
  return {static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
          static_cast<int>(line == std::string_view::npos ? offset : offset - line - 1) + 1};
}

/// A script that a shell reads, and its node; null for anything else.
const Node* shell_script(const IndexedStep& indexed) {
  auto* process = dynamic_cast<const ProcessStep*>(indexed.step);
  if (!process || !process->script) return nullptr;
  const std::vector<std::string>& program = process->interpreter;
  bool by_env = program.size() > 1 && program[0].ends_with("env");
  return is_shell(program[by_env ? 1 : 0]) ? indexed.node->find("shell") : nullptr;
}

/// Whether |value| of `env` is written out and has nothing in it that would be split.
bool is_one_word(const Node& value) {
  if (!value.is_scalar() || value.text.empty()) return false;
  return std::all_of(value.text.begin(), value.text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("._-/:,@%+=").find(c) != std::string_view::npos;
  });
}

/// Names of lists of options are taken apart on purpose.
bool means_several(std::string_view name) {
  for (std::string_view end : {"FLAGS", "ARGS", "OPTS", "OPTIONS", "FILES", "LIST"})
    if (name.ends_with(end)) return true;
  return false;
}

/// The letter of the option behind which |program| takes a script; 0: it takes none.
char script_option(std::string_view program) {
  if (std::size_t slash = program.rfind('/'); slash != std::string_view::npos) program.remove_prefix(slash + 1);
  if (is_shell(program) || program == "zsh" || program.starts_with("python")) return 'c';
  return program == "perl" || program == "ruby" || program == "node" ? 'e' : '\0';
}

/// What YAML makes of a plain number that a person may have meant as text.
class ChangedScalars {
 public:
  explicit ChangedScalars(Findings& findings) : findings_(findings) {}

  /// |as_text|: whatever is in it is used as text in the end.
  void look(const Node& node, bool as_text) {
    for (const Node& item : node.items) look(item, as_text);
    for (const Member& member : node.members) look(member.value, as_text || is_version(member.key));
    if (!node.plain || (node.kind != Node::Kind::Integer && node.kind != Node::Kind::Float)) return;
    const std::string& text = node.text;
    std::size_t first = text.find_first_not_of("+-");
    bool zeros = node.kind == Node::Kind::Integer && text.size() > first + 1 && text[first] == '0' &&
                 std::isdigit(static_cast<unsigned char>(text[first + 1]));
    bool changes = zeros || text[0] == '+' || (node.kind == Node::Kind::Integer && node.json().is_number_float()) ||
                   (as_text && node.kind == Node::Kind::Float && node.json().dump() != text);
    if (changes)
      findings_.add(node, fmt::format("YAML makes the number {} of this", node.json().dump()),
                    fmt::format("quote it to keep it as it is: \"{}\"", text));
  }

 private:
  static bool is_version(std::string_view key) {
    static constexpr std::array<std::string_view, 9> kVersions{"ver",  "tag", "release", "python", "py",
                                                               "node", "go",  "ruby",    "java"};
    return key.find("version") != std::string_view::npos || key.find("VERSION") != std::string_view::npos ||
           std::find(kVersions.begin(), kVersions.end(), key) != kVersions.end();
  }
  Findings& findings_;
};

/// `$input.NAME` and its like in plain text, where the name is known; empty when there is none.
std::string bare_expression(const WorkflowIndex& index, std::string_view text) {
  if (text.find("${") != std::string_view::npos) return "";
  auto known = [&](std::string_view variable, const std::string& name) {
    if (variable == "input") return index.file.inputs.count(name) > 0;
    if (variable == "vars") return index.file.vars.count(name) > 0;
    if (variable == "secrets") return index.file.secrets.count(name) > 0;
    return std::any_of(index.steps.begin(), index.steps.end(),
                       [&](const IndexedStep& indexed) { return indexed.step->name == name; });
  };
  auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  for (std::string_view variable : {"steps", "status", "input", "vars", "secrets"}) {
    const std::string begin = "$" + std::string(variable) + ".";
    for (std::size_t at = text.find(begin); at != std::string_view::npos; at = text.find(begin, at + 1)) {
      std::size_t end = at + begin.size();
      while (end < text.size() && is_word(text[end])) ++end;
      if (!known(variable, std::string(text.substr(at + begin.size(), end - at - begin.size())))) continue;
      while (end + 1 < text.size() && text[end] == '.' && is_word(text[end + 1])) {
        ++end;
        while (end < text.size() && is_word(text[end])) ++end;
      }
      return std::string(text.substr(at, end - at));
    }
  }
  return "";
}

void look_for_braces(const WorkflowIndex& index, Findings& findings, const Node& node) {
  for (const Node& item : node.items) look_for_braces(index, findings, item);
  for (const Member& member : node.members) look_for_braces(index, findings, member.value);
  if (!node.is_string()) return;
  if (const std::string bare = bare_expression(index, node.text); !bare.empty())
    findings.add(node, fmt::format("`{}` is plain text here", bare),
                 fmt::format("an expression has braces: ${{ {} }}", bare));
}

}  // namespace

void literal_secret(const WorkflowIndex&, Findings& findings) {
  std::string_view text = findings.text();
  for (const SecretForm& form : kSecretForms) {
    for (std::size_t at = text.find(form.begin); at != std::string_view::npos; at = text.find(form.begin, at + 1)) {
      std::optional<std::size_t> length = secret_length(text, at, form);
      if (length)
        findings.add(position_of(text, at), *length, fmt::format("this looks like {}", form.what),
                     "name its source in `secrets:` and write ${ $secrets.NAME }; and replace it, it is known now");
    }
  }
}

void interpolated_script(const WorkflowIndex& index, Findings& findings) {
  for (const IndexedStep& indexed : index.steps) {
    const Node* script = shell_script(indexed);
    auto has = [&](const char* part) { return script->text.find(part) != std::string::npos; };
    if (!script || !(has("${ $") || has("${{"))) continue;
    for (const Dollar& dollar : dollars_of(script->text)) {
      std::string_view rest = std::string_view(script->text).substr(dollar.at);
      // A script may well write a file for another tool.
      bool other = rest.starts_with("${{") && dollar.where != Dollar::Where::Copied;
      if (!other && !rest.starts_with("${ $")) continue;
      std::size_t end = rest.find('}');
      findings.add(ScalarWalk(*script, findings.text()).position(dollar.at),
                   end == std::string_view::npos ? 3 : end + (other ? 2 : 1),
                   "a script is not interpolated: the shell reads this as its own",
                   "give the value by `env` and write \"$NAME\"");
      break;
    }
  }
}

void unquoted_variable(const WorkflowIndex& index, Findings& findings) {
  for (const IndexedStep& indexed : index.steps) {
    const Node* script = shell_script(indexed);
    const Node* env = script ? indexed.node->find("env") : nullptr;
    if (!env || script->text.find("SC2086") != std::string::npos) continue;
    for (const Dollar& dollar : dollars_of(script->text)) {
      if (dollar.where != Dollar::Where::Split || dollar.name.empty()) continue;
      const Node* value = env->find(dollar.name);
      if (!value || is_one_word(*value) || means_several(dollar.name)) continue;
      findings.add(ScalarWalk(*script, findings.text()).position(dollar.at), dollar.length,
                   fmt::format("blanks and * in ${} make several words of it", dollar.name),
                   fmt::format("write \"${}\"", dollar.name));
    }
  }
}

void expression_in_command(const WorkflowIndex& index, Findings& findings) {
  for (const IndexedStep& indexed : index.steps) {
    auto* process = dynamic_cast<const ProcessStep*>(indexed.step);
    const Node* list = process ? indexed.node->find("exec") : nullptr;
    if (!list || list->items.size() != process->arguments.size()) continue;
    std::size_t program = !list->items.empty() && list->items[0].text.ends_with("env") ? 1 : 0;
    char letter = program < list->items.size() ? script_option(list->items[program].text) : '\0';
    if (!letter) continue;
    for (std::size_t i = program + 1; i + 1 < list->items.size(); ++i) {
      const std::string& option = list->items[i].text;
      if (option.size() < 2 || option[0] != '-' || option[1] == '-') break;
      if (option.back() != letter) continue;
      if (!process->arguments[i + 1].constant())
        findings.add(list->items[i + 1],
                     fmt::format("{} runs what the value says as part of the script", list->items[program].text),
                     letter == 'c' && is_shell(list->items[program].text)
                         ? "use \"$1\" in the script and put the value behind it, or `shell` with `env`"
                         : "give the value as an argument behind the script, or by `env`");
      break;
    }
  }
}

void changed_scalar(const WorkflowIndex& index, Findings& findings) {
  ChangedScalars changed(findings);
  // Where values are text in the end.
  static constexpr std::array<const char*, 5> kText{"env", "query", "headers", "form", "multipart"};
  static constexpr std::array<const char*, 7> kData{"set", "json", "stdin", "output", "collect", "for_each", "repeat"};
  auto options = [&](const Node& node) {
    for (const char* key : kText)
      if (const Node* value = node.find(key)) changed.look(*value, true);
    for (const char* key : kData)
      if (const Node* value = node.find(key))
        changed.look(*value, std::string_view(key) == "for_each" && value->is_list());
  };
  for (const IndexedStep& indexed : index.steps) options(*indexed.node);
  if (const Node* defaults = index.root.find("defaults"))
    for (const Member& group : defaults->members) options(group.value);
  for (const char* key : {"vars", "output", "env"})
    if (const Node* value = index.root.find(key)) changed.look(*value, std::string_view(key) == "env");
  const Node* inputs = index.root.find("input");
  if (!inputs) return;
  for (const Member& input : inputs->members) {
    const Node* value = input.value.is_map() ? input.value.find("default") : &input.value;
    if (!value || input.key.rfind("x-", 0) == 0) continue;
    Node named;  // the name counts, as in a map
    named.kind = Node::Kind::Map;
    named.members.push_back({input.key, input.at, *value});
    changed.look(named, false);
    static constexpr std::array<std::string_view, 8> kSwitches{"yes", "no", "on", "off", "Yes", "No", "On", "Off"};
    if (!input.value.is_map() && value->plain && value->is_string() &&
        std::find(kSwitches.begin(), kSwitches.end(), value->text) != kSwitches.end())
      findings.add(*value, fmt::format("this is the text \"{}\", not true or false", value->text),
                   "write true or false, or quote it");
  }
}

void missing_braces(const WorkflowIndex& index, Findings& findings) {
  // Not in scripts, where `$input` is a variable of the shell.
  static constexpr std::array<const char*, 16> kTexts{"set",     "json",   "form", "multipart", "text",   "query",
                                                      "headers", "auth",   "env",  "stdin",     "output", "cwd",
                                                      "fail",    "prompt", "with", "repeat"};
  for (const IndexedStep& indexed : index.steps) {
    for (const char* key : kTexts)
      if (const Node* value = indexed.node->find(key)) look_for_braces(index, findings, *value);
    for (const char* key : {"http", "for_each", "switch"})
      if (const Node* value = indexed.node->find(key); value && value->is_string())
        look_for_braces(index, findings, *value);
    if (const Node* list = indexed.node->find("exec"))
      for (const Node& argument : list->items)
        if (argument.text.find_first_of(" \n;") == std::string::npos) look_for_braces(index, findings, argument);
  }
  for (const char* key : {"vars", "output"})
    if (const Node* value = index.root.find(key)) look_for_braces(index, findings, *value);
}

void type_as_default(const WorkflowIndex& index, Findings& findings) {
  static constexpr std::array<std::string_view, 7> kTypes{"string", "integer", "number", "boolean",
                                                          "object", "array",   "null"};
  const Node* inputs = index.root.find("input");
  if (!inputs) return;
  for (const Member& input : inputs->members) {
    const Node& value = input.value;
    if (!value.plain || !value.is_string() || std::find(kTypes.begin(), kTypes.end(), value.text) == kTypes.end())
      continue;
    findings.add(
        value, fmt::format("`{}` has the default \"{}\", not that type", input.key, value.text),
        fmt::format("a type is written {}: {{ type: {} }}; in quotes it is the default", input.key, value.text));
  }
}

}  // namespace flowrun::lint_rules
