// What the server says to a worker, byte by byte: connections over loopback, and the frames of an invocation.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "engine/restate/messages.h"
#include "engine/restate/protobuf.h"
#include "engine/restate/step_call.h"

namespace flowrun::test {

struct RawAnswer {
  int status = 0;  ///< 0: the connection ended before an answer
  std::string head, body;
};

/// One connection; closed at the end.
class RawConnection {
 public:
  explicit RawConnection(int port) {
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  RawConnection(RawConnection&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)),
        connected_(other.connected_),
        read_(std::move(other.read_)) {}
  RawConnection& operator=(RawConnection&&) = delete;
  ~RawConnection() { close(); }

  bool connected() const { return connected_; }
  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }
  /// False: the other side takes no more.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }
  /// The next answer; waits at most |patience_ms| for each part.
  RawAnswer answer(int patience_ms = 20'000) {
    RawAnswer answer;
    std::size_t end;
    while ((end = read_.find("\r\n\r\n")) == std::string::npos)
      if (!more(patience_ms)) return answer;
    answer.head = read_.substr(0, end + 2);
    read_.erase(0, end + 4);
    answer.status = std::atoi(answer.head.c_str() + 9);
    const std::size_t at = answer.head.find("content-length: ");
    const std::size_t length = at == std::string::npos ? 0 : std::stoul(answer.head.substr(at + 16));
    while (read_.size() < length)
      if (!more(patience_ms)) return {};
    answer.body = read_.substr(0, length);
    read_.erase(0, length);
    return answer;
  }
  /// Whether the other side has closed, within |patience_ms|.
  bool closed(int patience_ms = 20'000) {
    while (more(patience_ms)) {
    }
    return ended_;
  }

 private:
  bool more(int patience_ms) {
    pollfd waiting{descriptor_, POLLIN, 0};
    if (poll(&waiting, 1, patience_ms) <= 0) return false;
    char bytes[65536];
    const ssize_t count = recv(descriptor_, bytes, sizeof bytes, 0);
    ended_ = count <= 0;
    if (count > 0) read_.append(bytes, static_cast<std::size_t>(count));
    return count > 0;
  }

  int descriptor_;
  bool connected_ = false, ended_ = false;
  std::string read_;
};

/// The frames of a new invocation with |input|.
inline std::string invocation_frames(std::string_view id, std::string_view input, std::uint32_t retries = 0) {
  std::string start, value, message, frames;
  restate::FieldWriter fields(start);
  fields.bytes(2, id);
  fields.number(3, 1);
  fields.number_if(7, retries);
  restate::FieldWriter(value).bytes_if(1, input);
  restate::FieldWriter(message).bytes(14, value);
  restate::append_frame(frames, restate::FrameType::Start, start);
  restate::append_frame(frames, restate::FrameType::Input, message);
  return frames;
}

inline std::string post_text(std::string_view path, std::string_view body, std::string_view more_headers = "",
                             std::string_view type = "application/vnd.restate.invocation.v6") {
  std::string text = "POST " + std::string(path) + " HTTP/1.1\r\nhost: worker\r\ncontent-type: " + std::string(type) +
                     "\r\ncontent-length: " + std::to_string(body.size()) + "\r\n" + std::string(more_headers) + "\r\n";
  return text.append(body);
}

/// What an answer of `step` comes to: the value of Output, or `failure CODE: MESSAGE` of a terminal one, or
/// `error: MESSAGE` of one that is tried again.
inline std::string output_in(std::string_view frames) {
  for (const restate::Frame& frame : restate::frames_of(frames)) {
    for (restate::FieldReader fields(frame.message); fields.next();) {
      if (frame.is(restate::FrameType::Error) && fields.field() == 2) return "error: " + std::string(fields.bytes());
      if (!frame.is(restate::FrameType::Output)) continue;
      if (fields.field() == 14) {
        std::string_view content;
        for (restate::FieldReader value(fields.bytes()); value.next();) content = value.bytes();
        return std::string(content);
      }
      std::string failure = "failure";
      for (restate::FieldReader part(fields.bytes()); part.next();) {
        if (part.field() == 1) failure += " " + std::to_string(part.number());
        if (part.field() == 2) failure += ": " + std::string(part.bytes());
      }
      return failure;
    }
  }
  return "nothing";
}

}  // namespace flowrun::test
