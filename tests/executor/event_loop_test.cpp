// The event loop alone: what it calls, in which order, and what it tells of a turn. With a real epoll and pipes.
#include "engine/executor/event_loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/executor/inbox.h"
#include "tests/support/catch.h"

namespace flowrun::test::event_loop_test {
using namespace std::chrono_literals;

namespace {

struct Pipe {
  Pipe() { REQUIRE(pipe(ends) == 0); }
  ~Pipe() {
    for (int end : ends) close(end);
  }
  void fill() const { REQUIRE(write(ends[1], "x", 1) == 1); }
  int ends[2];
};

struct Loop {
  WorkClock clock;
  EventLoop loop{clock};
  std::vector<std::string> calls;

  EventLoop::HandlerId handler(const std::string& name) {
    return loop.add([this, name](std::uint64_t id, auto) { calls.push_back(name + std::to_string(id)); });
  }
  std::vector<std::string> turn() {
    calls.clear();
    loop.turn();
    return std::move(calls);
  }
};

using Calls = std::vector<std::string>;

}  // namespace

TEST_CASE("event loop: a descriptor's handler is called with the id of the watch, until it is unwatched") {
  Loop l;
  Pipe first, second;
  const auto a = l.handler("a"), b = l.handler("b");
  l.loop.watch(first.ends[0], EPOLLIN, a, 5);
  l.loop.watch(second.ends[0], EPOLLIN, b, (std::uint64_t{1} << 60) - 1);
  first.fill();
  CHECK(l.turn() == Calls{"a5"});
  CHECK(l.turn() == Calls{"a5"});  // nobody has read it
  l.loop.unwatch(first.ends[0]);
  second.fill();
  CHECK(l.turn() == Calls{"b1152921504606846975"});
  l.loop.watch_anew(second.ends[0], EPOLLIN, a, 6);
  CHECK(l.turn() == Calls{"a6"});
  l.loop.watch_anew(first.ends[0], EPOLLIN, b, 7);
  l.loop.unwatch(second.ends[0]);
  CHECK(l.turn() == Calls{"b7"});
}

TEST_CASE("event loop: alarms ring once, in the order of their times, after what had happened by then") {
  Loop l;
  Pipe pipe;
  const auto descriptor = l.handler("descriptor"), alarm = l.handler("alarm");
  l.loop.watch(pipe.ends[0], EPOLLIN, descriptor, 0);
  l.loop.alarm(alarm, 3, 3ms);
  l.loop.alarm(alarm, 1, 1ms);
  l.loop.alarm(alarm, 2, 2ms);
  pipe.fill();
  std::this_thread::sleep_for(5ms);
  CHECK(l.turn() == Calls{"descriptor0", "alarm1", "alarm2", "alarm3"});
  CHECK(l.turn() == Calls{"descriptor0"});
}

TEST_CASE("event loop: what happens while a turn works is taken in before an alarm that was due by then") {
  Loop l;
  Pipe first, second;
  const auto slow = l.loop.add([&](std::uint64_t, auto) {
    l.calls.push_back("slow");
    l.loop.unwatch(first.ends[0]);
    std::this_thread::sleep_for(5ms);
    second.fill();
  });
  const auto next = l.handler("next"), alarm = l.handler("alarm");
  l.loop.watch(first.ends[0], EPOLLIN, slow, 0);
  l.loop.watch(second.ends[0], EPOLLIN, next, 0);
  first.fill();
  l.loop.alarm(alarm, 1, 2ms);
  CHECK(l.turn() == Calls{"slow"});
  CHECK(l.turn() == Calls{"next0", "alarm1"});
}

TEST_CASE("event loop: of a timer only the newest time counts") {
  Loop l;
  const auto work = l.handler("work"), steady = l.handler("steady");
  l.loop.set_timer(work, l.loop.now());
  l.loop.set_timer(work, l.loop.now() + 1h);
  l.loop.set_steady_timer(steady, std::chrono::steady_clock::now());
  CHECK(l.turn() == Calls{"steady0"});
  l.loop.set_timer(work, l.loop.now());
  l.loop.set_steady_timer(steady, std::nullopt);
  CHECK(l.turn() == Calls{"work0"});
  CHECK(l.turn().empty());  // after a beat of the work clock
}

TEST_CASE("event loop: one wake-up serves every message that was posted before, and none is lost or out of order") {
  Loop l;
  Inbox<int> inbox(l.loop.wakeup_fd());
  constexpr int kMessages = 20'000;
  std::thread sender([&] {
    for (int i = 0; i < kMessages; ++i) inbox.post(i);
  });
  std::vector<int> all;
  while (all.size() < kMessages)
    if (l.loop.turn().notified) inbox.take(all);
  sender.join();
  for (int i = 0; i < kMessages; ++i) REQUIRE(all[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("event loop: a turn that may have left something out is not complete") {
  Loop l;
  const auto handler = l.handler("");
  std::vector<Pipe> pipes(300);
  for (Pipe& pipe : pipes) {
    l.loop.watch(pipe.ends[0], EPOLLIN, handler, 0);
    pipe.fill();
  }
  l.loop.alarm(handler, 1, 0ms);
  CHECK_FALSE(l.loop.turn().complete);
  CHECK(l.calls.size() == 256);  // and no alarm
  for (std::size_t i = 0; i < 200; ++i) l.loop.unwatch(pipes[i].ends[0]);
  l.calls.clear();
  CHECK(l.loop.turn().complete);
  CHECK(l.calls.size() == 101);
}

}  // namespace flowrun::test::event_loop_test
