#include "engine/steps/for_each.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "engine/language/template.h"
#include "engine/model/path.h"
#include "engine/model/value_writer.h"
#include "engine/steps/item_frame.h"
#include "engine/steps/items.h"
#include "engine/steps/stream.h"

namespace flowrun {
namespace {

constexpr std::int64_t kWidth = 16;            // flowrun-workflow(5), `concurrency` of for_each
constexpr std::size_t kMostAhead = 256 << 20;  // bytes of room for outputs that have not come

/// It is kept apart from the list, and may be read again from the journal.
bool is_long(const Value& output) { return output.is_kept_elsewhere() && output.size() >= Value::kLong; }

class ForEachFrame final : public StepFrame, private Group {
 public:
  ForEachFrame(Context& context, Frame* parent, const ForEachStep& step, std::string path)
      : StepFrame(context, parent, step, std::move(path), {.reopens = true}),
        Group(*this, settled_, step, GroupStatus::Of::Items),
        for_each_(step) {}

  void on_child(Frame& child) override;
  void reopen(std::string_view only) override;
  bool keeps_frame() const override { return keeps_group() || Frame::keeps_frame(); }
  Way way_to(const std::string& target) const override { return way_to_item(target); }
  std::optional<Settled> look_within(std::string_view rest) const override { return look_at_item(rest); }

 protected:
  void begin() override;
  void end_group(Outcome outcome, std::string reason) override { finish(std::move(outcome), std::move(reason)); }
  void stop(const std::string& reason) override { stop_group(reason); }
  void drain_work() override { drain_group(); }
  void timed_out() override { time_out_group(); }
  void amend() override { amend_group(); }
  bool failed_inside() const override { return group_failed_inside(); }
  void name_open_within(std::vector<std::string>& paths) const override { name_open_children(paths); }

 private:
  // What it is to Group.
  void stop_children(const std::string& reason, bool unstarted_too) override { stop_items(reason, unstarted_too); }
  void prevent_children() override { drain_items(); }
  void drop_frame(std::size_t i) override { live_.erase(i); }
  Value output() const override;
  std::string name_of(std::size_t i) const override { return items_.name(i); }
  std::string path_of(std::size_t i) const override { return item_path(path(), name_of(i)); }
  Value item_of(std::size_t i) const override { return items_.value(i); }
  Frame* frame_of(std::size_t i) const override {
    auto live = live_.find(i);
    return live == live_.end() ? nullptr : live->second.get();
  }

  /// Adds the output of the next item to the list of all; of a long one its place.
  void add_to_list(const Settled& item) const;
  /// Item |settled| has settled. Where nobody else looks at the outputs of items, only the list keeps the short ones of
  /// the first that have settled, and of the long ones only some stay in memory; where nobody hears the list, nothing
  /// keeps them.
  void gather(std::size_t settled);
  /// Gives the items their outputs back.
  void give_back();
  std::optional<Failure> choose_items();
  std::optional<Failure> choose_keys();
  /// |within|: of an item that is reopened, the rest of the path that is meant.
  void launch_ready(std::string_view within = {});
  void reopen_exactly();

