// Reads `input`, `vars` and `exclusive` of a file: what is evaluated before any step.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "engine/language/json_schema.h"
#include "engine/language/keys.h"
#include "engine/reader/file_reader.h"

namespace flowrun {

void FileReader::inputs() {
  const Node* declared = root_.find("input");
  if (!declared || !reading_.is(*declared, Node::Kind::Map, "input", "a map of names to their types")) return;
  for (const Member& member : declared->members) {
    if (member.key.rfind("x-", 0) == 0) continue;
    reading_.check_name(member.key, member.at, "an input", false);
    InputSpec spec;
    spec.name = member.key;
    if (!member.value.is_map()) {
      shorthand(spec, member.value);
    } else {
      std::size_t errors = reading_.diagnostics().errors();
      check_schema_keywords(member.value, true, reading_.diagnostics());
      spec.schema = member.value.json();
      for (const char* own : {"default", "env", "description"}) spec.schema.erase(own);
      const bool usable = reading_.diagnostics().errors() == errors;
      if (const Node* key = member.value.find("env")) spec.env = reading_.values().plain_text(*key, "env");
      if (const Node* key = member.value.find("description")) spec.description = key->text;
      if (const Node* key = member.value.find("default")) default_value(spec, *key, usable);
    }
    reading_.index().inputs[spec.name] = spec.schema;
    definition_.inputs.push_back(std::move(spec));
  }
}

void FileReader::shorthand(InputSpec& spec, const Node& node) {
  static const std::map<Node::Kind, const char*> kTypes{{Node::Kind::Boolean, "boolean"},
                                                        {Node::Kind::Integer, "integer"},
                                                        {Node::Kind::Float, "number"},
                                                        {Node::Kind::String, "string"},
                                                        {Node::Kind::List, "array"}};
  spec.schema = Json::object();
  if (auto type = kTypes.find(node.kind); type != kTypes.end()) spec.schema["type"] = type->second;
  default_value(spec, node, true);
}

void FileReader::default_value(InputSpec& spec, const Node& node, bool usable) {
  {
    Reading::Within before(reading_, [](ReadingContext& context) { context.moment = ReadingContext::Moment::Inputs; });
    spec.default_value = reading_.values().value(node);
  }
  // A schema that is wrong itself can not judge the default.
  if (!spec.default_value->constant() || !usable) return;
  for (const std::string& error : schema_errors(spec.schema, node.json()))
    reading_.error("E108", node.at, node.text.size(),
                   fmt::format("the default of `{}` does not satisfy its own schema: {}", spec.name, error));
}

void FileReader::vars() {
  const Node* declared = root_.find("vars");
  if (!declared || !reading_.is(*declared, Node::Kind::Map, "vars", "a map of names to values")) return;
  Reading::Within start(reading_, [](ReadingContext& context) { context.moment = ReadingContext::Moment::Vars; });
  for (const Member& member : declared->members) reading_.index().later_vars.emplace(member.key, member.at.line);
  for (const Member& member : declared->members) {
    if (member.key.rfind("x-", 0) == 0) continue;
    reading_.check_name(member.key, member.at, "a variable", false);
    definition_.vars.push_back({member.key, reading_.values().value(member.value)});
    reading_.index().vars.insert(member.key);
    reading_.index().later_vars.erase(member.key);
  }
}

void FileReader::exclusive() {
  const Node* written = root_.find("exclusive");
  if (!written) return;
  Reading::Within start(reading_, [](ReadingContext& context) { context.moment = ReadingContext::Moment::Vars; });
  Exclusive exclusive;
  const Node* key = written;
  if (written->is_map()) {
    reading_.only(*written, names_within("exclusive"), "`exclusive`");
    key = written->find("key");
    if (!key)
      reading_.error("E110", written->at, 1, "`exclusive` needs the `key` that no two runs have at once",
                     "for example { key: deploy, when_taken: skip }");
    if (const Node* when = written->find("when_taken")) {
      using When = Exclusive::WhenTaken;
      const std::string word = reading_.values().word(*when, "when_taken", {"wait", "skip", "fail", "replace"});
      exclusive.when_taken = word == "skip"      ? When::Skip
                             : word == "fail"    ? When::Fail
                             : word == "replace" ? When::Replace
                                                 : When::Wait;
    }
  }
  if (!key) return;
  if (key->kind == Node::Kind::Null || key->kind == Node::Kind::Boolean || (key->is_string() && key->text.empty()))
    reading_.error("E102", key->at, std::max<std::size_t>(key->text.size(), 1),
                   fmt::format("a key is text, not {}", key->text.empty() ? "nothing" : "`" + key->text + "`"),
                   "for example deploy-${ $input.region }");
  exclusive.key = reading_.values().text(*key);
  definition_.exclusive = std::move(exclusive);
}

}  // namespace flowrun
