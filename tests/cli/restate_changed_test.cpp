// A detached run as a flowrun sees it that decides otherwise than the one that began it: what stands between server and
// worker writes the names of recorded decisions otherwise. Server and worker are real.
#include <atomic>
#include <thread>

#include "tests/executor/http_server.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/restate.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::restate_changed_test {
namespace {

/// Hands requests on to |worker|, with other decisions in the journal while |changes|.
class Between {
 public:
  explicit Between(std::string worker) : worker_(std::move(worker)) {
    const auto pass = [this](const httplib::Request& request, httplib::Response& response) {
      httplib::Request same;
      same.method = request.method;
      same.path = request.target;
      for (const auto& [name, value] : request.headers)
        if (name.starts_with("x-restate") || name == "accept" || name == "content-type") same.set_header(name, value);
      same.body = request.body;
      // Behind the workflow come the entries, with the names that were decided.
      const std::string decided = "alpha", other = "omega";
      if (changes && request.target.ends_with("/run"))
        for (std::size_t at = same.body.find("id: " + decided) + 5;
             (at = same.body.find(decided, at)) != same.body.npos;)
          same.body.replace(at, decided.size(), other);
      httplib::Client client(worker_);
      client.set_read_timeout(60, 0);
      const auto answer = client.send(same);
      if (!answer) {
        response.status = 502;
        return;
      }
      response.status = answer->status;
      std::string body = answer->body;
      // The name of a call stands behind what it asks.
      if (const std::size_t at = body.rfind(decided); renames && request.target.ends_with("/run") && at != body.npos)
        body.replace(at, decided.size(), other);
      response.set_content(body, answer->get_header_value("content-type").c_str());
    };
    server_.Get(".*", pass).Post(".*", pass);
    server_.start();
  }
  std::string url() const { return server_.url(""); }

  std::atomic<bool> changes{false};  ///< what the worker is told of its own decisions
  std::atomic<bool> renames{false};  ///< what the server is told of them

 private:
  std::string worker_;
  HttpServer server_;
};

}  // namespace

TEST_CASE("a detached run that would be decided otherwise is refused with 570, does nothing, and goes on elsewhere",
          "[restate]") {
  if (const std::string why = why_no_restate(); !why.empty()) {
    WARN("skipped: " << why);
    return;
  }
  TempDir dir;
  HowToRun how;
  how.cwd = dir.path();
  how.env["XDG_STATE_HOME"] = dir.path("state");
  Restate server;
  StepWorker worker({}, how);
  Between between(worker.url());
  server.deploy(between.url());
  const auto call = [&](std::vector<std::string> words) { return flowrun(dir.path("j.db"), std::move(words), how); };
  const auto soon = [&](const std::function<bool()>& so) {
    for (int i = 0; i < 600; ++i) {
      if (so()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  };
  const std::string file = dir.write("w.yaml", R"(flowrun: 1
name: w
steps:
  - { id: alpha, shell: 'echo first >> effects; sleep 1' }
  - { id: last, shell: 'echo last >> effects' }
)");
  const Ran started = call({"run", file, "--detach", "--id", "w", "--on", server.on()});
  INFO(started.err);
  REQUIRE(started.code == 0);
  REQUIRE(soon([&] { return dir.read("effects") == "first\n"; }));
  between.changes = true;
  const auto refused = [&] {
    return server.query(
        "SELECT last_failure FROM sys_invocation WHERE last_failure_error_code = '570' OR last_failure "
        "LIKE '%570%'");
  };
  const bool was_refused = soon([&] { return !refused().empty(); });
  INFO(server.query("SELECT target, status, last_failure, last_failure_error_code FROM sys_invocation").dump());
  REQUIRE(was_refused);
  INFO(refused().dump());
  CHECK(refused().dump().find("this flowrun decides") != std::string::npos);
  CHECK(dir.read("effects") == "first\n");
  const Ran shown = call({"show", "w", "--on", server.on()});
  INFO(shown.out << shown.err);
  CHECK((shown.out + shown.err).find("this flowrun decides") != std::string::npos);
  between.changes = false;
  const Ran watched = call({"watch", "w", "--on", server.on()});
  INFO(watched.err);
  CHECK(watched.code == 0);
  CHECK(dir.read("effects") == "first\nlast\n");
  CHECK(call({"import", "w", "--on", server.on()}).code == 0);
  CHECK(call({"journal", "verify", "w"}).code == 0);
}

TEST_CASE("who looks at a detached run that was decided otherwise is told so, and takes nothing in", "[restate]") {
  if (const std::string why = why_no_restate(); !why.empty()) {
    WARN("skipped: " << why);
    return;
  }
  TempDir dir;
  HowToRun how;
  how.cwd = dir.path();
  how.env["XDG_STATE_HOME"] = dir.path("state");
  Restate server;
  StepWorker worker({}, how);
  Between between(worker.url());
  between.renames = true;
  server.deploy(between.url());
  const auto call = [&](std::vector<std::string> words) { return flowrun(dir.path("j.db"), std::move(words), how); };
  const std::string file = dir.write("w.yaml", "flowrun: 1\nname: w\nsteps:\n  - { id: alpha, shell: 'true' }\n");
  REQUIRE(call({"run", file, "--detach", "--id", "w", "--on", server.on()}).code == 0);
  Ran shown;
  for (int i = 0; i < 600 && shown.code != 8; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    shown = call({"show", "w", "--on", server.on()});
  }
  INFO(shown.err);
  CHECK(shown.code == 8);
  CHECK(shown.err.find("the workers of run w decide otherwise than this flowrun: of what they have asked the server "
                       "for, number 1 is `omega`, not `alpha`") != std::string::npos);
  CHECK(call({"import", "w", "--on", server.on()}).code == 8);
  CHECK(call({"list"}).out.find("w ") == std::string::npos);
}

}  // namespace flowrun::test::restate_changed_test
