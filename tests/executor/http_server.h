// Servers on free ports of this machine: one with good manners, and one that sends just the bytes it is told to.
#pragma once

#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace flowrun::test {

class HttpServer : public httplib::Server {
 public:
  HttpServer() {
    new_task_queue = [] { return new httplib::ThreadPool(8); };
    set_keep_alive_max_count(100000);
    set_tcp_nodelay(true);
    int listener = -1;
    set_socket_options([&listener](int socket) { listener = socket; });
    port_ = bind_to_any_port("127.0.0.1");
    // The library lets five connections wait. What comes beyond them is connected as its client sees it, and unknown
    // here: the client sends its request again and again, up to half a minute.
    ::listen(listener, 4096);
  }
  ~HttpServer() override {
    stop();
    if (thread_.joinable()) thread_.join();
  }
  /// After the routes have been set.
  void start() {
    thread_ = std::thread([this] { listen_after_bind(); });
    while (!is_running()) std::this_thread::yield();
  }
  std::string url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + path; }

 private:
  int port_ = 0;
  std::thread thread_;
};

/// Accepts connections one after another and gives each to |serve| with its number, from 0; then closes it.
class RawServer {
 public:
  /// |path|: of a socket in the file system; empty: a free port.
  explicit RawServer(std::function<void(int socket, int number)> serve, const std::string& path = "")
      : serve_(std::move(serve)) {
    listening_ = socket(path.empty() ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (path.empty()) {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      socklen_t length = sizeof address;
      bind(listening_, reinterpret_cast<sockaddr*>(&address), length);
      getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &length);
      port_ = ntohs(address.sin_port);
    } else {
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      path.copy(address.sun_path, sizeof address.sun_path - 1);
      bind(listening_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    }
    listen(listening_, 64);
    thread_ = std::thread([this] {
      for (int number = 0;; ++number) {
        int client = accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
        if (client < 0) return;
        serve_(client, number);
        ::close(client);
        ++served_;
      }
    });
  }
  ~RawServer() {
    shutdown(listening_, SHUT_RDWR);
    thread_.join();
    ::close(listening_);
  }
  std::string url(const std::string& path = "/") const { return "http://127.0.0.1:" + std::to_string(port_) + path; }
  int port() const { return port_; }
  int served() const { return served_; }

  /// Reads one request, its body included; empty at the end of the connection.
  static std::string request(int client) {
    std::string text;
    char buffer[4096];
    for (;;) {
      std::size_t head = text.find("\r\n\r\n");
      if (head != text.npos) {
        std::size_t at = text.find("Content-Length: ");
        std::size_t length = at == text.npos ? 0 : std::stoul(text.substr(at + 16));
        if (text.size() >= head + 4 + length) return text;
      }
      ssize_t got = recv(client, buffer, sizeof buffer, 0);
      if (got <= 0) return text;
      text.append(buffer, static_cast<std::size_t>(got));
    }
  }
  static void answer(int client, const std::string& text) { send(client, text.data(), text.size(), MSG_NOSIGNAL); }

 private:
  std::function<void(int, int)> serve_;
  int listening_ = -1, port_ = 0;
  std::atomic<int> served_{0};
  std::thread thread_;
};

}  // namespace flowrun::test
