// Reads workflow and with, and checks that the file takes what is given.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/language/json_schema.h"
#include "engine/language/template.h"
#include "engine/reader/readers.h"
#include "engine/steps/sub_workflow.h"

namespace flowrun {
namespace {

std::vector<std::string> names_of(const std::vector<InputSpec>& inputs) {
  std::vector<std::string> names;
  for (const InputSpec& input : inputs) names.push_back(input.name);
  return names;
}

void unknown_input(Reading& reading, const Definition& child, const Member& given) {
  const std::vector<std::string> names = names_of(child.inputs);
  std::string known;
  for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
  std::string near = nearest(given.key, names);
  reading.error("E305", given.at, given.key.size(), fmt::format("{} has no input `{}`", child.path, given.key),
                !near.empty()   ? "did you mean `" + near + "`?"
                : known.empty() ? "it has none"
                                : "it has " + known);
}

/// E401 unless a secret goes, whole, to an input that is a secret in the file, and nothing else goes there.
void check_secret(Reading& reading, const Definition& child, const Member& given) {
  Diagnostics none({});
  ValueTemplate value = ValueTemplate::compile(given.value, none);
  value.each([&](const Expression& expression, bool) {
    if (reading.uses().names_secret_output(expression)) value.note_secrets();
  });
  auto input = std::find_if(child.inputs.begin(), child.inputs.end(),
                            [&](const InputSpec& one) { return one.name == given.key; });
  if (input == child.inputs.end()) return;
  bool alone = given.value.is_scalar() && value.names_secrets();
  value.each([&](const Expression&, bool whole) { alone = alone && whole; });
  if (input->secret && !alone)
    reading.error("E401", given.value.at, given.value.is_scalar() ? given.value.text.size() : 1,
                  fmt::format("input `{}` of {} is a secret there", given.key, child.path),
                  "give it one of the secrets of this file: ${ $secrets.NAME }");
  if (!input->secret && value.names_secrets())
    reading.error("E401", given.value.at, given.value.is_scalar() ? given.value.text.size() : 1,
                  fmt::format("input `{}` of {} is no secret there: it would be in the journal", given.key, child.path),
                  fmt::format("say in {}: secrets: {{ NAME: {{ input: {} }} }}", child.path, given.key));
}

/// Checks literal values against the schema of |input|. Others are checked when the step begins.
void check_given(Reading& reading, const Definition& child, const InputSpec& input, const Node& value) {
  Diagnostics none({});
  if (!ValueTemplate::compile(value, none).constant() || !none.ok()) return;
  for (const std::string& error : schema_errors(input.schema, value.json()))
    reading.error("E305", value.at, value.is_scalar() ? value.text.size() : 1,
                  fmt::format("input `{}` of {}: {}", input.name, child.path, error));
}

void check_inputs(Reading& reading, Definition& child, const Node& path, const Node* with) {
  if (with)
    for (const Member& member : with->members) {
      if (member.key.rfind("x-", 0) == 0) continue;
      auto input = std::find_if(child.inputs.begin(), child.inputs.end(),
                                [&](const InputSpec& one) { return one.name == member.key; });
      if (input == child.inputs.end()) {
        unknown_input(reading, child, member);
      } else {
        check_given(reading, child, *input, member.value);
      }
    }
  for (InputSpec& input : child.inputs) {
    if (with && with->find(input.name)) continue;
    input.left_to_env = input.left_to_env || !input.env.empty();
    if (!input.required()) continue;
    std::string about = input.description.empty() ? "" : " (" + input.description + ")";
    reading.error("E305", path.at, path.text.size(),
                  fmt::format("{} needs the input `{}`{}", child.path, input.name, about),
                  fmt::format("give it: with: {{ {}: ... }}", input.name));
  }
}

}  // namespace

std::unique_ptr<CommonStep> read_workflow(Reading& reading, const Node& node) {
  auto step = std::make_unique<WorkflowStep>();
  const Node& path = *node.find("workflow");
  std::string text = reading.values().plain_text(path, "workflow");
  Definition* child = nullptr;
  if (path.is_string() && text.empty()) {
    reading.error("E102", path.at, 1, "`workflow` needs the path of a file", "for example ./parts/pay.yaml");
  } else if (!text.empty() && text.find("${") == std::string::npos) {
    child = reading.sub_workflow(path);
  }
  const Node* with = node.find("with");
  if (with && !reading.is(*with, Node::Kind::Map, "with", "a map of inputs to values")) with = nullptr;
  if (with) {
    Reading::Within secrets(reading, allow_secrets);
    step->with = reading.values().value(*with);
    for (const Member& given : with->members)
      if (child) check_secret(reading, *child, given);
  }
  if (child) check_inputs(reading, *child, path, with);
  if (child && child->exclusive)
    reading.error("E305", path.at, path.text.size(),
                  fmt::format("{} is `exclusive`, and only a whole run can be that", child->path),
                  "write `exclusive` in this file instead");
  std::vector<std::string>& raised = reading.index().raised;
  if (child) raised.insert(raised.end(), child->raised.begin(), child->raised.end());
  step->child = child;
  step->shares_cpus = reading.context().in_unsized_for_each;
  step->follows_file = !reading.context().in_for_each;
  read_work(reading, *step, node, {"child"});
  return step;
}

}  // namespace flowrun
