#include "tests/support/restate.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <httplib.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>

namespace flowrun::test {
namespace {

namespace fs = std::filesystem;

/// The binary of the npm package in a folder `@restatedev`; empty: there is none. What npm puts on PATH is a script
/// that starts it, and would live on by itself when the script is killed.
std::string packaged(const fs::path& folder) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const fs::path binary = entry.path() / "bin" / "restate-server";
    if (entry.path().filename().string().starts_with("restate-server-") && fs::exists(binary)) return binary;
  }
  return "";
}

std::string along_path(const std::string& program, const std::string& more = "") {
  const char* path = std::getenv("PATH");
  std::istringstream folders((path ? path : "") + more);
  for (std::string folder; std::getline(folders, folder, ':');)
    if (access((folder + "/" + program).c_str(), X_OK) == 0) return folder + "/" + program;
  return "";
}

std::string server_binary() {
  if (const char* named = std::getenv("FLOWRUN_RESTATE_SERVER")) return named;
  if (const std::string found = along_path("restate-server"); !found.empty()) {
    const fs::path real = fs::canonical(found);
    if (real.extension() != ".js") return real;
    // .../@restatedev/restate-server/lib/index.js
    if (std::string binary = packaged(real.parent_path().parent_path().parent_path()); !binary.empty()) return binary;
  }
  return packaged(fs::path(FLOWRUN_BINARY).parent_path() / "restate/node_modules/@restatedev");
}

std::string nginx_binary() { return along_path("nginx", ":/usr/sbin:/usr/local/sbin"); }

std::string local(int port) { return fmt::format("http://127.0.0.1:{}", port); }

