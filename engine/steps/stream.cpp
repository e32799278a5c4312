#include "engine/steps/stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "engine/machine/item_stream.h"
#include "engine/model/error.h"
#include "engine/model/path.h"
#include "engine/model/stream_keys.h"
#include "engine/steps/item_frame.h"

namespace flowrun {
namespace {

constexpr std::size_t kWidthOfRun = 64;  // flowrun-workflow(5): as the `concurrency` of a run
constexpr std::size_t kAhead = 64;       // items that wait so that those who end find the next one
/// Of a stream that goes on. No join policy fails for children that may still come.
constexpr std::size_t kUnknown = std::numeric_limits<std::size_t>::max() / 4;

class StreamFrame final : public StepFrame, private Group, public ItemStream {
 public:
  StreamFrame(Context& context, Frame* parent, const ForEachStep& step, std::string path)
      : StepFrame(context, parent, step, std::move(path), {.reopens = true}),
        Group(*this, settled_, step, GroupStatus::Of::Stream),
        for_each_(step) {}
  ~StreamFrame() override { listen(false); }

  const std::string& stream_path() const override { return path(); }
  bool is_open() const override { return !closed_; }
  std::size_t wanted() const override;
  void on_items(const ItemsArrived& arrived) override;

  void on_child(Frame& child) override;
  void reopen(std::string_view only) override;
  bool keeps_frame() const override { return keeps_group() || Frame::keeps_frame(); }
  Way way_to(const std::string& target) const override { return way_to_item(target); }
  std::optional<Settled> look_within(std::string_view rest) const override { return look_at_item(rest); }

 protected:
  void begin() override;
  void end_group(Outcome outcome, std::string reason) override {
    listen(false);
    finish(std::move(outcome), std::move(reason));
  }
  void stop(const std::string& reason) override { stop_group(reason); }
  void drain_work() override { drain_group(); }
  void timed_out() override { time_out_group(); }
  void amend() override { amend_group(); }
  bool failed_inside() const override { return group_failed_inside(); }
  void name_open_within(std::vector<std::string>& paths) const override { name_open_children(paths); }

 private:
  // What it is to Group.
  void stop_children(const std::string& reason, bool unstarted_too) override;
  void prevent_children() override;
  void drop_frame(std::size_t i) override { items_[i].frame.reset(); }
  Value output() const override;
  std::size_t total() const override { return closed_ ? gone_.succeeded + children_.size() : kUnknown; }
  Gone gone() const override { return gone_; }
  std::string name_of(std::size_t i) const override { return items_[i].key; }
  std::string path_of(std::size_t i) const override { return item_path(path(), items_[i].key); }
  std::size_t number_of(std::size_t i) const override { return items_[i].number; }
  Value item_of(std::size_t i) const override { return items_[i].value; }
  Frame* frame_of(std::size_t i) const override { return items_[i].frame.get(); }

  struct Item {
    std::size_t number = 0;  ///< of the stream
    Value value;
    std::string key;
    std::unique_ptr<Frame> frame;  ///< in flight, or kept
  };

  /// How many items run at once.
  std::size_t width() const;
  void listen(bool wanted);
  /// No more items come.
  void close();
  void launch_ready();
  /// Lets go of child |i|, which has succeeded: the last child takes its place.
  void let_go(std::size_t i);

