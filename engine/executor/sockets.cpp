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
  loop_.unwatch(socket);
  state_of(socket) = {};
  ::close(socket);
}

void Sockets::want(int socket, std::uint32_t events, std::uint64_t id) {
  State& state = state_of(socket);
  state.wanted = events != 0;
  if (events) {
    // Whether it is still watched only the kernel knows: libcurl closes some without a word to us.
    loop_.watch_anew(socket, events, handler_, id);
    state.watched = events;
    return;
  }
  // A connection that has been answered is one of ours, and goes by close(). What is only being connected does not.
  if (!state.ours || !(state.watched & EPOLLIN)) loop_.unwatch(socket);
}

bool Sockets::wanted(int socket) {
  if (state_of(socket).wanted) return true;
  // The server has closed the connection, most likely: libcurl sees that when it is about to use it again.
  loop_.unwatch(socket);
  return false;
}

Sockets::State& Sockets::state_of(int socket) {
  const auto number = static_cast<std::size_t>(socket);
  if (states_.size() <= number) states_.resize(2 * number + 1);
  return states_[number];
}

}  // namespace flowrun
