#include "engine/steps/item_frame.h"

#include <fmt/format.h>

#include <utility>

namespace flowrun {

ItemFrame::ItemFrame(Context& context, Frame* parent, const ForEachStep& step, std::string path, std::size_t position,
                     Value value, std::string key)
    : Frame(context, parent, step, std::move(path)), for_each_(step), value_(std::move(value)), key_(std::move(key)) {
  index = position;
}

void ItemFrame::start() {
  settled_.state = State::Running;
  settled_.started_at = context().now();
  body_ = for_each_.body->frame(context(), this, path());
  context().queue().start(*body_);
}

void ItemFrame::on_child(Frame& child) {
  come_out_as(child);
  if (!is_kept()) body_.reset();
  context().queue().settled(*this);
}

void ItemFrame::cancel(const std::string& reason) {
  if (body_) body_->cancel(reason);
  // What it came to in the turn in which it was given up counts, as that of a branch does.
  if (body_ && context().rules().items_are_their_steps()) return come_out_as(*body_);
  if (settled_.over() && context().rules().items_are_their_steps()) return;
  if (body_) settled_.took = body_->settled().took;
  settled_ = stopped(std::move(settled_), reason, path());
  settled_.ended_at = context().now();
  if (!context().run().measured) settled_.took = settled_.ended_at - settled_.started_at;
}

void ItemFrame::drain() {
  if (settled_.over() && context().rules().items_are_their_steps()) return;
  if (body_) return body_->drain();
  settled_ = stopped(std::move(settled_), "drain", path());
  context().queue().settled(*this);
}

void ItemFrame::name_open(std::vector<std::string>& paths) const {
  const std::size_t before = paths.size();
  if (body_ && !settled_.over()) body_->name_open(paths);
  if (paths.size() == before) Frame::name_open(paths);
}

void ItemFrame::reopen(std::string_view only) {
  if (context().retry_request().exact()) return reopen_exactly();
  settled_ = Settled{};
  if (!body_ || !body_->keeps_frame()) return start();
  settled_.state = State::Running;
  body_->reopen(only);
}

void ItemFrame::reopen_exactly() {
  const bool goes_on = goes_on_in(body_.get(), *this);
  settled_ = Settled{};
  if (!goes_on) {
    body_.reset();
    return start();
  }
  settled_.state = State::Running;
  body_->reopen({});
}

void ItemFrame::come_out_as(Frame& body) {
  settled_ = body.settled();
  settled_.group = nullptr;
  settled_.attempts += std::exchange(settled_.within, 0);
  if (settled_.state == State::Succeeded && for_each_.collect) collect(body);
}

void ItemFrame::collect(Frame& body) {
  Evaluation collected = for_each_.collect->evaluate(FrameScope(body, &settled_.output), context().evaluator());
  if (collected) {
    settled_.output = *std::move(collected);
  } else {
    collected.failure().step = path();
    settled_.state = State::Failed;
    settled_.failure = std::make_shared<const Failure>(std::move(collected.failure()));
    settled_.output = Value();
  }
  context().decide(StepSettled{
      path(),
      "item",
      {settled_.state, settled_.output, settled_.failure ? std::optional<Failure>(*settled_.failure) : std::nullopt},
      "collect"});
}

Frame::Way ItemFrame::way_to(const std::string& target) const {
  if (target == path()) return true;
  if (!body_) return Hindrance{fmt::format("nothing of {} has run", path()), path()};
  return body_->way_to(target);
}

Frame::Bound ItemFrame::bind(const Reference& reference) const {
  if (reference.variable == "item" || (!for_each_.as.empty() && reference.variable == for_each_.as)) return value_;
  if (reference.variable == "index") return Value(Json(index));
  if (reference.variable == "key") return Value::string(key_);
  return std::nullopt;
}

std::optional<Settled> ItemFrame::look(std::string_view rest) const {
  if (rest.empty() || !body_) return Frame::look(rest);
  if (rest.front() == '/') rest.remove_prefix(1);
  return body_->look(rest);
}

}  // namespace flowrun