  const ForEachStep& for_each_;
  std::vector<Item> items_;                          ///< of |children_|, in no order
  std::unordered_map<std::size_t, std::size_t> at_;  ///< where an item is, by its number
  std::unordered_set<std::string> keys_;             ///< of |items_|
  std::deque<std::size_t> line_;                     ///< numbers of those that have not begun
  std::size_t arrived_ = 0, width_ = 0;              ///< width 0: as the run's `concurrency`
  Gone gone_;
  bool closed_ = false, was_opened_ = false;
  bool at_end_ = false;  ///< all that there was has arrived; closed without that: it was stopped before
};

void StreamFrame::listen(bool wanted) {
  Signals& signals = context().signals();
  if (wanted) return signals.set_stream(this);
  if (signals.stream() == this) signals.set_stream(nullptr);
}

void StreamFrame::begin() {
  if (auto failure = choose_join()) return fail(std::move(*failure));
  if (for_each_.concurrency.written()) {
    auto width = resolve<std::int64_t>(for_each_.concurrency, scope(), evaluator(), 0, "concurrency");
    if (!width) return fail(std::move(width.failure()));
    if (*width < 1) return fail({"expression", fmt::format("concurrency is {}; at least 1 is needed", *width)});
    width_ = static_cast<std::size_t>(*width);
  }
  was_opened_ = true;
  open();
  listen(true);
}

std::size_t StreamFrame::width() const {
  if (width_ > 0) return width_;
  const int of_run = context().run().concurrency;
  return of_run > 0 ? static_cast<std::size_t>(of_run) : kWidthOfRun;
}

std::size_t StreamFrame::wanted() const {
  const std::size_t room = width() + kAhead;
  return draining() || over() || line_.size() >= room ? 0 : room - line_.size();
}

void StreamFrame::on_items(const ItemsArrived& arrived) {
  std::vector<std::string> keys = stream_keys(arrived, arrived_);
  const Json& values = arrived.items.json();
  if (draining() || over()) return;
  at_end_ = arrived.last;
  if (closed_) {
    closed_ = false;
    recount();
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!keys_.insert(keys[i]).second)
      throw Corruption(fmt::format("two items of {} have the key `{}`", path(), keys[i]));
    at_[arrived_] = items_.size();
    line_.push_back(arrived_);
    items_.push_back({arrived_++, Value(values[i]), std::move(keys[i]), nullptr});
    children_.emplace_back();
  }
  if (arrived.last) close();
  launch_ready();
  conclude_if_done();
}

void StreamFrame::close() {
  closed_ = true;
  recount();
}

void StreamFrame::launch_ready() {
  while (!line_.empty() && running_ < width() && !draining() && !over()) {
    const std::size_t number = line_.front();
    line_.pop_front();
    const std::size_t i = at_.at(number);
    Settled& settled = children_[i].settled;
    if (settled.state != State::Pending) continue;
    settled.state = State::Running;
    ++running_;
    if (Frame* kept = frame_of(i)) {
      kept->reopen({});
      continue;
    }
    items_[i].frame =
        std::make_unique<ItemFrame>(context(), this, for_each_, path_of(i), number, items_[i].value, items_[i].key);
    context().queue().start(*items_[i].frame);
  }
}

void StreamFrame::on_child(Frame& child) {
  const auto found = at_.find(child.index);
  if (found == at_.end() || frame_of(found->second) != &child) return StepFrame::on_child(child);
  const std::size_t i = found->second;
  if (!children_[i].open()) return;  // it ended in the turn in which it was given up
  --running_;
  settle_child(i, child.settled());
  if (!child.is_kept()) {
    // There may be millions, and what they put out is in the journal.
    children_[i].settled.output = Value();
    drop_frame(i);
    if (children_[i].settled.state == State::Succeeded) let_go(i);
  }
  if (!act()) return;
  launch_ready();
  conclude_if_done();
}

void StreamFrame::let_go(std::size_t i) {
  ++gone_.succeeded;
  gone_.attempts += children_[i].settled.attempts + children_[i].settled.within;
  at_.erase(items_[i].number);
  keys_.erase(items_[i].key);
  if (i + 1 < items_.size()) {
    items_[i] = std::move(items_.back());
    children_[i] = std::move(children_.back());
    at_[items_[i].number] = i;
  }
  items_.pop_back();
  children_.pop_back();
}

void StreamFrame::stop_children(const std::string& reason, bool unstarted_too) {
  if (unstarted_too) close();
  stop_items(reason, unstarted_too);
}

void StreamFrame::prevent_children() {
  close();
  drain_items();
}

Value StreamFrame::output() const {
  return Value(Json{{"total", tally().total},
                    {"succeeded", tally().succeeded},
                    {"failed", tally().total - tally().succeeded - tally().excluded}});
}

void StreamFrame::reopen(std::string_view) {
  const RetryRequest& request = context().retry_request();
  const State was = settled_.state;
  StepFrame::reopen({});
  if (!was_opened_) return begin();  // it failed before it had items
  if (request.streams(path())) at_end_ = false;
  closed_ = at_end_;
  std::vector<bool> again(children_.size());
  line_.clear();
  for (std::size_t i = 0; i < children_.size(); ++i) {
    again[i] = runs_again(i, was);
    if (again[i]) line_.push_back(items_[i].number);
    if (const Frame* item = frame_of(i); again[i] && item && !is_kept_for_retry(*item)) drop_frame(i);
  }
  std::sort(line_.begin(), line_.end());
  open_again(again);
  listen(true);
  launch_ready();
  conclude_if_done();
}

}  // namespace

std::unique_ptr<Frame> stream_frame(Context& context, Frame* parent, const ForEachStep& step, std::string path) {
  return std::make_unique<StreamFrame>(context, parent, step, std::move(path));
}

}  // namespace flowrun
