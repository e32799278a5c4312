#include "engine/run/view.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "engine/expression/references.h"
#include "engine/journal/entry_look.h"
#include "engine/journal/typed_command.h"
#include "engine/jq/jq.h"
#include "engine/machine/machine_view.h"
#include "engine/model/diagnostics.h"
#include "engine/model/entry_reading.h"
#include "engine/model/path.h"
#include "engine/run/step_paths.h"

namespace flowrun {
namespace {

Failure unknown(std::string message) { return {"expression", std::move(message)}; }

/// The newest attempt of a step that has ended.
struct Attempt {
  Entry start;
  std::optional<Entry> end;
};

/// `.` of an attempt. Steps that nothing asks for more than their output keep no more of it.
/// A page is kept as its output.
std::optional<Value> raw_of(const Attempt& attempt) {
  return reading(attempt.start, [&]() -> std::optional<Value> {
    const auto ended = as<TaskEnded>(*attempt.end);
    const Result& result = ended.result;
    if (result.failure) {
      const Json& detail = result.failure->detail.json();
      return detail.is_object() && detail.contains("http") ? Value(detail.at("http")) : result.failure->detail;
    }
    if (result.page > 0) return std::nullopt;
    if (as<StartTask>(attempt.start).task.keep_raw) return result.value;
    Json raw{{"attempt", ended.attempt}, {"duration_ms", result.took.count()}};
    if (result.code >= 100) {
      raw["status"] = result.code;
      raw["body"] = result.value.json();
    } else {
      raw["exit_code"] = result.code;
      raw["value"] = result.value.json();
    }
    return Value(std::move(raw));
  });
}

Settled settled_from(const StepHistory& step) {
  Settled settled;
  settled.state = step.state;
  settled.attempts = step.attempts;
  settled.started_at = step.started_at;
  settled.ended_at = step.ended_at;
  settled.took = step.took;
  settled.output = step.output;
  if (step.failure) settled.failure = std::make_shared<const Failure>(*step.failure);
  return settled;
}

}  // namespace

namespace {

/// Secrets are not read for those who only look.
Json concealed_secrets(const Loaded& loaded) {
  Json secrets = Json::object();
  for (const SecretSource& source : loaded.secrets) secrets[source.name] = "***";
  return secrets;
}

Failure no_member(const std::string& variable, const std::string& member, const Json& known) {
  std::vector<std::string> names;
  for (const auto& [name, value] : known.items()) names.push_back(name);
  const std::string near = nearest(member, names);
  return unknown(fmt::format(
      "there is no ${}.{}; {}", variable, member,
      !near.empty()   ? "did you mean `" + near + "`?"
      : names.empty() ? "there is none"
                      : fmt::format("there {} {}", names.size() == 1 ? "is only" : "are", fmt::join(names, ", "))));
}

Fallible<Value> secret_from(const Json& secrets, const std::string& name) {
  if (name.empty()) return Value(secrets);
  if (!secrets.contains(name)) return no_member("secrets", name, secrets);
  return Value(secrets[name]);
}

}  // namespace

Evaluation evaluate(const Expression& expression, const Scope& view, Evaluator& evaluator) {
  for (const Reference& reference : expression.references()) {
    if (reference.member.empty() || (reference.variable != "input" && reference.variable != "vars")) continue;
    auto found = view.lookup(reference);
    if (auto* failure = std::get_if<Failure>(&found)) return std::move(*failure);
    const Json& known = std::get<Value>(found).json();
    if (known.is_object() && !known.contains(reference.member))
      return no_member(reference.variable, reference.member, known);
  }
  return expression.evaluate(view, evaluator);
}

Evaluation evaluate(const Expression& expression, const RunView& view, Evaluator& evaluator) {
  const Use* path = expression.plain_path();
  if (path && view.is_secret(path->reference)) return concealed_output();
  return evaluate(expression, static_cast<const Scope&>(view), evaluator);
}

Fallible<Value> FileView::lookup(const Reference& reference) const {
  const std::string& variable = reference.variable;
  if (variable == "secrets") return secret_from(concealed_secrets(loaded_), reference.member);
  if (variable == "input") {
    bool declared = std::any_of(loaded_.inputs.begin(), loaded_.inputs.end(),
                                [&](const InputSpec& input) { return input.name == reference.member; });
    if (declared && !inputs_.inputs.json().contains(reference.member))
      return unknown(fmt::format("input {0} is missing; give it by -i {0}=VALUE", reference.member));
    return inputs_.inputs;
  }
  if (variable == "vars") {
    bool declared = std::any_of(loaded_.vars.begin(), loaded_.vars.end(),
                                [&](const Var& var) { return var.name == reference.member; });
    if (declared && !inputs_.vars.json().contains(reference.member))
      return unknown(fmt::format("$vars.{} uses an input that is missing", reference.member));
    return inputs_.vars;
  }
  std::string name = variable == "." ? "`.`" : "$" + variable;
  return unknown(name + " is known of a run only; --run RUN names one");
}

RunView::RunView(const Journal& journal, const RunRecord& run, const Loaded& loaded, const History& history,
                 Evaluator& evaluator, std::string step)
    : history_(history), secrets_(concealed_secrets(loaded)), rows_(outline(loaded.workflow)), step_(std::move(step)) {
  Attempt newest;
  if (!step_.empty())
    for (Entry& entry : entries(journal, run)) {
      if (entry.path != step_) continue;
      if (entry.kind == EntryKind::StartTask)
        newest = {std::move(entry), std::nullopt};
      else if (entry.kind == EntryKind::TaskEnded && entry.attempt == newest.start.attempt)
        newest.end = std::move(entry);
    }
  ReplayOptions options;
  if (newest.end) {
    raw_ = raw_of(newest);
    options.until = newest.end->seq - 1;
  }
  replayed_ = replay(journal, run, loaded.workflow, evaluator, options);
  if (newest.end) frame_ = MachineView(*replayed_.machine).in_flight_at(step_);
  if (!raw_ && !step_.empty())
    if (auto known = settled(step_); known && known->state == State::Succeeded) raw_ = known->output;
}

std::optional<Settled> RunView::settled(const std::string& path) const {
  if (auto known = MachineView(*replayed_.machine).look(path)) return known;
  // What a group that has ended held is not kept by the machine, but in the journal.
  if (const StepHistory* step = history_.find(path)) return settled_from(*step);
  return std::nullopt;
}

std::string RunView::path_of(const Reference& reference) const {
  for (std::string around = step_; !around.empty();) {
    const std::size_t slash = around.rfind('/');
    around = slash == std::string::npos ? "" : around.substr(0, slash);
    if (std::string path = child_path(around, reference.member); settled(path)) return path;
  }
  return settled(reference.member) ? reference.member : "";
}

bool RunView::is_secret(const Reference& reference) const {
  if (reference.variable != "steps") return false;
  const std::string path = path_of(reference);
  const OutlineRow* row = path.empty() ? nullptr : find_row(rows_, path);
  return row && !row->secret.empty() && settled(path)->state == State::Succeeded;
}

Fallible<Value> RunView::lookup_step(const Reference& reference) const {
  const std::string path = path_of(reference);
  if (path.empty())
    return unknown(fmt::format("no step `{}` is seen {}", reference.member,
                               step_.empty() ? "at the top; --step PATH looks from within a group" : "from " + step_));
  const Settled known = *settled(path);
  return reference.variable == "steps" ? output_of(known, reference.member) : Value(status_json(known, reference));
}

Fallible<Value> RunView::lookup(const Reference& reference) const {
  if (reference.variable == ".") {
    if (raw_) return *raw_;
    return unknown(step_.empty() ? "`.` is the raw result of a step; --step PATH names one"
                                 : "the journal keeps no result of step " + step_);
  }
  if (reference.variable == "secrets") return secret_from(secrets_, reference.member);
  if (is_secret(reference)) return concealed_output();
  if (frame_) return FrameScope(*frame_).lookup(reference);
  if (reference.variable == "steps" || reference.variable == "status") return lookup_step(reference);
  if (auto bound = MachineView(*replayed_.machine).bind(reference)) return *std::move(bound);
  return unknown(fmt::format("${} is not known {}", reference.variable,
                             step_.empty() ? "at the top; --step PATH looks from within a step" : "in step " + step_));
}

std::optional<Value> written_output(const Journal& journal, const RunRecord& run, const std::string& path) {
  const std::vector<std::int64_t> numbers = EntryLook(journal, run).at(path);
  bool raw = false;
  std::optional<Value> output;
  for (std::int64_t number : numbers) {
    const std::vector<Entry> one = journal.read(run.number, number, 1);
    if (one.empty()) return std::nullopt;
    const Entry& entry = one.front();
    output.reset();
    switch (entry.kind) {
      case EntryKind::StartTask:
        raw = as<StartTask>(entry).task.keep_raw;
        break;
      case EntryKind::TaskEnded: {
        const Result result = as<TaskEnded>(entry).result;
        if (!result.failure && !result.again && result.page == 0 && !raw) output = entry.value;
        break;
      }
      case EntryKind::StepSettled:
        // A group keeps none here, and null is written like none.
        if (as<StepSettled>(entry).outcome.state == State::Succeeded && !entry.value.is_null()) output = entry.value;
        break;
      default:
        break;
    }
  }
  return output;
}

Value step_output(const Journal& journal, const RunRecord& run, const std::string& typed) {
  if (std::optional<Value> output = written_output(journal, run, typed)) return *std::move(output);
  return replayed_output(journal, run, typed);
}

Value replayed_output(const Journal& journal, const RunRecord& run, const std::string& typed) {
  const std::string path = known_step(journal, run, typed);
  History history = history_of(journal, run);
  // Groups keep no output in the journal, it follows from their children: the machine knows it.
  Loaded loaded = own_copy(journal, run, true);
  std::unique_ptr<Evaluator> evaluator = make_jq(loaded.programs);
  // Of what is inside a group that has succeeded it knows only what it is asked to keep.
  ReplayOptions options;
  options.foresight.paths.insert(path);
  Replayed replayed = replay(journal, run, loaded.workflow, *evaluator, options);
  if (auto settled = MachineView(*replayed.machine).look(path); settled && settled->state == State::Succeeded)
    return settled->output;
  const StepHistory* step = history.find(path);
  if (!step)
    throw Error(Problem::Impossible, fmt::format("step {} of run {} has not run; {} says why", path, run.id,
                                                 typed_command({"show", run.id}, journal.path())));
  if (step->state != State::Succeeded)
    throw Error(Problem::Impossible,
                fmt::format("step {} has no output: its state is {}", path, to_string(step->state)));
  // The outputs of groups are not in the journal, and of an undo the machine keeps nothing.
  for (const StepHistory& other : history.steps())
    if (other.path != path && is_below(other.path, path))
      throw Error(
          Problem::Impossible,
          fmt::format("the journal has no output of step {}, which is a group; it has that of {}", path, other.path));
  return step->output;
}

}  // namespace flowrun
