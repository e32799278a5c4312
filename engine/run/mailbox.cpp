#include "engine/run/mailbox.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/language/json_schema.h"
#include "engine/model/diagnostics.h"
#include "engine/run/step_paths.h"

namespace flowrun {
namespace {

Json data_of(const SignalReceived& signal) {
  Json data = Json::object();
  if (!signal.path.empty()) data["path"] = signal.path;
  if (signal.rejected)
    data["rejected"] = *signal.rejected;
  else
    data["data"] = signal.data.json();
  return data;
}

Json data_of(const CancelRequested& cancel) { return {{"undo", cancel.undo}, {"now", cancel.now}}; }

/// A wait whose date is over is decided, though nobody may have driven the run since.
bool is_open(const StepHistory& step, Instant now) {
  return step.state == State::Waiting && (!step.due || *step.due > now);
}

using Steps = std::vector<const StepHistory*>;

/// The steps that wait for |name|; for any signal when it is empty.
Steps waiting_steps(const History& history, const std::string& name, Instant now) {
  Steps found;
  for (const StepHistory& step : history.steps())
    if (is_open(step, now) && (name.empty() || step.signal == name)) found.push_back(&step);
  return found;
}

std::string listed(const Steps& steps) {
  std::string text;
  for (const StepHistory* step : steps)
    text += fmt::format("\n   {}  waits for {}{}", step->path, step->signal,
                        step->what.empty() ? "" : ": " + one_line(step->what, 80));
  return text;
}

/// The name in |options|, or that of the only signal that is waited for.
std::string chosen_name(const SignalOptions& options, const RunRecord& run, const History& history, Instant now) {
  if (!options.name.empty()) return options.name;
  const Steps waiting = waiting_steps(history, "", now);
  if (waiting.empty())
    throw Error(Problem::Impossible,
                fmt::format("no step of run {} waits for a signal now; an early one is sent by its name", run.id));
  for (const StepHistory* step : waiting)
    if (step->signal != waiting.front()->signal)
      throw Error(Problem::Impossible,
                  fmt::format("several signals are waited for in run {}; name one:{}", run.id, listed(waiting)));
  return waiting.front()->signal;
}

/// Throws when the workflow has no `wait` for |name|, or none that accepts the data.
void check_accepted(const std::string& name, const SignalOptions& options, const RunRecord& run,
                    const std::vector<Signal>& signals) {
  std::vector<std::string> names, errors;
  for (const Signal& signal : signals) {
    names.push_back(signal.name);
    if (signal.name != name) continue;
    if (options.rejected) return;
    const std::vector<std::string> refused = schema_errors(signal.accept, options.data);
    if (refused.empty()) return;
    errors.insert(errors.end(), refused.begin(), refused.end());
  }
  if (!errors.empty()) {
    std::string text = fmt::format("`{}` does not accept this data; nothing was sent", name);
    for (const std::string& error : errors) text += "\n   " + error;
    throw Error(Problem::Invalid, "error: " + text);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string near = nearest(name, names), all;
  for (const std::string& one : names) all += (all.empty() ? "" : ", ") + one;
  throw Error(Problem::Impossible, fmt::format("no step of run {} waits for `{}`; {}", run.id, name,
                                               names.empty()   ? "its workflow has no `wait`"
                                               : !near.empty() ? "did you mean `" + near + "`?"
                                                               : "it waits for " + all));
}

/// Throws when every step that waits for |name| has ended its wait and none can wait again. An item of a for_each and
/// a sub-workflow may: how many of them there will be is not known from the file.
void check_undecided(const std::string& name, const RunRecord& run, const Loaded& loaded, const History& history,
                     Instant now) {
  std::size_t decided = 0;
  std::string text;
  for (const StepHistory& step : history.steps()) {
    if (step.signal != name) continue;
    if (is_open(step, now) || !(is_terminal(step.state) || step.state == State::Waiting)) return;
    if (step.path.find('[') != std::string::npos) return;
    ++decided;
    std::string why = step.failure          ? step.failure->message
                      : step.reason.empty() ? "had its answer"
                                            : "cancelled: " + step.reason;
    text += fmt::format("\n   {}  {}", step.path, step.state == State::Waiting ? "its time is over" : why);
  }
  auto waits = std::count_if(loaded.workflow.signals.begin(), loaded.workflow.signals.end(),
                             [&](const Signal& signal) { return signal.name == name; });
  if (decided == 0 || static_cast<std::size_t>(waits) > decided || !loaded.children.empty()) return;
  throw Error(Problem::Impossible,
              fmt::format("no step of run {} waits for `{}` any more; nothing was sent{}", run.id, name, text));
}

/// The path of the step that is meant; empty: whichever waits.
std::string chosen_step(const std::string& name, const SignalOptions& options, const RunRecord& run,
                        const History& history, Instant now) {
  const Steps waiting = waiting_steps(history, name, now);
  if (options.step.empty()) {
    if (waiting.size() > 1)
      throw Error(Problem::Impossible, fmt::format("{} steps wait for `{}`; name one with --step:{}", waiting.size(),
                                                   name, listed(waiting)));
    return "";
  }
  std::string path = journal_spelling(options.step, history);
  const bool there =
      std::any_of(waiting.begin(), waiting.end(), [&](const StepHistory* step) { return step->path == path; });
  // While nobody waits for it the signal may be early.
  if (!there && !waiting.empty())
    throw Error(Problem::Impossible, fmt::format("step {} does not wait for `{}` in run {}; these do:{}", options.step,
                                                 name, run.id, listed(waiting)));
  return path;
}

}  // namespace

Journal::Mail to_mail(const MailRequest& request, Instant at) {
  Journal::Mail mail;
  mail.at = at;
  if (const auto* signal = std::get_if<SignalReceived>(&request)) {
    mail.kind = "signal";
    mail.name = signal->name;
    mail.sender = signal->by;
    mail.data = data_of(*signal).dump(-1, ' ', false, Json::error_handler_t::replace);
  } else if (const auto* cancel = std::get_if<CancelRequested>(&request)) {
    mail.kind = "cancel";
    mail.sender = cancel->by;
    mail.data = data_of(*cancel).dump();
  }
  return mail;
}

std::optional<MailRequest> request_of(const Journal::Mail& mail) try {
  const Json data = Json::parse(mail.data);
  if (mail.kind == "cancel") return CancelRequested{data.value("undo", false), data.value("now", false), mail.sender};
  if (mail.kind != "signal") return std::nullopt;
  SignalReceived signal;
  signal.name = mail.name;
  signal.path = data.value("path", "");
  signal.data = Value(data.value("data", Json()));
  signal.by = mail.sender;
  if (data.contains("rejected")) signal.rejected = data["rejected"].get<std::string>();
  return signal;
} catch (const Json::exception& error) {
  const std::string why = error.what();  // behind the number that the library has for it
  throw Corruption(fmt::format("message {} in the journal's mailbox is not as flowrun writes it: {}", mail.id,
                               why.substr(why.find(']') + 2)));
}

SignalReceived chosen_signal(const SignalOptions& options, const RunRecord& run, const Loaded& loaded,
                             const History& history, Instant now) {
  SignalReceived signal;
  signal.name = chosen_name(options, run, history, now);
  check_accepted(signal.name, options, run, loaded.workflow.signals);
  check_undecided(signal.name, run, loaded, history, now);
  signal.path = chosen_step(signal.name, options, run, history, now);
  signal.rejected = options.rejected;
  if (!options.rejected) signal.data = Value(options.data);
  return signal;
}

}  // namespace flowrun
