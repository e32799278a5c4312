#include "engine/steps/for_each.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "engine/language/template.h"
#include "engine/model/path.h"

namespace flowrun {
namespace {

constexpr std::int64_t kWidth = 16;          // flowrun-workflow(5), `concurrency` of for_each
constexpr std::size_t kMostItems = 1000000;  // flowrun-workflow(5), "Limits"

struct Item {
  Value value;
  std::optional<std::string> key;  ///< nothing: its index
};

/// Binds $item, $index, $key and the `as` name for the body and for `key`.
Frame::Bound bind_item(const ForEachStep& step, const Reference& reference, std::size_t index, const Value& value,
                       const std::string& key) {
  if (reference.variable == "item" || (!step.as.empty() && reference.variable == step.as)) return value;
  if (reference.variable == "index") return Value(Json(index));
  if (reference.variable == "key") return Value::string(key);
  return std::nullopt;
}

/// One item in flight: owns the frame of its body.
class ItemFrame : public Frame {
 public:
  ItemFrame(Context& context, Frame* parent, const ForEachStep& step, std::string path, std::size_t position,
            Value value, std::string key)
      : Frame(context, parent, step, std::move(path)), for_each_(step), value_(std::move(value)), key_(std::move(key)) {
    index = position;
  }

  void start() override {
    settled_.state = State::Running;
    settled_.started_at = context().now();
    body_ = for_each_.body->frame(context(), this, path());
    context().queue().start(*body_);
  }

  void on_child(Frame& child) override {
    take_over(child);
    if (!is_kept()) body_.reset();
    context().queue().settled(*this);
  }

  void cancel(const std::string& reason) override {
    if (body_) body_->cancel(reason);
    // What it came to in the turn in which it was given up counts, as that of a branch does.
    if (body_ && context().rules().items_are_their_steps()) return take_over(*body_);
    if (is_settled() && context().rules().items_are_their_steps()) return;
    if (body_) settled_.took = body_->settled().took;
    settled_ = stopped(std::move(settled_), reason, path());
    settled_.ended_at = context().now();
    if (!context().run().measured) settled_.took = settled_.ended_at - settled_.started_at;
  }

  void name_open(std::vector<std::string>& paths) const override {
    const std::size_t before = paths.size();
    if (body_ && !is_settled()) body_->name_open(paths);
    if (paths.size() == before) Frame::name_open(paths);
  }

  void drain() override {
    if (is_settled() && context().rules().items_are_their_steps()) return;
    if (body_) return body_->drain();
    settled_ = stopped(std::move(settled_), "drain", path());
    context().queue().settled(*this);
  }

  bool keeps_frame() const override {
    return (settled_.state != State::Succeeded && settled_.state != State::Skipped) || Frame::keeps_frame();
  }

  bool reopens() const override { return true; }
  bool has_failed() const override { return settled_.state == State::Failed || (body_ && body_->has_failed()); }

  void reopen(std::string_view only) override {
    if (context().retrying().exact()) return reopen_exactly();
    settled_ = Settled{};
    if (!body_ || !body_->keeps_frame()) return start();
    settled_.state = State::Running;
    body_->reopen(only);
  }

  Way way_to(const std::string& target) const override {
    if (target == path()) return true;
    if (!body_) return Hindrance{fmt::format("nothing of {} has run", path()), path()};
    return body_->way_to(target);
  }

  Bound bind(const Reference& reference) const override { return bind_item(for_each_, reference, index, value_, key_); }

  std::optional<Settled> look(std::string_view rest) const override {
    if (rest.empty() || !body_) return Frame::look(rest);
    if (rest.front() == '/') rest.remove_prefix(1);
    return body_->look(rest);
  }

 private:
  /// Begins anew when the item is meant, or when nothing in it is left to be done.
  void reopen_exactly() {
    const Retrying& retrying = context().retrying();
    const bool whole = retrying.names(path()) && is_finished(settled_.state);
    const bool left = body_ && (!is_finished(body_->settled().state) || context().undone().any_below(path()) ||
                                (retrying.failed() && body_->has_failed()));
    const bool deeper = retrying.leads_to(path()) && !retrying.names(path());
    settled_ = Settled{};
    if (whole || !body_ || !(left || deeper)) {
      body_.reset();
      return start();
    }
    settled_.state = State::Running;
    body_->reopen({});
  }

