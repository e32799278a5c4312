// The sockets of a worker's transfers, and what epoll is told of them. Knows nothing of transfers. One thread.
//
// libcurl takes its interest in a socket back after each transfer, and has it again for the next over the same
// connection. In between epoll goes on watching: a system call less for each request.
#pragma once

#include <cstdint>
#include <vector>

namespace flowrun {

class Sockets {
 public:
  /// |epoll| stays open as long as the sockets.
  explicit Sockets(int epoll) : epoll_(epoll) {}

  /// As socket(2), closed on exec.
  int open(int family, int type, int protocol);
  void close(int socket);
  /// |events| of epoll, 0: nothing for now; |data| is what epoll is to say with them. Also of sockets that libcurl has
  /// opened, and will close, by itself.
  void want(int socket, std::uint32_t events, std::uint64_t data);
  /// Whether |socket|, of which epoll has told, is wanted. If not, it tells no more.
  bool wanted(int socket);

 private:
  struct State {
    bool ours = false, wanted = false;
    std::uint32_t told = 0;  ///< the events that epoll was last asked for
  };
  State& state_of(int socket);
  bool tell(int socket, int operation, std::uint32_t events = 0, std::uint64_t data = 0) const;

  const int epoll_;
  std::vector<State> states_;  ///< by descriptor
};

}  // namespace flowrun
