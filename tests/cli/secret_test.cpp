// Real runs whose every step gives its secrets away, and what is left of them on disk and on the terminal: nothing.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <thread>

#include "engine/model/encode.h"
#include "tests/executor/http_server.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::secret_test {
namespace {

namespace fs = std::filesystem;

const std::string kToken = "t0k3n/w1th+spec!als &\"quotes\"";
const std::string kKey = "-----BEGIN KEY-----\nMIIEowIBAAKCAQEA7\nabcdef0123456789\n-----END KEY-----";
const std::string kPlain = "plainpassword";

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string json_inside(const std::string& text) {
  std::string quoted = nlohmann::json(text).dump();
  return quoted.substr(1, quoted.size() - 2);
}

/// The spellings in which a secret may have got out.
std::vector<std::string> spellings() {
  std::vector<std::string> all{"MIIEowIBAAKCAQEA7", "abcdef0123456789"};
  for (const std::string& secret : {kToken, kKey, kPlain}) {
    std::string digits = base64(secret);
    digits.resize(digits.size() / 4 * 4 - 4);
    std::string url_safe = digits;
    std::replace(url_safe.begin(), url_safe.end(), '+', '-');
    std::replace(url_safe.begin(), url_safe.end(), '/', '_');
    all.insert(all.end(), {secret, json_inside(secret), json_inside(json_inside(secret)), digits, url_safe,
                           percent_encoded(secret)});
  }
  all.push_back(base64("robot:" + kPlain).substr(8, 16));
  return all;
}

void check_nothing_in(const std::string& bytes, const std::string& where) {
  for (const std::string& spelling : spellings()) {
    INFO(spelling << " in " << where);
    CHECK_FALSE(has(bytes, spelling));
  }
}

void check_nothing_below(const std::string& folder) {
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    ++files;
    std::ifstream in(entry.path(), std::ios::binary);
    check_nothing_in(std::string(std::istreambuf_iterator<char>(in), {}), entry.path().string());
    check_nothing_in(entry.path().string(), "the name of a file");
  }
  CHECK(files >= 1);
}

constexpr const char* kLeaky = R"(flowrun: 1
input: { api: { type: string } }
secrets:
  token: { env: LEAKY_TOKEN }
  key: { file: key.pem }
  plain: { command: [sh, -c, "cat plain; cat plain >&2"] }
defaults:
  all: { retry: none, continue_on_error: true }
  shell: { env: { TOKEN: "${ $secrets.token }", KEY: "${ $secrets.key }", PLAIN: "${ $secrets.plain }" } }
steps:
  - id: says
    shell: |
      echo "$TOKEN"; echo "$KEY"; echo "$TOKEN" | base64; printf %s "$PLAIN" | base64; echo "$KEY" | base64
      [ -z "${LEAKY_TOKEN:-}" ]
  - id: writes
    shell: printf '{"t":"%s","n":["%s"]}' "$PLAIN" "x$PLAIN" > "$FLOWRUN_OUTPUT"; cat
    stdin: { all: ["${ $secrets.token }", "${ $secrets.key }"] }
    capture: file
  - id: fails
    shell: 'echo "out $TOKEN"; echo "err $TOKEN $PLAIN" >&2; echo "$KEY" >&2; exit 3'
  - id: logs
    shell: 'for i in {1..200}; do echo "$KEY $TOKEN $PLAIN"; echo "$KEY $TOKEN" >&2; done'
    capture: none
  - id: no_json
    shell: echo "$PLAIN $TOKEN"
    capture: json
  - id: posts
    http: POST ${ $input.api }/echo/${ $secrets.token }
    query: { key: "${ $secrets.token }" }
    headers: { X-Token: "Token ${ $secrets.plain }" }
    auth: { basic: { user: robot, password: "${ $secrets.plain }" } }
    json: { token: "${ $secrets.token }", deep: [{ key: "${ $secrets.key }" }] }
    output: ${ . }
  - id: form
    http: POST ${ $input.api }/fail
    form: { a: "${ $secrets.token }", b: "x ${ $secrets.plain }" }
  - id: as_file
    http: POST ${ $input.api }/echo/x
    text: ${ $secrets.key }
    response: file
  - id: refused
    http: http://127.0.0.1:1/${ $secrets.token }
  - id: sleeps
    shell: 'if [ "$FLOWRUN_RERUN" = 0 ]; then echo "$TOKEN" > "$FLOWRUN_OUTPUT"; touch ready; sleep 60; fi'
output: { says: "${ $steps.says }", posts: "${ $steps.posts }", fails: "${ $status.fails }", form: "${ $status.form }" }
)";

