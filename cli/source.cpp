#include "cli/source.h"

#include <cstdio>

#include "cli/runs.h"
#include "engine/journal/typed_command.h"

namespace flowrun::cli {

void add_server_option(Command& command, std::string& on) {
  command.add_option("--on", on, "A run on this server: restate=URL[,admin=URL]")->type_name("PLACE");
}

RunSource::RunSource(const Context& context, const std::string& on, const std::string& run) : run_(run) {
  if (on.empty()) {
    path_ = journal_path(context.journal);
    return;
  }
  copy_ = std::make_unique<DetachedCopy>(DetachedServer::at(on, "--on"), run);
  path_ = copy_->path();
  tell_of_copy(path_, {"--on", on});
  run_ = copy_->id();
  tell_trouble(context, *copy_);
}

void tell_trouble(const Context& context, const DetachedCopy& copy) {
  const std::string trouble = copy.trouble();
  if (!trouble.empty() && !context.quiet)
    std::fprintf(stderr, "note: run %s does not go on now: %s\n", copy.id().c_str(), trouble.c_str());
}

void look_again(const Context& context, DetachedCopy& copy, std::string& told) {
  std::string trouble;
  try {
    copy.refresh();
    trouble = copy.trouble();
  } catch (const Error& error) {
    // A server that is started again is no end of the run.
    if (error.problem() != Problem::Impossible) throw;
    trouble = error.what();
  }
  if (trouble == told) return;
  told = trouble;
  if (!trouble.empty() && !context.quiet)
    std::fprintf(stderr, "note: run %s does not go on now: %s\n", copy.id().c_str(), trouble.c_str());
}

}  // namespace flowrun::cli
