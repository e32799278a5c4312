#include "engine/steps/sub_workflow.h"

#include <fmt/format.h>

#include <utility>

#include "engine/language/json_schema.h"
#include "engine/machine/enclosure.h"
#include "engine/steps/outline.h"
#include "engine/steps/root.h"

namespace flowrun {
namespace {

Failure broken(const char* type, std::string message) { return {type, std::move(message)}; }

constexpr StepFrame::Traits kSubWorkflowTraits{
    .times_itself = true, .maps_itself = true, .shows_output = true, .reopens = true};

class WorkflowFrame final : public StepFrame, public SuccessorFrame, public Enclosure {
 public:
  WorkflowFrame(Context& context, Frame* parent, const WorkflowStep& step, std::string path)
      : StepFrame(context, parent, step, std::move(path), kSubWorkflowTraits),
        SuccessorFrame(static_cast<Frame&>(*this)),
        sub_(step),
        loop_(*this, settled_, step) {}

  /// What is still to be tidied up of its file goes on without it.
  ~WorkflowFrame() override {
    if (root_ && context().abandoned().is_tidying(*root_)) context().abandoned().keep(std::move(root_));
  }

  void on_abandoned_done() override;
  void on_child(Frame& child) override;
  void on_timer(TimerKind timer) override;
  bool keeps_frame() const override { return can_try_again(settled_) || Frame::keeps_frame(); }
  void reopen(std::string_view only) override;
  const Enclosure* enclosure() const override { return this; }
  int generation() const override { return generation_ > 0 ? generation_ : generation_at(parent()); }
  const std::string& file_folder() const override { return file_folder_at(parent()); }
  std::optional<Settled> look_within(std::string_view rest) const override;
  Way way_to(const std::string& target) const override;
  bool shares_cpus() const override { return sub_.shares_cpus || (sub_.follows_file && shares_cpus_at(parent())); }

 protected:
  void begin() override { try_now(); }
  void stop(const std::string& reason) override;
  void drain_work() override;
  bool has_acted() const override { return settled_.attempts > 0; }
  bool failed_inside() const override { return root_ && root_->has_failed(); }
  void name_open_within(std::vector<std::string>& paths) const override {
    if (root_ && !waits_) root_->name_open(paths);
  }

 private:
  /// A try takes no slot: its steps do. What an earlier try has given up must have ended, the paths are the same.
  void try_now() {
    waits_ = true;
    context().abandoned().await(*this, path());
  }
  void stop_try(const std::string& reason);
  /// Tries again, or fails with the output of |result|. Nothing of it is in the journal.
  void attempt_failed(Failure failure, const Result& result);
  void give_up(Failure failure, Value output = {}) { finish(loop_.failed(std::move(failure), std::move(output))); }
  bool arm_limits();
  Fallible<Json> given() const;
  /// What `$input` and `$vars` of the file will be, or why they can not be.
  Fallible<Inputs> inputs() const;
  /// A step of it has failed, or something around its steps.
  Failure failure_of(const Failure& inner) const;
  void succeed(Value output);

