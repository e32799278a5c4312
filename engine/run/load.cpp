#include "engine/run/load.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "engine/executor/named_file.h"
#include "engine/lint/lint.h"
#include "engine/model/error.h"
#include "engine/reader/file_reader.h"
#include "engine/steps/root.h"

namespace flowrun {
namespace {

// flowrun-workflow(5), "Limits"
constexpr std::int64_t kLargestFile = 4 << 20;
constexpr std::size_t kDeepestFile = 16;

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
      : root_(root),
        loaded_(loaded),
        is_main_(&loaded == static_cast<const Definition*>(&files.main)),
        files_(files),
        reader_(file, root, loaded, is_main_, files.main.secrets, diagnostics,
                [this](const Node& path) { return sub_workflow(path); }) {}

  void read(Lints lints) {
    if (!reader_.read(files_.for_questions)) return;
    Reading& reading = reader_.reading();
    FileIndex& index = reading.index();
    const std::set<std::string> ignored = ignored_lints(root_, reading);
    files_.main.http = files_.main.http || index.http;
    files_.main.memo = files_.main.memo || index.memo;
    files_.main.pools.merge(index.pools);
    for (const std::string& step : index.secret_outputs) files_.main.secret_outputs.push_back(step);
    loaded_.workflow.signals = std::move(index.signals);
    // One machine knows them all: those of the main file first.
    auto& limits = files_.main.workflow.limits;
    if (is_main_) limits.swap(index.limits);
    std::move(index.limits.begin(), index.limits.end(), std::back_inserter(limits));
    if (is_main_) files_.main.ignored_lints = ignored;
    loaded_.steps = index.steps;
    loaded_.raised = index.raised;
    programs();
    if (lints == Lints::Yes && reading.diagnostics().ok())
      lint(root_, dynamic_cast<const RootStep&>(*loaded_.workflow.root), index, ignored, reading.diagnostics());
  }

 private:
  void programs() {
    std::set<Program> asked_for;
    std::vector<Program> own;
    for (const JqUse& asked : reader_.reading().index().jq_uses) {
      Program program{asked.expression.code(), asked.strict};
      if (asked_for.insert(program).second) own.push_back(std::move(program));
    }
    std::vector<Program>& all = files_.main.programs;
    const std::set<Program> known(all.begin(), all.end());
    std::copy_if(own.begin(), own.end(), std::back_inserter(all),
                 [&](const Program& program) { return known.count(program) == 0; });
    if (!files_.jq) return;
    // What is no expression by itself has been told of, and could end those that jq compiles with it.
    if (!reader_.reading().diagnostics().ok())
      std::erase_if(own, [](const Program& program) { return !compiles(program.code); });
    std::vector<std::string> errors = files_.jq->check(own);
    std::map<Program, std::string> wrong;
    for (std::size_t i = 0; i < own.size(); ++i)
      if (!errors[i].empty()) wrong.emplace(own[i], errors[i]);
    if (wrong.empty()) return;
    for (const JqUse& asked : reader_.reading().index().jq_uses) {
      const Expression& expression = asked.expression;
      auto error = wrong.find({expression.code(), asked.strict});
      if (error == wrong.end()) continue;
      // `maap/1 is not defined`
      const std::string name = error->second.substr(0, error->second.find('/'));
      std::optional<Position> word = expression.word(name);
      reader_.reading().error("E201", word.value_or(expression.at()), word ? name.size() : expression.code().size(),
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
      reader_.reading().error("E305", node.at, node.text.size(), "a recursion: " + chain,
                              "what is done again and again is a for_each");
      return nullptr;
    }
    if (files_.open.size() > kDeepestFile) return too_deep(node);
    auto known = files_.known.find(file);
    if (known == files_.known.end()) known = files_.known.emplace(file, read_child(node, file, path)).first;
    const Files::Known& child = known->second;
    if (!child.trouble.empty())
      reader_.reading().error("E305", node.at, node.text.size(),
                              fmt::format("sub-workflow {} {}", path, child.trouble));
    if (!child.definition) return nullptr;
    if (files_.open.size() + child.definition->depth > kDeepestFile) return too_deep(node);
    loaded_.depth = std::max(loaded_.depth, child.definition->depth + 1);
    reader_.reading().count_steps(child.definition->steps, node.at, node.text.size());
    return child.definition;
  }

  Definition* too_deep(const Node& node) {
    reader_.reading().error("E008", node.at, node.text.size(),
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
    reader_.reading().diagnostics().include(std::move(found));
    if (!good) return {nullptr, trouble};
    // Who moves the main file's folder moves along what is in it.
    const std::string inside = fs::path(definition->folder).lexically_relative(files_.main.folder).string();
    if (!inside.empty() && inside.substr(0, 2) != "..") definition->folder = inside;
    const std::vector<Signal>& signals = definition->workflow.signals;
    reader_.reading().index().signals.insert(reader_.reading().index().signals.end(), signals.begin(), signals.end());
    files_.main.sources[path] = std::move(*text);
    files_.main.children.push_back(std::move(definition));
    return {files_.main.children.back().get(), ""};
  }

  std::optional<std::string> text_of(const Node& node, const std::string& file, const std::string& path) {
    auto refuse = [&](std::string message, std::string suggestion = "") {
      reader_.reading().error("E305", node.at, node.text.size(), std::move(message), std::move(suggestion));
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
      if (std::filesystem::exists(std::filesystem::path(reader_.reading().folder()) / node.text, error))
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
  const bool is_main_;
  Files& files_;
  FileReader reader_;
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
  if (error || file.empty()) absolute = file;  // empty: the text is in no file
  Files files{loaded, diagnostics.source().name, jq, for_questions, frozen, {absolute}, {}};
  Loader(absolute, *root, loaded, diagnostics, files).read(lints);
  if (!diagnostics.ok()) return std::nullopt;
  return loaded;
}

std::string shown_file(const std::string& file) { return file == "-" ? "standard input" : file; }

bool was_piped(const std::string& file) { return std::filesystem::path(file).filename() == "-"; }

std::string read_file(const std::string& file, bool pipes) {
  ReadRules rules;
  rules.pipes = pipes;
  rules.most = kLargestFile;
  const bool from_stdin = pipes && file == "-";
  FileText found = from_stdin ? read_to_end(STDIN_FILENO, rules) : read_named_file(file, rules);
  // What is too long is for the reader to say.
  if (!found.trouble.empty() && found.text.size() <= rules.most)
    throw Error(Problem::Usage, fmt::format("cannot read {}: {}", shown_file(file), found.trouble));
  return std::move(found.text);
}

std::string read_given_file(const std::string& file, const std::string& option) {
  FileText found = read_named_file(file, {});
  if (!found.trouble.empty())
    throw Error(Problem::Usage, fmt::format("{}: cannot read {}: {}", option, file, found.trouble));
  return std::move(found.text);
}

}  // namespace flowrun
