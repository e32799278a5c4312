// flowrun-shop [--port N] [--until-eof]: the sample shop as a program. Prints its address, ends at TERM or INT.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "shop.h"

namespace {

void on_signal(int) {
  // Requests that hang on purpose would hold a tidy end up.
  _exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  int port = 0;
  bool until_eof = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--port") == 0 && i + 1 < argc) {
      port = std::atoi(argv[++i]);
    } else if (std::strcmp(argv[i], "--until-eof") == 0) {
      until_eof = true;
    } else {
      std::fprintf(stderr, "usage: flowrun-shop [--port N] [--until-eof]\n");
      return 2;
    }
  }
  httplib::Server server;
  // Slow answers hold a thread each.
  server.new_task_queue = [] { return new httplib::ThreadPool(256); };
  server.set_tcp_nodelay(true);
  server.set_keep_alive_max_count(100000);
  server.set_keep_alive_timeout(30);
  shop::Shop shop(server);
  if (port == 0) {
    port = server.bind_to_any_port("127.0.0.1");
  } else if (!server.bind_to_port("127.0.0.1", port)) {
    port = -1;
  }
  if (port < 0) {
    std::fprintf(stderr, "flowrun-shop: the port is taken\n");
    return 1;
  }
  signal(SIGTERM, on_signal);
  signal(SIGINT, on_signal);
  signal(SIGPIPE, SIG_IGN);
  std::printf("listening on http://127.0.0.1:%d\n", port);
  std::fflush(stdout);
  std::thread watch([until_eof] {
    char byte;
    while (until_eof && read(STDIN_FILENO, &byte, 1) > 0) {
    }
    if (until_eof) _exit(0);
  });
  server.listen_after_bind();
  _exit(0);
}
