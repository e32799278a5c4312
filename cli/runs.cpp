#include "cli/runs.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>

#include "cli/render.h"
#include "engine/executor/named_file.h"
#include "engine/journal/typed_command.h"
#include "engine/model/diagnostics.h"

namespace flowrun::cli {
namespace {

constexpr std::size_t kNamed = 5;  // of steps in one message

std::string ago(Instant at) {
  return for_people(std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()) - at);
}

void note_changed_file(const std::string& file, const std::string& text) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) {
    std::fprintf(stderr, "note: %s is gone; the run goes on with its own copy\n", file.c_str());
    return;
  }
  try {
    if (read_file(file, false) != text)
      std::fprintf(stderr, "note: %s has changed since; the run goes on with its own copy\n", file.c_str());
  } catch (const Error&) {
    // Not readable any more: the copy is all that is needed.
  }
}

const char* how_it_ended(const OpenQuestion& question) {
  return question.interrupted ? "stopped when the run was suspended" : "running when the run was cut off";
}

/// Asks a person about the steps that must not just run again. Returns false when nobody can be asked.
bool ask(const std::vector<OpenQuestion>& questions, ResumeOptions& options, bool no_input) {
  if (no_input || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) return false;
  for (const OpenQuestion& question : questions) {
    for (;;) {
      std::fprintf(stderr, "step %s was %s (attempt %d, started %s, %s ago). [r]erun / mark as [d]one / [f]ail? ",
                   question.path.c_str(), how_it_ended(question), question.attempt,
                   clock_text(question.started_at).c_str(), ago(question.started_at).c_str());
      std::string answer;
      if (!std::getline(std::cin, answer)) {
        if (Drive::stop_asked()) throw Interrupted("stopped while it was asked; nothing was started");
        return false;
      }
      if (answer == "r") {
        options.marks.push_back({question.path, false, true, {}});
      } else if (answer == "f") {
        options.marks.push_back({question.path, false, false, {}});
      } else if (answer == "d") {
        std::fprintf(stderr, "output as JSON, or nothing for null: ");
        std::string output;
        std::getline(std::cin, output);
        Json json = output.empty() ? Json() : Json::parse(output, nullptr, false);
        if (json.is_discarded()) {
          std::fprintf(stderr, "that is no JSON\n");
          continue;
        }
        options.marks.push_back({question.path, true, false, Value(json)});
      } else {
        continue;
      }
      break;
    }
  }
  return true;
}

void note_cut_off(const std::vector<Machine::InFlight>& cut_off, bool interrupted, const char* how) {
  std::size_t again = 0;
  std::string names;
  for (const Machine::InFlight& flight : cut_off)
    if (flight.interrupted == interrupted && ++again <= kNamed) names += " " + flight.path;
  if (again > 0)
    std::fprintf(stderr, "note: %zu %s %s:%s%s\n", again, again == 1 ? "step was" : "steps were", how, names.c_str(),
                 again > kNamed ? " ..." : "");
}

/// |drive| counts what the run has done already; what |machine| still waits for is asked again, unless it is null.
void catch_up(const Journal& journal, const RunRecord& record, Drive& drive, const Machine* machine) {
  const std::vector<std::string> awaiting = machine ? machine->awaiting_paths() : std::vector<std::string>{};
  std::map<std::string, Entry> questions;
  for (std::int64_t from = 1;;) {
    std::vector<Entry> slice = journal.read(record.number, from);
    if (slice.empty()) break;
    from = slice.back().seq + 1;
    for (Entry& entry : slice) {
      drive.catch_up(entry);
      if (!awaiting.empty() && entry.kind == "waiting") questions[entry.path] = std::move(entry);
    }
  }
  for (const std::string& path : awaiting)
    if (auto question = questions.find(path); question != questions.end()) drive.progress().entry(question->second);
}

[[noreturn]] void refuse_open(const std::vector<OpenQuestion>& questions, const Journal& journal,
                              const RunRecord& record) {
  std::string text;
  auto resume = [&](const std::string& option, const std::string& value) {
    return typed_command({"resume", record.id, option, value}, journal.path());
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
  throw Error(Problem::NeedsDecision, text.substr(0, text.size() - 1));
}

/// Gives marks the paths that the run has for what they name: only of what was cut off there is something to tell.
void place(std::vector<Mark>& marks, const std::vector<Machine::InFlight>& cut_off, const RunRecord& record) {
  for (Mark& mark : marks) {
    auto meant = std::find_if(cut_off.begin(), cut_off.end(), [&](const Machine::InFlight& flight) {
      return flight.path == mark.path || slashed(flight.path) == mark.path;
    });
    if (meant != cut_off.end()) {
      mark.path = meant->path;
      continue;
    }
    std::vector<std::string> paths;
    std::string all;
    for (const Machine::InFlight& flight : cut_off) {
      paths.push_back(flight.path);
      if (paths.size() <= kNamed) all += (all.empty() ? "" : ", ") + flight.path;
    }
    std::string near = nearest(mark.path, paths);
    throw Error(
        Problem::Impossible,
        fmt::format("--mark {}: this step was not in flight when run {} was last driven; {}", mark.path, record.id,
                    !near.empty()   ? "did you mean `" + near + "`?"
                    : paths.empty() ? "none was"
                                    : "these were: " + all + (paths.size() > kNamed ? ", ..." : "")));
  }
}

}  // namespace