void soon(const std::string& what, const std::function<bool()>& so, const std::function<std::string()>& log) {
  for (int i = 0; i < 6000; ++i) {
    if (so()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  throw std::runtime_error(what + " does not start: " + log());
}

bool well(const std::string& url) { return asked("GET", url).starts_with("200"); }

/// |text| with every |from| written as |to|; there has to be one.
std::string with(std::string text, const std::string& from, const std::string& to) {
  std::size_t at = text.find(from);
  if (at == text.npos) throw std::runtime_error("there is no " + from + " in " + text);
  for (; at != text.npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
  return text;
}

}  // namespace

std::string why_no_restate() {
  std::string why;
  const std::string server = server_binary();
  if (server.empty())
    why = "there is no Restate server; ./dev test --restate fetches one";
  else if (access(server.c_str(), X_OK) != 0)
    why = server + " is no program";
  else if (nginx_binary().empty())
    why = "nginx is not installed";
  if (!why.empty() && std::getenv("FLOWRUN_RESTATE_REQUIRED")) throw std::runtime_error(why);
  return why;
}

int listening_port() {
  // Below what Linux takes for outgoing connections: such a connection may hold a port that a server comes back to.
  static std::mt19937 random(std::random_device{}());
  static std::set<int> given;
  for (int tries = 0; tries < 1000; ++tries) {
    const int port = 20000 + static_cast<int>(random() % 12000);
    if (!given.insert(port).second) continue;
    const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool free = bind(probe, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(probe);
    if (free) return port;
  }
  throw std::runtime_error("no port is free");
}

std::string asked(const std::string& method, const std::string& url, const std::string& body,
                  const std::map<std::string, std::string>& headers) {
  const std::size_t slash = url.find('/', url.find("//") + 2);
  httplib::Client client(url.substr(0, slash));
  client.set_read_timeout(120, 0);
  httplib::Request request;
  request.method = method;
  request.path = slash == url.npos ? "/" : url.substr(slash);
  request.set_header("accept", "application/json");
  for (const auto& [name, value] : headers) request.set_header(name, value);
  if (!body.empty()) {
    request.set_header("content-type", "application/json");
    request.body = body;
  }
  const auto answer = client.send(request);
  return answer ? fmt::format("{} {}", answer->status, answer->body) : "";
}

Restate::Restate(std::map<std::string, std::string> env)
    : env_(std::move(env)), ingress_(listening_port()), admin_(listening_port()), node_(listening_port()) {
  const auto at = [](int port) { return fmt::format("127.0.0.1:{}", port); };
  env_.insert({{"RESTATE_BASE_DIR", dir_.path()},
               {"RESTATE_INGRESS__BIND_ADDRESS", at(ingress_)},
               {"RESTATE_ADMIN__BIND_ADDRESS", at(admin_)},
               {"RESTATE_BIND_ADDRESS", at(node_)},
               {"RESTATE_LISTEN_MODE", "tcp"},  // the other sockets lie below a path that may be too long for them
               {"RESTATE_LOG_DISABLE_ANSI_CODES", "true"},
               {"RESTATE_DISABLE_TELEMETRY", "true"},
               {"DO_NOT_TRACK", "1"}});
  start();
}

std::string Restate::ingress() const { return local(ingress_); }
std::string Restate::admin() const { return local(admin_); }

void Restate::start() {
  HowToRun how;
  how.env = env_;
  how.cwd = dir_.path();
  process_ =
      std::make_unique<Background>(std::vector<std::string>{server_binary(), "--no-logo", "--node-name", "one"}, how);
  soon(
      // Healthy is what it calls itself before its partitions have opened their stores.
      "the Restate server",
      [&] { return well(admin() + "/health") && well(ingress() + "/restate/health") && answers_queries(); },
      [&] { return log(); });
}

bool Restate::answers_queries() const {
  const Json query{{"query", "SELECT count(*) FROM sys_invocation"}};
  return asked("POST", admin() + "/query", query.dump()).starts_with("200");
}

void Restate::kill() { process_.reset(); }

void Restate::deploy(const std::string& url) const {
  const std::string answer =
      asked("POST", admin() + "/deployments", Json{{"uri", url}, {"use_http_11", true}, {"force", true}}.dump());
  if (!answer.starts_with("20")) throw std::runtime_error(url + " is not registered: " + answer);
}

Json Restate::query(const std::string& sql) const {
  const std::string answer = asked("POST", admin() + "/query", Json{{"query", sql}}.dump());
  if (!answer.starts_with("200")) throw std::runtime_error("the server does not answer " + sql + ": " + answer);
  return Json::parse(answer.substr(4))["rows"];
}

StepWorker::StepWorker(std::vector<std::string> options, HowToRun how)
    : options_(std::move(options)), how_(std::move(how)), port_(listening_port()) {
  start();
}

std::string StepWorker::url() const { return local(port_); }

void StepWorker::start() {
  std::vector<std::string> argv{FLOWRUN_BINARY, "worker", "--listen", fmt::format("127.0.0.1:{}", port_)};
  argv.insert(argv.end(), options_.begin(), options_.end());
  process_ = std::make_unique<Background>(argv, how_);
  soon(
      "a worker", [&] { return process_->running() && !asked("GET", url() + "/discover").empty(); },
      [&] { return process_->out() + process_->err(); });
}

void StepWorker::kill() { process_.reset(); }

Balancer::Balancer(int first, int second) : port_(listening_port()) {
  std::ifstream in(FLOWRUN_SOURCE_DIR "/workflows/restate/nginx.conf");
  std::string part(std::istreambuf_iterator<char>(in), {});
  for (const auto& [from, to] : {std::pair{9080, port_}, {9081, first}, {9082, second}})
    part = with(part, fmt::format("127.0.0.1:{}", from), fmt::format("127.0.0.1:{}", to));
  dir_.write("flowrun.conf", part);
  std::string whole =
      "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr;\n"
      "events { worker_connections 4096; }\nhttp {\n  access_log off;\n";
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
    whole += fmt::format("  {}_temp_path {};\n", kind, dir_.path(kind));
  dir_.write("nginx.conf", whole + "  include flowrun.conf;\n}\n");
  process_ = std::make_unique<Background>(
      std::vector<std::string>{nginx_binary(), "-e", "stderr", "-p", dir_.path(), "-c", dir_.path("nginx.conf")});
  soon(
      "nginx", [&] { return process_->running() && !asked("GET", url() + "/discover").empty(); },
      [&] { return process_->err(); });
}

std::string Balancer::url() const { return local(port_); }

Fleet::Fleet(std::vector<std::string> worker_options, HowToRun how, std::map<std::string, std::string> server_env)
    : server(std::move(server_env)),
      one(worker_options, how),
      two(worker_options, how),
      balancer(one.port(), two.port()) {
  server.deploy(balancer.url());
}

}  // namespace flowrun::test
