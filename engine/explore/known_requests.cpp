#include "engine/explore/known_requests.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>

#include "engine/steps/for_each.h"
#include "engine/steps/graph.h"
#include "engine/steps/http.h"
#include "engine/steps/repeat.h"
#include "engine/steps/root.h"
#include "engine/steps/switch.h"

namespace flowrun {
namespace {

constexpr std::size_t kMostRequests = 1000;  // requests of one step

std::vector<Reference> references_of(const HttpStep& step) {
  std::vector<Reference> all;
  const auto add = [&](const std::vector<Reference>& more) { all.insert(all.end(), more.begin(), more.end()); };
  const auto add_text = [&](const TextTemplate& text) {
    for (const TextTemplate::Part& part : text.parts)
      if (const auto* expression = std::get_if<Expression>(&part)) add(expression->references());
  };
  add_text(step.url);
  for (const ValueTemplate* value : {&step.query, &step.headers, &step.auth, &step.content}) add(value->references());
  for (const auto* text : {&step.proxy, &step.unix_socket, &step.own_key})
    if (*text) add_text(**text);
  for (const Setting<Duration>* span : {&step.connect_timeout, &step.idle_timeout})
    if (span->expression) add(span->expression->references());
  return all;
}

bool is_knowable(const HttpStep& step) {
  if (step.paginate || step.ca || step.cert || step.key_file) return false;
  if (step.body == HttpStep::Body::File || step.body == HttpStep::Body::Multipart) return false;
  const std::vector<Reference> references = references_of(step);
  return std::all_of(references.begin(), references.end(), [](const Reference& reference) {
    return reference.variable == "input" || reference.variable == "vars" || reference.variable == "steps" ||
           reference.variable == "item" || reference.variable == "key" || reference.variable == "index";
  });
}

class KnownHttpStep final : public CommonStep, public RetrySettings, public Effect {
 public:
  explicit KnownHttpStep(std::unique_ptr<HttpStep> step)
      : CommonStep(std::move(static_cast<CommonStep&>(*step))),
        RetrySettings(static_cast<const RetrySettings&>(*step)),
        Effect(static_cast<const Effect&>(*step)),
        step_(std::move(step)),
        references_(references_of(*step_)) {}

  std::unique_ptr<Frame> frame(Context& context, Frame* parent, std::string path) const override {
    return effect_frame(context, parent, *this, *this, *this, std::move(path));
  }
  const char* default_output() const override { return step_->default_output(); }
  /// A key takes as long to make as all the rest. What it is nobody sees: see ExploredRun::key_at.
  bool keyed() const override { return false; }

  Fallible<Request> resolve(const FrameScope& scope, Evaluator& evaluator, const Frame& frame, const std::string& key,
                            const std::string& next) const override {
    std::string asked;
    for (const Reference& reference : references_) {
      const Fallible<Value> value = scope.lookup(reference);
      if (!value) return step_->resolve(scope, evaluator, frame, key, next);
      asked += value->text();
      asked += '\0';
    }
    const auto found = known_.find(asked);
    if (found != known_.end()) return found->second;
    Fallible<Request> request = step_->resolve(scope, evaluator, frame, key, next);
    if (request && known_.size() < kMostRequests) known_.emplace(std::move(asked), *request);
    return request;
  }

 private:
  const std::unique_ptr<HttpStep> step_;
  const std::vector<Reference> references_;
  mutable std::unordered_map<std::string, Request> known_;  ///< by the values that it names; of one thread
};

class Exchange {
 public:
  explicit Exchange(WrittenSteps& steps) : steps_(steps) {}

  void within(Step& step) {
    if (auto* graph = dynamic_cast<GraphStep*>(&step)) {
      for (GraphStep::Child& child : graph->children) exchange(child.step);
    } else if (auto* each = dynamic_cast<ForEachStep*>(&step)) {
      within(*each->body);
    } else if (auto* repeat = dynamic_cast<RepeatStep*>(&step)) {
      within(*repeat->body);
    } else if (auto* choice = dynamic_cast<SwitchStep*>(&step)) {
      for (SwitchStep::Way& way : choice->ways) within(*way.body);
    } else if (auto* root = dynamic_cast<RootStep*>(&step)) {
      within(*root->body);
      if (root->on_failure) within(*root->on_failure);
      if (root->finally) within(*root->finally);
    }
  }

 private:
  void exchange(std::unique_ptr<Step>& step) {
    within(*step);
    if (auto* common = dynamic_cast<CommonStep*>(step.get())) {
      if (common->options.fallback) exchange(common->options.fallback);
      if (common->options.undo) exchange(common->options.undo->step);
    }
    auto* call = dynamic_cast<HttpStep*>(step.get());
    if (!call || !is_knowable(*call)) return;
    step.release();
    auto known = std::make_unique<KnownHttpStep>(std::unique_ptr<HttpStep>(call));
    steps_.exchange(*call, *known);
    step = std::move(known);
  }

  WrittenSteps& steps_;
};

}  // namespace

void know_requests(Loaded& loaded, WrittenSteps& steps) {
  Exchange exchange(steps);
  exchange.within(*loaded.workflow.root);
  for (const std::unique_ptr<Definition>& child : loaded.children) exchange.within(*child->workflow.root);
}

}  // namespace flowrun
