#include "engine/reader/file_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>

#include "engine/language/keys.h"
#include "engine/language/other_words.h"
#include "engine/reader/readers.h"
#include "engine/reader/unread.h"
#include "engine/steps/root.h"

namespace flowrun {
namespace {

std::string workflow_name(std::string text) {
  for (char& c : text)
    c = std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::tolower(static_cast<unsigned char>(c)))
                                                    : '-';
  return text.empty() || !std::isalnum(static_cast<unsigned char>(text[0])) ? "run" + text : text;
}

std::string name_from(const std::string& file) {
  std::string stem = std::filesystem::path(file).stem().string();
  if (stem == "-") return "stdin";
  if (stem.size() > 5 && stem.substr(stem.size() - 5) == ".flow") stem.resize(stem.size() - 5);
  return workflow_name(stem);
}

bool is_step(const Node& node) {
  return std::any_of(node.members.begin(), node.members.end(),
                     [](const Member& member) { return kind_bit(member.key) != 0; });
}

/// Where relative paths of |file| start.
std::string folder_of(const Node& root, const std::string& file) {
  std::filesystem::path folder = std::filesystem::path(file).parent_path();
  if (folder.filename() == ".flowrun") folder = folder.parent_path();
  if (const Node* cwd = root.find("cwd"); cwd && cwd->is_string())
    folder = (cwd->text.rfind('/', 0) == 0 ? std::filesystem::path(cwd->text) : folder / cwd->text).lexically_normal();
  return folder.string();
}

}  // namespace

FileReader::FileReader(const std::string& file, const Node& root, Definition& definition, bool is_main,
                       std::vector<SecretSource>& secrets, Diagnostics& diagnostics, Reading::SubWorkflow sub_workflow)
    : root_(root),
      definition_(definition),
      is_main_(is_main),
      secrets_(secrets),
      reading_(diagnostics, root, folder_of(root, file), std::move(sub_workflow)) {
  definition_.file = file;
}

bool FileReader::read(bool for_questions) {
  if (!root_.is_map()) {
    reading_.error("E102", root_.at, root_.text.size(),
                   fmt::format("the file must be a map with `flowrun: 1` and `steps:`, not {}", root_.kind_name()));
    return false;
  }
  version();
  keys();
  header();
  inputs();
  secrets();
  vars();
  exclusive();
  limits();
  defaults();
  env();
  steps();
  name_looked_at(for_questions);
  if (auto* root = dynamic_cast<RootStep*>(definition_.workflow.root.get()))
    mark_unread(*root, reading_.index().mentions, for_questions);
  return true;
}

void FileReader::version() {
  const Member* key = root_.member("flowrun");
  if (!key) {
    reading_.error("E100", root_.at, 1, "`flowrun: 1` is missing",
                   "it says for which version of the language the file is written");
  } else if (key->value.text != "1") {
    const Node& given = key->value;
    bool newer = given.kind == Node::Kind::Integer && given.text.find_first_not_of("0") != std::string::npos;
    reading_.error("E100", given.at, given.text.size(),
                   given.is_scalar() && !given.text.empty()
                       ? fmt::format("this flowrun reads version 1, not `{}`", given.text)
                       : fmt::format("`flowrun` is the version of the language, not {}", given.kind_name()),
                   newer ? "needs a newer flowrun" : "write `flowrun: 1`");
  }
}

void FileReader::keys() {
  for (const Member& member : root_.members) {
    if (member.key.rfind("x-", 0) == 0) continue;
    if (!find_top_key(member.key)) {
      std::vector<std::string> names;
      for (const Key& known : top_keys()) names.push_back(known.name);
      std::string near = nearest(member.key, names);
      std::string suggestion = advice_at_top(member.key);
      if (suggestion.empty() && !near.empty()) suggestion = "did you mean `" + near + "`?";
      if (is_step(member.value)) suggestion = "a step stands below `steps:`, indented";
      reading_.error(is_reserved(member.key) ? "E109" : "E101", member.at, member.key.size(),
                     fmt::format("unknown key `{}` at the top", member.key), suggestion);
    }
  }
}

void FileReader::header() {
  Workflow& workflow = definition_.workflow;
  definition_.folder = reading_.folder();
  workflow.name = name_from(definition_.file);
  if (const Node* key = root_.find("name")) {
    std::string name = reading_.values().plain_text(*key, "name");
    bool good = !name.empty() && name.size() <= 64 && name[0] >= 'a' && name[0] <= 'z' &&
                std::all_of(name.begin(), name.end(), [](char c) {
                  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
                });
    if (!good && key->is_string() && name.find("${") == std::string::npos)
      reading_.error("E105", key->at, name.size(),
                     fmt::format("`{}` is no name: a-z, 0-9, _ and -, at most 64, a letter first", name),
                     "for example " + workflow_name(name));
    if (good) workflow.name = name;
  }
  if (const Node* key = root_.find("description"))
    workflow.description = reading_.values().plain_text(*key, "description");
  if (const Node* key = root_.find("version")) {
    // `version: 1.2` is as good as "1.2".
    if (!key->is_scalar()) reading_.values().plain_text(*key, "version");
    workflow.version = key->text;
  }
  if (const Node* key = root_.find("concurrency"))
    if (auto count = reading_.values().plain_count(*key, "concurrency", 1))
      workflow.concurrency = static_cast<int>(std::min<std::int64_t>(*count, 1000000));
  if (const Node* key = root_.find("fail_fast")) nearest_fail_fast_ = reading_.values().fail_fast(*key);
  if (const Node* key = root_.find("on_signal"))
    workflow.signals_cancel = reading_.values().word(*key, "on_signal", {"suspend", "cancel"}) == "cancel";
  if (const Node* key = root_.find("cwd")) reading_.values().plain_text(*key, "cwd");
}

