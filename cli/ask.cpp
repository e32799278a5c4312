#include "cli/ask.h"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "cli/render.h"
#include "engine/journal/typed_command.h"
#include "engine/run/clocks.h"

namespace flowrun::cli {
namespace {

std::string ago(Instant at) { return to_display(wall_clock() - at); }

const char* how_it_ended(const OpenQuestion& question) {
  return question.interrupted ? "stopped when the run was suspended" : "running when the run was cut off";
}

}  // namespace

std::optional<std::vector<Mark>> ask(const std::vector<OpenQuestion>& questions, const std::function<bool()>& stop) {
  if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) return std::nullopt;
  std::vector<Mark> marks;
  for (const OpenQuestion& question : questions) {
    for (;;) {
      std::fprintf(stderr, "step %s was %s (attempt %d, started %s, %s ago). [r]erun / mark as [d]one / [f]ail? ",
                   question.path.c_str(), how_it_ended(question), question.attempt,
                   clock_text(question.started_at).c_str(), ago(question.started_at).c_str());
      std::string answer;
      if (!std::getline(std::cin, answer)) {
        if (stop()) throw Interrupted("stopped while it was asked; nothing was started");
        return std::nullopt;
      }
      if (answer == "r") {
        marks.push_back({question.path, false, true, {}});
      } else if (answer == "f") {
        marks.push_back({question.path, false, false, {}});
      } else if (answer == "d") {
        std::fprintf(stderr, "output as JSON, or nothing for null: ");
        std::string output;
        std::getline(std::cin, output);
        Json json = output.empty() ? Json() : Json::parse(output, nullptr, false);
        if (json.is_discarded()) {
          std::fprintf(stderr, "that is no JSON\n");
          continue;
        }
        marks.push_back({question.path, true, false, Value(json)});
      } else {
        continue;
      }
      break;
    }
  }
  return marks;
}

Error unanswered(const std::vector<OpenQuestion>& questions, const std::string& journal, const std::string& run) {
  std::string text;
  auto resume = [&](const std::string& option, const std::string& value) {
    return typed_command({"resume", run, option, value}, journal);
  };
  for (const OpenQuestion& question : questions) {
    text += fmt::format("step {} was {} (attempt {}, started {}), and says `on_crash: ask`\n", question.path,
                        how_it_ended(question), question.attempt, date_text(question.started_at));
  }
  text += fmt::format("   run again:     {}\n", resume("--on-crash", "rerun"));
  text += fmt::format("   fail:          {}\n", resume("--on-crash", "fail"));
  for (const OpenQuestion& question : questions) {
    text += fmt::format("   it was done:   {}\n", resume("--mark", question.path + "=done:JSON"));
    text += fmt::format("   it had failed: {}\n", resume("--mark", question.path + "=failed"));
  }
  return Error(Problem::NeedsDecision, text.substr(0, text.size() - 1));
}

}  // namespace flowrun::cli