class Leaky {
 public:
  Leaky() {
    for (const char* path : {"/echo/.*", "/fail"})
      server_.Post(path, [this, path = std::string(path)](const httplib::Request& request, httplib::Response& answer) {
        answer.status = path == "/fail" ? 422 : 200;
        nlohmann::json said{{"target", request.target}, {"body", request.body}, {"headers", nlohmann::json::object()}};
        for (const auto& [name, value] : request.headers) said["headers"][name] = value;
        answer.set_header("X-Back", request.get_header_value("X-Token"));
        answer.set_content(said.dump(), "application/json");
        std::lock_guard lock(mutex_);
        last_ = said.dump();
      });
    server_.start();
    workflow_ = dir_.write("w.yaml", kLeaky);
    dir_.write("key.pem", kKey + "\n");
    dir_.write("plain", kPlain);
    fs::create_directory(dir_.path("state"));
    how_.env["LEAKY_TOKEN"] = kToken;
  }

  std::vector<std::string> start() const {
    return {FLOWRUN_BINARY,
            "run",
            workflow_,
            "--id",
            "leaky",
            "-i",
            "api=" + server_.url(""),
            "--journal",
            journal(),
            "--events",
            dir_.path("state/events")};
  }
  Ran operator()(std::vector<std::string> args) const { return flowrun(journal(), std::move(args), how_); }
  std::string journal() const { return dir_.path("state/journal.db"); }
  const TempDir& dir() const { return dir_; }
  HowToRun& how() { return how_; }
  std::string last() const {
    std::lock_guard lock(mutex_);
    return last_;
  }

 private:
  TempDir dir_;
  std::string workflow_;
  HowToRun how_;
  mutable std::mutex mutex_;
  std::string last_;
  HttpServer server_;  ///< last: its threads use the above
};

}  // namespace

TEST_CASE("a run that is killed and resumed leaves no secret in any file or message", "[secrets]") {
  Leaky leaky;
  std::string said;
  {
    Background run(leaky.start(), leaky.how());
    for (int i = 0; i < 6000 && !fs::exists(leaky.dir().path("ready")) && run.running(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    INFO(run.err());
    REQUIRE(fs::exists(leaky.dir().path("ready")));
    // What the servers got was the real thing.
    CHECK(has(leaky.last(), "MIIEowIBAAKCAQEA7"));
    run.signal(SIGKILL);
    Ran killed = run.wait();
    said += killed.out + killed.err;
  }
  for (const std::vector<std::string>& args : {std::vector<std::string>{"resume", "leaky"},
                                               {"show", "leaky"},
                                               {"output", "leaky"},
                                               {"output", "leaky", "--step", "posts"},
                                               {"logs", "leaky"},
                                               {"journal", "show", "leaky", "--full"},
                                               {"journal", "show", "leaky", "--json"},
                                               {"eval", "$secrets.token", "--run", "leaky"},
                                               {"journal", "verify", "leaky"}}) {
    Ran ran = leaky(args);
    INFO(args[0] << ": " << ran.err);
    CHECK(ran.code == 0);
    said += ran.out + ran.err;
  }
  CHECK(has(said, "***"));
  CHECK(has(said, "err ***"));
  check_nothing_in(said, "what was printed");
  check_nothing_below(leaky.dir().path("state"));
}

TEST_CASE("a file that is given a secret by an input is refused when it is run by itself", "[secrets]") {
  TempDir dir;
  std::string file = dir.write("w.yaml", R"(flowrun: 1
input: { login: {} }
secrets: { key: { input: login } }
steps: { a: { exec: [printenv, K], env: { K: "${ $secrets.key }" } } }
)");
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{}, {"-i", "login=" + kPlain}, {"-i", "login=" + kPlain, "--dry-run"}}) {
    std::vector<std::string> args{"run", file};
    args.insert(args.end(), more.begin(), more.end());
    Ran ran = flowrun(dir.path("journal.db"), args);
    INFO(ran.err << ran.out);
    CHECK(ran.code == 3);
    CHECK(has(ran.err, "run the file that has this one as a step"));
    check_nothing_in(ran.out + ran.err, "what was printed");
  }
}

TEST_CASE("the command of a secret may use variables of the shell", "[secrets]") {
  TempDir dir;
  std::string file = dir.write("w.yaml", R"(flowrun: 1
secrets: { s: { command: [sh, -c, 'printf %s "${FLOWRUN_NOT_SET:-from-the-shell}"'] } }
steps: { a: { shell: '[ "$S" = from-the-shell ]', env: { S: "${ $secrets.s }" } } }
)");
  Ran ran = flowrun(dir.path("journal.db"), {"run", file});
  INFO(ran.err);
  CHECK(ran.code == 0);
}

