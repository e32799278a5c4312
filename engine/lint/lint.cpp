#include "engine/lint/lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/lint/rules.h"

namespace flowrun {
namespace {

struct Rule {
  const char* code;
  lint_rules::Find* find;  ///< null: not told of a file
};

// To add a lint: a row here, a function in one of the files of rules, a test in tests/lint/, a line in the section
// WARNINGS of flowrun-workflow(5). Codes beginning with I are hints: they never make a file bad.
constexpr std::array<Rule, 31> kRules{{
    {"W110", lint_rules::lost_parallelism},      {"W111", lint_rules::implied_edge},
    {"W114", lint_rules::unlimited_calls},       {"I115", lint_rules::unused_set},
    {"W116", lint_rules::pointless_join},        {"W117", lint_rules::pointless_fallback},
    {"W221", lint_rules::unprotected_retry},     {"I222", lint_rules::retry_without_key},
    {"W223", lint_rules::effect_after_crash},    {"W224", lint_rules::endless_wait},
    {"W225", lint_rules::contradictory_times},   {"W226", lint_rules::short_group_timeout},
    {"W227", lint_rules::hopeless_retry},        {"W228", lint_rules::unhandled_tolerated},
    {"W229", lint_rules::unclear_undo},          {"W230", lint_rules::impossible_retry},
    {"W231", lint_rules::missing_undo},          {"W321", lint_rules::secret_in_query},
    {"W322", lint_rules::unchecked_tls},         {"W323", nullptr},  // told by a run: nobody knows the value before
    {"W324", lint_rules::readable_auth},         {"W325", lint_rules::literal_secret},
    {"W331", lint_rules::interpolated_script},   {"W332", lint_rules::unquoted_variable},
    {"W333", lint_rules::expression_in_command}, {"W341", lint_rules::changed_scalar},
    {"W342", lint_rules::unused_name},           {"W343", lint_rules::unhandled_skipped},
    {"W344", lint_rules::missing_braces},        {"I345", lint_rules::missing_output},
    {"W346", lint_rules::type_as_default},
}};

/// One slip of the finger away; codes are too short and too alike for more.
std::string nearest_code(const std::string& word, const std::vector<std::string>& known) {
  for (const std::string& code : known) {
    std::size_t same = 0;
    for (std::size_t i = 0; i < std::min(word.size(), code.size()); ++i) same += word[i] == code[i];
    if (same + 1 >= std::max(word.size(), code.size())) return code;
  }
  return "";
}

}  // namespace

std::vector<std::string> lint_codes() {
  std::vector<std::string> codes;
  for (const Rule& rule : kRules) codes.push_back(rule.code);
  return codes;
}

std::set<std::string> ignored_lints(const Node& root, FileDiagnostics& diagnostics) {
  std::set<std::string> ignored;
  const Node* list = root.find("lint_ignore");
  if (!list || !diagnostics.is(*list, Node::Kind::List, "lint_ignore", "a list of codes such as [W110]"))
    return ignored;
  const std::vector<std::string> known = lint_codes();
  for (const Node& item : list->items) {
    if (!diagnostics.is(item, Node::Kind::String, "lint_ignore", "a list of codes such as [W110]")) continue;
    ignored.insert(item.text);
    if (std::find(known.begin(), known.end(), item.text) != known.end()) continue;
    std::string near = nearest_code(item.text, known);
    std::string suggestion =
        near.empty() ? "a code is what a warning shows, for example W110" : "did you mean `" + near + "`?";
    if (item.text.size() == 4 && item.text[0] == 'E') suggestion = "an error can not be ignored; only W and I can";
    diagnostics.error("E102", item.at, item.text.size(), fmt::format("`{}` is no code of a warning or hint", item.text),
                      suggestion);
  }
  return ignored;
}

void lint(const Node& root, const RootStep& workflow, const FileIndex& file, const std::set<std::string>& ignored,
          Diagnostics& diagnostics) {
  WorkflowIndex index(root, workflow, file);
  Findings findings(diagnostics);
  for (const Rule& rule : kRules) {
    if (!rule.find || ignored.count(rule.code)) continue;
    findings.begin(rule.code);
    rule.find(index, findings);
  }
}

}  // namespace flowrun