Loaded load_or_throw(const std::string& file, Jq& jq, bool quiet, const char* consequence) {
  Diagnostics diagnostics({file, read_file(file)});
  std::optional<Loaded> loaded = load(file, diagnostics, &jq, quiet ? Lints::No : Lints::Yes);
  if (!loaded || !diagnostics.ok()) {
    throw Error(Problem::Invalid,
                fmt::format("{}{}: {}{}", diagnostics.text(), file, diagnostics.summary(), consequence));
  }
  if (diagnostics.warnings() > 0 && !quiet)
    std::fprintf(stderr, "%zu %s; %s\n", diagnostics.warnings(), diagnostics.warnings() == 1 ? "warning" : "warnings",
                 typed_command({"validate", file}).c_str());
  return std::move(*loaded);
}

Loaded load_own_copy(const Journal& journal, const RunRecord& record, bool for_questions) {
  return own_copy(journal, record, for_questions);
}

std::string ended_as(const std::string& state) { return state == "cancelled" ? "been cancelled" : state; }

std::string sender() {
  char host[256]{};
  gethostname(host, sizeof host - 1);
  const passwd* user = getpwuid(getuid());
  return fmt::format("{}@{}", user ? user->pw_name : std::to_string(getuid()), host);
}

void print_notes(const Run& run, const Context& context) {
  if (context.quiet) return;
  for (const std::string& note : run.notes()) std::fprintf(stderr, "%s\n", note.c_str());
}

OnCrash on_crash_option(const std::string& text) {
  if (text == "rerun") return OnCrash::Rerun;
  if (text == "fail") return OnCrash::Fail;
  return OnCrash::Default;
}

std::string read_input_file(const std::string& name, const std::string& option) {
  if (name == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  FileText found = read_named_file(name, {});
  if (!found.trouble.empty())
    throw Error(Problem::Usage, fmt::format("{}: cannot read {}: {}", option, name, found.trouble));
  return std::move(found.text);
}

RunRecord looked_at(const Journal& journal, const std::string& run) {
  return journal.find(run.empty() ? "@last" : run);
}

int go_on(Journal& journal, const RunRecord& record, const ResumeOptions& given, const Context& context,
          const DriveOptions& drive_options, Next next, const RetryOptions& retry) {
  Loaded loaded = load_own_copy(journal, record);
  note_changed_file(record.file, loaded.text);
  for (const auto& child : loaded.children) note_changed_file(child->file, loaded.sources.at(child->path));
  std::unique_ptr<Evaluator> evaluator = make_jq(loaded.programs);
  Drive drive(context, drive_options, journal, loaded);
  drive.progress().run(record.id);
  auto run = Run::take_over(journal, record, std::move(loaded), std::move(evaluator), drive.observer(),
                            next == Next::Retry ? &retry : nullptr, &Drive::stop_asked);
  ResumeOptions options = given;
  std::error_code gone;
  if (const std::string& folder = run->machine().run().folder;
      options.workdir.empty() && !std::filesystem::is_directory(folder, gone))
    throw Error(Problem::Impossible,
                fmt::format("the folder {} of run {} is gone; --workdir DIR names another", folder, record.id));
  bool ended = run->machine().phase() == Machine::Phase::Ended;
  if (!context.quiet && (ended || options.cancel)) catch_up(journal, record, drive, nullptr);
  if (ended && next == Next::Retry) {
    run->retry(retry);
    print_notes(*run, context);
    return drive.finish(*run);
  }
  if (ended && next == Next::Undo) {
    if (!run->machine().has_undos()) {
      std::fprintf(stderr, "nothing to undo: no step of run %s that has an `undo` is done and not undone\n",
                   record.id.c_str());
      return 0;
    }
    run->undo(sender());
    print_notes(*run, context);
    return drive.finish(*run, false);
  }
  if (options.cancel) {
    run->resume(options);
    print_notes(*run, context);
    return drive.finish(*run);
  }
  const std::vector<Machine::InFlight> cut_off = run->cut_off();
  place(options.marks, cut_off, record);
  auto questions = run->questions(options);
  if (!questions.empty() && !ask(questions, options, context.no_input)) refuse_open(questions, journal, record);
  if (!context.quiet) {
    std::fprintf(stderr, "run %s resumed\n", record.id.c_str());
    note_cut_off(cut_off, false, "in flight when the run was cut off");
    note_cut_off(cut_off, true, "stopped when the run was suspended");
    catch_up(journal, record, drive, &run->machine());
  }
  run->resume(options);
  print_notes(*run, context);
  for (const Leftover& leftover : run->leftovers())
    std::fprintf(stderr, "note: process %d of step %s (%s) %s\n", leftover.pid, leftover.step.c_str(),
                 one_line(leftover.command, 60).c_str(),
                 leftover.ended ? "was still running and has been ended"
                                : "still runs; its step had finished, so it is left alone");
  return drive.finish(*run);
}

}  // namespace flowrun::cli
