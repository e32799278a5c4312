#include "engine/run/load.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/executor/named_file.h"
#include "engine/language/json_schema.h"
#include "engine/lint/lint.h"
#include "engine/model/error.h"
#include "engine/reader/reading.h"
#include "engine/reader/unread.h"
#include "engine/steps/root.h"

namespace flowrun {
namespace {

// flowrun-workflow(5), "Limits"
constexpr std::int64_t kLargestFile = 4 << 20;
constexpr std::size_t kDeepestFile = 16;

std::string workflow_name(std::string text) {
  for (char& c : text)
    c = std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::tolower(static_cast<unsigned char>(c)))
                                                    : '-';
  return text.empty() || !std::isalnum(static_cast<unsigned char>(text[0])) ? "run" + text : text;
}

std::string name_from(const std::string& file) {
  std::string stem = std::filesystem::path(file).stem().string();
  if (stem.size() > 5 && stem.substr(stem.size() - 5) == ".flow") stem.resize(stem.size() - 5);
  return workflow_name(stem);
}

bool is_step(const Node& node) {
  return std::any_of(node.members.begin(), node.members.end(),
                     [](const Member& member) { return kind_bit(member.key) != 0; });
}

/// A workflow and the files that it runs as steps, while they are read.
struct Files {
  Loaded& main;
  std::string shown;  ///< how the person who asks calls the main file
  Jq* jq;
  bool for_questions;
  const Texts* frozen;            ///< null: texts are those of the files
  std::vector<std::string> open;  ///< that are being read, each named by the one before
  struct Known {
    Definition* definition;  ///< null: there is something wrong with it
    std::string trouble;
  };
  std::map<std::string, Known> known;  ///< sub-workflows that were read: each is read once
};

/// |file| as it is seen from the folder of the main file.
std::string seen_from(const std::string& main, const std::string& file) {
  std::filesystem::path path =
      std::filesystem::path(file).lexically_relative(std::filesystem::path(main).parent_path());
  return path.empty() ? file : path.string();
}

/// The file beside |missing| whose name is nearest.
std::string nearest_file(const std::filesystem::path& missing) {
  std::map<std::string, std::string> names;  // by their stems: all ends are alike
  std::vector<std::string> stems;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(missing.parent_path(), error)) {
    const std::filesystem::path& path = entry.path();
    if (path.extension() != ".yaml" && path.extension() != ".yml") continue;
    names[path.stem().string()] = path.filename().string();
    stems.push_back(path.stem().string());
  }
  return names[nearest(missing.stem().string(), stems)];
}

bool compiles(const std::string& code) {
  Diagnostics found({});
  Expression::compile(code, {1, 1}, found);
  return found.ok();
}

class Loader {
 public:
  Loader(const std::string& file, const Node& root, Definition& loaded, Diagnostics& diagnostics, Files& files)
      : root_(root), loaded_(loaded), reading_(diagnostics, root, folder_of(file)), files_(files) {
    loaded_.file = file;
    reading_.sub_workflow = [this](const Node& path) { return sub_workflow(path); };
  }

