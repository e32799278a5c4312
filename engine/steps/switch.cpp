#include "engine/steps/switch.h"

#include <fmt/format.h>

namespace flowrun {
namespace {

class SwitchFrame final : public StepFrame {
 public:
  SwitchFrame(Context& context, Frame* parent, const SwitchStep& step, std::string path)
      : StepFrame(context, parent, step, std::move(path), {.reopens = true}), switch_(step) {}

  void on_child(Frame& child) override {
    if (&child != body_.get()) return StepFrame::on_child(child);
    // It ended in the turn in which all was given up.
    if (settled_.over() && context().rules().switches_settle_once()) return;
    const Settled& way = body_->settled();
    finish({way.state, way.output, way.failure ? std::optional<Failure>(*way.failure) : std::nullopt});
    if (!body_->is_kept()) body_.reset();
  }

  bool keeps_frame() const override { return settled_.state != State::Succeeded || Frame::keeps_frame(); }

  void reopen(std::string_view only) override {
    StepFrame::reopen(only);
    if (const RetryRequest& request = context().retry_request(); request.exact()) {
      if (body_ && !is_kept_for_retry(*body_)) body_.reset();
      const bool left = body_ && (!is_finished(body_->settled().state) || context().undone().any_below(path()) ||
                                  (request.failed() && body_->has_failed()));
      if (left || (body_ && request.leads_to(path()) && !request.names(path()))) return body_->reopen({});
      body_.reset();
      return begin();
    }
    if (!body_ || !body_->keeps_frame()) return begin();
    body_->reopen(only);
  }

  Way way_to(const std::string& target) const override {
    if (target == path()) return true;
    return body_ ? body_->way_to(target) : false;
  }

  std::optional<Settled> look_within(std::string_view rest) const override {
    return body_ ? body_->look(rest) : std::nullopt;
  }

 protected:
  bool failed_inside() const override { return body_ && body_->has_failed(); }
  void begin() override {
    for (std::size_t i = 0; i < switch_.ways.size(); ++i) {
      const SwitchStep::Way& way = switch_.ways[i];
      auto holds = resolve_condition(way.condition, scope(), evaluator());
      if (!holds) return fail(std::move(holds.failure()));
      if (!*holds) continue;
      body_ = way.body->frame(context(), this, path());
      context().queue().start(*body_);
      return;
    }
    finish({State::Succeeded, {}, {}}, "no way matched");
  }
  void stop(const std::string& reason) override {
    if (body_) body_->cancel(reason);
  }
  void name_open_within(std::vector<std::string>& paths) const override {
    if (body_) body_->name_open(paths);
  }
  void drain_work() override {
    if (body_) body_->drain();
  }

 private:
  const SwitchStep& switch_;
  std::unique_ptr<Frame> body_;
};

}  // namespace

std::unique_ptr<Frame> SwitchStep::frame(Context& context, Frame* parent, std::string path) const {
  return std::make_unique<SwitchFrame>(context, parent, *this, std::move(path));
}

}  // namespace flowrun
