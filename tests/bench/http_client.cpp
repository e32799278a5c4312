// The least that COUNT GETs of one page over WIDTH connections can cost: raw sockets, one epoll a thread, no parsing
// beyond the length of the answer.
//
//   bench_http_client WIDTH COUNT PORT PATH
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/many_files.h"

namespace {

struct Connection {
  int socket = -1;
  std::string answer;
};

/// Length of a whole answer at the beginning of |text|; 0 while it is not there.
std::size_t whole_answer(const std::string& text) {
  std::size_t head = text.find("\r\n\r\n");
  std::size_t length = text.find("Content-Length: ");
  if (head == std::string::npos || length == std::string::npos || length > head) return 0;
  std::size_t size = head + 4 + static_cast<std::size_t>(std::atol(text.c_str() + length + 16));
  return text.size() >= size ? size : 0;
}

void work(int width, std::atomic<int>& left, int port, const std::string& request) {
  int epoll = epoll_create1(0);
  std::vector<Connection> connections(static_cast<std::size_t>(width));
  int open = 0;
  auto ask = [&](Connection& connection) {
    if (left.fetch_sub(1) <= 0) {
      close(connection.socket);
      --open;
    } else if (write(connection.socket, request.data(), request.size()) < 0) {
      std::abort();
    }
  };
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (std::size_t i = 0; i < connections.size(); ++i) {
    Connection& connection = connections[i];
    connection.socket = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection.socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
    int on = 1;
    setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    epoll_ctl(epoll, EPOLL_CTL_ADD, connection.socket, &event);
    ++open;
    ask(connection);
  }
  epoll_event events[64];
  char buffer[65536];
  while (open > 0) {
    int count = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < count; ++i) {
      Connection& connection = connections[events[i].data.u64];
      ssize_t got = read(connection.socket, buffer, sizeof buffer);
      if (got <= 0) std::abort();
      connection.answer.append(buffer, static_cast<std::size_t>(got));
      if (whole_answer(connection.answer) == 0) continue;
      connection.answer.clear();
      ask(connection);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: bench_http_client WIDTH COUNT PORT PATH\n");
    return 2;
  }
  open_many_files();
  const int width = std::atoi(argv[1]);
  std::atomic<int> left = std::atoi(argv[2]);
  const int port = std::atoi(argv[3]);
  const std::string request = std::string("GET ") + argv[4] + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  std::thread other(work, width / 2, std::ref(left), port, request);
  work(width - width / 2, left, port, request);
  other.join();
}
