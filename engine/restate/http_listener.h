// A server of HTTP/1.1 on an event loop: connections, their limits and their ends. Knows requests and answers; nothing
// of what they are about.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/executor/event_loop.h"
#include "engine/restate/http_parser.h"

namespace flowrun::restate {

struct HttpAnswer {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;  ///< besides Content-Length, Date and Connection
  std::string body;
};

struct HttpListenerLimits {
  HttpLimits message{};
  std::size_t connections = 4096;            ///< more are told 503
  std::size_t receiving = 512 << 20;         ///< bytes of bodies that are not complete yet, of all together
  std::chrono::seconds head{10};             ///< from the first byte of a request to the end of its headers
  std::chrono::seconds silence{30};          ///< without a byte of a body, or without the other side taking one
  std::chrono::seconds request{300};         ///< from the first byte to the last
  std::chrono::seconds keep_alive{15 * 60};  ///< between two requests; longer than clients keep connections unused
};

/// Belongs to the loop's thread.
class HttpListener {
 public:
  /// One request a connection is with the others at a time; its number is never used twice on one that is open.
  using OnRequest = std::function<void(std::uint64_t connection, HttpMessage request)>;
  /// Nobody waits for the answer any more.
  using OnGone = std::function<void(std::uint64_t connection)>;
  /// What was refused before it was a request; for people.
  using OnRefused = std::function<void(int status, const std::string& why)>;

  /// Listens at |address|: ADDRESS:PORT, [ADDRESS]:PORT or NAME:PORT. Throws Error(Usage) for what is none, and
  /// Error(Impossible) where nobody can listen there. |loop| outlives the server.
  HttpListener(EventLoop& loop, const std::string& address, HttpListenerLimits limits, OnRequest on_request,
               OnGone on_gone, OnRefused on_refused);
  ~HttpListener();
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  /// Where it listens, with the port that the system chose.
  const std::string& address() const { return address_; }
  /// Answers the request of |connection|; one that is gone: nothing happens.
  void answer(std::uint64_t connection, HttpAnswer answer);
  /// Takes no further connections, and closes each when it has been answered.
  void drain();
  /// How many connections have a request that is answered, or still being received, or an answer not taken yet.
  std::size_t busy() const;

 private:
  struct Connection;

  void on_listener();
  void on_event(std::uint64_t id, std::uint32_t events);
  void on_tick();
  void accept_one(int descriptor);
  /// False: the connection is no more. Likewise below.
  bool receive(Connection& connection);
  /// What was read behind the request before.
  bool take_pending(Connection& connection);
  void on_pending(std::uint64_t id);
  bool take_bytes(Connection& connection, std::string_view bytes);
  bool refuse(Connection& connection, int status, const std::string& why);
  bool send(Connection& connection);
  void watch(Connection& connection, std::uint32_t events);
  void close(std::uint64_t id);
  void pause_accepting();

  EventLoop& loop_;
  HttpListenerLimits limits_;
  OnRequest on_request_;
  OnGone on_gone_;
  OnRefused on_refused_;
  EventLoop::HandlerId listener_handler_, connection_handler_, pending_handler_, tick_;
  int listener_ = -1;
  bool accepting_ = true, draining_ = false, ticking_ = false;
  std::string address_;
  std::uint64_t last_id_ = 0;
  std::size_t receiving_ = 0;  ///< bytes
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
};

}  // namespace flowrun::restate
