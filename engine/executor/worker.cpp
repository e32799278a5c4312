#include "engine/executor/worker.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <iterator>

#include "engine/executor/children.h"
#include "engine/executor/http_transfers.h"
#include "engine/model/error.h"

namespace flowrun {
namespace {

void ring(int bell) {
  std::uint64_t one = 1;
  // A full counter is loud enough; nothing else can go wrong with an eventfd.
  [[maybe_unused]] ssize_t written = write(bell, &one, sizeof one);
}

void silence(int bell) {
  std::uint64_t count = 0;
  [[maybe_unused]] ssize_t got = read(bell, &count, sizeof count);
}

int new_bell() {
  int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (bell < 0) throw Error(Problem::Internal, "no eventfd from the kernel; is the limit of open files very low?");
  return bell;
}

}  // namespace

PoolShared::PoolShared(const ExecutorOptions& chosen)
    : options(chosen),
      base_environment(chosen),
      folder(chosen.run_dir),
      slots(chosen.jobs, std::max(1, chosen.cpus),
            chosen.run_dir.empty() ? nullptr : std::make_unique<LineFile>(folder, chosen.token)),
      log(folder, chosen.token.substr(0, 8)),
      bell_(new_bell()) {}

PoolShared::~PoolShared() { close(bell_); }

void PoolShared::tell(Event event) {
  bool first;
  {
    std::lock_guard lock(mutex_);
    first = told_.empty();
    told_.push_back(std::move(event));
  }
  if (first) ring(bell_);
}

void PoolShared::tell_ended(const Task& task, Result result) {
  if (const Mask& mask = secrets().mask(); !mask.empty()) {
    auto masked = [&](Value& value) { value = Value::from_text(mask.json(value.text())); };
    masked(result.value);
    if (result.failure) {
      result.failure->message = mask.text(result.failure->message);
      masked(result.failure->detail);
    }
  }
  tell({{}, TaskEnded{task.path, task.attempt, std::move(result)}});
}

void PoolShared::take(std::vector<Event>& into, Duration timeout) {
  pollfd waiting{bell_, POLLIN, 0};
  poll(&waiting, 1, static_cast<int>(std::clamp<std::int64_t>(timeout.count(), 0, 1 << 30)));
  silence(bell_);
  std::lock_guard lock(mutex_);
  if (into.empty()) {
    into.swap(told_);
  } else {
    std::move(told_.begin(), told_.end(), std::back_inserter(into));
    told_.clear();
  }
}

void PoolShared::wake() {
  int before = errno;  // a signal handler's caller has its own use for it
  ring(bell_);
  errno = before;
}

void PoolShared::make_run_dir() {
  std::call_once(run_dir_made_, [this] {
    if (options.run_dir.empty()) return;
    folder.make();
    folder.remove_all(kOutputName);  // those of attempts that a crash cut off
  });
}

Worker::Worker(PoolShared& shared) : shared_(shared), epoll_(epoll_create1(EPOLL_CLOEXEC)), bell_(new_bell()) {
  if (epoll_ < 0) throw Error(Problem::Internal, "no epoll from the kernel; is the limit of open files very low?");
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  wanted.data.u64 = wake_data(Wake::Bell, 0);
  epoll_ctl(epoll_, EPOLL_CTL_ADD, bell_, &wanted);
  children_ = std::make_unique<Children>(*this);
  http_ = std::make_unique<Http>(*this);
  thread_ = std::thread([this] { loop(); });
}

Worker::~Worker() {
  post(Quit{});
  thread_.join();
  // They close what is registered with epoll, so they go first.
  http_.reset();
  children_.reset();
  close(bell_);
  close(epoll_);
}

void Worker::post(Order order) {
  bool first;
  {
    std::lock_guard lock(mutex_);
    first = orders_.empty();
    orders_.push_back(std::move(order));
  }
  if (first) ring(bell_);
}

void Worker::loop() {
  std::array<epoll_event, 256> happened;
  for (;;) {
    // Read before the look at what has happened: whatever ended before something was due is taken in before that.
    const WorkClock::time_point now = shared_.clock.now();
    const int count = epoll_wait(epoll_, happened.data(), static_cast<int>(happened.size()), patience(now));
    // A stop of the process interrupts the look, and more than fits may have happened.
    const bool seen_all = count >= 0 && count < static_cast<int>(happened.size());
    bool asked = false;
    for (int i = 0; i < count; ++i) {
      std::uint64_t data = happened[static_cast<std::size_t>(i)].data.u64;
      std::uint32_t events = happened[static_cast<std::size_t>(i)].events;
      std::uint64_t id = data >> 3;
      switch (static_cast<Wake>(data & 7)) {
        case Wake::Bell:
          asked = true;
          break;
        case Wake::Exit:
          children_->exited(id);
          break;
        case Wake::Out:
          children_->readable(id, false);
          break;
        case Wake::Err:
          children_->readable(id, true);
          break;
        case Wake::In:
          children_->writable(id);
          break;
        case Wake::Socket:
          http_->ready(id, events);
          break;
      }
    }
    if (seen_all) ring_alarms(now);
    http_->settle();
    if (asked && !obey()) return;
    if (!seen_all || to_catch_up_.empty()) continue;
    for (const CatchUp& one : to_catch_up_) one.done->set_value();
    to_catch_up_.clear();
  }
}

bool Worker::obey() {
  silence(bell_);
  std::vector<Order> orders;
  {
    std::lock_guard lock(mutex_);
    orders.swap(orders_);
  }
  for (Order& order : orders) {
    if (auto* task = std::get_if<Task>(&order)) {
      begin(std::move(*task));
    } else if (const auto* stop = std::get_if<Stop>(&order)) {
      children_->stop(stop->path, stop->attempt);
      http_->stop(stop->path, stop->attempt);
    } else if (const auto* all = std::get_if<StopAll>(&order)) {
      children_->stop_all(all->most);
      http_->stop_all();
    } else if (std::holds_alternative<HandOut>(order)) {
      hand_out();
    } else if (auto* catch_up = std::get_if<CatchUp>(&order)) {
      to_catch_up_.push_back(std::move(*catch_up));
    } else {
      children_->kill_all();
      return false;
    }
  }
  http_->settle();
  return true;
}

void Worker::begin(Task task) {
  if (std::holds_alternative<Process>(*task.work)) {
    children_->begin(std::move(task));
  } else {
    http_->begin(std::move(task));
  }
}

void Worker::place_freed(bool shared) {
  shared_.slots.leave(shared);
  hand_out();
}

void Worker::hand_out() {
  auto next = shared_.slots.next();
  if (!next) return;
  if (auto* task = std::get_if<Task>(&*next)) {
    begin(std::move(*task));
  } else {
    shared_.tell({{}, TaskReserved{std::get<ProcessSlots::Reservation>(*next).path}});
  }
}

void Worker::alarm(std::uint64_t id, Duration delay) {
  alarms_.push_back({now() + delay, id});
  std::push_heap(alarms_.begin(), alarms_.end(), std::greater<>());
}

int Worker::patience(WorkClock::time_point now) const {
  WorkClock::duration rest = WorkClock::kBeat;
  if (!alarms_.empty()) rest = std::min(rest, alarms_.front().at - now);
  if (http_->look_at() != WorkClock::time_point::max()) rest = std::min(rest, http_->look_at() - now);
  if (http_alarm_) rest = std::min<WorkClock::duration>(rest, *http_alarm_ - std::chrono::steady_clock::now());
  // Rounded up: waking early would turn the last millisecond into a busy loop.
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(rest).count();
  return static_cast<int>(std::max<std::int64_t>(ms, 0));
}

void Worker::ring_alarms(WorkClock::time_point now) {
  while (!alarms_.empty() && alarms_.front().at <= now) {
    Alarm alarm = alarms_.front();
    std::pop_heap(alarms_.begin(), alarms_.end(), std::greater<>());
    alarms_.pop_back();
    children_->due(alarm.id);
  }
  http_->look(now);
  if (http_alarm_ && *http_alarm_ <= std::chrono::steady_clock::now()) {
    http_alarm_.reset();
    http_->due();
  }
}

}  // namespace flowrun
