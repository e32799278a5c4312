// Where an example plays: a folder with its file, a peer that answers for all its hosts, and stand-ins for its
// programs.
#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tests/executor/http_server.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test {

struct Asked {
  std::string what;  ///< "POST /api.shop.example/payments": the host is the first part of the path
  std::string body, key, auth;
};

struct Reply {
  int status = 200;
  std::string body = "{}";
  std::string link;
};

class Stage {
 public:
  using Script = std::function<Reply(const Asked&)>;
  using Swaps = std::vector<std::pair<std::string, std::string>>;  ///< what is written otherwise: long waits

  Stage(const std::string& example, Script script, const Swaps& swaps = {}) : script_(std::move(script)) {
    auto answer = [this](const httplib::Request& request, httplib::Response& response) {
      Asked asked{request.method + " " + request.target, request.body, request.get_header_value("Idempotency-Key"),
                  request.get_header_value("Authorization")};
      std::lock_guard lock(mutex_);
      asked_.push_back(asked);
      Reply reply = script_(asked);
      response.status = reply.status;
      response.set_header("ETag", "tag");
      if (!reply.link.empty()) response.set_header("Link", reply.link);
      response.set_content(reply.body, "application/json");
    };
    server_.Get(".*", answer).Post(".*", answer).Put(".*", answer).Delete(".*", answer);
    // A kept connection keeps its thread: more of them than any example has requests at once.
    server_.new_task_queue = [] { return new httplib::ThreadPool(40); };
    server_.start();
    std::filesystem::create_directories(dir_.path("bin"));
    std::filesystem::create_directories(dir_.path("etl"));
    file_ = copy(example, swaps);
    how_.cwd = dir_.path();
    how_.env["PATH"] = dir_.path("bin") + ":" + std::getenv("PATH");
  }

  /// A program called |name|: on PATH, or beside the file when it begins with "./". It notes its arguments first.
  void fake(const std::string& name, const std::string& script = "") {
    std::string place = name.rfind("./", 0) == 0 ? name.substr(2) : "bin/" + name;
    std::string file =
        dir_.write(place, "#!/bin/sh\necho " + name + " \"$@\" >> '" + dir_.path("calls") + "'\n" + script + "\n");
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  }
  std::string copy(const std::string& example, const Swaps& swaps) const {
    std::ifstream in(FLOWRUN_SOURCE_DIR "/tests/examples/" + example);
    std::string text(std::istreambuf_iterator<char>(in), {});
    REQUIRE_FALSE(text.empty());
    for (const auto& [from, to] : swaps) {
      INFO(from);
      REQUIRE(text.find(from) != text.npos);
      swap(text, from, to);
    }
    swap(text, "https://", server_.url("/"));
    return dir_.write(example, text);
  }
  void set(const std::string& variable, const std::string& value) { how_.env[variable] = value; }

  Ran flow(std::vector<std::string> args) const { return flowrun(dir_.path("journal.db"), std::move(args), how_); }
  /// Runs the example under the id `r`, with more arguments.
  Ran run(std::vector<std::string> more = {}) const {
    std::vector<std::string> args{"run", file_, "--id", "r"};
    args.insert(args.end(), more.begin(), more.end());
    return flow(args);
  }
  /// What was asked of the peer, in the order in which it came.
  std::vector<std::string> asked() {
    std::vector<std::string> all;
    for (const Asked& one : requests()) all.push_back(one.what);
    return all;
  }
  std::vector<Asked> requests() {
    std::lock_guard lock(mutex_);
    return asked_;
  }
  /// The lines "program argument ..." that the stand-ins wrote.
  std::vector<std::string> calls() const {
    std::ifstream in(dir_.path("calls"));
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }
  nlohmann::json shown() const { return nlohmann::json::parse(flow({"show", "r", "--json"}).out); }
  std::string url(const std::string& path) const { return server_.url(path); }
  const TempDir& dir() const { return dir_; }

 private:
  static void swap(std::string& text, const std::string& from, const std::string& to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size())
      text.replace(at, from.size(), to);
  }

  TempDir dir_;
  Script script_;
  std::mutex mutex_;
  std::vector<Asked> asked_;
  std::string file_;
  HowToRun how_;
  HttpServer server_;  // last: it ends before what it answers from
};

}  // namespace flowrun::test