TEST_CASE("a secret that has changed is told of at resume, and one that is gone stops it", "[secrets]") {
  TempDir dir;
  std::string file = dir.write("w.yaml", R"(flowrun: 1
secrets: { token: { env: T }, pin: { file: pin, optional: true } }
steps:
  - wait: go
  - { exec: [printenv, OUT], env: { OUT: "${ $secrets.token }" }, capture: none }
)");
  std::string journal = dir.path("journal.db");
  HowToRun how;
  how.env["T"] = "first-token";
  CHECK(flowrun(journal, {"run", file, "--id", "r", "--no-wait"}, how).code == 4);
  Ran same = flowrun(journal, {"resume", "r", "--no-wait"}, how);
  CHECK(same.code == 4);
  CHECK_FALSE(has(same.err, "changed"));
  how.env["T"] = "second-token";
  Ran changed = flowrun(journal, {"resume", "r", "--no-wait"}, how);
  CHECK(changed.code == 4);
  CHECK(has(changed.err, "secret token has changed"));
  dir.write("pin", "1234\n");
  CHECK(has(flowrun(journal, {"resume", "r", "--no-wait"}, how).err, "secret pin was not there before"));
  how.env.erase("T");
  how.without = {"T"};
  Ran gone = flowrun(journal, {"resume", "r", "--no-wait"}, how);
  CHECK(gone.code == 3);
  CHECK(has(gone.err, "secret token: the environment variable T is not set"));
  CHECK(has(gone.err, "nothing was started"));
  how.env["T"] = "second-token";
  CHECK(flowrun(journal, {"approve", "r", "go"}).code == 0);
  Ran ended = flowrun(journal, {"resume", "r"}, how);
  INFO(ended.err);
  CHECK(ended.code == 0);
  CHECK(flowrun(journal, {"journal", "verify", "r"}).code == 0);
}

TEST_CASE("a secret that is given to a sub-workflow reaches its steps and nothing else", "[secrets]") {
  TempDir dir;
  std::string child = dir.write("child.yaml", R"(flowrun: 1
input: { login: { type: string, minLength: 100 } }
secrets: { key: { input: login } }
steps: { call: { shell: "test \"$KEY\" = \"$TOKEN_THERE\"; echo got $KEY", env: { KEY: "${ $secrets.key }" } } }
output: ${ $steps.call }
)");
  std::string file = dir.write("w.yaml", R"(flowrun: 1
secrets: { token: { env: LEAKY_TOKEN } }
steps: { pay: { workflow: child.yaml, with: { login: "${ $secrets.token }" } } }
output: ${ $steps.pay }
)");
  const std::string state = dir.path("state");
  fs::create_directories(state);
  HowToRun how;
  how.env["LEAKY_TOKEN"] = kPlain;
  how.env["TOKEN_THERE"] = kPlain;
  Ran ran = flowrun(state + "/journal.db", {"run", file, "--id", "it"}, how);
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(ran.out == "got ***\n");
  check_nothing_in(ran.err, "standard error");
  check_nothing_in(flowrun(state + "/journal.db", {"journal", "show", "it", "--json"}, how).out, "the journal");
  check_nothing_below(state);
  // By itself it would have nobody to give it one.
  CHECK(flowrun(state + "/journal.db", {"validate", child}).code == 0);
  Ran alone = flowrun(state + "/journal.db", {"run", child, "-i", "login=" + std::string(100, 'x')});
  CHECK(alone.code == 3);
  CHECK(has(alone.err, "run the file that has this one as a step"));
}

TEST_CASE("nothing is started without a secret, and who only looks needs none", "[secrets]") {
  TempDir dir;
  std::string file = dir.write("w.yaml", R"(flowrun: 1
secrets:
  a: { env: FLOWRUN_TEST_NOT_SET }
  b: { command: [sh, -c, "touch was_run; echo long-enough"] }
  c: { env: SHORT }
steps: { one: { shell: touch started, env: { A: "${ $secrets.a }", B: "${ $secrets.b }", C: "${ $secrets.c }" } } }
)");
  std::string journal = dir.path("journal.db");
  HowToRun how;
  how.env["SHORT"] = "abc";
  for (const std::vector<std::string>& args :
       {std::vector<std::string>{"validate", file}, {"plan", file}, {"run", file, "--dry-run"}}) {
    Ran looked = flowrun(journal, args, how);
    INFO(looked.err);
    CHECK(looked.code == 0);
  }
  Ran eval = flowrun(journal, {"eval", "$secrets.a", "-f", file}, how);
  CHECK(eval.out == "\"***\"\n");
  CHECK(has(flowrun(journal, {"eval", "$secrets.z", "-f", file}, how).err, "there is no $secrets.z"));
  CHECK_FALSE(fs::exists(dir.path("was_run")));

  Ran refused = flowrun(journal, {"run", file}, how);
  CHECK(refused.code == 3);
  CHECK(has(refused.err, "w.yaml:3: error: secret a: the environment variable FLOWRUN_TEST_NOT_SET is not set"));
  CHECK_FALSE(fs::exists(dir.path("started")));
  CHECK(flowrun(journal, {"list"}).out.find("w-") == std::string::npos);

  how.env["FLOWRUN_TEST_NOT_SET"] = "now it is";
  how.without.clear();
  std::string other = dir.write("v.yaml",
                                "flowrun: 1\nsecrets: { c: { env: SHORT } }\nsteps: { one: { exec: [\"true\"], "
                                "env: { C: \"${ $secrets.c }\" } } }\n");
  Ran ran = flowrun(journal, {"run", other}, how);
  CHECK(ran.code == 0);
  CHECK(has(ran.err, "W323"));
  CHECK_FALSE(has(flowrun(journal, {"-q", "run", other}, how).err, "W323"));
}

}  // namespace flowrun::test::secret_test