void FileReader::limits() {
  const Node* declared = root_.find("limits");
  if (!declared || !reading_.is(*declared, Node::Kind::Map, "limits", "a map of names to how much they let through"))
    return;
  for (const Member& member : declared->members)
    if (member.key.rfind("x-", 0) != 0) read_pool(reading_, member, definition_.path);
}

void FileReader::defaults() {
  const Node* given = root_.find("defaults");
  if (!given || !reading_.is(*given, Node::Kind::Map, "defaults", "a map")) return;
  reading_.only(*given, names_within("defaults"), "`defaults`");
  for (const Member& group : given->members) {
    std::uint32_t kinds = group.key == "all" ? kEvery : kind_bit(group.key) & (kHttp | kProcess);
    if (!kinds || !reading_.is(group.value, Node::Kind::Map, "defaults", "a map of maps of options")) continue;
    for (const Member& member : group.value.members) {
      if (member.key.rfind("x-", 0) == 0) continue;
      const Key* key = find_key(member.key);
      if (!key || !may_have_default(*key) || !(key->kinds & kinds)) {
        std::vector<std::string> names;
        for (const Key& one : step_keys())
          if ((one.kinds & kinds) && may_have_default(one)) names.push_back(one.name);
        std::string near = nearest(member.key, names);
        reading_.error(
            key ? "E104" : "E101", member.at, member.key.size(),
            fmt::format("`{}` can have no default for {}", member.key, group.key == "all" ? "all steps" : group.key),
            near.empty() ? "say it at each step that has it" : "did you mean `" + near + "`?");
      }
    }
  }
}

/// Checks the shape only: its values are read with each process, below the `env` of that.
void FileReader::env() {
  if (const Node* key = root_.find("env")) reading_.is(*key, Node::Kind::Map, "env", "a map of names to values");
}

void FileReader::steps() {
  Reading::Within of_file(reading_, [&](ReadingContext& context) { context.nearest_fail_fast = nearest_fail_fast_; });
  auto root = std::make_unique<RootStep>();
  if (const Node* key = root_.find("timeout")) root->timeout = reading_.values().duration(*key, "timeout");
  const Node* body = root_.find("steps");
  const Node* output = root_.find("output");
  definition_.workflow.has_output = output != nullptr;
  if (!body) {
    reading_.error("E110", root_.at, 1, "there is no `steps`", "for example steps: { hello: { shell: echo hello } }");
    root->body = std::make_unique<GraphStep>();
  } else {
    // The output stands behind all steps and sees those at the top.
    root->body = reading_.body(*body, "steps", [&] {
      handlers(*root);
      if (output) root->output = reading_.values().value(*output);
    });
    root->body->whole_file = true;
  }
  streams(*root->body);
  definition_.workflow.root = std::move(root);
}

/// Standard input is read once, by one step that every run of the file comes to.
void FileReader::streams(const GraphStep& body) {
  const auto& all = reading_.index().streams;
  for (const auto& [step, at] : all) {
    const bool at_top =
        std::any_of(body.children.begin(), body.children.end(),
                    [&, &step = step](const GraphStep::Child& child) { return child.step.get() == step; });
    const char* why = !is_main_              ? "a sub-workflow can not read standard input"
                      : !at_top              ? "only a step at the top of `steps` can read standard input"
                      : step != all[0].first ? "another step reads standard input already"
                                             : nullptr;
    if (why) reading_.error("E208", at, 5, why, "give the items as an input: -i NAME=@lines:FILE");
  }
  if (!all.empty()) definition_.workflow.stream = InputStream{all[0].first->name, reading_.index().stream_format};
}

/// Reads the handlers, which see the steps at the top and what became of the run.
void FileReader::handlers(RootStep& root) {
  for (auto [name, handler] : {std::pair{"on_failure", &root.on_failure}, {"finally", &root.finally}}) {
    const Node* body = root_.find(name);
    if (!body) continue;
    NamesInScope::Binding bound(reading_.names(), {"error"});
    Reading::Within undone(
        reading_, [](ReadingContext& context) { context.no_undo = "handlers run when everything has been undone"; });
    *handler = reading_.body(*body, name);
  }
}

/// Marks what groups have to remember for `$status`: what an expression of the file may look at.
void FileReader::name_looked_at(bool for_questions) {
  std::set<std::string> asked, asked_within, outputs;
  for (const Mention& mention : reading_.index().mentions) {
    const std::string& field = mention.reference.field;
    if (mention.reference.variable != "status") continue;
    asked.insert(mention.reference.member);
    const bool items = field == "items";
    const bool whole = field.empty() || items || field == "branches";
    const Sight* sight = mention.reference.sight.get();
    const bool outputs_seen = !items || !sight || sight->of(field).of("").sees("output");
    if (whole && outputs_seen) outputs.insert(mention.reference.member);
    if (whole || field == "order" || field == "failed") asked_within.insert(mention.reference.member);
  }
  for (auto& [group, name] : reading_.index().groups) {
    group->children_named = for_questions || asked_within.count(name) > 0;
    group->outputs_named = for_questions || outputs.count(name) > 0;
    // An expression that looks into one group may find another in it.
    group->status_named = for_questions || !outputs.empty() || asked.count(name) > 0;
  }
}

}  // namespace flowrun
