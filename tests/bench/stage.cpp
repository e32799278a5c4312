#include "tests/bench/stage.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace bench {

namespace fs = std::filesystem;

namespace {

int free_port() {
  int probe = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  bool good = bind(probe, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
              getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(probe);
  if (!good) throw Broken{"no free port"};
  return ntohs(address.sin_port);
}

bool answers(int port) {
  int client = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bool good = connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(client);
  return good;
}

std::string joined(const std::vector<std::string>& argv) {
  std::string text;
  for (const std::string& word : argv) text += (text.empty() ? "" : " ") + word;
  return text;
}

/// An answer as services give them: 7.7 kB, without blanks, a few characters beyond ASCII.
const std::string& answer() {
  static const std::string text = [] {
    static const char* const kNames[] = {"Ada Lovelace", "Zoë Müller", R"(Jan \"Lex\" Novák)", "Ana Silva"};
    std::string list;
    for (int i = 0; list.size() < 7600; ++i) {
      const std::string number = std::to_string(10000 + i * 7919 % 90000);
      list += (i > 0 ? ",{\"id\":" : "{\"id\":") + std::to_string(1000 + i) + ",\"sku\":\"SKU-" + number +
              "\",\"name\":\"" + kNames[i % 4] + "\",\"price\":" + std::to_string(i * 13 % 200) +
              ".25,\"quantity\":" + std::to_string(1 + i % 8) + ",\"in_stock\":" + (i % 3 ? "true" : "false") +
              ",\"discount\":null,\"tags\":[\"blue\",\"large\"],\"address\":{\"street\":\"" + std::to_string(i * 37) +
              " Long Street\",\"city\":\"Berlin\",\"zip\":\"" + number + "\",\"geo\":[52.51" + number + ",-13.37" +
              number + "]},\"note\":\"first line\\nsecond \\\\ line\"}";
    }
    return "{\"order\":\"O-1001\",\"items\":[" + list + "]}";
  }();
  return text;
}

void expect(int status, int code, const std::vector<std::string>& argv) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == code) return;
  if (WIFSIGNALED(status) && -WTERMSIG(status) == code) return;
  throw Broken{joined(argv) + ": ended with " +
               (WIFEXITED(status) ? "code " + std::to_string(WEXITSTATUS(status))
                                  : "signal " + std::to_string(WTERMSIG(status)))};
}

}  // namespace

double now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

Stage::Stage(std::string binaries, std::string folder) : binaries_(std::move(binaries)), folder_(std::move(folder)) {
  fs::remove_all(folder_);
  fs::create_directories(folder_);
}

Stage::~Stage() {
  for (pid_t pid : background_) {
    kill(pid, SIGTERM);
    waitpid(pid, nullptr, 0);
  }
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::string Stage::write(const std::string& name, const std::string& text) const {
  std::ofstream(path(name)) << text;
  return path(name);
}

std::string Stage::fresh_journal() {
  std::string journal = path("journal");
  fs::remove_all(journal);
  fs::create_directories(journal);
  return journal + "/journal.db";
}

pid_t Stage::start(const std::vector<std::string>& argv, int out) const {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_t pid = ::fork();
  if (pid != 0) return pid;
  int null = open("/dev/null", O_RDWR);
  dup2(null, 0);
  dup2(out < 0 ? null : out, 1);
  if (!std::getenv("FLOWRUN_BENCH_LOUD")) dup2(null, 2);
  if (chdir(folder_.c_str()) == 0) execvp(words[0], words.data());
  _exit(127);
}

Took Stage::run(const std::vector<std::string>& argv, int code) const {
  double began = now();
  pid_t pid = start(argv, -1);
  int status = 0;
  rusage usage{};
  wait4(pid, &status, 0, &usage);
  Took took{now() - began, static_cast<double>(usage.ru_maxrss) * 1024};
  expect(status, code, argv);
  return took;
}

std::string Stage::output(const std::vector<std::string>& argv) const {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw Broken{"no pipe"};
  pid_t pid = start(argv, ends[1]);
  close(ends[1]);
  std::string text;
  char buffer[65536];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  close(ends[0]);
  int status = 0;
  waitpid(pid, &status, 0);
  expect(status, 0, argv);
  return text;
}

double Stage::together(const std::vector<std::vector<std::string>>& commands) const {
  double began = now();
  std::vector<pid_t> pids;
  for (const auto& argv : commands) pids.push_back(start(argv, -1));
  std::vector<int> statuses(pids.size());
  for (std::size_t i = 0; i < pids.size(); ++i) waitpid(pids[i], &statuses[i], 0);
  double took = now() - began;
  for (std::size_t i = 0; i < pids.size(); ++i) expect(statuses[i], 0, commands[i]);
  return took;
}

std::string Stage::background(const std::vector<std::string>& argv, bool says_something) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw Broken{"no pipe"};
  background_.push_back(start(argv, ends[1]));
  close(ends[1]);
  std::string line;
  for (char c; says_something && read(ends[0], &c, 1) == 1 && c != '\n';) line += c;
  if (says_something && line.empty()) throw Broken{joined(argv) + " does not start"};
  // Not closed: it may write more.
  return line;
}

int Stage::nginx_port() {
  if (nginx_port_ != 0) return nginx_port_;
  int port = free_port();
  write("answer.json", answer());
  std::string config = write(
      "nginx.conf",
      "daemon off;\nmaster_process off;\nworker_processes 1;\npid " + path("nginx.pid") + ";\nerror_log " +
          path("nginx.log") +
          ";\nevents { worker_connections 4096; }\nhttp {\n  access_log off;\n  keepalive_requests 1000000;\n"
          "  client_body_temp_path " +
          path("a") + ";\n  proxy_temp_path " + path("b") + ";\n  fastcgi_temp_path " + path("c") +
          ";\n  uwsgi_temp_path " + path("d") + ";\n  scgi_temp_path " + path("e") +
          ";\n  server {\n    listen 127.0.0.1:" + std::to_string(port) +
          ";\n    location = /long { default_type application/json; alias " + path("answer.json") +
          "; }\n    location / { default_type application/json; return 200 '{\"id\":1,\"name\":\"one\"}'; }\n  }\n}\n");
  background({fs::exists("/usr/sbin/nginx") ? "/usr/sbin/nginx" : "nginx", "-c", config}, false);
  for (int tries = 0; !answers(port); ++tries) {
    if (tries == 200) throw Broken{"nginx does not start"};
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return nginx_port_ = port;
}

std::string Stage::shop() {
  if (shop_.empty()) {
    const std::string line = background({binary("flowrun-shop"), "--port", "0"});
    shop_ = line.substr(line.find("http"));
  }
  return shop_;
}

double Stage::order_by_curl() {
  std::vector<std::string> argv{"curl"};
  for (const char* path : {"/orders/O-1001", "/fraud/score", "/payments", "/shipments"}) {
    if (argv.size() > 1) argv.insert(argv.end(), {"--next", "-d", "{}"});
    argv.insert(argv.end(), {"-s", "-o", "/dev/null", "-w", "%{time_total}\n", shop() + path});
  }
  std::istringstream times(output(argv));
  double sum = 0;
  for (double one = 0; times >> one;) sum += one;
  return sum;
}

std::string Stage::long_page() { return "http://127.0.0.1:" + std::to_string(nginx_port()) + "/long"; }

std::size_t Stage::answer_bytes() { return answer().size(); }

std::string Stage::page() { return "http://127.0.0.1:" + std::to_string(nginx_port()) + "/item"; }

}  // namespace bench
