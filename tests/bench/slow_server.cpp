// Answers every request after DELAY ms with a small JSON text; thousands of connections at once. Says its port.
//
//   bench_slow_server DELAY
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <unordered_map>

#include "tests/bench/many_files.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Due {
  Clock::time_point at;
  int socket;
  unsigned generation;  ///< of the connection with that number
};

}  // namespace

int main(int argc, char** argv) {
  const std::chrono::milliseconds delay(argc > 1 ? std::atoi(argv[1]) : 0);
  open_many_files();
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 65535) != 0) return 1;
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);

  int epoll = epoll_create1(0);
  auto watch = [&](int socket) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = socket;
    epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
  };
  watch(listener);
  const std::string answer =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"ok\":true}";
  std::deque<Due> due;  // the delay is the same for all, so they come due in order
  std::unordered_map<int, unsigned> generations;
  std::unordered_map<int, std::string> asked;
  epoll_event events[256];
  char buffer[16384];
  for (;;) {
    int patience = -1;
    if (!due.empty()) {
      auto rest = std::chrono::ceil<std::chrono::milliseconds>(due.front().at - Clock::now());
      patience = static_cast<int>(std::max<std::int64_t>(0, rest.count()));
    }
    int count = epoll_wait(epoll, events, 256, patience);
    for (int i = 0; i < count; ++i) {
      int socket = events[i].data.fd;
      if (socket == listener) {
        for (int client; (client = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
          int on = 1;
          setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          ++generations[client];
          asked[client].clear();
          watch(client);
        }
        continue;
      }
      ssize_t got = read(socket, buffer, sizeof buffer);
      if (got <= 0) {
        ++generations[socket];
        close(socket);
        continue;
      }
      std::string& text = asked[socket];
      text.append(buffer, static_cast<std::size_t>(got));
      for (std::size_t end; (end = text.find("\r\n\r\n")) != std::string::npos; text.erase(0, end + 4))
        due.push_back({Clock::now() + delay, socket, generations[socket]});
    }
    for (auto now = Clock::now(); !due.empty() && due.front().at <= now; due.pop_front()) {
      const Due& next = due.front();
      if (generations[next.socket] == next.generation && write(next.socket, answer.data(), answer.size()) < 0)
        std::perror("write");
    }
  }
}
