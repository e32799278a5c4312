#include "engine/jq/wire.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace flowrun::jq {
namespace {

/// False when |deadline| has come.
bool ready(int socket, short events, Deadline deadline) {
  for (;;) {
    int timeout = -1;
    if (deadline != Deadline::max()) {
      auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
      timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000));
    }
    pollfd one{socket, events, 0};
    int count = poll(&one, 1, timeout);
    if (count > 0) return true;
    if (count == 0 && timeout >= 0 && std::chrono::steady_clock::now() >= deadline) return false;
    if (count < 0 && errno != EINTR) return true;  // the read or write tells
  }
}

}  // namespace

std::vector<std::string_view> Writer::parts() {
  std::uint64_t length = bytes_.size() - kHeader;
  for (const auto& [at, text] : lent_) length += text.size();
  std::memcpy(bytes_.data(), &length, kHeader);
  std::vector<std::string_view> parts;
  const std::string_view all = bytes_;
  std::size_t from = 0;
  for (const auto& [at, text] : lent_) {
    parts.push_back(all.substr(from, at - from));
    parts.push_back(text);
    from = at;
  }
  parts.push_back(all.substr(from));
  return parts;
}

std::uint64_t Reader::number() {
  std::uint64_t value = 0;
  if (message_.size() - at_ < sizeof value) return 0;
  std::memcpy(&value, message_.data() + at_, sizeof value);
  at_ += sizeof value;
  return value;
}

std::string_view Reader::text() {
  std::uint64_t size = std::min<std::uint64_t>(number(), message_.size() - at_);
  std::string_view value = std::string_view(message_).substr(at_, size);
  at_ += size;
  return value;
}

Program Reader::program() {
  bool strict = number() != 0;
  return {std::string(text()), strict};
}

Io send(int socket, std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    ssize_t count = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!ready(socket, POLLOUT, deadline)) return Io::Late;
    } else if (errno != EINTR) {
      return Io::Closed;
    }
  }
  return Io::Done;
}

Io send(int socket, Writer& message, Deadline deadline) {
  for (std::string_view part : message.parts())
    if (const Io io = send(socket, part, deadline); io != Io::Done) return io;
  return Io::Done;
}

Io receive(int socket, std::string& partial, std::string& message, Deadline deadline) {
  constexpr std::size_t kHeader = sizeof(std::uint64_t);
  constexpr std::size_t kChunk = 64 << 10;
  for (;;) {
    std::size_t wanted = kHeader;
    if (partial.size() >= kHeader) {
      std::uint64_t length = 0;
      std::memcpy(&length, partial.data(), kHeader);
      wanted += length;
      if (partial.size() == wanted) {
        partial.erase(0, kHeader);
        message = std::move(partial);
        partial = std::string();
        return Io::Done;
      }
      // All at once: while it grew there would be two of it.
      if (partial.size() == kHeader) partial.reserve(std::min<std::size_t>(wanted, kMemory));
    }
    // Never more than this message, so that |partial| need not keep the begin of the next.
    char chunk[kChunk];
    ssize_t count = recv(socket, chunk, std::min(kChunk, wanted - partial.size()), MSG_DONTWAIT);
    if (count > 0) {
      partial.append(chunk, static_cast<std::size_t>(count));
    } else if (count == 0) {
      return Io::Closed;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!ready(socket, POLLIN, deadline)) return Io::Late;
    } else if (errno != EINTR) {
      return Io::Closed;
    }
  }
}

}  // namespace flowrun::jq