  const WorkflowStep& sub_;
  RetryLoop loop_;
  std::unique_ptr<Frame> root_;  ///< of the newest try
  int generation_ = 0;           ///< of the newest try; 0: the first
  bool waits_ = false;           ///< for the end of what an earlier try has given up
  bool drained_ = false;
};

Fallible<Json> WorkflowFrame::given() const {
  Evaluation with = sub_.with.evaluate(scope(), evaluator());
  if (!with) return std::move(with.failure());
  const Json& json = with->json();
  return json.is_object() ? json : Json::object();
}

Fallible<Inputs> WorkflowFrame::inputs() const {
  auto with = given();
  if (!with) return std::move(with.failure());
  Json& values = *with;
  const Definition& child = *sub_.child;
  const Json& of_files = context().run().sub_inputs.json();
  const Json environment = of_files.is_object() ? of_files.value(child.path, Json::object()) : Json::object();
  Json secrets = Json::object();
  StartScope start(context().run().name, context().now(), context().rules().filters_are_native());
  for (const InputSpec& spec : child.inputs) {
    Json value;
    if (values.contains(spec.name)) {
      value = std::move(values[spec.name]);
    } else if (environment.contains(spec.name)) {
      value = environment[spec.name];
    } else if (spec.default_value) {
      Evaluation default_value = spec.default_value->evaluate(start, evaluator());
      if (!default_value)
        return broken("child", fmt::format("input {} of {}: its default: {}", spec.name, child.path,
                                           default_value.failure().message));
      value = default_value->json();
    } else {
      return broken("expression", fmt::format("input {} of {} is missing", spec.name, child.path));
    }
    // Nobody knows the value of a secret here.
    // To try again would give the same: this is no error of the sub-workflow.
    if (!spec.secret)
      for (const std::string& error : schema_errors(spec.schema, value))
        return broken("expression", fmt::format("input {} of {}: {}", spec.name, child.path, error));
    (spec.secret ? secrets : start.inputs)[spec.name] = std::move(value);
  }
  for (const Var& var : child.vars) {
    Evaluation value = var.value.evaluate(start, evaluator());
    if (!value) return broken("child", fmt::format("vars.{} of {}: {}", var.name, child.path, value.failure().message));
    start.vars[var.name] = value->json();
  }
  return Inputs{Value(std::move(start.inputs)), Value(std::move(start.vars)), std::move(secrets)};
}

void WorkflowFrame::on_abandoned_done() {
  if (!std::exchange(waits_, false)) return;
  settled_.state = State::Running;
  if (root_) generation_ = context().next_generation();
  root_.reset();
  ++settled_.attempts;
  auto inputs = this->inputs();
  if (!inputs) {
    Failure& failure = inputs.failure();
    if (failure.type == "child") return attempt_failed(std::move(failure), {});
    return give_up(std::move(failure));
  }
  Inputs& bound = std::get<Inputs>(inputs);
  context().decide(ChildStarted{path(), settled_.attempts, sub_.child->path, bound.inputs});
  const auto& root = dynamic_cast<const RootStep&>(*sub_.child->workflow.root);
  root_ = root.frame_below(context(), this, *sub_.child, std::move(bound));
  if (arm_limits()) context().queue().start(*root_);
}

bool WorkflowFrame::arm_limits() {
  if (options().timeout.written()) {
    auto timeout = resolve(options().timeout, scope(), evaluator(), Duration{0}, "timeout");
    if (!timeout) {
      give_up(std::move(timeout.failure()));
      return false;
    }
    context().timers().arm(*this, TimerKind::Timeout, *timeout);
  }
  auto failure = loop_.arm_deadline();
  if (!failure) return true;
  stop_try("deadline");
  give_up(std::move(*failure));
  return false;
}

void WorkflowFrame::on_child(Frame& child) {
  if (&child != root_.get()) return StepFrame::on_child(child);
  if (settled_.over()) return;  // it ended in the turn in which it was given up
  context().timers().disarm(*this, TimerKind::Timeout);
  const Settled& ended = child.settled();
  if (ended.state == State::Cancelled) {
    loop_.disarm_deadline();
    return finish({State::Cancelled, {}, Failure{"cancelled", "cancelled: drain", path(), 0, {}}}, "drain");
  }
  Result result;
  result.value = ended.output;
  if (ended.state == State::Failed)
    result.failure = failure_of(ended.failure ? *ended.failure : broken("internal", "it ended without saying why"));
  loop_.complete_poll(result, true, evaluator());
  if (result.again && !drained_) {
    if (auto failure = loop_.poll_again()) give_up(std::move(*failure));
    return;
  }
  if (result.failure || result.again) {
    Failure failure = result.failure ? *result.failure : broken("child", "drained before it was what `poll` waits for");
    if (drained_) return give_up(std::move(failure), ended.output);
    return attempt_failed(std::move(failure), result);
  }
  succeed(ended.output);
}

void WorkflowFrame::succeed(Value output) {
  Result result;
  result.value = output;
  auto refuse = [&](Failure failure) {
    if (drained_) return give_up(std::move(failure), result.value);
    attempt_failed(std::move(failure), result);
  };
  if (options().output) {
    Evaluation mapped = options().output->evaluate(FrameScope(*this, &output), evaluator());
    if (!mapped) return refuse(std::move(mapped.failure()));
    output = *std::move(mapped);
  }
  if (auto failure = against_returns(output)) return refuse(std::move(*failure));
  loop_.disarm_deadline();
  finish({State::Succeeded, std::move(output), {}});
}

Failure WorkflowFrame::failure_of(const Failure& inner) const {
  Json causes = Json::array({to_json(inner)});
  Failure failure{"child", "", "", 0, Value(Json{{"causes", std::move(causes)}})};
  if (inner.type == "child") {
    failure.message = inner.message;  // names the innermost step already
    return failure;
  }
  std::string step = inner.step.size() > path().size() ? inner.step.substr(path().size() + 1) : "";
  std::vector<OutlineRow> rows = outline(sub_.child->workflow);
  const OutlineRow* row = step.empty() ? nullptr : find_row(rows, step);
  std::string where = sub_.child->path;
  if (row) where += fmt::format(":{}", row->origin.line);
  failure.message = fmt::format("{} ({}): {}: {}", step.empty() ? "it has failed" : inner.step + " has failed", where,
                                inner.type, inner.message);
  return failure;
}

void WorkflowFrame::attempt_failed(Failure failure, const Result& result) {
  if (auto end = loop_.try_again(std::move(failure), result, Journaled::No))
    give_up(std::move(end->failure), result.value);
}

void WorkflowFrame::on_timer(TimerKind timer) {
  if (timer == TimerKind::Retry || timer == TimerKind::Poll) {
    loop_.waited();
    return try_now();
  }
  if (timer == TimerKind::Deadline) {
    stop_try("deadline");
    return give_up(loop_.out_of_time());
  }
  if (timer != TimerKind::Timeout) return StepFrame::on_timer(timer);
  auto timeout = resolve(options().timeout, scope(), evaluator(), Duration{0}, "timeout");
  std::string span = timeout ? to_string(*timeout) : "";
  stop_try("timeout");
  attempt_failed(broken("timeout", "timed out after " + span), {});
}

void WorkflowFrame::stop(const std::string& reason) {
  stop_try(reason);
  loop_.disarm();
}

void WorkflowFrame::stop_try(const std::string& reason) {
  context().timers().disarm(*this, TimerKind::Timeout);
  waits_ = false;
  if (root_) root_->cancel(reason);
}

void WorkflowFrame::drain_work() {
  drained_ = true;
  if (root_ && !root_->settled().over()) return root_->drain();
  // Between two tries: there is no other.
  stop("drain");
  finish({State::Cancelled, {}, Failure{"cancelled", "cancelled: drain", path(), 0, {}}}, "drain");
}

void WorkflowFrame::reopen(std::string_view only) {
  StepFrame::reopen(only);
  loop_.renew();
  drained_ = false;
  bool succeeded = root_ && root_->settled().state == State::Succeeded;
  const RetryRequest& request = context().retry_request();
  // Something in it is asked for, though it had succeeded.
  bool inside = request.exact() && root_ &&
                ((request.leads_to(path()) && !request.names(path())) || (request.failed() && root_->has_failed()));
  if (!root_ || (succeeded && !inside && !context().undone().any_below(path()))) return try_now();
  // It goes on where it stood, in the try that it was in.
  loop_.continue_try();
  if (!arm_limits()) return;
  context().abandoned().give_back(*root_, *this);
  root_->reopen(only);
}

Frame::Way WorkflowFrame::way_to(const std::string& target) const {
  if (target == path()) return true;
  return root_ ? root_->way_to(target) : false;
}

std::optional<Settled> WorkflowFrame::look_within(std::string_view rest) const {
  if (!root_) return std::nullopt;
  if (rest.front() == '/') rest.remove_prefix(1);
  return root_->look(rest);
}

}  // namespace

std::unique_ptr<Frame> WorkflowStep::frame(Context& context, Frame* parent, std::string path) const {
  return std::make_unique<WorkflowFrame>(context, parent, *this, std::move(path));
}

}  // namespace flowrun
