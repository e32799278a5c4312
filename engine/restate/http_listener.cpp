#include "engine/restate/http_listener.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "engine/model/error.h"

namespace flowrun::restate {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kRead = 64 << 10;
constexpr int kBacklog = 4096;
constexpr std::chrono::seconds kTick{1};
constexpr std::chrono::seconds kLinger{2};  // in which what was refused is still read, so that the answer arrives

std::string_view reason(int status) {
  constexpr std::pair<int, std::string_view> kReasons[] = {
      {200, "OK"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {413, "Content Too Large"},
      {415, "Unsupported Media Type"},
      {417, "Expectation Failed"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
      {505, "HTTP Version Not Supported"},
  };
  for (const auto& [known, words] : kReasons)
    if (known == status) return words;
  return "Status";
}

std::string head_of(const HttpAnswer& answer, bool keep_alive) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status));
  for (const auto& [name, value] : answer.headers) head += fmt::format("{}: {}\r\n", name, value);
  head += fmt::format("content-length: {}\r\n", answer.body.size());
  if (!keep_alive) head += "connection: close\r\n";
  return head += "\r\n";
}

/// A listening socket at |given|, and in |address| where it is.
int listen_at(const std::string& given, std::string& address) {
  const std::size_t colon = given.rfind(':');
  if (colon == std::string::npos || colon + 1 == given.size() || given.size() - colon > 6 ||
      given.find_first_not_of("0123456789", colon + 1) != std::string::npos ||
      std::stoi(given.substr(colon + 1)) > 65535)
    throw Error(Problem::Usage, fmt::format("`{}` is no ADDRESS:PORT, such as 127.0.0.1:9080", given));
  std::string host = given.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty() || (!bracketed && host.find(':') != std::string::npos))
    throw Error(Problem::Usage, fmt::format("`{}` is no ADDRESS:PORT, such as 127.0.0.1:9080{}", given,
                                            host.empty() ? ", or 0.0.0.0:9080 for every address of this machine" : ""));
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), given.c_str() + colon + 1, &wanted, &found); error != 0)
    throw Error(Problem::Usage, fmt::format("cannot listen at {}: {}", given, gai_strerror(error)));
  const int listener = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool bound = bind(listener, found->ai_addr, found->ai_addrlen) == 0 && listen(listener, kBacklog) == 0;
  const int error = errno;
  freeaddrinfo(found);
  if (!bound) {
    ::close(listener);
    throw Error(Problem::Impossible,
                fmt::format("cannot listen at {}: {}{}", given, std::strerror(error),
                            error == EADDRINUSE ? "; is a worker there already? port 0 takes one that is free" : ""));
  }
  sockaddr_storage self{};
  socklen_t length = sizeof self;
  char name[NI_MAXHOST], port[NI_MAXSERV];
  getsockname(listener, reinterpret_cast<sockaddr*>(&self), &length);
  getnameinfo(reinterpret_cast<sockaddr*>(&self), length, name, sizeof name, port, sizeof port,
              NI_NUMERICHOST | NI_NUMERICSERV);
  address = fmt::format("{}:{}", self.ss_family == AF_INET6 ? fmt::format("[{}]", name) : name, port);
  return listener;
}

/// Who is behind a connection may vanish without a word; then it ends within two minutes.
void watch_for_silence(int descriptor) {
  const int on = 1, idle = 30, between = 15, probes = 4, unanswered = 90'000;
  setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &between, sizeof between);
  setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered, sizeof unanswered);
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

struct HttpListener::Connection {
  enum class Phase : std::uint8_t { Receiving, Answering, Sending, Closing };

  std::uint64_t id;
  int descriptor;
  HttpParser parser;
  Phase phase = Phase::Receiving;
  bool keep_alive = true;
  std::string pending{};  ///< was read behind the request that is answered
  std::string out{};
  std::size_t sent = 0;
  std::uint32_t watched = 0;
  std::size_t counted = 0;  ///< of its body in HttpListener::receiving_
  Clock::time_point begun{}, moved = Clock::now();
};

HttpListener::HttpListener(EventLoop& loop, const std::string& address, HttpListenerLimits limits, OnRequest on_request,
                           OnGone on_gone, OnRefused on_refused)
    : loop_(loop),
      limits_(limits),
      on_request_(std::move(on_request)),
      on_gone_(std::move(on_gone)),
      on_refused_(std::move(on_refused)),
      listener_handler_(loop.add([this](auto, auto) { on_listener(); })),
      connection_handler_(loop.add([this](std::uint64_t id, std::uint32_t events) { on_event(id, events); })),
      pending_handler_(loop.add([this](std::uint64_t id, auto) { on_pending(id); })),
      tick_(loop.add([this](auto, auto) { on_tick(); })) {
  // Half of the descriptors are for what requests ask for.
  if (rlimit files{}; getrlimit(RLIMIT_NOFILE, &files) == 0)
    limits_.connections = std::min(limits_.connections, static_cast<std::size_t>(files.rlim_cur / 2));
  listener_ = listen_at(address, address_);
  loop_.watch(listener_, EPOLLIN, listener_handler_, 0);
}

