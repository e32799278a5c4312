// flowrun-shop [--port N] [--until-eof]: the sample shop as a program, where the sample workflows look for it, or at
// port N; 0 is any free one. Prints its address, ends at TERM or INT.
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "pool.h"
#include "shop.h"

namespace {

void on_signal(int) {
  // Requests that hang on purpose would hold a tidy end up.
  _exit(0);
}

void allow_many_connections() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  const char* port_text = "8080";  // what workflows/*.yaml have as their default
  bool until_eof = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--port") == 0 && i + 1 < argc) {
      port_text = argv[++i];
    } else if (std::strcmp(argv[i], "--until-eof") == 0) {
      until_eof = true;
    } else {
      const bool asked = std::strcmp(argv[i], "--help") == 0 || std::strcmp(argv[i], "-h") == 0;
      std::fprintf(asked ? stdout : stderr, "usage: flowrun-shop [--port N] [--until-eof]\n");
      return asked ? 0 : 2;
    }
  }
  char* behind = nullptr;
  const long number = std::strtol(port_text, &behind, 10);
  if (*port_text == '\0' || *behind != '\0' || number < 0 || number > 65535) {
    std::fprintf(stderr, "flowrun-shop: %s is no port; give a number up to 65535, 0 for any free one\n", port_text);
    return 2;
  }
  int port = static_cast<int>(number);
  allow_many_connections();
  signal(SIGTERM, on_signal);
  signal(SIGINT, on_signal);
  signal(SIGPIPE, SIG_IGN);

  httplib::Server server;
  server.new_task_queue = [] { return new shop::GrowingPool; };
  server.set_tcp_nodelay(true);
  server.set_keep_alive_max_count(1000000);
  server.set_keep_alive_timeout(30);
  // Of the library's own options SO_REUSEPORT goes: two shops on one port would share the calls between them.
  int listener = -1;
  server.set_socket_options([&listener](int descriptor) {
    const int yes = 1;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    listener = descriptor;
  });
  shop::Shop shop(server);
  if (port == 0) {
    port = server.bind_to_any_port("127.0.0.1");
  } else if (!server.bind_to_port("127.0.0.1", port)) {
    port = -1;
  }
  if (port < 0) {
    std::fprintf(stderr, "flowrun-shop: cannot listen at port %s; --port 0 takes any that is free\n", port_text);
    return 1;
  }
  // The library lets five connections wait; of a fan-out of hundreds most would be dropped and come again a second
  // later.
  listen(listener, 4096);
  std::printf("listening on http://127.0.0.1:%d\n", port);
  std::fflush(stdout);
  if (until_eof) {
    std::thread([] {
      char bytes[256];
      while (read(STDIN_FILENO, bytes, sizeof bytes) > 0) {
      }
      _exit(0);
    }).detach();
  }
  server.listen_after_bind();
  _exit(0);
}
