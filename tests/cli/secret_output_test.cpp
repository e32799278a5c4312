// Real runs that log in: the token reaches who needs it, also in the drive after a crash, and is in no file and on no
// screen.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <random>
#include <set>

#include "engine/model/encode.h"
#include "tests/executor/http_server.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::cli_secret_output_test {
namespace {

namespace fs = std::filesystem;

/// Gives a token to each who logs in, and nothing to who has none of them.
class Service {
 public:
  Service() {
    server_.Post("/login", [this](const httplib::Request& request, httplib::Response& answer) {
      std::lock_guard lock(mutex_);
      if (refuses_) {
        answer.status = 503;
        return;
      }
      keys_.insert(request.get_header_value("Idempotency-Key"));
      tokens_.push_back("t0ken-" + std::to_string(tokens_.size()) + "-abcdefgh");
      answer.set_header("X-Auth", tokens_.back());
      answer.set_content(nlohmann::json{{"access", {{"token", tokens_.back()}}}}.dump(), "application/json");
    });
    server_.Get("/work/.*", [this](const httplib::Request& request, httplib::Response& answer) {
      const std::string given = request.get_header_value("Authorization");
      std::lock_guard lock(mutex_);
      const bool known = std::any_of(tokens_.begin(), tokens_.end(),
                                     [&](const std::string& token) { return given == "Bearer " + token; });
      answer.status = known ? 200 : 401;
      answer.set_content(nlohmann::json{{"you_are", given}}.dump(), "application/json");
    });
    server_.start();
  }
  std::string url() const { return server_.url(""); }
  std::vector<std::string> tokens() const {
    std::lock_guard lock(mutex_);
    return tokens_;
  }
  std::size_t keys() const {
    std::lock_guard lock(mutex_);
    return keys_.size();
  }
  void refuse(bool refuses) {
    std::lock_guard lock(mutex_);
    refuses_ = refuses;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> tokens_;
  std::set<std::string> keys_;
  bool refuses_ = false;
  HttpServer server_;  ///< last: its threads use the above
};

void check_silent(const Service& service, const std::string& bytes, const std::string& where) {
  for (const std::string& token : service.tokens())
    for (const std::string& spelling : {token, base64(token).substr(0, 16), percent_encoded(token)}) {
      INFO(spelling << " in " << where);
      CHECK_FALSE(has(bytes, spelling));
    }
}

void check_silent_below(const Service& service, const std::string& folder) {
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    check_silent(service, std::string(std::istreambuf_iterator<char>(in), {}), entry.path().string());
  }
}

constexpr const char* kWorkflow = R"(flowrun: 1
input: { api: { type: string } }
steps:
  login: { http: "POST ${ $input.api }/login", secret: true, timeout: 20s }
  other: { http: "POST ${ $input.api }/login", secret: true, output: '${ .headers["x-auth"] }' }
  tool: { shell: 'echo "token of a tool"; printf noi%s se >&2', secret: true }
  first:
    for_each: 8
    do: { http: "${ $input.api }/work/${ $item }", auth: { bearer: "${ $steps.login.access.token }" } }
  second:
    needs: [first]
    for_each: 8
    do:
      - { id: get, http: "${ $input.api }/work/${ $item }", auth: { bearer: "${ $steps.other }" } }
      - id: run
        shell: 'echo "$A $B $T"; [ "$T" = "token of a tool" ] && [[ "$A" == t0ken-*-abcdefgh ]]'
        env: { A: "${ $steps.login.access.token }", B: "x${ $steps.other }", T: "${ $steps.tool }" }
output: ${ [$steps.second[]] | unique }
)";

}  // namespace

TEST_CASE("a run with secret outputs that is killed and resumed again and again ends well, and tells nobody",
          "[secrets]") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  Service service;
  TempDir dir;
  const std::string workflow = dir.write("w.yaml", kWorkflow);
  fs::create_directory(dir.path("state"));
  const std::string journal = dir.path("state/journal.db");
  for (int round = 0; round < 6; ++round) {
    const std::string id = "r" + std::to_string(round);
    std::string said;
    int kills = 0;
    for (bool over = false; !over;) {
      REQUIRE(kills < 100);
      Background run({FLOWRUN_BINARY, "run", workflow, "--id", id, "-i", "api=" + service.url(), "--journal", journal});
      const auto patience = std::chrono::milliseconds(random() % (kills < 5 ? 60 : 4000));
      const auto end = std::chrono::steady_clock::now() + patience;
      while (run.running() && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      over = !run.running();
      if (!over) run.signal(SIGKILL);
      const Ran ran = run.wait();
      said += ran.out + ran.err;
      if (over) {
        INFO(ran.err);
        REQUIRE(ran.code == 0);
        CHECK(ran.out == "[\"*** x*** ***\"]\n");
      }
      ++kills;
    }
    for (const std::vector<std::string>& args : {std::vector<std::string>{"show", id},
                                                 {"journal", "show", id, "--json"},
                                                 {"logs", id},
                                                 {"journal", "verify", id},
                                                 {"output", id, "--step", "login"},
                                                 {"report", id, "--format", "markdown"},
                                                 {"why", id, "second[0]/run"}}) {
      const Ran ran = flowrun(journal, args);
      INFO(args[0] << ": " << ran.err);
      CHECK(ran.code == 0);
      said += ran.out + ran.err;
    }
    check_silent(service, said, "what was printed");
    CHECK_FALSE(has(said, "noise"));
  }
  check_silent_below(service, dir.path("state"));
}

