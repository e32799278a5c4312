// What the event loop is told of sockets, with a real epoll.
#include "engine/executor/sockets.h"

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "tests/support/catch.h"

namespace flowrun::test::sockets_test {
namespace {

/// A listener on a free port of loopback, and one connection to it that |sockets| has opened.
class Connection {
 public:
  explicit Connection(Sockets& sockets) : ours(sockets.open(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(bind(listener_, generic, length) == 0);
    REQUIRE(listen(listener_, 1) == 0);
    REQUIRE(getsockname(listener_, generic, &length) == 0);
    REQUIRE(connect(ours, generic, length) == 0);
    theirs_ = accept(listener_, nullptr, nullptr);
    REQUIRE(theirs_ >= 0);
  }
  ~Connection() {
    if (theirs_ >= 0) ::close(theirs_);
    ::close(listener_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void say(const std::string& text) const {
    REQUIRE(write(theirs_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void hear() const {
    char buffer[16];
    REQUIRE(read(ours, buffer, sizeof buffer) > 0);
  }
  void hang_up() { ::close(std::exchange(theirs_, -1)); }

  const int ours;

 private:
  const int listener_ = socket(AF_INET, SOCK_STREAM, 0);
  int theirs_ = -1;
};

struct Loop {
  WorkClock clock;
  EventLoop loop{clock};
  std::uint64_t last = 0;
  const EventLoop::HandlerId handler = loop.add([this](std::uint64_t id, std::uint32_t events) {
    if (events) last = id;
  });
  Sockets sockets{loop, handler};
  /// The id that comes with the event that is there; 0: none is.
  std::uint64_t told() {
    last = 0;
    loop.set_timer(handler, loop.now());  // so that the turn does not wait
    loop.turn();
    return last;
  }
};

}  // namespace

TEST_CASE("sockets: between two requests the registration stays") {
  Loop loop;
  Sockets& sockets = loop.sockets;
  Connection connection(sockets);
  sockets.want(connection.ours, EPOLLIN, 7);
  CHECK(loop.told() == 0);
  connection.say("a");
  CHECK(loop.told() == 7);
  CHECK(sockets.wanted(connection.ours));
  connection.hear();
  sockets.want(connection.ours, 0, 7);
  sockets.want(connection.ours, EPOLLIN, 7);
  connection.say("b");
  CHECK(loop.told() == 7);
  CHECK(sockets.wanted(connection.ours));
  sockets.close(connection.ours);
}

TEST_CASE("sockets: what comes when nobody wants it is told once, and heard of when somebody does") {
  Loop loop;
  Sockets& sockets = loop.sockets;
  Connection connection(sockets);
  sockets.want(connection.ours, EPOLLIN, 7);
  sockets.want(connection.ours, 0, 7);
  connection.hang_up();
  CHECK(loop.told() == 7);
  CHECK_FALSE(sockets.wanted(connection.ours));
  CHECK(loop.told() == 0);
  sockets.want(connection.ours, EPOLLIN, 8);
  CHECK(loop.told() == 8);
  CHECK(sockets.wanted(connection.ours));
  sockets.close(connection.ours);
}

TEST_CASE("sockets: another one with the number of a closed one starts from new") {
  Loop loop;
  Sockets& sockets = loop.sockets;
  int number = -1;
  {
    Connection first(sockets);
    number = first.ours;
    sockets.want(number, EPOLLIN, 7);
    sockets.close(number);
  }
  Connection second(sockets);
  REQUIRE(second.ours == number);
  second.say("a");
  CHECK(loop.told() == 0);
  sockets.want(number, EPOLLIN, 9);
  CHECK(loop.told() == 9);
  sockets.close(number);
}

TEST_CASE("sockets: one that libcurl closed without a word stands in nobody's way") {
  Loop loop;
  Sockets& sockets = loop.sockets;
  int number = -1;
  {
    Connection first(sockets);
    number = first.ours;
    sockets.want(number, EPOLLOUT, 7);
    ::close(number);
    sockets.want(number, 0, 7);
  }
  int pair[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  REQUIRE(pair[0] == number);
  for (std::uint64_t data : {8, 9}) {
    sockets.want(pair[0], EPOLLIN, data);
    REQUIRE(write(pair[1], "a", 1) == 1);
    CHECK(loop.told() == data);
    char letter = 0;
    REQUIRE(read(pair[0], &letter, 1) == 1);
    sockets.want(pair[0], 0, data);
  }
  ::close(pair[0]);
  ::close(pair[1]);
}

TEST_CASE("sockets: those that libcurl opens by itself are watched as long as they are wanted") {
  Loop loop;
  Sockets& sockets = loop.sockets;
  int pair[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  sockets.want(pair[0], EPOLLIN, 5);
  REQUIRE(write(pair[1], "a", 1) == 1);
  CHECK(loop.told() == 5);
  CHECK(sockets.wanted(pair[0]));
  sockets.want(pair[0], 0, 5);
  CHECK(loop.told() == 0);
  ::close(pair[0]);
  ::close(pair[1]);
}

}  // namespace flowrun::test::sockets_test