  void take_over(Frame& body) {
    settled_ = body.settled();
    settled_.group = nullptr;
    settled_.attempts += std::exchange(settled_.within, 0);
    if (settled_.state == State::Succeeded && for_each_.collect) collect(body);
  }

  void collect(Frame& body) {
    Evaluation collected = for_each_.collect->evaluate(FrameScope(body, &settled_.output), context().evaluator());
    if (auto* failure = std::get_if<Failure>(&collected)) {
      failure->step = path();
      settled_.state = State::Failed;
      settled_.failure = std::make_shared<const Failure>(std::move(*failure));
      settled_.output = Value();
    } else {
      settled_.output = std::get<Value>(std::move(collected));
    }
    context().decide(StepSettled{
        path(),
        "item",
        {settled_.state, settled_.output, settled_.failure ? std::optional<Failure>(*settled_.failure) : std::nullopt},
        "collect"});
  }

  const ForEachStep& for_each_;
  Value value_;
  std::string key_;
  std::unique_ptr<Frame> body_;
};

class ForEachFrame : public Group {
 public:
  ForEachFrame(Context& context, Frame* parent, const ForEachStep& step, std::string path)
      : Group(context, parent, step, std::move(path)), for_each_(step) {}

  void on_child(Frame& child) override;
  void reopen(std::string_view only) override;
  Way way_to(const std::string& target) const override;
  std::optional<Settled> look(std::string_view rest) const override;

 protected:
  void begin() override;
  void stop_children(const std::string& reason, bool unstarted_too) override;
  void prevent_children() override;
  Value output() const override;
  Value winners() const override;
  GroupStatus::Of children_are() const override { return GroupStatus::Of::Items; }
  std::vector<ChildStatus> children(bool outputs) const override;
  std::vector<Failure> failures(std::size_t most) const override;
  bool is_body() const override { return false; }
  bool failed_inside() const override;
  void name_open_within(std::vector<std::string>& paths) const override {
    for (const auto& [i, item] : live_)
      if (slots_[i].open()) item->name_open(paths);
  }

 private:
  struct Slot {
    Item item;
    Settled settled;
    std::uint64_t order = 0;  ///< of settling
    bool open() const { return !is_terminal(settled.state); }
  };

  std::optional<Failure> choose_items();
  std::optional<Failure> choose_keys();
  std::string key_of(std::size_t i) const;
  /// |within|: of an item that is reopened, the rest of the path that is meant.
  void launch_ready(std::string_view within = {});
  void settle_slot(std::size_t i, const Settled& settled);
  void conclude_if_done();
  void reopen_exactly();