HttpListener::~HttpListener() {
  for (const auto& [id, connection] : connections_) {
    loop_.unwatch(connection->descriptor);
    ::close(connection->descriptor);
  }
  if (listener_ < 0) return;
  loop_.unwatch(listener_);
  ::close(listener_);
}

void HttpListener::on_listener() {
  // Some at a time: those that are there already are served between.
  for (int i = 0; i < 64; ++i) {
    const int descriptor = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      accept_one(descriptor);
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) pause_accepting();
    if (errno != EINTR && errno != ECONNABORTED) return;
  }
}

void HttpListener::pause_accepting() {
  if (accepting_) loop_.unwatch(listener_);
  accepting_ = false;
  if (!ticking_) loop_.set_timer(tick_, loop_.now() + kTick);
  ticking_ = true;
}

void HttpListener::accept_one(int descriptor) {
  watch_for_silence(descriptor);
  const std::uint64_t id = ++last_id_;
  auto& connection =
      *connections_.emplace(id, new Connection{id, descriptor, HttpParser(limits_.message)}).first->second;
  if (!ticking_) loop_.set_timer(tick_, loop_.now() + kTick);
  ticking_ = true;
  watch(connection, EPOLLIN | EPOLLRDHUP);
  if (connections_.size() > limits_.connections) refuse(connection, 503, "there are too many connections");
}

void HttpListener::watch(Connection& connection, std::uint32_t events) {
  if (connection.watched == events) return;
  connection.watched = events;
  loop_.watch_anew(connection.descriptor, events, connection_handler_, connection.id);
}

void HttpListener::on_event(std::uint64_t id, std::uint32_t events) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& connection = *found->second;
  using Phase = Connection::Phase;
  if (connection.phase == Phase::Answering) {
    // Nothing is read while a request is answered, so that this is the end of the connection.
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) close(id);
    return;
  }
  if (connection.phase == Phase::Sending && (events & (EPOLLHUP | EPOLLERR))) return close(id);
  if ((events & EPOLLOUT) && !send(connection)) return;
  if (connection.phase == Phase::Receiving || connection.phase == Phase::Closing)
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) receive(connection);
}

