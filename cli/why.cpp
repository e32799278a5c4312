// flowrun why: how a step came to stand as it does, and what would change that.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "cli/entry_text.h"
#include "cli/last_words.h"
#include "cli/questions.h"
#include "cli/render.h"
#include "cli/report/past_run.h"
#include "cli/runs.h"
#include "engine/model/entry_reading.h"
#include "engine/model/path.h"
#include "engine/run/load.h"
#include "engine/run/replay.h"
#include "engine/run/step_paths.h"

namespace flowrun::cli {
namespace {

constexpr std::size_t kMostEntries = 20;
constexpr std::size_t kMostCauses = 8;
constexpr std::size_t kLastLines = 5;

/// Why steps are cancelled, as the journal says it, and in words. {} is the group that the step stands in.
struct Reason {
  const char* word;
  const char* text;
  const char* change;
};
constexpr std::array kReasons = {
    Reason{"lost", "{} was decided without it", ""},
    Reason{"fail_fast", "something else in {} had failed, and `fail_fast: true` cancels what runs",
           "`fail_fast: false` or -k lets the others go on"},
    Reason{"drain", "something else in {} had failed, and nothing new is begun then",
           "`fail_fast: false` or -k begins the others all the same"},
    Reason{"timeout", "its `timeout` was over", "a longer `timeout`, or `retry`"},
    Reason{"deadline", "its `deadline` was over", "a longer `deadline`"},
    Reason{"cancelled", "what it stands in was cancelled", ""},
    Reason{"suspend", "the run was being suspended", ""},
};

/// A run, and one step of it in words.
class Explanation {
 public:
  Explanation(const Journal& journal, PastRun run) : journal_(journal), run_(std::move(run)) {}

  std::string of(const std::string& path) {
    const StepHistory* step = run_.history.find(path);
    const State state = step ? step->state : State::Pending;
    const std::string place = run_.place_of(path);
    std::string text = fmt::format("{}  {}{}\n", path, step && step->undone ? "undone" : to_string(state),
                                   place.empty() ? "" : "  " + place);
    because(path, "  ", text);
    for (const std::string& change : changes_) text += "change: " + change + "\n";
    return text;
  }

 private:
  /// The group around the step at |path| as people call it.
  std::string around(const std::string& path) const {
    const std::string above = path_above(path);
    return above.empty() ? "the run" : above;
  }

  /// The live path of the step in row |from| that the step at |path| waits for: it stands beside it.
  std::string beside(const std::string& path, const OutlineRow& from) const {
    const std::string above = path_above(path);
    return above.empty() ? from.path : child_path(above, from.path.substr(from.path.rfind('/') + 1));
  }

  void because(const std::string& path, const std::string& indent, std::string& text) {
    if (!told_.insert(path).second || told_.size() > kMostCauses) return;
    const StepHistory* step = run_.history.find(path);
    const auto say = [&](const std::string& line) { text += indent + line + "\n"; };
    if (!step || step->state == State::Pending) return not_begun(path, step, indent, text);
    switch (step->state) {
      case State::Skipped: {
        const OutlineRow* row = run_.row_of(path);
        if (step->reason == "if" && row && !row->condition.empty()) {
          say("its `if` was false: " + row->condition);
        } else {
          say("because of " + (step->reason.empty() ? "its group" : step->reason));
        }
        break;
      }
      case State::Blocked:
        blocked(path, *step, indent, text);
        break;
      case State::Cancelled:
        cancelled(path, *step, indent, text);
        break;
      case State::Failed:
        failed(path, *step, indent, text);
        break;
      case State::Waiting:
        say(fmt::format("it waits for the signal `{}`{}", step->signal,
                        step->due ? ", at most until " + clock_text(*step->due) : ""));
        change(answer_command(journal_.path(), run_.record.id, path, step->signal, answers()));
        break;
      case State::Sleeping:
        say(fmt::format("it sleeps until {}", step->due ? clock_text(*step->due) : "then"));
        break;
      case State::Retrying:
        say(fmt::format("try {} {}; the next is at {}", step->attempts,
                        step->failure ? "failed with " + step->failure->type : "brought not yet what it polls for",
                        step->due ? clock_text(*step->due) : "then"));
        break;
      case State::Running:
        say(fmt::format("it runs since {}", clock_text(step->started_at)));
        break;
      default:
        succeeded(path, *step, indent, text);
    }
    if (step->rerun) say("its try before was cut off, and nobody knows how far it had got: so it ran again");
    if (step->queued > Duration{100}) say(fmt::format("it waited {} in line for a slot", for_people(step->queued)));
  }