  const ForEachStep& for_each_;
  std::vector<Slot> slots_;
  std::unordered_map<std::size_t, std::unique_ptr<Frame>> live_;  ///< items in flight, and kept ones
  std::size_t next_ = 0;                                          ///< the first that was never launched
  std::size_t running_ = 0;
  std::size_t width_ = kWidth;
  bool keyed_by_map_ = false;
  std::uint64_t settlings_ = 0;
};

void ForEachFrame::begin() {
  if (auto failure = choose_items()) return fail(std::move(*failure));
  if (auto failure = choose_keys()) {
    slots_.clear();
    return fail(std::move(*failure));
  }
  auto width = resolve<std::int64_t>(for_each_.concurrency, scope(), evaluator(), kWidth, "concurrency");
  if (auto* failure = std::get_if<Failure>(&width)) return fail(std::move(*failure));
  if (std::get<std::int64_t>(width) < 1)
    return fail({"expression", fmt::format("concurrency is {}; at least 1 is needed", std::get<std::int64_t>(width))});
  width_ = static_cast<std::size_t>(std::get<std::int64_t>(width));
  open(slots_.size());
  launch_ready();
  conclude_if_done();
}

std::optional<Failure> ForEachFrame::choose_items() {
  auto refuse = [](std::string message) { return Failure{"expression", std::move(message)}; };
  Evaluation evaluation = for_each_.items.evaluate(scope(), evaluator());
  if (auto* failure = std::get_if<Failure>(&evaluation)) return std::move(*failure);
  Value chosen = std::get<Value>(evaluation);
  auto batch = resolve<std::int64_t>(for_each_.batch, scope(), evaluator(), 0, "batch");
  if (auto* failure = std::get_if<Failure>(&batch)) return std::move(*failure);
  const Json& items = chosen.json();
  if (items.is_string()) return refuse("for_each needs a list, a map or a count, not text; use `capture: lines`");
  if (!items.is_array() && !items.is_object() &&
      !(items.is_number() && items.get<double>() >= 0 && items.get<double>() == std::floor(items.get<double>())))
    return refuse("for_each needs a list, a map or a count, not " + shortened(chosen.text(), 80));
  std::size_t count = items.is_number() ? items.get<std::size_t>() : items.size();
  if (count > kMostItems)
    return refuse(fmt::format("for_each over {} items; at most {} are possible", count, kMostItems));

  std::vector<Item> all;
  all.reserve(count);
  if (items.is_number()) {
    for (std::size_t i = 0; i < count; ++i) all.push_back({Value(Json(i)), {}});
  } else if (items.is_array()) {
    for (const Json& item : items) all.push_back({Value(item), {}});
  } else {
    keyed_by_map_ = true;
    for (const auto& [key, value] : items.items()) {
      all.push_back({Value(Json{{"key", key}, {"value", value}}), {}});
      // To older programs an empty key was none.
      if (!key.empty() || context().rules().paths_differ()) all.back().key = key;
    }
  }
  if (std::int64_t size = std::get<std::int64_t>(batch); size > 0) {
    keyed_by_map_ = false;
    std::vector<Item> batches;
    for (std::size_t i = 0; i < all.size(); i += static_cast<std::size_t>(size)) {
      Json group = Json::array();
      for (std::size_t j = i; j < std::min(all.size(), i + static_cast<std::size_t>(size)); ++j)
        group.push_back(all[j].value.json());
      batches.push_back({Value(std::move(group)), {}});
    }
    all = std::move(batches);
  } else if (for_each_.batch.written()) {
    return refuse("batch must be at least 1");
  }
  slots_.resize(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) slots_[i].item = std::move(all[i]);
  context().decide(ItemsChosen{path(), slots_.size(), chosen});
  return std::nullopt;
}

std::optional<Failure> ForEachFrame::choose_keys() {
  if (keyed_by_map_ && !for_each_.key) return std::nullopt;
  std::unordered_map<std::string, std::size_t> seen;
  if (for_each_.key) {
    // The body's names are bound to one item after the other; nothing else of an ItemFrame is needed here.
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      ItemFrame item(context(), this, for_each_, std::string(), i, slots_[i].item.value, std::to_string(i));
      Evaluation evaluation = for_each_.key->evaluate(FrameScope(item), evaluator());
      if (auto* failure = std::get_if<Failure>(&evaluation)) return std::move(*failure);
      auto text = as_text(std::get<Value>(evaluation), "key");
      if (auto* failure = std::get_if<Failure>(&text)) return std::move(*failure);
      std::string& key = std::get<std::string>(text);
      auto [first, fresh] = seen.emplace(key, i);
      if (!fresh)
        return Failure{"expression", fmt::format("key `{}` stands for two items: {} and {}", key, first->second, i)};
      if (!key.empty() || context().rules().paths_differ()) slots_[i].item.key = std::move(key);
    }
    return std::nullopt;
  }
  if (for_each_.batch.written()) return std::nullopt;
  // Scalars that all read differently name themselves; anything else goes by its index.
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Json& json = slots_[i].item.value.json();
    bool scalar = json.is_string() || json.is_number() || json.is_boolean();
    std::string text = json.is_string() ? json.get<std::string>() : slots_[i].item.value.text();
    const bool nameless = text.empty() && !context().rules().paths_differ();
    if (!scalar || nameless || !seen.emplace(std::move(text), i).second) return std::nullopt;
  }
  for (const auto& [text, i] : seen) slots_[i].item.key = text;
  return std::nullopt;
}

