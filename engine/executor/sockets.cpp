#include "engine/executor/sockets.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace flowrun {

int Sockets::open(int family, int type, int protocol) {
  int socket = ::socket(family, type | SOCK_CLOEXEC, protocol);
  if (socket < 0) return socket;
  const auto number = static_cast<std::size_t>(socket);
  if (states_.size() <= number) states_.resize(2 * number + 1);
  states_[number] = {true, false, 0};
  return socket;
}

void Sockets::close(int socket) {
  if (State* state = find(socket)) {
    // Before close: a child between clone and exec may hold a copy, and a copy keeps the registration alive.
    if (state->told) tell(socket, EPOLL_CTL_DEL);
    *state = {};
  }
  ::close(socket);
}

void Sockets::want(int socket, std::uint32_t events, std::uint64_t data) {
  State* state = find(socket);
  if (!state) {
    // Whatever is known of it may be of another with the same number, closed meanwhile.
    tell(socket, EPOLL_CTL_DEL);
    if (events) tell(socket, EPOLL_CTL_ADD, events, data);
    return;
  }
  state->wanted = events != 0;
  if (!events || events == state->told) return;
  tell(socket, state->told ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, events, data);
  state->told = events;
}

bool Sockets::wanted(int socket) {
  State* state = find(socket);
  if (!state || state->wanted) return true;
  // The server has closed the connection, most likely: libcurl sees that when it is about to use it again.
  tell(socket, EPOLL_CTL_DEL);
  state->told = 0;
  return false;
}

Sockets::State* Sockets::find(int socket) {
  const auto number = static_cast<std::size_t>(socket);
  return number < states_.size() && states_[number].ours ? &states_[number] : nullptr;
}

void Sockets::tell(int socket, int operation, std::uint32_t events, std::uint64_t data) const {
  epoll_event wanted{};
  wanted.events = events;
  wanted.data.u64 = data;
  epoll_ctl(epoll_, operation, socket, &wanted);
}

}  // namespace flowrun
