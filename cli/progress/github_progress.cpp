#include "cli/progress/github_progress.h"

#include <fmt/format.h>

#include <cstdlib>

#include "cli/terminal.h"
#include "engine/model/entry_reading.h"

namespace flowrun::cli {
namespace {

constexpr std::size_t kMostAnnotations = 10;  // that are kept of a step of a job, by each kind
constexpr std::size_t kAnnotationWidth = 300;

std::string escaped(std::string_view text, bool property) {
  std::string out;
  for (const char c : text) {
    if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ','))) {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string workflow_command(std::string_view name, const std::vector<std::pair<std::string, std::string>>& properties,
                             std::string_view text) {
  std::string command = fmt::format("::{}", name);
  for (const auto& [key, value] : properties)
    command += fmt::format("{}{}={}", &key == &properties.front().first ? " " : ",", key, escaped(value, true));
  return command + "::" + escaped(text, false) + "\n";
}

void GithubProgress::plan(std::vector<OutlineRow> rows, AnswerData answers, const std::string& file) {
  file_ = file;
  rows_ = rows;
  PlainProgress::plan(std::move(rows), std::move(answers), file);
}

void GithubProgress::entry(const Entry& entry) {
  if (!open_) {
    write_command(workflow_command("group", {}, file_.empty() ? "flowrun each" : "flowrun " + file_));
    open_ = true;
  }
  PlainProgress::entry(entry);
  switch (entry.kind) {
    case EntryKind::TaskEnded:
    case EntryKind::StepSettled: {
      if (entry.path.empty()) break;
      std::optional<Failure> failure;
      if (entry.kind == EntryKind::TaskEnded) {
        failure = as<TaskEnded>(entry).result.failure;
      } else {
        const auto settled = as<StepSettled>(entry);
        if (settled.outcome.state == State::Failed) failure = settled.outcome.failure;
        // A group is told by what failed in it.
        if (failure && !failure->step.empty() && failure->step != entry.path) break;
      }
      failed_.erase(entry.path);
      if (failure) failed_[entry.path] = failure->type + ": " + one_line(failure->message, kAnnotationWidth);
      break;
    }
    case EntryKind::StartTask:
      failed_.erase(entry.path);
      break;
    default:
      break;
  }
}

void GithubProgress::annotate(const std::string& path, const std::string& text, bool failed) const {
  std::vector<std::pair<std::string, std::string>> properties;
  if (const OutlineRow* row = file_.empty() ? nullptr : find_row(rows_, path)) {
    // As the repository knows it.
    const char* top = std::getenv("GITHUB_WORKSPACE");
    properties = {{"file", file_of(*row, file_, top ? top : "")}, {"line", std::to_string(row->origin.line)}};
  }
  properties.emplace_back("title", "step " + path);
  write_command(workflow_command(failed ? "error" : "warning", properties, text));
}

void GithubProgress::over() {
  PlainProgress::over();
  if (open_) write_command("::endgroup::\n");
  open_ = false;
}

void GithubProgress::closed(Instant now, const Closing& closing) {
  PlainProgress::closed(now, closing);
  // What failed in a run that has succeeded was tolerated.
  std::size_t told = 0;
  for (const auto& [path, text] : failed_) {
    if (++told > kMostAnnotations) break;
    annotate(path, text, closing.state != RunState::Succeeded);
  }
}

}  // namespace flowrun::cli