std::string ForEachFrame::key_of(std::size_t i) const {
  return slots_[i].item.key ? *slots_[i].item.key : std::to_string(i);
}

void ForEachFrame::launch_ready(std::string_view within) {
  for (; next_ < slots_.size() && running_ < width_ && !draining() && !over(); ++next_) {
    if (slots_[next_].settled.state != State::Pending) continue;
    slots_[next_].settled.state = State::Running;
    ++running_;
    if (auto kept = live_.find(next_); kept != live_.end()) {
      kept->second->reopen(within);
      continue;
    }
    std::string key = key_of(next_);
    std::string item_at = item_path(path(), key);
    auto item = std::make_unique<ItemFrame>(context(), this, for_each_, std::move(item_at), next_,
                                            slots_[next_].item.value, std::move(key));
    context().queue().start(*item);
    live_[next_] = std::move(item);
  }
}

void ForEachFrame::settle_slot(std::size_t i, const Settled& settled) {
  Slot& slot = slots_[i];
  slot.settled = settled;
  slot.order = ++settlings_;
  tally_up(settled);
}

void ForEachFrame::on_child(Frame& child) {
  auto item = live_.find(child.index);
  if (item == live_.end() || item->second.get() != &child) return StepFrame::on_child(child);
  std::size_t i = child.index;
  if (!slots_[i].open()) return;  // it ended in the turn in which it was given up
  --running_;
  settle_slot(i, child.settled());
  if (!child.is_kept()) live_.erase(item);
  if (!act()) return;
  launch_ready();
  conclude_if_done();
}

void ForEachFrame::stop_children(const std::string& reason, bool unstarted_too) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].open()) continue;
    if (slots_[i].settled.state != State::Pending) {
      Frame& item = *live_.at(i);
      item.cancel(reason);
      --running_;
      settle_slot(i, item.settled());
      if (!item.is_kept()) live_.erase(i);
    } else if (unstarted_too) {
      settle_slot(i, stopped({}, reason, item_path(path(), key_of(i))));
    }
  }
}

void ForEachFrame::prevent_children() {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].settled.state == State::Pending) {
      settle_slot(i, stopped({}, "drain", item_path(path(), key_of(i))));
    } else if (slots_[i].open()) {
      live_.at(i)->drain();
    }
  }
  conclude_if_done();
}

void ForEachFrame::conclude_if_done() {
  if (running_ == 0 && tally().open() == 0) conclude();
}

Value ForEachFrame::output() const {
  // Joined as text: the items' outputs are JSON already, and there may be a million.
  std::string list = "[";
  for (const Slot& slot : slots_) {
    if (list.size() > 1) list += ',';
    list += slot.settled.state == State::Succeeded ? slot.settled.output.text() : "null";
  }
  list += ']';
  return Value::from_text(std::move(list));
}

Value ForEachFrame::winners() const {
  std::vector<std::pair<std::uint64_t, std::size_t>> won;
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i].settled.state == State::Succeeded) won.emplace_back(slots_[i].order, i);
  std::sort(won.begin(), won.end());
  if (for_each_.join.policy == Join::Policy::FirstCompleted || (for_each_.join.amount == 1 && !for_each_.join.percent))
    return won.empty() ? Value() : Value::string(key_of(won.front().second));
  Json keys = Json::array();
  for (const auto& [order, i] : won) keys.push_back(key_of(i));
  return Value(std::move(keys));
}

std::vector<ChildStatus> ForEachFrame::children(bool outputs) const {
  std::vector<ChildStatus> children;
  children.reserve(slots_.size());
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    children.push_back({key_of(i), slots_[i].item.value, slots_[i].settled, slots_[i].order});
    if (!outputs) children.back().settled.output = Value();
  }
  return children;
}

