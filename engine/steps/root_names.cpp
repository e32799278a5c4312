// What the expressions of a file see of its root: inputs, `vars`, `$run`, secrets, chance, and in handlers the steps.
#include <algorithm>

#include "engine/steps/root_frame.h"

namespace flowrun {

Frame::Bound RootFrame::bind(const Reference& reference) const {
  if (reference.variable == "input") return inputs_.inputs;
  if (reference.variable == "vars") return inputs_.vars;
  if (reference.variable == "run" && shows_run()) return Value(run_json());
  if (reference.variable == "secrets") return Value(secret(reference.member));
  if (reference.variable == "now")
    return Value(Json(std::chrono::duration_cast<std::chrono::seconds>(context().now().time_since_epoch()).count()));
  if (reference.variable == "uuid") return Value::string(context().chance().uuid(base_ + "\nuuid"));
  if (reference.variable == "random") return Value(Json(context().chance().uniform(base_ + "\nrandom")));
  if (stage_ == Stage::Body) return outside(reference);
  // Handlers see the steps; of one without success the output is null.
  if (reference.variable == "error") {
    auto error = failure();
    return error ? Value(to_json(*error)) : Value();
  }
  if (reference.variable == "steps" || reference.variable == "status") {
    Bound found = body_->bind(reference);
    if (reference.variable == "steps" && found && std::holds_alternative<Failure>(*found)) return Value();
    return found;
  }
  return outside(reference);
}

Json RootFrame::secret(const std::string& name) const {
  if (file_)
    if (auto given = file_->secret_inputs.find(name); given != file_->secret_inputs.end())
      return inputs_.secrets.at(given->second);
  const auto& secrets = context().run().secrets;
  bool absent = std::any_of(secrets.begin(), secrets.end(),
                            [&](const SecretMark& mark) { return mark.absent && mark.name == name; });
  return absent ? Json() : to_json(SecretText::secret(name));
}

Frame::Bound RootFrame::outside(const Reference& reference) const {
  if (!parent() || reference.variable == "run") return std::nullopt;
  return Failure{"expression", "$" + reference.variable + " is not bound in a sub-workflow"};
}

Json RootFrame::run_json() const {
  const RunStarted& run = context().run();
  return {{"id", run.id},
          {"name", run.name},
          {"dir", run.run_dir},
          {"host", run.host},
          {"state", to_string(stage_ == Stage::Body ? settled_.state : state())},
          {"started_at", timestamp(settled_.started_at)},
          {"elapsed_ms", (context().now() - settled_.started_at).count()},
          {"cpus", run.cpus},
          {"undone", context().undone().below(base_)},
          {"failed", verdict_.failure ? Json::array({verdict_.failure->step}) : Json::array()}};
}

}  // namespace flowrun
