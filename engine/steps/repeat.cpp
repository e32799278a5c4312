#include "engine/steps/repeat.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>
#include <vector>

#include "engine/model/path.h"

namespace flowrun {
namespace {

/// One round: owns the frame of its body, and binds what it was given.
class RoundFrame final : public Frame {
 public:
  RoundFrame(Context& context, Frame* parent, const RepeatStep& step, std::string path, std::size_t number, Value carry)
      : Frame(context, parent, step, std::move(path)), repeat_(step), carry_(std::move(carry)) {
    index = number;
  }

  void start() override {
    settled_ = Settled{};
    settled_.state = State::Running;
    settled_.started_at = context().now();
    body_ = repeat_.body->frame(context(), this, path());
    context().queue().start(*body_);
  }
  void on_child(Frame& child) override {
    come_out_as(child);
    if (!is_kept()) body_.reset();
    context().queue().settled(*this);
  }
  void cancel(const std::string& reason) override {
    if (settled_.over()) return;
    if (body_) {
      body_->cancel(reason);
      return come_out_as(*body_);
    }
    settled_ = stopped(std::move(settled_), reason, path());
    settled_.ended_at = context().now();
  }
  void drain() override {
    if (settled_.over()) return;
    if (body_) return body_->drain();
    settled_ = stopped(std::move(settled_), "drain", path());
    context().queue().settled(*this);
  }
  bool keeps_frame() const override { return !is_finished(settled_.state) || Frame::keeps_frame(); }
  bool reopens() const override { return true; }
  bool has_failed() const override { return settled_.state == State::Failed || (body_ && body_->has_failed()); }
  void reopen(std::string_view) override {
    if (!goes_on_in(body_.get(), *this)) return start();
    settled_ = Settled{};
    settled_.state = State::Running;
    settled_.started_at = context().now();
    body_->reopen({});
  }
  Way way_to(const std::string& target) const override {
    if (target == path()) return true;
    return body_ ? body_->way_to(target) : false;
  }
  void name_open(std::vector<std::string>& paths) const override {
    const std::size_t before = paths.size();
    if (body_ && !settled_.over()) body_->name_open(paths);
    if (paths.size() == before) Frame::name_open(paths);
  }
  std::optional<Settled> look(std::string_view rest) const override {
    if (rest.empty() || !body_) return Frame::look(rest);
    if (rest.front() == '/') rest.remove_prefix(1);
    return body_->look(rest);
  }
  Bound bind(const Reference& reference) const override {
    if (reference.variable == "carry") return carry_;
    if (reference.variable == "round") return Value(Json(index));
    // Those of the step would be the same in every round.
    if (reference.variable == "now")
      return Value(
          Json(std::chrono::duration_cast<std::chrono::seconds>(
                   (settled_.over() || settled_.state == State::Pending ? context().now() : settled_.started_at)
                       .time_since_epoch())
                   .count()));
    if (reference.variable == "uuid") return Value::string(context().chance().uuid(path() + "\nuuid"));
    if (reference.variable == "random") return Value(Json(context().chance().uniform(path() + "\nrandom")));
    return std::nullopt;
  }

  const Value& carry() const { return carry_; }

 private:
  void come_out_as(const Frame& body) {
    settled_ = body.settled();
    settled_.group = nullptr;
    settled_.attempts += std::exchange(settled_.within, 0);
  }

  const RepeatStep& repeat_;
  const Value carry_;
  std::unique_ptr<Frame> body_;
};

class RepeatFrame final : public StepFrame {
 public:
  RepeatFrame(Context& context, Frame* parent, const RepeatStep& step, std::string path)
      : StepFrame(context, parent, step, std::move(path), {.shows_output = true, .reopens = true}), repeat_(step) {}

  void on_child(Frame& child) override {
    if (!current_ || &child != current_) return StepFrame::on_child(child);
    // It ended in the turn in which all was given up.
    if (settled_.over()) return;
    const Settled round = child.settled();
    current_ = nullptr;
    if (!child.is_kept()) {
      attempts_of_former_ += round.attempts;
      rounds_.pop_back();
    }
    if (!round.lets_through())
      return finish({round.state, {}, round.failure ? std::optional<Failure>(*round.failure) : std::nullopt});
    carry_ = round.state == State::Succeeded ? round.output : Value();
    ++next_;
    after_round();
  }

  bool keeps_frame() const override { return settled_.state != State::Succeeded || Frame::keeps_frame(); }