std::vector<Failure> ForEachFrame::failures(std::size_t most) const {
  std::vector<const Slot*> failed;
  for (const Slot& slot : slots_)
    if (slot.settled.state == State::Failed && !slot.settled.tolerated && slot.settled.failure) failed.push_back(&slot);
  std::size_t kept = std::min(most, failed.size());
  std::partial_sort(failed.begin(), failed.begin() + static_cast<std::ptrdiff_t>(kept), failed.end(),
                    [](const Slot* a, const Slot* b) { return a->order < b->order; });
  std::vector<Failure> causes;
  for (std::size_t i = 0; i < kept; ++i) causes.push_back(*failed[i]->settled.failure);
  return causes;
}

void ForEachFrame::reopen_exactly() {
  const Retrying& retrying = context().retrying();
  const bool covered = retrying.covers(path());
  const State was = settled_.state;
  StepFrame::reopen({});
  if (slots_.empty()) return begin();  // it failed before it had items
  running_ = 0;
  next_ = 0;
  open(slots_.size());
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    const std::string at = item_path(path(), key_of(i));
    auto live = live_.find(i);
    const bool failed = slot.settled.state == State::Failed || (live != live_.end() && live->second->has_failed());
    if (!retrying.leads_to(at) &&
        !(covered && unfinished(was, slot.settled.state, failed, context().undone().any_below(at)))) {
      kept.push_back(i);
      continue;
    }
    slot.settled = Settled{};
  }
  std::sort(kept.begin(), kept.end(), [&](std::size_t a, std::size_t b) { return slots_[a].order < slots_[b].order; });
  for (std::size_t i : kept) {
    tally_up(slots_[i].settled);
  }
  keep_verdict();
  launch_ready();
  conclude_if_done();
}

bool ForEachFrame::failed_inside() const {
  if (settled_.state == State::Succeeded && ends_early(for_each_.join)) return false;
  return std::any_of(slots_.begin(), slots_.end(),
                     [](const Slot& slot) { return slot.settled.state == State::Failed; }) ||
         std::any_of(live_.begin(), live_.end(), [](const auto& item) { return item.second->has_failed(); });
}

Frame::Way ForEachFrame::way_to(const std::string& target) const {
  if (target == path()) return true;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const std::string at = item_path(path(), key_of(i));
    if (!is_below(target, at)) continue;
    if (target == at) return true;
    auto live = live_.find(i);
    if (live == live_.end())
      return Hindrance{fmt::format("nothing of {} has run: it is {}", at, to_string(slots_[i].settled.state)), at};
    return live->second->way_to(target);
  }
  return false;
}

void ForEachFrame::reopen(std::string_view only) {
  if (context().retrying().exact()) return reopen_exactly();
  StepFrame::reopen(only);
  // As it was when nobody foresaw anything.
  std::erase_if(live_, [](const auto& item) { return !item.second->keeps_frame(); });
  if (slots_.empty()) return begin();  // it failed before it had items
  running_ = 0;
  next_ = 0;
  open(slots_.size());
  std::string_view within;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    std::string bracketed = item_path("", key_of(i));
    bool named = only.substr(0, bracketed.size()) == bracketed;
    const State state = slots_[i].settled.state;
    bool unfinished = (state != State::Succeeded && state != State::Skipped) ||
                      context().undone().any_below(item_path(path(), key_of(i)));
    if (only.empty() ? !unfinished : !named) {
      tally_up(slots_[i].settled);
      continue;
    }
    slots_[i].settled = Settled{};
    if (named) within = only.substr(bracketed.size());
  }
  launch_ready(within);
  conclude_if_done();
}

std::optional<Settled> ForEachFrame::look(std::string_view rest) const {
  if (rest.empty()) return settled_;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    std::string bracketed = item_path("", key_of(i));
    if (rest.substr(0, bracketed.size()) != bracketed) continue;
    rest.remove_prefix(bracketed.size());
    auto live = live_.find(i);
    if (!rest.empty()) return live == live_.end() ? std::nullopt : live->second->look(rest);
    return slots_[i].settled;
  }
  return std::nullopt;
}

}  // namespace

std::unique_ptr<Frame> ForEachStep::frame(Context& context, Frame* parent, std::string path) const {
  return std::make_unique<ForEachFrame>(context, parent, *this, std::move(path));
}

}  // namespace flowrun
