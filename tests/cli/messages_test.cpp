// Every message that a person can provoke, in one file that is read from its start to its end:
// tests/goldens/messages.txt has the commands and the workflows, and what the program says of them. Its head says how
// it is written.
#include <httplib.h>

#include <CLI/Version.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/journal/damage.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::messages_test {
namespace {

namespace fs = std::filesystem;

const std::string kSource = FLOWRUN_SOURCE_DIR;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string content_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

/// A server that answers as its paths say.
class Server {
 public:
  Server() {
    // A connection that is kept open keeps a thread.
    server_.new_task_queue = [] { return new httplib::ThreadPool(64); };
    server_.Get(R"(/status/(\d+))", [](const httplib::Request& request, httplib::Response& response) {
      response.status = std::stoi(request.matches[1]);
      response.set_content("it is out of stock", "text/plain");
    });
    server_.Get("/json", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(R"({"state":"open","n":9007199254740993})", "application/json");
    });
    server_.Get("/broken", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(R"({"state":)", "application/json");
    });
    server_.Get("/slow", [](const httplib::Request&, httplib::Response& response) {
      std::this_thread::sleep_for(std::chrono::seconds(1));
      response.set_content("late", "text/plain");
    });
    server_.Post("/slow/.*", [](const httplib::Request&, httplib::Response&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    });
    server_.Post(R"(/status/(\d+).*)", [](const httplib::Request& request, httplib::Response& response) {
      response.status = std::stoi(request.matches[1]);
    });
    server_.Get("/later", [](const httplib::Request&, httplib::Response& response) {
      response.status = 503;
      response.set_header("Retry-After", "7200");
    });
    server_.Get("/link", [](const httplib::Request&, httplib::Response& response) {
      response.set_header("Link", "<http://[::1; rel=\"next\"");
      response.set_content("{}", "application/json");
    });
    server_.Get("/charset", [](const httplib::Request&, httplib::Response& response) {
      response.set_content("x", "text/plain; charset=x-unheard");
    });
    server_.Get("/latin", [](const httplib::Request&, httplib::Response& response) {
      response.set_content("\xd8", "text/plain; charset=utf-16");
    });
    server_.Get(R"(/packed/(\w+))", [](const httplib::Request& request, httplib::Response& response) {
      response.set_header("Content-Encoding", std::string(request.matches[1]));
      response.body = "not packed at all";
    });
    server_.Get("/loop", [](const httplib::Request&, httplib::Response& response) { response.set_redirect("/loop"); });
    server_.Get("/large", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(std::string(5000, 'x'), "text/plain");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~Server() {
    server_.stop();
    thread_.join();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

/// A folder, which is HOME as well, with `flowrun` on PATH.
class Desk {
 public:
  explicit Desk(const std::string& server) : server_(server) {
    fs::create_directory(home());
    fs::create_directory(dir_.path("bin"));
    fs::create_symlink(FLOWRUN_BINARY, dir_.path("bin/flowrun"));
  }
  std::string home() const { return dir_.path("home"); }
  void write(const std::string& file, const std::string& text) const {
    fs::create_directories(fs::path(home() + "/" + file).parent_path());
    dir_.write("home/" + file, text);
  }
  /// Whether |command| is `forge OLD NEW SQL` or `spoil OLD NEW SQL`, and then does that.
  bool changes_rows(const std::string& command) const {
    std::istringstream in(command);
    std::string verb, from, to, sql;
    in >> verb;
    if (verb != "forge" && verb != "spoil") return false;
    std::getline(in >> from >> to >> std::ws, sql);
    for (const char* end : {"-wal", "-shm", "-lock", "-turn"}) fs::remove(home() + "/" + to + end);
    fs::copy_file(home() + "/" + from, home() + "/" + to, fs::copy_options::overwrite_existing);
    change_rows(home() + "/" + to, sql, verb == "forge");
    return true;
  }
  /// What |command| says on both streams, and its exit code.
  std::string says(const std::string& command) const {
    HowToRun how;
    how.cwd = home();
    how.without = {"XDG_STATE_HOME"};
    how.env = {{"HOME", home()}, {"PATH", dir_.path("bin") + ":/usr/bin:/bin"}, {"SERVER", server_}, {"TZ", "UTC"}};
    const Ran ran = run({"/bin/sh", "-c", "{ " + command + "\n} 2>&1"}, how);
    std::string shown;
    for (const std::string& line : lines_of(masked(ran.out))) shown += "    " + line + "\n";
    if (ran.code != 0) shown += "  exit " + std::to_string(ran.code) + "\n";
    return shown;
  }

 private:
  /// |text| without what differs each time.
  std::string masked(std::string text) const {
    for (std::size_t at; (at = text.find(home())) != std::string::npos;) text.replace(at, home().size(), "/home/ada");
    static const std::vector<std::pair<std::regex, std::string>> masks{
        {std::regex("-20[0-9]{6}-[0-9]{6}-[0-9a-z]{4}"), "-ID"},
        {std::regex("20[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{3})?"), "DATE"},
        {std::regex("[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{3})?"), "TIME"},
        {std::regex("(the next is at|sleeps until) DATE"), "$1 TIME"},  // late in the evening it is tomorrow
        {std::regex("\\b[0-9]+\\.[0-9]+s"), "0.0s"},
        {std::regex("(resumed +after )[0-9.ms]+"), "$010.0s"},  // longer on a slow machine
        {std::regex("\\b[0-9]+ ms"), "0 ms"},
        {std::regex("process [0-9]+"), "process N"},
        {std::regex("(about|is|of|its) [0-9.]+ (bytes|kB)"), "$1 N bytes"},
        {std::regex("\"duration_ms\":[0-9]+"), "\"duration_ms\":0"},
        {std::regex("by [a-z_][a-z0-9_-]*@[A-Za-z0-9.-]+"), "by WHOM"},
        {std::regex("127\\.0\\.0\\.1(:| port )[0-9]{4,}"), "127.0.0.1$1PORT"},
        {std::regex("timeout=5, max=[0-9]+"), "timeout=5, max=5"},
        {std::regex(" +\n"), "\n"},
    };
    for (const auto& [what, name] : masks) text = std::regex_replace(text, what, name);
    return text;
  }

  TempDir dir_;
  std::string server_;
};

/// |section|, which begins with a fresh folder, with what is said now in place of what it says.
std::string played(const std::string& section, const Desk& desk) {
  std::string all, file, name;
  bool writes = false;
  const auto end_of_file = [&](bool judged) {
    if (!writes) return;
    writes = false;
    const bool whole = name != "w.yaml" || file.starts_with("flowrun:") || file.find("\nflowrun:") != file.npos;
    desk.write(name, whole ? file : file + "flowrun: 1\n");
    if (judged) all += desk.says("flowrun validate " + name + " | sed '$d'");
  };
  for (const std::string& line : lines_of(section)) {
    if (line.starts_with("  ")) continue;  // what it said before
    if (line.starts_with("| ") || line == "|" || line.starts_with("|> ")) {
      if (!std::exchange(writes, true) || line[1] == '>') {
        end_of_file(false);
        writes = true;
        file.clear();
        name = line[1] == '>' ? line.substr(3) : "w.yaml";
      }
      if (line[1] != '>') file += line.substr(std::min<std::size_t>(2, line.size())) + "\n";
      all += line + "\n";
      continue;
    }
    const bool typed = line.starts_with("$ ");
    end_of_file(!typed);
    all += line + "\n";
    if (typed && !desk.changes_rows(line.substr(2))) all += desk.says(line.substr(2));
  }
  end_of_file(true);
  return all;
}

/// All sections of |text|, some at a time: most of them wait for a disk, or for a moment.
std::string played(const std::string& text) {
  Server server;
  std::vector<std::string> sections{""};
  for (const std::string& line : lines_of(text)) {
    if (line.starts_with("== ")) sections.emplace_back();
    sections.back() += line + "\n";
  }
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i; (i = next++) < sections.size();) {
      // What CLI11 makes of a help is another thing from version to version: that of Debian 12 is held.
      if (sections[i].starts_with("== Help\n") && CLI11_VERSION_MINOR > 1) continue;
      sections[i] = played(sections[i], Desk(server.url()));
    }
  };
  std::vector<std::thread> others;
  for (int i = 0; i < 3; ++i) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
  std::string all;
  for (const std::string& section : sections) all += section;
  return all;
}

}  // namespace

TEST_CASE("every message is as it was read and found good", "[messages][golden]") {
  check_golden("messages.txt", played(content_of(kSource + "/tests/goldens/messages.txt")));
}

}  // namespace flowrun::test::messages_test