  void not_begun(const std::string& path, const StepHistory* step, const std::string& indent, std::string& text) {
    if (step && !step->reason.empty()) text += indent + step->reason + "\n";
    const OutlineRow* row = run_.row_of(path);
    bool waits = false;
    // The row of an item is that of its group, which has begun or says why not.
    if (row && !path.ends_with(']')) {
      for (const OutlineEdge& edge : row->edges) {
        const std::string other = beside(path, run_.rows[edge.from]);
        const StepHistory* found = run_.history.find(other);
        if (found && is_terminal(found->state)) continue;
        waits = true;
        text += fmt::format("{}it waits for {}{}, because of {} in line {}\n", indent, other,
                            found ? fmt::format(" ({})", to_string(found->state)) : "", edge.because, edge.line);
        because(other, indent + "  ", text);
      }
    }
    if (waits) return;
    const std::string above = path_above(path);
    if (!above.empty() && !run_.history.find(above) && told_.count(above) == 0) {
      text += fmt::format("{}it stands in {}\n", indent, above);
      because(above, indent + "  ", text);
    } else if (!has_ended(run_.record.state) && run_.record.driver_pid == 0) {
      text += indent + "nobody drives the run\n";
      change(typed_command({"resume", run_.record.id}, journal_.path()));
    } else if (has_ended(run_.record.state)) {
      text += indent + "the run ended before its turn came\n";
      change(typed_command({"retry", run_.record.id}, journal_.path()));
    } else {
      text += indent + "nothing it waits for is left: it is in line for a slot, or about to begin\n";
    }
  }

  void blocked(const std::string& path, const StepHistory& step, const std::string& indent, std::string& text) {
    bool told = false;
    if (const OutlineRow* row = run_.row_of(path)) {
      for (const OutlineEdge& edge : row->edges) {
        const std::string other = beside(path, run_.rows[edge.from]);
        const StepHistory* found = run_.history.find(other);
        if (!edge.success || !found || found->state == State::Succeeded || found->state == State::Skipped) continue;
        told = true;
        text += fmt::format("{}it needs {}, which is {}: {} in line {}\n", indent, other, to_string(found->state),
                            edge.because, edge.line);
        because(other, indent + "  ", text);
      }
    }
    if (!told) text += indent + step.reason + "\n";
    if (has_ended(run_.record.state)) change(typed_command({"retry", run_.record.id}, journal_.path()));
    change("`continue_on_error: true` or `fallback` at what has failed, or `after` instead of `needs`");
  }

  void cancelled(const std::string& path, const StepHistory& step, const std::string& indent, std::string& text) {
    const auto known = std::find_if(kReasons.begin(), kReasons.end(),
                                    [&](const Reason& one) { return reason_of(path, step) == one.word; });
    if (known == kReasons.end()) {
      text += indent + (step.reason.empty() ? "what it stands in was cancelled" : step.reason) + "\n";
      return;
    }
    text += indent + fmt::format(fmt::runtime(known->text), around(path)) + "\n";
    if (*known->change != '\0') change(known->change);
    // Who decided it: beside it, the first that succeeded, or failed.
    const State wanted = std::string_view(known->word) == "lost" ? State::Succeeded : State::Failed;
    const StepHistory* first = nullptr;
    for (const StepHistory& other : run_.history.steps())
      if (other.path != path && other.state == wanted && path_above(other.path) == path_above(path) &&
          (!first || other.ended_at < first->ended_at))
        first = &other;
    if (!first) return;
    text += fmt::format("{}{} {} at {}\n", indent, first->path, to_string(first->state), clock_text(first->ended_at));
    if (wanted == State::Failed) because(first->path, indent + "  ", text);
  }

  /// A step in flight is cancelled by an entry that says why.
  std::string reason_of(const std::string& path, const StepHistory& step) const {
    if (!step.reason.empty()) return step.reason;
    const auto stop = stops_.find(path);
    return stop == stops_.end() ? "" : stop->second;
  }

