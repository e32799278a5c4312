#include "engine/run/item_feed.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>

#include "engine/model/entry_reading.h"
#include "engine/model/error.h"
#include "engine/model/hash.h"
#include "engine/run/item_splitter.h"

namespace flowrun {
namespace {

constexpr std::size_t kMostAhead = 4096;      // items that are read before somebody takes them
constexpr std::size_t kMostBytes = 4 << 20;   // and of them all
constexpr std::size_t kBatchBytes = 1 << 20;  // of one entry of the journal

/// Which items a run has had, by the hashes of their texts: equal ones are told apart by how many there were.
class Known {
 public:
  void add(const Value& item) { ++known_[hash64(stream_text(item))]; }
  /// The how-manieth of its text |item| is; 0: the run has had it.
  int number(const Value& item) {
    const std::uint64_t text = hash64(stream_text(item));
    const int nth = ++read_[text];
    const auto known = known_.find(text);
    return known != known_.end() && nth <= known->second ? 0 : nth;
  }

 private:
  std::unordered_map<std::uint64_t, int> known_, read_;
};

class Reader final : public ItemFeed {
 public:
  Reader(int descriptor, StreamFormat format) : descriptor_(descriptor), splitter_(format) {
    wakeup_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wakeup_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  ~Reader() override {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    room_.notify_all();
    eventfd_write(wakeup_, 1);
    if (thread_.joinable()) thread_.join();
    close(wakeup_);
  }

  void leave_out(const ItemsArrived& arrived) override {
    for (const Json& item : arrived.items.json()) known_.add(Value(item));
  }

  void begin(std::function<void()> ready) override {
    {
      const std::lock_guard lock(mutex_);
      ready_ = std::move(ready);
    }
    if (!thread_.joinable()) thread_ = std::thread([this] { read(); });
  }

  bool has_some() const override {
    const std::lock_guard lock(mutex_);
    return !items_.empty() || (ended_ && trouble_.empty() && !told_end_);
  }

  bool is_at_end() const override {
    const std::lock_guard lock(mutex_);
    return items_.empty() && ended_ && trouble_.empty();
  }

  std::optional<ItemsArrived> take(std::size_t most) override {
    const std::lock_guard lock(mutex_);
    ItemsArrived arrived;
    std::string list = "[";
    int count = 0;
    for (; most > 0 && !items_.empty() && list.size() < kBatchBytes; --most, ++count) {
      const auto& [item, nth] = items_.front();
      bytes_ -= item.text().size();
      if (count > 0) list += ',';
      list += item.text();
      if (nth > 1 && names_itself(item)) arrived.repeated.push_back({count, nth});
      items_.pop_front();
    }
    arrived.items = Value::from_text(list + "]");
    arrived.last = ended_ && items_.empty() && trouble_.empty();
    if (count == 0 && (!arrived.last || told_end_)) return std::nullopt;
    told_end_ = arrived.last;
    room_.notify_one();
    return arrived;
  }

  std::string trouble() const override {
    const std::lock_guard lock(mutex_);
    return items_.empty() ? trouble_ : "";
  }

 private:
  void read() {
    char buffer[65536];
    for (;;) {
      pollfd both[]{{descriptor_, POLLIN, 0}, {wakeup_, POLLIN, 0}};
      if (poll(both, 2, -1) < 0 && errno != EINTR) return end(std::strerror(errno));
      if (both[1].revents) return;
      if (!both[0].revents) continue;
      const ssize_t got = ::read(descriptor_, buffer, sizeof buffer);
      if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (got < 0) return end(std::string("it can not be read: ") + std::strerror(errno));
      if (got == 0) splitter_.end();
      splitter_.add({buffer, static_cast<std::size_t>(std::max<ssize_t>(got, 0))});
      if (!hand_over()) return;
      if (got == 0 || !splitter_.trouble().empty()) return end(splitter_.trouble());
    }
  }

  /// False: nobody wants them any more.
  bool hand_over() {
    std::unique_lock lock(mutex_);
    for (Value& item : splitter_.items()) {
      const int nth = known_.number(item);
      if (nth == 0) continue;
      if (items_.size() >= kMostAhead || bytes_ >= kMostBytes) {
        tell(lock);
        room_.wait(lock, [this] { return stopped_ || (items_.size() < kMostAhead && bytes_ < kMostBytes); });
      }
      if (stopped_) return false;
      bytes_ += item.text().size();
      items_.emplace_back(std::move(item), nth);
    }
    splitter_.items().clear();
    tell(lock);
    return !stopped_;
  }

  void end(std::string trouble) {
    std::unique_lock lock(mutex_);
    trouble_ = std::move(trouble);
    ended_ = true;
    tell(lock);
  }

  void tell(std::unique_lock<std::mutex>& lock) {
    const std::function<void()> ready = ready_;
    lock.unlock();
    if (ready) ready();
    lock.lock();
  }

  const int descriptor_;
  int wakeup_ = -1;
  std::thread thread_;
  // Of the thread, once it has begun.
  ItemSplitter splitter_;
  Known known_;
  // Of both.
  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::function<void()> ready_;
  std::deque<std::pair<Value, int>> items_;
  std::size_t bytes_ = 0;
  std::string trouble_;
  bool ended_ = false, told_end_ = false, stopped_ = false;
};

class OfRun final : public ItemFeed {
 public:
  OfRun(const Journal& journal, RunRecord run) : journal_(journal), run_(std::move(run)) {}

  void leave_out(const ItemsArrived& arrived) override {
    for (const Json& item : arrived.items.json()) known_.add(Value(item));
  }
  void begin(std::function<void()>) override {}
  bool has_some() const override { return !told_end_; }
  bool is_at_end() const override { return told_end_; }
  std::optional<ItemsArrived> take(std::size_t) override {
    if (told_end_) return std::nullopt;
    while (std::optional<ItemsArrived> arrived = next()) {
      ItemsArrived fresh;
      Json list = Json::array();
      for (const Json& json : arrived->items.json()) {
        const Value item(json);
        const int nth = known_.number(item);
        if (nth == 0) continue;
        if (nth > 1 && names_itself(item)) fresh.repeated.push_back({static_cast<int>(list.size()), nth});
        list.push_back(json);
      }
      if (list.empty()) continue;
      fresh.items = Value(std::move(list));
      return fresh;
    }
    told_end_ = true;
    ItemsArrived end;
    end.items = Value(Json::array());
    end.last = true;
    return end;
  }

 private:
  std::optional<ItemsArrived> next() {
    for (;;) {
      if (at_ == slice_.size()) {
        slice_ = journal_.read(run_.number, next_);
        at_ = 0;
        if (slice_.empty()) return std::nullopt;
        next_ = slice_.back().seq + 1;
      }
      const Entry& entry = slice_[at_++];
      if (entry.kind == EntryKind::ItemsArrived) return as<ItemsArrived>(entry);
    }
  }

  const Journal& journal_;
  const RunRecord run_;
  std::vector<Entry> slice_;
  std::size_t at_ = 0;
  std::int64_t next_ = 1;
  Known known_;
  bool told_end_ = false;
};

}  // namespace

std::unique_ptr<ItemFeed> read_items(int descriptor, StreamFormat format) {
  return std::make_unique<Reader>(descriptor, format);
}

std::unique_ptr<ItemFeed> items_of_run(const Journal& journal, const RunRecord& run) {
  return std::make_unique<OfRun>(journal, run);
}

}  // namespace flowrun