  /// Goes on with the first round of those that are kept in which something is left, else behind the last one.
  void reopen(std::string_view only) override {
    StepFrame::reopen(only);
    draining_ = false;
    current_ = nullptr;
    const RetryRequest& request = context().retry_request();
    if (!carries_ || request.names(path())) return begin();
    const auto again = std::find_if(rounds_.begin(), rounds_.end(), [&](auto& one) {
      return !one->settled().lets_through() || context().undone().any_below(one->path()) ||
             (request.failed() && one->has_failed()) || request.leads_to(one->path());
    });
    if (again == rounds_.end()) {
      if (spent()) counted_from_ = next_;
      return next_ > 0 ? after_round() : next_round();
    }
    retire(again + 1);
    current_ = again->get();
    next_ = current_->index;
    counted_from_ = std::min(counted_from_, next_);
    carry_ = current_->carry();
    current_->reopen({});
  }

  Way way_to(const std::string& target) const override {
    if (target == path()) return true;
    for (const auto& round : rounds_)
      if (is_below(target, round->path())) return round->way_to(target);
    return false;
  }

  std::optional<Settled> look_within(std::string_view rest) const override {
    for (auto round = rounds_.rbegin(); round != rounds_.rend(); ++round) {
      const std::string bracketed = item_path("", std::to_string((*round)->index));
      if (rest.starts_with(bracketed)) return (*round)->look(rest.substr(bracketed.size()));
    }
    return std::nullopt;
  }

 protected:
  bool failed_inside() const override {
    return std::any_of(rounds_.begin(), rounds_.end(), [](const auto& round) { return round->has_failed(); });
  }
  void begin() override {
    Evaluation first = repeat_.carry.evaluate(scope(), evaluator());
    if (!first) return fail(std::move(first.failure()));
    carry_ = *std::move(first);
    carries_ = true;
    next_ = counted_from_ = 0;
    attempts_of_former_ = 0;
    retire(rounds_.begin());
    next_round();
  }
  void stop(const std::string& reason) override {
    if (current_) current_->cancel(reason);
  }
  void name_open_within(std::vector<std::string>& paths) const override {
    if (current_) current_->name_open(paths);
  }
  void amend() override {
    settled_.within = attempts_of_former_;
    for (const auto& round : rounds_) settled_.within += round->settled().attempts;
  }
  void drain_work() override {
    draining_ = true;
    if (current_) current_->drain();
  }

 private:
  /// |condition| by what is carried now; |unwritten| where it is not there.
  Fallible<bool> asked(const Setting<bool>& condition, bool unwritten, std::size_t number) {
    if (!condition.written()) return unwritten;
    // Only its names are needed.
    const RoundFrame round(context(), this, repeat_, path_of(number), number, carry_);
    return resolve_condition(condition, FrameScope(round), evaluator());
  }

  void end_by(Fallible<bool> answer) {
    if (!answer) return fail(std::move(answer.failure()));
    finish({State::Succeeded, carry_, {}});
  }

  void after_round() {
    if (auto holds = asked(repeat_.done, false, next_ - 1); !holds || *holds) return end_by(std::move(holds));
    if (draining_)
      return finish({State::Cancelled, {}, Failure{"cancelled", "cancelled: drain", path(), 0, {}}}, "drain");
    next_round();
  }

  void next_round() {
    if (auto holds = asked(repeat_.go_on, true, next_); !holds || !*holds) return end_by(std::move(holds));
    if (spent())
      return fail({"repeat", fmt::format("is not done after {} {}, which is `at_most`", repeat_.at_most,
                                         repeat_.at_most == 1 ? "round" : "rounds")});
    rounds_.push_back(std::make_unique<RoundFrame>(context(), this, repeat_, path_of(next_), next_, carry_));
    current_ = rounds_.back().get();
    context().queue().start(*current_);
  }

  bool spent() const { return static_cast<std::int64_t>(next_ - counted_from_) >= repeat_.at_most; }
  std::string path_of(std::size_t number) const { return item_path(path(), std::to_string(number)); }

  /// Those from |first| on count no more; an undo may still know them.
  void retire(std::vector<std::unique_ptr<RoundFrame>>::iterator first) {
    std::move(first, rounds_.end(), std::back_inserter(former_));
    rounds_.erase(first, rounds_.end());
  }

  const RepeatStep& repeat_;
  std::vector<std::unique_ptr<RoundFrame>> rounds_;  ///< the one that runs, and kept ones
  std::vector<std::unique_ptr<RoundFrame>> former_;
  RoundFrame* current_ = nullptr;  ///< of |rounds_|; null: none runs
  Value carry_;
  bool carries_ = false;          ///< |carry_| is known
  std::size_t next_ = 0;          ///< number of the next round
  std::size_t counted_from_ = 0;  ///< `at_most` counts from that one on
  int attempts_of_former_ = 0;    ///< of rounds whose frames are gone
  bool draining_ = false;
};

}  // namespace

std::unique_ptr<Frame> RepeatStep::frame(Context& context, Frame* parent, std::string path) const {
  return std::make_unique<RepeatFrame>(context, parent, *this, std::move(path));
}

}  // namespace flowrun