bool HttpListener::receive(Connection& connection) {
  if (connection.phase == Connection::Phase::Receiving && !connection.pending.empty()) return take_pending(connection);
  std::array<char, kRead> bytes;
  const ssize_t count = recv(connection.descriptor, bytes.data(), bytes.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (count <= 0) {
    close(connection.id);
    return false;
  }
  connection.moved = Clock::now();
  if (connection.phase == Connection::Phase::Closing) return true;  // what was refused is read away
  return take_bytes(connection, {bytes.data(), static_cast<std::size_t>(count)});
}

bool HttpListener::take_bytes(Connection& connection, std::string_view bytes) {
  const bool was_begun = connection.parser.begun();
  const std::size_t taken = connection.parser.feed(bytes);
  if (!was_begun) connection.begun = Clock::now();
  if (connection.parser.refusal()) return refuse(connection, connection.parser.refusal(), connection.parser.why());
  receiving_ += connection.parser.body_bytes() - connection.counted;
  connection.counted = connection.parser.body_bytes();
  if (!connection.parser.complete()) {
    if (receiving_ > limits_.receiving) return refuse(connection, 503, "too much is being received");
    if (connection.parser.takes_expectation()) connection.out += "HTTP/1.1 100 Continue\r\n\r\n";
    return connection.out.empty() || send(connection);
  }
  receiving_ -= connection.counted;
  connection.counted = 0;
  connection.pending.assign(bytes.substr(taken));
  HttpMessage request = connection.parser.take();
  connection.keep_alive = request.keep_alive;
  connection.phase = Connection::Phase::Answering;
  watch(connection, EPOLLRDHUP);
  const std::uint64_t id = connection.id;
  on_request_(id, std::move(request));
  return connections_.count(id) > 0;
}

bool HttpListener::refuse(Connection& connection, int status, const std::string& why) {
  on_refused_(status, why);
  HttpAnswer refusal{status, {{"content-type", "text/plain; charset=utf-8"}}, why + "\n"};
  if (status == 503) refusal.headers.emplace_back("retry-after", "1");
  connection.keep_alive = false;
  connection.out += head_of(refusal, false) + refusal.body;
  connection.phase = Connection::Phase::Sending;
  receiving_ -= connection.counted;
  connection.counted = 0;
  return send(connection);
}

void HttpListener::answer(std::uint64_t id, HttpAnswer answer) {
  const auto found = connections_.find(id);
  if (found == connections_.end() || found->second->phase != Connection::Phase::Answering) return;
  Connection& connection = *found->second;
  if (draining_) connection.keep_alive = false;
  connection.out += head_of(answer, connection.keep_alive);
  connection.out += answer.body;
  connection.phase = Connection::Phase::Sending;
  connection.moved = Clock::now();
  send(connection);
}

bool HttpListener::send(Connection& connection) {
  using Phase = Connection::Phase;
  while (connection.sent < connection.out.size()) {
    const ssize_t count = ::send(connection.descriptor, connection.out.data() + connection.sent,
                                 connection.out.size() - connection.sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) {
      watch(connection, EPOLLOUT | (connection.phase == Phase::Receiving ? EPOLLIN | EPOLLRDHUP : 0u));
      return true;
    }
    if (count < 0) {
      close(connection.id);
      return false;
    }
    connection.sent += static_cast<std::size_t>(count);
    connection.moved = Clock::now();
  }
  connection.out.clear();
  connection.sent = 0;
  watch(connection, EPOLLIN | EPOLLRDHUP);
  if (connection.phase != Phase::Sending) return true;
  if (!connection.keep_alive) {
    // A close with bytes unread would take the answer away from who is still sending.
    shutdown(connection.descriptor, SHUT_WR);
    connection.phase = Phase::Closing;
    connection.begun = Clock::now();
    return true;
  }
  connection.phase = Phase::Receiving;
  // In a turn of its own: thousands of requests in one piece would be as many calls within each other.
  if (!connection.pending.empty()) loop_.alarm(pending_handler_, connection.id, Duration{0});
  return true;
}

bool HttpListener::take_pending(Connection& connection) {
  const std::string pending = std::exchange(connection.pending, {});
  return take_bytes(connection, pending);
}

void HttpListener::on_pending(std::uint64_t id) {
  const auto found = connections_.find(id);
  if (found == connections_.end() || found->second->phase != Connection::Phase::Receiving) return;
  if (!found->second->pending.empty()) take_pending(*found->second);
}

void HttpListener::on_tick() {
  ticking_ = false;
  if (!accepting_ && listener_ >= 0) {
    accepting_ = true;
    loop_.watch(listener_, EPOLLIN, listener_handler_, 0);
  }
  const auto now = Clock::now();
  std::vector<std::uint64_t> late, over;
  for (const auto& [id, connection] : connections_) {
    const auto silent = now - connection->moved;
    switch (connection->phase) {
      case Connection::Phase::Receiving:
        if (!connection->parser.begun()) {
          if (silent > limits_.keep_alive || draining_) over.push_back(id);
        } else if ((connection->parser.in_head() && now - connection->begun > limits_.head) ||
                   silent > limits_.silence || now - connection->begun > limits_.request) {
          late.push_back(id);
        }
        break;
      case Connection::Phase::Answering:
        break;
      case Connection::Phase::Sending:
        if (silent > limits_.silence) over.push_back(id);
        break;
      case Connection::Phase::Closing:
        if (now - connection->begun > kLinger) over.push_back(id);
        break;
    }
  }
  for (const std::uint64_t id : over) close(id);
  for (const std::uint64_t id : late) refuse(*connections_.at(id), 408, "the request took too long to come");
  ticking_ = ticking_ || !connections_.empty();
  if (ticking_) loop_.set_timer(tick_, loop_.now() + kTick);
}

void HttpListener::close(std::uint64_t id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  const std::unique_ptr<Connection> connection = std::move(found->second);
  connections_.erase(found);
  receiving_ -= connection->counted;
  loop_.unwatch(connection->descriptor);
  ::close(connection->descriptor);
  if (connection->phase == Connection::Phase::Answering) on_gone_(id);
}

void HttpListener::drain() {
  draining_ = true;
  if (listener_ >= 0) {
    if (accepting_) loop_.unwatch(listener_);
    ::close(listener_);
    listener_ = -1;
  }
  std::vector<std::uint64_t> unused;
  for (const auto& [id, connection] : connections_)
    if (connection->phase == Connection::Phase::Receiving && !connection->parser.begun()) unused.push_back(id);
  for (const std::uint64_t id : unused) close(id);
}

std::size_t HttpListener::busy() const {
  return static_cast<std::size_t>(std::count_if(connections_.begin(), connections_.end(), [](const auto& one) {
    return one.second->phase != Connection::Phase::Receiving || one.second->parser.begun();
  }));
}

}  // namespace flowrun::restate