  void read(Lints lints) {
    if (!reading_.is(root_, Node::Kind::Map, "the file", "a map with `flowrun: 1` and `steps:`")) return;
    version();
    keys();
    header();
    inputs();
    secrets();
    vars();
    limits();
    defaults();
    env();
    steps();
    std::set<std::string> looked_at, looked_into, outputs;
    for (const Mention& mention : reading_.mentions) {
      const std::string& field = mention.reference.field;
      if (mention.reference.variable != "status") continue;
      looked_at.insert(mention.reference.member);
      const bool whole = field.empty() || field == "items" || field == "branches";
      if (whole) outputs.insert(mention.reference.member);
      if (whole || field == "order" || field == "failed") looked_into.insert(mention.reference.member);
    }
    for (auto& [group, name] : reading_.groups) {
      group->children_named = files_.for_questions || looked_into.count(name) > 0;
      group->outputs_named = files_.for_questions || outputs.count(name) > 0;
      // Who looks into one group may find another in it.
      group->status_named = files_.for_questions || !outputs.empty() || looked_at.count(name) > 0;
    }
    if (auto* root = dynamic_cast<RootStep*>(loaded_.workflow.root.get())) mark_unread(*root, reading_.mentions);
    files_.main.http = files_.main.http || reading_.http;
    loaded_.workflow.signals = std::move(reading_.signals);
    // One machine knows them all: those of the main file first.
    auto& limits = files_.main.workflow.limits;
    if (is_main()) limits.swap(reading_.limits);
    std::move(reading_.limits.begin(), reading_.limits.end(), std::back_inserter(limits));
    if (is_main()) files_.main.ignored_lints = ignored_;
    loaded_.steps = reading_.steps;
    programs();
    if (lints == Lints::Yes && reading_.diagnostics.ok())
      lint(root_, dynamic_cast<const RootStep&>(*loaded_.workflow.root), reading_, ignored_, reading_.diagnostics);
  }

 private:
  std::string folder_of(const std::string& file) const {
    std::filesystem::path folder = std::filesystem::path(file).parent_path();
    if (folder.filename() == ".flowrun") folder = folder.parent_path();
    if (const Node* cwd = root_.find("cwd"); cwd && cwd->is_string())
      folder =
          (cwd->text.rfind('/', 0) == 0 ? std::filesystem::path(cwd->text) : folder / cwd->text).lexically_normal();
    return folder.string();
  }