  const ForEachStep& for_each_;
  Items items_;                                                   ///< of |children_|
  std::unordered_map<std::size_t, std::unique_ptr<Frame>> live_;  ///< items in flight, and kept ones
  std::size_t next_ = 0;                                          ///< the first that was never launched
  std::size_t width_ = kWidth;
  // The output as it grows. What asks for it, asks once.
  mutable std::string list_;               ///< of the first items, without the long ones
  mutable std::vector<std::size_t> ends_;  ///< of their outputs in it
  mutable Value short_;                    ///< it, once it has become the output or a part of that
};

void ForEachFrame::begin() {
  if (auto failure = choose_join()) return fail(std::move(*failure));
  if (auto failure = choose_items()) return fail(std::move(*failure));
  if (auto failure = choose_keys()) {
    items_ = {};
    children_.clear();
    return fail(std::move(*failure));
  }
  auto width = resolve<std::int64_t>(for_each_.concurrency, scope(), evaluator(), kWidth, "concurrency");
  if (!width) return fail(std::move(width.failure()));
  if (*width < 1) return fail({"expression", fmt::format("concurrency is {}; at least 1 is needed", *width)});
  width_ = static_cast<std::size_t>(*width);
  open();
  launch_ready();
  conclude_if_done();
}

std::optional<Failure> ForEachFrame::choose_items() {
  Evaluation chosen = for_each_.items.evaluate(scope(), evaluator());
  if (!chosen) return std::move(chosen.failure());
  std::optional<std::int64_t> batch;
  if (for_each_.batch.written()) {
    auto size = resolve<std::int64_t>(for_each_.batch, scope(), evaluator(), 0, "batch");
    if (!size) return std::move(size.failure());
    batch = *size;
  }
  // To older programs an empty key was none.
  auto items = Items::of(*chosen, batch, context().rules().paths_differ());
  if (!items) return std::move(items.failure());
  items_ = *std::move(items);
  children_.clear();
  children_.resize(items_.size());
  context().decide(ItemsChosen{path(), items_.size(), *std::move(chosen)});
  return std::nullopt;
}

std::optional<Failure> ForEachFrame::choose_keys() {
  const bool empty_keys = context().rules().paths_differ();
  if (!for_each_.key) {
    items_.name_by_value(empty_keys);
    return std::nullopt;
  }
  std::unordered_map<std::string, std::size_t> seen;
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    // The body's names are bound to one item after the other; nothing else of an ItemFrame is needed here.
    ItemFrame item(context(), this, for_each_, std::string(), i, items_.value(i), std::to_string(i));
    Evaluation evaluation = for_each_.key->evaluate(FrameScope(item), evaluator());
    if (!evaluation) return std::move(evaluation.failure());
    auto key = as_text(*evaluation, "key");
    if (!key) return std::move(key.failure());
    auto [first, fresh] = seen.emplace(*key, i);
    if (!fresh)
      return Failure{"expression", fmt::format("key `{}` stands for two items: {} and {}", *key, first->second, i)};
    // No key is the name that the item has without this one.
    keys.push_back(key->empty() && !empty_keys ? items_.name(i) : *std::move(key));
  }
  items_.name(std::move(keys));
  return std::nullopt;
}

void ForEachFrame::launch_ready(std::string_view within) {
  for (; next_ < children_.size() && running_ < width_ && !draining() && !over(); ++next_) {
    Settled& settled = children_[next_].settled;
    if (settled.state != State::Pending) continue;
    settled.state = State::Running;
    ++running_;
    if (Frame* kept = frame_of(next_)) {
      kept->reopen(within);
      continue;
    }
    std::string key = name_of(next_);
    std::string item_at = item_path(path(), key);
    auto item = std::make_unique<ItemFrame>(context(), this, for_each_, std::move(item_at), next_, items_.value(next_),
                                            std::move(key));
    context().queue().start(*item);
    live_[next_] = std::move(item);
  }
}

void ForEachFrame::on_child(Frame& child) {
  auto item = live_.find(child.index);
  if (item == live_.end() || item->second.get() != &child) return StepFrame::on_child(child);
  const std::size_t i = child.index;
  if (!children_[i].open()) return;  // it ended in the turn in which it was given up
  --running_;
  settle_child(i, child.settled());
  if (!child.is_kept()) live_.erase(item);
  gather(i);
  if (!act()) return;
  launch_ready();
  conclude_if_done();
}

void ForEachFrame::add_to_list(const Settled& item) const {
  const bool good = item.state == State::Succeeded;
  const std::string_view text = !good ? "null" : is_long(item.output) ? "" : std::string_view(item.output.text());
  // Room for all at once, as far as those before tell, and an eighth: growing would take half as much again.
  if (const std::size_t wanted = list_.size() + text.size() + 2; wanted > list_.capacity())
    list_.reserve(std::max(wanted, std::min(kMostAhead, wanted * (children_.size() + 1) / (ends_.size() + 1) * 9 / 8)));
  list_ += ends_.empty() ? '[' : ',';
  list_ += text;
  ends_.push_back(list_.size());
}

void ForEachFrame::gather(std::size_t settled) {
  if (for_each_.outputs_named) return;
  if (!is_heard()) {
    children_[settled].settled.output = Value();
    return;
  }
  if (is_long(children_[settled].settled.output)) hold_output(settled);
  for (std::size_t i = ends_.size(); i < children_.size() && !children_[i].open(); ++i) {
    Settled& item = children_[i].settled;
    add_to_list(item);
    if (item.state == State::Succeeded && !is_long(item.output)) item.output = Value();
  }
}

void ForEachFrame::give_back() {
  const std::string_view list = short_.is_null() ? std::string_view(list_) : std::string_view(short_.text());
  for (std::size_t i = 0, from = 1; i < ends_.size(); from = ends_[i++] + 1)
    if (children_[i].settled.state == State::Succeeded && from < ends_[i])
      children_[i].settled.output = Value::from_text(std::string(list.substr(from, ends_[i] - from)));
  ends_.clear();
  list_.clear();
  short_ = Value();
  forget_outputs();
}

Value ForEachFrame::output() const {
  // Joined as text: the items' outputs are JSON already, and there may be a million.
  for (std::size_t i = ends_.size(); i < children_.size(); ++i) add_to_list(children_[i].settled);
  if (ends_.empty()) list_ = "[";
  list_ += ']';
  const std::size_t size = list_.size();
  short_ = Value::from_text(std::exchange(list_, {}));
  ValueWriter all;
  std::size_t written = 0;
  for (std::size_t i = 0, from = 1; i < ends_.size(); from = ends_[i++] + 1) {
    if (from < ends_[i]) continue;
    all.add(short_, written, from - written);
    all.add(children_[i].settled.output);
    written = from;
  }
  if (written == 0) return short_;
  all.add(short_, written, size - written);
  return std::move(all).done();
}

void ForEachFrame::reopen_exactly() {
  give_back();
  const State was = settled_.state;
  StepFrame::reopen({});
  if (items_.empty()) return begin();  // it failed before it had items
  std::vector<bool> again(children_.size());
  for (std::size_t i = 0; i < children_.size(); ++i) {
    again[i] = runs_again(i, was);
    if (const Frame* item = frame_of(i); again[i] && item && !is_kept_for_retry(*item)) drop_frame(i);
  }
  open_again(again);
  next_ = 0;
  launch_ready();
  conclude_if_done();
}

void ForEachFrame::reopen(std::string_view only) {
  if (context().retry_request().exact()) return reopen_exactly();
  give_back();
  StepFrame::reopen(only);
  // As it was when nobody foresaw anything.
  std::erase_if(live_, [](const auto& item) { return !item.second->keeps_frame(); });
  if (items_.empty()) return begin();  // it failed before it had items
  next_ = 0;
  open();
  std::string_view within;
  for (std::size_t i = 0; i < children_.size(); ++i) {
    Settled& settled = children_[i].settled;
    const std::string bracketed = item_path("", name_of(i));
    const bool named = only.substr(0, bracketed.size()) == bracketed;
    const bool left = !is_finished(settled.state) || context().undone().any_below(path_of(i));
    if (only.empty() ? !left : !named) {
      tally_up(settled);
      continue;
    }
    settled = Settled{};
    if (named) within = only.substr(bracketed.size());
  }
  launch_ready(within);
  conclude_if_done();
}

}  // namespace

std::unique_ptr<Frame> ForEachStep::frame(Context& context, Frame* parent, std::string path) const {
  if (stream) return stream_frame(context, parent, *this, std::move(path));
  return std::make_unique<ForEachFrame>(context, parent, *this, std::move(path));
}

}  // namespace flowrun