  void failed(const std::string& path, const StepHistory& step, const std::string& indent, std::string& text) {
    if (step.failure) {
      text += fmt::format("{}{}: {}\n", indent, step.failure->type, one_line(step.failure->message, 200));
      text += own_words(*step.failure, kLastLines, indent);
      if (!step.failure->step.empty() && step.failure->step != path) because(step.failure->step, indent + "  ", text);
    }
    std::string before;
    for (const PastAttempt& attempt : run_.attempts)
      if (attempt.path == path && attempt.number < step.attempts && !attempt.ok)
        before += fmt::format("{}{}: {}", before.empty() ? "" : ", ", attempt.number, attempt.error);
    if (!before.empty()) text += fmt::format("{}tries before: {}\n", indent, before);
    if (has_ended(run_.record.state)) change(typed_command({"retry", run_.record.id, path}, journal_.path()));
  }

  void succeeded(const std::string& path, const StepHistory& step, const std::string& indent, std::string& text) {
    if (step.reason == "fallback") {
      text += fmt::format("{}it failed, and its `fallback` stands in for it\n", indent);
    } else if (step.attempts > 1) {
      text += fmt::format("{}at try {}\n", indent, step.attempts);
    } else if (taken_.count(path) > 0) {
      text += fmt::format("{}its result was taken over from the run that this one is a fork of\n", indent);
    } else {
      text += fmt::format("{}nothing kept it from that{}\n", indent,
                          step.attempts > 0 ? ": one try of " + for_people(step.took) : "");
    }
  }

  void change(const std::string& what) {
    if (std::find(changes_.begin(), changes_.end(), what) == changes_.end()) changes_.push_back(what);
  }

  AnswerData answers() const {
    try {
      return answer_data(own_copy(journal_, run_.record).workflow.signals);
    } catch (const Error&) {
      return {};
    }
  }

 public:
  /// Notes what the history does not keep.
  void note(const Entry& entry) {
    if (entry.kind == EntryKind::StopTask) stops_[entry.path] = as<StopTask>(entry).reason;
    if (entry.kind == EntryKind::TaskEnded && as<TaskEnded>(entry).result.taken) taken_.insert(entry.path);
  }

 private:
  const Journal& journal_;
  PastRun run_;
  std::set<std::string> told_, taken_;
  std::map<std::string, std::string> stops_;  ///< by path: the newest reason
  std::vector<std::string> changes_;
};

struct WhyOptions {
  std::string run, step;
};

int why(const Context& context, const WhyOptions& options) {
  Journal journal(journal_path(context.journal), Journal::Mode::ReadOnly);
  // `why STEP` is of the newest run, `why RUN STEP` of that one.
  const bool one = options.step.empty();
  const RunRecord run = looked_at(journal, one ? "" : options.run);
  const std::string path = known_step(journal, run, one ? options.run : options.step);
  Explanation explanation(journal, past_run(journal, run));
  std::vector<std::string> rows;
  for (const Entry& entry : entries(journal, run)) {
    explanation.note(entry);
    if (entry.path != path) continue;
    const EntryLine line = describe(entry, false);
    rows.push_back(fmt::format("{:>6}  {}  {:<10} {}", entry.seq, clock_text(entry.at), line.what, line.detail));
  }
  std::string text = fmt::format("{}  {}\n", run.id, to_string(run.state)) + explanation.of(path);
  if (!rows.empty()) text += "entries:\n";
  const std::size_t hidden = rows.size() > kMostEntries ? rows.size() - kMostEntries : 0;
  if (hidden > 0) text += fmt::format("        {} before; journal show --step has all\n", hidden);
  for (std::size_t i = hidden; i < rows.size(); ++i) text += rows[i] + "\n";
  print_view(text);
  return 0;
}

}  // namespace

void add_why(Command& app, Context& context) {
  auto options = std::make_shared<WhyOptions>();
  Command* command = app.add_subcommand("why", "Why a step stands as it does, and what would change that");
  command->add_option("RUN", options->run, "The run; the newest when only a step is named")->required();
  command->add_option("STEP", options->step, "Path of the step");
  command->callback([&context, options] { context.chosen = [&context, options] { return why(context, *options); }; });
}

}  // namespace flowrun::cli
