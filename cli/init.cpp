// flowrun init: a workflow to begin with, and a journal for this folder.
#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <vector>

#include "cli/render.h"
#include "cli/report.h"
#include "cli/runs.h"
#include "cli/templates.h"
#include "engine/model/diagnostics.h"
#include "engine/model/error.h"

namespace flowrun::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnd = ".yaml";
constexpr std::string_view kParts = "parts/";
constexpr std::string_view kTour = "workflows/";
constexpr const char* kFirst = "hello";

struct InitOptions {
  std::string name;
  bool list = false, local = false, force = false;
};

std::string name_of(const Template& one) { return std::string(one.name.substr(0, one.name.size() - kEnd.size())); }

/// The first sentence of the comment that a file begins with.
std::string about(const Template& one) {
  std::string text;
  for (std::string_view left = one.text; left.starts_with("#");) {
    const std::size_t end = left.find('\n');
    std::string_view line = left.substr(1, end - 1);
    if (line.empty()) break;
    text += line;
    left.remove_prefix(end + 1);
  }
  text.erase(0, text.find_first_not_of(' '));
  text = text.substr(0, text.find(". "));
  if (text.ends_with('.')) text.pop_back();
  return text;
}

const Template* find_template(const std::string& name) {
  for (const Template& one : templates())
    if (one.name == name + std::string(kEnd) && !one.name.starts_with(kParts)) return &one;
  return nullptr;
}

/// |one| and the files that it runs as steps.
std::vector<const Template*> with_parts(const Template& one) {
  std::vector<const Template*> all{&one};
  for (const Template& part : templates())
    if (part.name.starts_with(kParts) && one.text.find(part.name) != std::string_view::npos) all.push_back(&part);
  return all;
}

int init(const Context& context, const InitOptions& options) {
  if (options.list) {
    std::vector<std::vector<std::string>> rows;
    for (const Template& one : templates())
      if (!one.name.starts_with(kParts)) rows.push_back({name_of(one), about(one)});
    print_view(table(rows));
    return 0;
  }
  if (options.local) {
    const std::string file = fs::absolute(".flowrun/journal.db").string();
    Journal journal(file, Journal::Mode::Create);
    if (!context.quiet) std::fprintf(stderr, "%s is the journal of this folder and those below\n", file.c_str());
    if (options.name.empty()) return 0;
  }
  const std::string name = options.name.empty() ? kFirst : options.name;
  const Template* wanted = find_template(name);
  if (!wanted) {
    std::vector<std::string> names;
    for (const Template& one : templates())
      if (!one.name.starts_with(kParts)) names.push_back(name_of(one));
    const std::string near = nearest(name, names);
    throw Error(Problem::Usage, fmt::format("no template `{}`{}", name,
                                            near.empty() ? "; flowrun init --list shows those there are"
                                                         : "; did you mean `" + near + "`?"));
  }
  const std::vector<const Template*> files = with_parts(*wanted);
  for (const Template* file : files)
    if (!options.force && fs::symlink_status(std::string(file->name)).type() != fs::file_type::not_found)
      throw Error(Problem::Usage,
                  fmt::format("{} is there already and was left as it is; --force writes over it", file->name));
  for (const Template* file : files) {
    const std::string path(file->name);
    if (path.starts_with(kParts)) fs::create_directory("parts");
    // Its comments name it as it stands in the tour.
    std::string text(file->text);
    for (std::size_t at; (at = text.find(kTour)) != std::string::npos;) text.erase(at, kTour.size());
    write_report(path, text);
    print_result(path + "\n");
  }
  if (!context.quiet) {
    const std::string file(wanted->name);
    if (wanted->text.find("http://127.0.0.1:") != std::string_view::npos)
      std::fprintf(stderr, "it calls the sample shop; start that beside it: flowrun-shop &\n");
    std::fprintf(stderr, "check it:  flowrun validate %s\nrun it:    flowrun run %s\n", file.c_str(), file.c_str());
  }
  return 0;
}

}  // namespace

void add_init(Command& app, Context& context) {
  auto options = std::make_shared<InitOptions>();
  Command* command = app.add_subcommand("init", "Write a workflow to begin with");
  command->add_option("TEMPLATE", options->name, "Which one; hello when left out");
  command->add_flag("--list", options->list, "Show the templates");
  command->add_flag("--local", options->local, "Make .flowrun/journal.db, the journal of this folder and those below");
  command->add_flag("--force", options->force, "Write over files that are there");
  command->callback([&context, options] { context.chosen = [&context, options] { return init(context, *options); }; });
}

}  // namespace flowrun::cli
