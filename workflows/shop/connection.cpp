#include "connection.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace shop {
namespace {

/// The descriptor of the connection, or -1. The library hides it, but not the client's port, and on one loopback
/// address that belongs to a single connection as long as this one lives.
int descriptor_of(const httplib::Request& request) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    int descriptor = std::atoi(entry.path().filename().c_str());
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) != 0) continue;
    if (peer.sin_family == AF_INET && ntohs(peer.sin_port) == request.remote_port) return descriptor;
  }
  return -1;
}

}  // namespace

void break_off(const httplib::Request& request) {
  int descriptor = descriptor_of(request);
  if (descriptor >= 0) ::shutdown(descriptor, SHUT_RDWR);
}

void wait_until_gone(const httplib::Request& request) {
  pollfd connection{descriptor_of(request), POLLRDHUP, 0};
  if (connection.fd < 0) return;
  while (poll(&connection, 1, -1) < 0 && errno == EINTR) {
  }
}

}  // namespace shop
