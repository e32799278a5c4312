#include "engine/steps/group.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/model/path.h"
#include "engine/steps/join_amount.h"

namespace flowrun {
namespace {

constexpr std::size_t kCauses = 20;  // flowrun-workflow(5), "Join": the first 20 causes

}  // namespace

FailFast Group::fail_fast() const {
  if (settings_.fail_fast != FailFast::Inherit) return settings_.fail_fast;
  if (self_.context().run().fail_fast != FailFast::Inherit) return self_.context().run().fail_fast;
  return settings_.inherited;
}

std::optional<Failure> Group::choose_join() {
  if (!settings_.join_amount) return std::nullopt;
  Evaluation amount = settings_.join_amount->evaluate(FrameScope(self_), self_.context().evaluator());
  if (!amount) return std::move(amount.failure());
  join_ = settings_.join;
  const std::string wrong = set_amount(join_, amount->json());
  if (wrong.empty()) return std::nullopt;
  return Failure{"expression", fmt::format("the amount of `join` is {}: {}", shortened(amount->text(), 80), wrong)};
}

void Group::open() {
  forget_outputs();  // of a retry, which keeps what has succeeded
  running_ = 0;
  tally_ = Tally{};
  tally_.succeeded = gone().succeeded;
  recount();
  verdict_ = Verdict::Open;
  cancelled_ = blocked_ = skipped_ = unstarted_ = 0;
  attempts_ = gone().attempts;
  opened_ = true;
  draining_ = drained_from_outside_ = timed_out_ = over_ = false;
}

void Group::open_again(const std::vector<bool>& again) {
  open();
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < children_.size(); ++i)
    if (!again[i]) kept.push_back(i);
  std::sort(kept.begin(), kept.end(),
            [&](std::size_t a, std::size_t b) { return children_[a].order < children_[b].order; });
  for (std::size_t i : kept) tally_up(children_[i].settled);
  verdict_ = judge(join_, tally_);
  for (std::size_t i = 0; i < children_.size(); ++i)
    if (again[i]) children_[i].settled = Settled{};
}

void Group::settle_child(std::size_t i, const Settled& settled) {
  children_[i].settled = settled;
  children_[i].order = ++settlings_;
  tally_up(children_[i].settled);
}

void Group::let_output_go(std::size_t i) {
  Value& output = children_[i].settled.output;
  output = output.let_go();
}

void Group::tally_up(const Settled& child) {
  attempts_ += child.attempts + child.within;
  if (child.state == State::Cancelled) ++cancelled_;
  if (child.state == State::Cancelled && child.started_at == Instant{}) ++unstarted_;
  if (child.state == State::Blocked) ++blocked_;
  if (child.state == State::Skipped) ++skipped_;
  if (!child.counts()) {
    ++tally_.excluded;
    return;
  }
  ++(child.state == State::Succeeded ? tally_.succeeded : tally_.failed);
  if (!tally_.first) tally_.first = child.state;
}

bool Group::runs_again(std::size_t i, State was) const {
  const RetryRequest& request = self_.context().retry_request();
  const State state = children_[i].settled.state;
  const std::string at = path_of(i);
  const Frame* frame = frame_of(i);
  const bool failed = state == State::Failed || (frame && frame->has_failed());
  return request.leads_to(at) ||
         (request.covers(self_.path()) && unfinished(was, state, failed, self_.context().undone().any_below(at)));
}

/// Whether a child that stands like this is to run again because a retry covers this group, which came to |was|.
/// |failed|: something below the child has failed; |undone|: has been undone.
bool Group::unfinished(State was, State child, bool failed, bool undone) const {
  if (undone) return true;
  if (was != State::Succeeded) return !is_finished(child) || (failed && self_.context().retry_request().failed());
  // Whoever lost a race that was won is not missed.
  if (!self_.context().retry_request().failed() || ends_early(join_)) return false;
  return failed || !is_finished(child);
}

Frame::Way Group::way_to_item(const std::string& target) const {
  if (target == self_.path()) return true;
  for (std::size_t i = 0; i < children_.size(); ++i) {
    const std::string at = path_of(i);
    if (!is_below(target, at)) continue;
    if (target == at) return true;
    if (const Frame* item = frame_of(i)) return item->way_to(target);
    return Hindrance{fmt::format("nothing of {} has run: it is {}", at, to_string(children_[i].settled.state)), at};
  }
  return false;
}