TEST_CASE("the next drive logs in anew, with another key, and says so; retry and undo do as well", "[secrets]") {
  Service service;
  TempDir dir;
  const std::string workflow = dir.write("w.yaml", R"(flowrun: 1
input: { api: { type: string } }
steps:
  - { id: login, http: "POST ${ $input.api }/login", secret: true }
  - wait: go
  - id: work
    http: ${ $input.api }/work/1
    auth: { bearer: "${ $steps.login.access.token }" }
    undo: { http: "${ $input.api }/work/2", auth: { bearer: "${ $steps.login.access.token }" } }
)");
  const std::string journal = dir.path("journal.db");
  CHECK(flowrun(journal, {"run", workflow, "--id", "r", "-i", "api=" + service.url(), "--no-wait"}).code == 4);
  CHECK(service.tokens().size() == 1);
  CHECK(flowrun(journal, {"approve", "r", "go"}).code == 0);
  service.refuse(true);
  Ran ran = flowrun(journal, {"resume", "r"});
  INFO(ran.err);
  CHECK(ran.code == 1);
  CHECK(has(ran.err, "the secret output of login could not be read again: "));
  CHECK(has(ran.err, "http.503"));
  CHECK(service.tokens().size() == 1);
  service.refuse(false);
  CHECK(flowrun(journal, {"retry", "r"}).code == 0);
  CHECK(service.tokens().size() == 2);
  CHECK(service.keys() == 2);
  CHECK(has(flowrun(journal, {"journal", "show", "r"}).out, "reread     login"));
  ran = flowrun(journal, {"undo", "r"});
  INFO(ran.err);
  CHECK(service.tokens().size() == 3);
  CHECK(flowrun(journal, {"journal", "verify", "r"}).code == 0);
}

TEST_CASE("a fork takes a login over, and logs in for what runs anew", "[secrets]") {
  Service service;
  TempDir dir;
  const std::string workflow = dir.write("w.yaml", R"(flowrun: 1
input: { api: { type: string } }
steps:
  - { id: login, http: "POST ${ $input.api }/login", secret: true }
  - { id: work, http: "${ $input.api }/work/1", auth: { bearer: "${ $steps.login.access.token }" } }
  - { id: late, shell: '[ -e good ]; [ -n "$T" ]', env: { T: "${ $steps.login.access.token }" } }
)");
  const std::string journal = dir.path("journal.db");
  CHECK(flowrun(journal, {"run", workflow, "--id", "r", "-i", "api=" + service.url()}).code == 1);
  CHECK(service.tokens().size() == 1);
  dir.write("good", "");
  const Ran ran = flowrun(journal, {"fork", "r", "--id", "f"});
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(has(ran.err, "2 steps were taken over"));
  CHECK(has(ran.err, "reread    login"));
  CHECK(service.tokens().size() == 2);
}

TEST_CASE("a process that reads an output again is ended when its drive was killed", "[secrets]") {
  TempDir dir;
  const std::string workflow = dir.write("w.yaml", R"(flowrun: 1
steps:
  - id: login
    shell: |
      if [ -e slow ]; then bash -c 'echo $$ > left; rm slow; exec sleep 60'; true; fi
      echo token-abcdef
    secret: true
  - wait: go
  - { id: use, shell: 'echo "${#T}"', env: { T: "${ $steps.login }" } }
output: ${ $steps.use }
)");
  const std::string journal = dir.path("journal.db");
  CHECK(flowrun(journal, {"run", workflow, "--id", "r", "--no-wait"}).code == 4);
  CHECK(flowrun(journal, {"approve", "r", "go"}).code == 0);
  dir.write("slow", "");
  {
    Background resume({FLOWRUN_BINARY, "resume", "r", "--journal", journal});
    REQUIRE(soon([&] { return !fs::exists(dir.path("slow")); }));
    resume.signal(SIGKILL);
    resume.wait();
  }
  const int left = std::atoi(dir.read("left").c_str());
  REQUIRE(left > 0);
  CHECK(alive(left));
  const Ran ran = flowrun(journal, {"resume", "r"});
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(ran.out == "12\n");
  CHECK_FALSE(alive(left));
}

TEST_CASE("what others carry out has no secret output, and nobody says one on the command line", "[secrets]") {
  TempDir dir;
  const std::string workflow = dir.write("w.yaml", R"(flowrun: 1
steps:
  - { id: login, shell: '[ -e good ] && echo token', secret: true }
  - { id: use, shell: 'echo $T', env: { T: "${ $steps.login }" } }
)");
  const std::string journal = dir.path("journal.db");
  for (const char* more : {"--no-wait", "--detach"}) {
    const Ran refused = flowrun(journal, {"run", workflow, more, "--on", "restate=http://127.0.0.1:1"});
    CHECK(refused.code != 0);
    CHECK(has(refused.err, "the output of step `login` is secret, and a server would keep it on its disk"));
  }
  CHECK(flowrun(journal, {"list"}).out.find("w-") == std::string::npos);
  CHECK(flowrun(journal, {"run", workflow, "--id", "r"}).code == 1);
  const Ran marked = flowrun(journal, {"retry", "r", "--mark", "login=done:\"tok-abcdef\""});
  CHECK(marked.code == 8);
  CHECK(has(marked.err, "say login=rerun"));
  dir.write("good", "");
  const Ran retried = flowrun(journal, {"retry", "r"});
  INFO(retried.err);
  CHECK(retried.code == 0);
}

}  // namespace flowrun::test::cli_secret_output_test
