#include "engine/executor/sockets.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace flowrun {

int Sockets::open(int family, int type, int protocol) {
  int socket = ::socket(family, type | SOCK_CLOEXEC, protocol);
  if (socket >= 0) state_of(socket) = {true, false, 0};
  return socket;
}

void Sockets::close(int socket) {
  // Before close: a child between clone and exec may hold a copy, and a copy keeps the registration alive.
  tell(socket, EPOLL_CTL_DEL);
  state_of(socket) = {};
  ::close(socket);
}

void Sockets::want(int socket, std::uint32_t events, std::uint64_t data) {
  State& state = state_of(socket);
  state.wanted = events != 0;
  if (events) {
    // Whether it is still registered only the kernel knows: libcurl closes some without a word to us.
    if (!tell(socket, EPOLL_CTL_MOD, events, data)) tell(socket, EPOLL_CTL_ADD, events, data);
    state.told = events;
    return;
  }
  // A connection that has been answered is one of ours, and goes by close(). What is only being connected does not.
  if (!state.ours || !(state.told & EPOLLIN)) tell(socket, EPOLL_CTL_DEL);
}

bool Sockets::wanted(int socket) {
  if (state_of(socket).wanted) return true;
  // The server has closed the connection, most likely: libcurl sees that when it is about to use it again.
  tell(socket, EPOLL_CTL_DEL);
  return false;
}

Sockets::State& Sockets::state_of(int socket) {
  const auto number = static_cast<std::size_t>(socket);
  if (states_.size() <= number) states_.resize(2 * number + 1);
  return states_[number];
}

bool Sockets::tell(int socket, int operation, std::uint32_t events, std::uint64_t data) const {
  epoll_event wanted{};
  wanted.events = events;
  wanted.data.u64 = data;
  return epoll_ctl(epoll_, operation, socket, &wanted) == 0;
}

}  // namespace flowrun