std::optional<Settled> Group::look_at_item(std::string_view rest) const {
  for (std::size_t i = 0; i < children_.size(); ++i) {
    const std::string bracketed = item_path("", name_of(i));
    if (rest.substr(0, bracketed.size()) != bracketed) continue;
    rest.remove_prefix(bracketed.size());
    if (rest.empty()) return children_[i].settled;
    const Frame* item = frame_of(i);
    return item ? item->look(rest) : std::nullopt;
  }
  return std::nullopt;
}

void Group::stop_items(const std::string& reason, bool unstarted_too) {
  for (std::size_t i = 0; i < children_.size(); ++i) {
    if (!children_[i].open()) continue;
    if (children_[i].settled.state != State::Pending) {
      Frame& item = *frame_of(i);
      item.cancel(reason);
      --running_;
      settle_child(i, item.settled());
      if (!item.is_kept()) drop_frame(i);
    } else if (unstarted_too) {
      settle_child(i, stopped({}, reason, path_of(i)));
    }
  }
}

void Group::drain_items() {
  for (std::size_t i = 0; i < children_.size(); ++i) {
    if (children_[i].settled.state == State::Pending) {
      settle_child(i, stopped({}, "drain", path_of(i)));
    } else if (children_[i].open()) {
      frame_of(i)->drain();
    }
  }
  conclude_if_done();
}

bool Group::act() {
  if (over_) return false;
  if (verdict_ != Verdict::Open) return true;  // later ends do not change a verdict
  verdict_ = judge(join_, tally_);
  if (verdict_ == Verdict::Open || tally_.open() == 0) return true;
  if (verdict_ == Verdict::Succeeded || join_.policy == Join::Policy::FirstCompleted) {
    over_ = true;
    stop_children("lost", true);
    finish_as(verdict_);
    return false;
  }
  if (draining_ || fail_fast() == FailFast::Continue) return true;
  draining_ = true;
  if (fail_fast() == FailFast::Cancel) stop_children("fail_fast", false);
  prevent_children();
  self_.context().attempts().withdraw_waiting(self_.path());
  return true;
}

void Group::conclude_if_done() {
  if (running_ == 0 && tally_.open() == 0) conclude();
}

void Group::conclude() {
  if (over_) return;
  over_ = true;
  if (verdict_ == Verdict::Open) verdict_ = judge(join_, tally_);
  finish_as(verdict_);
}

void Group::finish_as(Verdict verdict) {
  remember_status();
  std::vector<Failure> causes;
  if (verdict != Verdict::Succeeded || drained_from_outside_) causes = failures(kCauses);
  if (causes.empty() && drained_from_outside_ && cancelled_ > 0)
    return end_group({State::Cancelled, {}, Failure{"cancelled", "cancelled: drain", self_.path(), 0, {}}}, "drain");
  if (verdict == Verdict::Succeeded) {
    std::string reason;
    if (ends_early(join_)) {
      Value won = winner_names();
      reason = "won by " + (won.json().is_string() ? won.json().get<std::string>() : won.text());
    }
    return end_group({State::Succeeded, self_.is_heard() ? output() : Value(), {}}, std::move(reason));
  }
  if (timed_out_ && !(is_body() && causes.size() == 1)) {
    Json detail{{"causes", Json::array()}};
    for (const Failure& cause : causes) detail["causes"].push_back(to_json(cause));
    return fail_group({"timeout", "timed out after " + self_.timeout_text(), "", 0, Value(std::move(detail))});
  }
  if (is_body() && !causes.empty()) return fail_group(std::move(causes.front()));
  std::string message = failure_text();
  if (!causes.empty()) message += fmt::format("; first {}: {}", causes.front().step, causes.front().message);
  Json detail{{"causes", Json::array()}};
  for (const Failure& cause : causes) detail["causes"].push_back(to_json(cause));
  if (tally_.failed > causes.size()) detail["more"] = tally_.failed - causes.size();
  fail_group({"group", std::move(message), "", 0, Value(std::move(detail))});
}

std::string Group::failure_text() const {
  const std::size_t of = tally_.total - tally_.excluded;
  if (of == 0) return "nothing to choose from: none of its children counts";
  if (!self_.context().rules().groups_tell_order())
    return fmt::format("{} of {} {}", tally_.failed, of,
                       tally_.failed == tally_.succeeded + tally_.failed ? "failed" : "did not succeed");
  const std::size_t failed = tally_.failed - cancelled_ - blocked_, cancelled = cancelled_ - unstarted_;
  std::string text = failed > 0 || tally_.failed == 0 ? fmt::format("{} of {} failed", failed, of)
                                                      : fmt::format("{} of {} succeeded", tally_.succeeded, of);
  if (tally_.failed == 0) text = fmt::format("{} of {} succeeded, fewer than `join` asks for", tally_.succeeded, of);
  if (cancelled > 0) text += fmt::format(", {} cancelled", cancelled);
  if (blocked_ > 0) text += fmt::format(", {} blocked", blocked_);
  if (unstarted_ > 0) text += fmt::format(", {} not started", unstarted_);
  const bool stopped_itself = draining_ && !drained_from_outside_ && unstarted_ > 0;
  // What the group says itself goes before the command line.
  if (stopped_itself)
    text += settings_.fail_fast == FailFast::Inherit ? " (-k keeps going)" : " (`fail_fast: false` keeps going)";
  return text;
}