  void version() {
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

  void keys() {
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

  void header() {
    Workflow& workflow = loaded_.workflow;
    loaded_.folder = reading_.folder;
    workflow.name = name_from(loaded_.file);
    if (const Node* key = root_.find("name")) {
      std::string name = reading_.plain_text(*key, "name");
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
    if (const Node* key = root_.find("description")) workflow.description = reading_.plain_text(*key, "description");
    if (const Node* key = root_.find("version")) {
      // `version: 1.2` is as good as "1.2".
      if (!key->is_scalar()) reading_.plain_text(*key, "version");
      workflow.version = key->text;
    }
    ignored_ = ignored_lints(root_, reading_);
    if (const Node* key = root_.find("concurrency"))
      if (auto count = reading_.plain_count(*key, "concurrency", 1))
        workflow.concurrency = static_cast<int>(std::min<std::int64_t>(*count, 1000000));
    if (const Node* key = root_.find("fail_fast")) reading_.nearest_fail_fast = reading_.fail_fast(*key);
    if (const Node* key = root_.find("cwd")) reading_.plain_text(*key, "cwd");
  }

  void inputs() {
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
        std::size_t errors = reading_.diagnostics.errors();
        check_schema_keywords(member.value, true, reading_.diagnostics);
        usable_ = reading_.diagnostics.errors() == errors;
        spec.schema = member.value.json();
        for (const char* own : {"default", "env", "description"}) spec.schema.erase(own);
        if (const Node* key = member.value.find("env")) spec.env = reading_.plain_text(*key, "env");
        if (const Node* key = member.value.find("description")) spec.description = key->text;
        if (const Node* key = member.value.find("default")) otherwise(spec, *key);
        usable_ = true;
      }
      reading_.inputs[spec.name] = spec.schema;
      loaded_.inputs.push_back(std::move(spec));
    }
  }

  void shorthand(InputSpec& spec, const Node& node) {
    static const std::map<Node::Kind, const char*> kTypes{{Node::Kind::Boolean, "boolean"},
                                                          {Node::Kind::Integer, "integer"},
                                                          {Node::Kind::Float, "number"},
                                                          {Node::Kind::String, "string"},
                                                          {Node::Kind::List, "array"}};
    spec.schema = Json::object();
    if (auto type = kTypes.find(node.kind); type != kTypes.end()) spec.schema["type"] = type->second;
    otherwise(spec, node);
  }

  void otherwise(InputSpec& spec, const Node& node) {
    reading_.moment = Reading::Moment::Inputs;
    spec.otherwise = reading_.value(node);
    reading_.moment = Reading::Moment::Run;
    // Of a schema that is wrong itself nothing can be said.
    if (!spec.otherwise->constant() || !usable_) return;
    for (const std::string& error : schema_errors(spec.schema, node.json()))
      reading_.error("E108", node.at, node.text.size(),
                     fmt::format("the default of `{}` does not satisfy its own schema: {}", spec.name, error));
  }

  void vars() {
    const Node* declared = root_.find("vars");
    if (!declared || !reading_.is(*declared, Node::Kind::Map, "vars", "a map of names to values")) return;
    reading_.moment = Reading::Moment::Vars;
    for (const Member& member : declared->members) reading_.later_vars.emplace(member.key, member.at.line);
    for (const Member& member : declared->members) {
      if (member.key.rfind("x-", 0) == 0) continue;
      reading_.check_name(member.key, member.at, "a variable", false);
      loaded_.vars.push_back({member.key, reading_.value(member.value)});
      reading_.vars.insert(member.key);
      reading_.later_vars.erase(member.key);
    }
    reading_.moment = Reading::Moment::Run;
  }

  bool is_main() const { return &loaded_ == static_cast<const Definition*>(&files_.main); }

  void secrets() {
    const Node* declared = root_.find("secrets");
    if (!declared || !reading_.is(*declared, Node::Kind::Map, "secrets", "a map of names to where they are read"))
      return;
    for (const Member& member : declared->members) {
      if (member.key.rfind("x-", 0) == 0) continue;
      reading_.check_name(member.key, member.at, "a secret", false);
      reading_.secrets.insert(member.key);
      secret(member);
    }
  }

  void limits() {
    const Node* declared = root_.find("limits");
    if (!declared || !reading_.is(*declared, Node::Kind::Map, "limits", "a map of names to how much they let through"))
      return;
    for (const Member& member : declared->members)
      if (member.key.rfind("x-", 0) != 0) reading_.pool(member, loaded_.path);
  }

  /// The secrets of all files are one table: a name in it has one source.
  void keep(SecretSource source, const Member& member) {
    if (!is_main() && source.from == SecretSource::From::File && !source.place.starts_with('/'))
      source.place = reading_.folder + "/" + source.place;
    auto& secrets = files_.main.secrets;
    auto same = std::find_if(secrets.begin(), secrets.end(), [&](const auto& one) { return one.name == source.name; });
    if (same == secrets.end()) {
      secrets.push_back(std::move(source));
    } else if (same->from != source.from || same->place != source.place || same->command != source.command ||
               same->optional != source.optional) {
      reading_.error("E403", member.at, member.key.size(),
                     fmt::format("secret `{}` is read from another source in another file of this run", member.key),
                     "give one of them another name");
    }
  }

  void secret(const Member& member) {
    const Node& node = member.value;
    if (!node.is_map()) {
      reading_.error("E102", node.at, node.text.size(),
                     fmt::format("secret `{}` must say where it is read, not what it is", member.key),
                     "write { env: VARIABLE }, { file: PATH } or { command: [PROGRAM, ...] }");
      return;
    }
    reading_.only(node, names_within("secrets"), "a secret");
    SecretSource source;
    source.name = member.key;
    source.line = member.at.line;
    const Node* input = node.find("input");
    int sources = input ? 1 : 0;
    for (auto [name, from] : {std::pair{"env", SecretSource::From::Env}, {"file", SecretSource::From::File}})
      if (const Node* key = node.find(name)) {
        ++sources;
        source.from = from;
        source.place = reading_.plain_text(*key, name);
        if (key->is_string() && source.place.empty())
          reading_.error("E102", key->at, 1, fmt::format("`{}` is empty", name));
      }
    if (const Node* key = node.find("command");
        key && ++sources && reading_.is(*key, Node::Kind::List, "command", "a list: the program and its arguments")) {
      source.from = SecretSource::From::Command;
      // `${HOME}` is the shell's own; an expression begins with a blank.
      for (const Node& item : key->items)
        source.command.push_back(item.is_string() && item.text.find("${ ") == std::string::npos
                                     ? item.text
                                     : reading_.plain_text(item, "command"));
      if (source.command.empty()) reading_.error("E102", key->at, 1, "the program is missing");
    }
    if (const Node* key = node.find("optional"))
      source.optional = reading_.plain_boolean(*key, "optional").value_or(false);
    if (sources == 0)
      reading_.error("E110", member.at, member.key.size(),
                     fmt::format("secret `{}` does not say where it is read", member.key),
                     "write { env: VARIABLE }, { file: PATH }, { command: [PROGRAM, ...] } or { input: NAME }");
    if (sources > 1)
      reading_.error("E403", member.at, member.key.size(),
                     fmt::format("secret `{}` is read from two sources", member.key),
                     "keep one of env, file, command, input");
    if (input) return secret_input(member, *input);
    keep(std::move(source), member);
  }

  /// A secret of the file that runs this one.
  void secret_input(const Member& member, const Node& input) {
    const std::string name = reading_.plain_text(input, "input");
    if (name.empty() && !input.is_string()) return;
    auto spec = std::find_if(loaded_.inputs.begin(), loaded_.inputs.end(),
                             [&](const InputSpec& one) { return one.name == name; });
    if (spec == loaded_.inputs.end()) {
      std::vector<std::string> names;
      for (const InputSpec& known : loaded_.inputs) names.push_back(known.name);
      std::string near = nearest(name, names);
      reading_.error("E204", input.at, input.text.size(), fmt::format("there is no input `{}`", name),
                     near.empty() ? fmt::format("declare it: input: {{ {}: {{ type: string }} }}", name)
                                  : "did you mean `" + near + "`?");
      return;
    }
    if (!spec->required())
      reading_.error("E403", input.at, input.text.size(),
                     fmt::format("input `{}` has a `default` or an `env`: such a value would be in the journal", name),
                     "leave that out; whoever runs this file gives the secret by `with`");
    if (const Member* optional = member.value.member("optional"))
      reading_.error("E104", optional->at, optional->key.size(), "`optional` is said where the secret is read",
                     "in the file that gives it");
    spec->secret = true;
    reading_.secret_inputs.insert(name);
    loaded_.secret_inputs[member.key] = name;
  }

  void defaults() {
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
          reading_.error(key ? "E104" : "E101", member.at, member.key.size(),
                         fmt::format("`{}` is no option of {} to have a default", member.key,
                                     group.key == "all" ? "a step" : group.key),
                         near.empty() ? "" : "did you mean `" + near + "`?");
        }
      }
    }
  }

  /// Merged below the `env` of each process, where its values are read.
  void env() {
    if (const Node* key = root_.find("env")) reading_.is(*key, Node::Kind::Map, "env", "a map of names to values");
  }

  void steps() {
    auto root = std::make_unique<RootStep>();
    if (const Node* key = root_.find("timeout")) root->timeout = reading_.duration(*key, "timeout");
    const Node* body = root_.find("steps");
    const Node* output = root_.find("output");
    loaded_.workflow.has_output = output != nullptr;
    if (!body) {
      reading_.error("E110", root_.at, 1, "there is no `steps`", "for example steps: { hello: { shell: echo hello } }");
      root->body = std::make_unique<GraphStep>();
    } else {
      // The output stands behind all steps and sees those at the top.
      root->body = reading_.body(*body, "steps", [&] {
        handlers(*root);
        if (output) root->output = reading_.value(*output);
      });
      root->body->whole_file = true;
    }
    loaded_.workflow.root = std::move(root);
  }

  /// They see the steps at the top, and what became of the run.
  void handlers(RootStep& root) {
    for (auto [name, handler] : {std::pair{"on_failure", &root.on_failure}, {"finally", &root.finally}}) {
      const Node* body = root_.find(name);
      if (!body) continue;
      Reading::Binding bound(reading_, {"error"});
      reading_.no_undo = "handlers run when everything has been undone";
      *handler = reading_.body(*body, name);
      reading_.no_undo = nullptr;
    }
  }

  void programs() {
    std::set<Program> asked_for;
    std::vector<Program> own;
    for (const Reading::Asked& asked : reading_.asked) {
      Program program{asked.expression.code(), asked.strict};
      if (asked_for.insert(program).second) own.push_back(std::move(program));
    }
    std::vector<Program>& all = files_.main.programs;
    const std::set<Program> known(all.begin(), all.end());
    std::copy_if(own.begin(), own.end(), std::back_inserter(all),
                 [&](const Program& program) { return known.count(program) == 0; });
    if (!files_.jq) return;
    // What is no expression by itself has been told of, and could end those that jq compiles with it.
    if (!reading_.diagnostics.ok()) std::erase_if(own, [](const Program& program) { return !compiles(program.code); });
    std::vector<std::string> errors = files_.jq->check(own);
    std::map<Program, std::string> wrong;
    for (std::size_t i = 0; i < own.size(); ++i)
      if (!errors[i].empty()) wrong.emplace(own[i], errors[i]);
    if (wrong.empty()) return;
    for (const Reading::Asked& asked : reading_.asked) {
      const Expression& expression = asked.expression;
      auto error = wrong.find({expression.code(), asked.strict});
      if (error == wrong.end()) continue;
      // `maap/1 is not defined`
      const std::string name = error->second.substr(0, error->second.find('/'));
      std::optional<Position> word = expression.word(name);
      reading_.error("E201", word.value_or(expression.at()), word ? name.size() : expression.code().size(),
                     "jq says: " + error->second);
    }
  }

  Definition* sub_workflow(const Node& node) {
    namespace fs = std::filesystem;
    const fs::path written(node.text);
    const std::string file =
        (written.is_absolute() ? written : fs::path(loaded_.file).parent_path() / written).lexically_normal().string();
    const std::string path = seen_from(files_.main.file, file);
    if (auto again = std::find(files_.open.begin(), files_.open.end(), file); again != files_.open.end()) {
      std::string chain = path + " runs ";
      for (auto one = again + 1; one != files_.open.end(); ++one)
        chain += seen_from(files_.main.file, *one) + ", which runs ";
      chain += again + 1 == files_.open.end() ? "itself" : path;
      reading_.error("E305", node.at, node.text.size(), "a recursion: " + chain,
                     "what is done again and again is a for_each");
      return nullptr;
    }
    if (files_.open.size() > kDeepestFile) return too_deep(node);
    auto known = files_.known.find(file);
    if (known == files_.known.end()) known = files_.known.emplace(file, read_child(node, file, path)).first;
    const Files::Known& child = known->second;
    if (!child.trouble.empty())
      reading_.error("E305", node.at, node.text.size(), fmt::format("sub-workflow {} {}", path, child.trouble));
    if (!child.definition) return nullptr;
    if (files_.open.size() + child.definition->depth > kDeepestFile) return too_deep(node);
    loaded_.depth = std::max(loaded_.depth, child.definition->depth + 1);
    reading_.count_steps(child.definition->steps, node.at, node.text.size());
    return child.definition;
  }

  Definition* too_deep(const Node& node) {
    reading_.error("E008", node.at, node.text.size(),
                   fmt::format("sub-workflows are nested more than {} deep", kDeepestFile));
    return nullptr;
  }

  /// Reads the file for the first time. What can not be read at all is said here, of what is wrong in it the trouble.
  Files::Known read_child(const Node& node, const std::string& file, const std::string& path) {
    std::optional<std::string> text = text_of(node, file, path);
    if (!text) return {nullptr, ""};
    namespace fs = std::filesystem;
    Diagnostics found({(fs::path(files_.shown).parent_path() / path).lexically_normal().string(), *text});
    auto definition = std::make_unique<Definition>();
    definition->path = path;
    if (std::optional<Node> root = read_yaml(found)) {
      files_.open.push_back(file);
      Loader(file, *root, *definition, found, files_).read(Lints::No);
      files_.open.pop_back();
    }
    std::string trouble;
    if (!found.ok())
      trouble = fmt::format("is not valid ({} {})", found.errors(), found.errors() == 1 ? "error" : "errors");
    bool good = found.ok();
    reading_.diagnostics.include(std::move(found));
    if (!good) return {nullptr, trouble};
    // Who moves the main file's folder moves along what is in it.
    const std::string inside = fs::path(definition->folder).lexically_relative(files_.main.folder).string();
    if (!inside.empty() && inside.substr(0, 2) != "..") definition->folder = inside;
    const std::vector<Signal>& signals = definition->workflow.signals;
    reading_.signals.insert(reading_.signals.end(), signals.begin(), signals.end());
    files_.main.sources[path] = std::move(*text);
    files_.main.children.push_back(std::move(definition));
    return {files_.main.children.back().get(), ""};
  }

  std::optional<std::string> text_of(const Node& node, const std::string& file, const std::string& path) {
    auto refuse = [&](std::string message, std::string suggestion = "") {
      reading_.error("E305", node.at, node.text.size(), std::move(message), std::move(suggestion));
      return std::nullopt;
    };
    if (files_.frozen) {
      auto text = files_.frozen->find(path);
      return text == files_.frozen->end() ? refuse(fmt::format("the text of {} is not kept with the run", path))
                                          : std::optional(text->second);
    }
    std::error_code error;
    if (!std::filesystem::exists(file, error)) {
      std::string near = nearest_file(file);
      if (!near.empty()) near = "did you mean `" + near + "`?";
      if (std::filesystem::exists(std::filesystem::path(reading_.folder) / node.text, error))
        near = "it is looked for from the folder of this file, not from `cwd`";
      return refuse(fmt::format("there is no file {}", file), near);
    }
    try {
      return read_file(file, false);
    } catch (const Error& trouble) {
      return refuse(trouble.what());
    }
  }

  const Node& root_;
  Definition& loaded_;
  Reading reading_;
  Files& files_;
  std::set<std::string> ignored_;
  bool usable_ = true;  ///< the schema of the input that is being read
};

}  // namespace

std::optional<Loaded> load(const std::string& file, Diagnostics& diagnostics, Jq* jq, Lints lints, bool for_questions,
                           const Texts* frozen) {
  std::optional<Node> root = read_yaml(diagnostics);
  if (!root) return std::nullopt;
  Loaded loaded;
  loaded.text = diagnostics.source().text;
  std::error_code error;
  std::string absolute = std::filesystem::absolute(file, error).lexically_normal().string();
  if (error) absolute = file;
  Files files{loaded, diagnostics.source().name, jq, for_questions, frozen, {absolute}, {}};
  Loader(absolute, *root, loaded, diagnostics, files).read(lints);
  if (!diagnostics.ok()) return std::nullopt;
  return loaded;
}

std::string read_file(const std::string& file, bool pipes) {
  ReadRules rules;
  rules.pipes = pipes;
  rules.most = kLargestFile;
  FileText found = read_named_file(file, rules);
  // What is too long is for the reader to say.
  if (!found.trouble.empty() && found.text.size() <= rules.most)
    throw Error(Problem::Usage, fmt::format("cannot read {}: {}", file, found.trouble));
  return std::move(found.text);
}

}  // namespace flowrun
