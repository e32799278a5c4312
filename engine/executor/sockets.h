// The sockets of a worker's transfers, and what the event loop watches of them. Knows nothing of transfers. One thread.
//
// libcurl takes its interest in a socket back after each transfer, and has it again for the next over the same
// connection. In between the loop goes on watching: a system call less for each request.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/executor/event_loop.h"

namespace flowrun {

class Sockets {
 public:
  /// Calls |handler| of |loop|, which outlives the sockets.
  Sockets(EventLoop& loop, EventLoop::HandlerId handler) : loop_(loop), handler_(handler) {}

  /// As socket(2), closed on exec.
  int open(int family, int type, int protocol);
  void close(int socket);
  /// |events| of epoll, 0: nothing for now; |id| is what the handler is called with. Also of sockets that libcurl has
  /// opened, and will close, by itself.
  void want(int socket, std::uint32_t events, std::uint64_t id);
  /// Whether |socket|, of which the loop has told, is wanted. If not, it is watched no more.
  bool wanted(int socket);

 private:
  struct State {
    bool ours = false, wanted = false;
    std::uint32_t watched = 0;  ///< the events that the loop was last asked for
  };
  State& state_of(int socket);

  EventLoop& loop_;
  const EventLoop::HandlerId handler_;
  std::vector<State> states_;  ///< by descriptor
};

}  // namespace flowrun