void Group::remember_status() {
  if (!settings_.status_named) return;
  GroupStatus status;
  status.counts = {
      {"total", tally_.total}, {"succeeded", tally_.succeeded},
      {"skipped", skipped_},   {"cancelled", cancelled_},
      {"blocked", blocked_},   {"failed", tally_.settled() - tally_.succeeded - skipped_ - cancelled_ - blocked_}};
  if (ends_early(join_)) status.winner = std::make_shared<const Json>(winner_names().json());
  if (settings_.children_named) {
    status.of = of_;
    if (!is_body()) status.children = child_statuses();
    status.tells_order = self_.context().rules().groups_tell_order();
  }
  own_.group = std::make_shared<const GroupStatus>(std::move(status));
}

std::vector<std::size_t> Group::winners() const {
  std::vector<std::size_t> won;
  for (std::size_t i = 0; i < children_.size(); ++i)
    if (children_[i].settled.state == State::Succeeded) won.push_back(i);
  std::sort(won.begin(), won.end(),
            [&](std::size_t a, std::size_t b) { return children_[a].order < children_[b].order; });
  return won;
}

std::optional<std::size_t> Group::winner() const {
  const std::vector<std::size_t> won = winners();
  return won.empty() ? std::nullopt : std::optional<std::size_t>(won.front());
}

Value Group::winner_names() const {
  if (single_winner(join_)) {
    auto won = winner();
    return won ? Value::string(name_of(*won)) : Value();
  }
  Json names = Json::array();
  for (std::size_t i : winners()) names.push_back(name_of(i));
  return Value(std::move(names));
}

std::vector<ChildStatus> Group::child_statuses() const {
  std::vector<ChildStatus> statuses;
  statuses.reserve(children_.size());
  for (std::size_t i = 0; i < children_.size(); ++i) {
    statuses.push_back({name_of(i), item_of(i), children_[i].settled, children_[i].order, number_of(i)});
    if (!settings_.outputs_named) statuses.back().settled.output = Value();
  }
  return statuses;
}

std::vector<Failure> Group::failures(std::size_t most) const {
  std::vector<const Child*> failed;
  for (const Child& child : children_)
    if (child.settled.state == State::Failed && !child.settled.tolerated && child.settled.failure)
      failed.push_back(&child);
  const std::size_t shown = std::min(most, failed.size());
  std::partial_sort(failed.begin(), failed.begin() + static_cast<std::ptrdiff_t>(shown), failed.end(),
                    [](const Child* a, const Child* b) { return a->order < b->order; });
  std::vector<Failure> causes;
  for (std::size_t i = 0; i < shown; ++i) causes.push_back(*failed[i]->settled.failure);
  return causes;
}

bool Group::group_failed_inside() const {
  if (own_.state == State::Succeeded && ends_early(join_)) return false;
  for (std::size_t i = 0; i < children_.size(); ++i) {
    if (children_[i].settled.state == State::Failed) return true;
    if (const Frame* frame = frame_of(i); frame && frame->has_failed()) return true;
  }
  return false;
}

void Group::name_open_children(std::vector<std::string>& paths) const {
  for (std::size_t i = 0; i < children_.size(); ++i)
    if (const Frame* frame = children_[i].open() ? frame_of(i) : nullptr) frame->name_open(paths);
}

void Group::amend_group() {
  if (!self_.context().rules().items_are_their_steps() || !opened_) return;
  if (!own_.group) remember_status();  // it was cancelled
  own_.within = attempts_;
  if (own_.state == State::Cancelled && tally_.total > 0 && unstarted_ == tally_.total) own_.started_at = {};
}

void Group::stop_group(const std::string& reason) {
  over_ = true;
  stop_children(reason, true);
}

void Group::drain_group() {
  if (over_ || drained_from_outside_) return;
  drained_from_outside_ = true;
  draining_ = true;
  prevent_children();
}

void Group::time_out_group() {
  timed_out_ = true;
  stop_children("timeout", true);
  conclude();
}

}  // namespace flowrun
