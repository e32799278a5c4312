// Telemetry: the real binary and a real collector on loopback. What it is told of a run, over all drives, and what the
// run is told of its trace; and that a collector which is slow, down or of another opinion costs the run nothing.
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "engine/model/value.h"
#include "tests/executor/http_server.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::telemetry_test {
namespace {

using namespace std::chrono_literals;

const std::string kTrace = "0af7651916cd43dd8448eb211c80319c", kOuter = "b7ad6b7169203331";
const std::string kTraceparent = "00-" + kTrace + "-" + kOuter + "-01";

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

bool is_hex(const std::string& text, std::size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// The spans in the requests of a collector, or in a report.
std::vector<Json> spans_in(const std::vector<std::string>& bodies) {
  std::vector<Json> spans;
  for (const std::string& body : bodies) {
    const Json request = Json::parse(body);
    for (const Json& resource : request.at("resourceSpans"))
      for (const Json& scope : resource.at("scopeSpans"))
        for (const Json& span : scope.at("spans")) spans.push_back(span);
  }
  return spans;
}

/// The value of an attribute as text; empty: there is none.
std::string attribute(const Json& span, const std::string& key) {
  for (const Json& one : span.at("attributes"))
    if (one.at("key") == key) {
      const Json& value = one.at("value").begin().value();
      return value.is_string() ? value.get<std::string>() : value.dump();
    }
  return "";
}

class Collector {
 public:
  explicit Collector(int status = 200, std::string answer = "{}") {
    server_.Post("/v1/traces", [this, status, answer](const httplib::Request& request, httplib::Response& response) {
      const std::lock_guard lock(mutex_);
      bodies_.push_back(request.body);
      keys_.push_back(request.get_header_value("x-key") + "|" + request.get_header_value("Content-Type"));
      response.status = statuses_.empty() ? status : statuses_.front();
      if (!statuses_.empty()) statuses_.erase(statuses_.begin());
      response.set_content(answer, "application/json");
    });
    server_.Get(".*", [this](const httplib::Request& request, httplib::Response& response) {
      const std::lock_guard lock(mutex_);
      seen_[request.path] = request.get_header_value("traceparent");
      response.status = request.path == "/bad" ? 503 : 200;
      response.set_content("\"hello\"", "application/json");
    });
    server_.start();
  }
  std::string url(const std::string& path = "") const { return server_.url(path); }
  std::vector<Json> spans() {
    const std::lock_guard lock(mutex_);
    return spans_in(bodies_);
  }
  std::vector<std::string> bodies() {
    const std::lock_guard lock(mutex_);
    return bodies_;
  }
  std::vector<std::string> keys() {
    const std::lock_guard lock(mutex_);
    return keys_;
  }
  /// The header `traceparent` that came with a GET of |path|.
  std::string seen(const std::string& path) {
    const std::lock_guard lock(mutex_);
    return seen_[path];
  }
  /// Its first answers.
  void answer_first(std::vector<int> statuses) {
    const std::lock_guard lock(mutex_);
    statuses_ = std::move(statuses);
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> bodies_, keys_;
  std::map<std::string, std::string> seen_;
  std::vector<int> statuses_;
  HttpServer server_;
};

struct Stage {
  TempDir dir;
  std::string journal = dir.path("j.db");
  HowToRun how;

  Stage() = default;
  explicit Stage(const Collector& collector) { how.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url(); }

  std::string write(const std::string& steps) { return dir.write("w.yaml", "flowrun: 1\nname: nightly\n" + steps); }
  Ran run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin() + 1, "-q");
    return flowrun(journal, arguments, how);
  }
};

/// The one span that |is| picks.
template <typename Is>
Json only(const std::vector<Json>& spans, const Is& is) {
  Json found;
  for (const Json& span : spans)
    if (is(span)) {
      REQUIRE(found.is_null());
      found = span;
    }
  REQUIRE_FALSE(found.is_null());
  return found;
}

Json root_of(const std::vector<Json>& spans) {
  return only(spans, [](const Json& span) { return !attribute(span, "cicd.pipeline.result").empty(); });
}

Json attempt_at(const std::vector<Json>& spans, const std::string& path) {
  return only(spans, [&](const Json& span) {
    return attribute(span, "flowrun.step.path") == path && !attribute(span, "flowrun.attempt").empty();
  });
}

Json step_at(const std::vector<Json>& spans, const std::string& path) {
  return only(spans, [&](const Json& span) {
    return attribute(span, "flowrun.step.path") == path && attribute(span, "flowrun.attempt").empty();
  });
}

std::string traceparent_of(const Json& span) {
  return fmt::format("00-{}-{}-01", span.at("traceId").get<std::string>(), span.at("spanId").get<std::string>());
}

/// Spans as they may come in any order.
std::multiset<std::string> texts(const std::vector<Json>& spans) {
  std::multiset<std::string> all;
  for (const Json& span : spans) all.insert(span.dump());
  return all;
}

}  // namespace

TEST_CASE("a collector is told of a run, its steps and their attempts, and of no secret", "[telemetry]") {
  Collector collector;
  Stage stage(collector);
  stage.how.env["OTEL_EXPORTER_OTLP_HEADERS"] = "x-key=a%20key";
  stage.how.env["OTEL_SERVICE_NAME"] = "nights";
  stage.how.env["S3CRET"] = "hunter2hunter2";
  const std::string file = stage.write(fmt::format(R"(secrets: {{ key: {{ env: S3CRET }} }}
steps:
  get:
    http: GET {}/a?k=${{ $secrets.key }}
    headers: {{ X-Key: "${{ $secrets.key }}" }}
  echo: {{ shell: 'echo "$KEY" >&2; exit 3', env: {{ KEY: "${{ $secrets.key }}" }}, continue_on_error: true }}
  both: {{ parallel: {{ x: {{ exec: [/bin/echo, one, two] }} }} }}
  bad: {{ http: GET {}/bad, needs: [get, echo, both], retry: {{ attempts: 1 }} }}
)",
                                                   collector.url(), collector.url()));
  const Ran ran = stage.run({"run", file, "--id", "r1"});
  INFO(ran.err);
  CHECK(ran.code == 1);
  const std::vector<Json> spans = collector.spans();
  std::set<std::string> ids;
  for (const Json& span : spans) {
    INFO(span.dump());
    CHECK(is_hex(span.at("traceId"), 32));
    CHECK(span.at("traceId") == spans[0].at("traceId"));
    CHECK(is_hex(span.at("spanId"), 16));
    CHECK(ids.insert(span.at("spanId")).second);
    const std::string from = span.at("startTimeUnixNano"), to = span.at("endTimeUnixNano");
    CHECK((from.size() == 19 && to.size() == 19 && from <= to));
  }
  for (const Json& span : spans)
    if (span.contains("parentSpanId")) CHECK(ids.count(span.at("parentSpanId")) == 1);
  for (const std::string& body : collector.bodies()) {
    CHECK_FALSE(has(body, "hunter2"));
    const Json resource = Json::parse(body).at("resourceSpans").at(0).at("resource");
    CHECK(attribute(resource, "service.name") == "nights");
  }
  for (const std::string& key : collector.keys()) CHECK(key == "a key|application/json");

  const Json root = root_of(spans);
  CHECK_FALSE(root.contains("parentSpanId"));
  CHECK(root.at("name") == "nightly");
  CHECK(root.at("kind") == 2);
  CHECK(root.at("status").at("code") == 2);
  CHECK(attribute(root, "cicd.pipeline.run.id") == "r1");
  CHECK(attribute(root, "cicd.pipeline.result") == "failure");
  CHECK(attribute(root, "error.type") == "503");

  const Json get = attempt_at(spans, "get"), bad = attempt_at(spans, "bad");
  CHECK(get.at("name") == "GET");
  CHECK(get.at("kind") == 3);
  CHECK_FALSE(get.contains("status"));
  CHECK(attribute(get, "http.response.status_code") == "200");
  CHECK(attribute(get, "url.full") == collector.url("/a?k=***"));
  CHECK(attribute(get, "server.address") == "127.0.0.1");
  CHECK(attribute(bad, "http.response.status_code") == "503");
  CHECK(bad.at("status").at("code") == 2);
  CHECK(get.at("parentSpanId") == step_at(spans, "get").at("spanId"));
  CHECK(step_at(spans, "get").at("parentSpanId") == root.at("spanId"));
  CHECK(step_at(spans, "get").at("kind") == 1);

  const Json process = attempt_at(spans, "both/x");
  CHECK(attribute(process, "process.command") == "/bin/echo");
  CHECK(attribute(process, "process.command_args") ==
        R"({"values":[{"stringValue":"/bin/echo"},{"stringValue":"one"},{"stringValue":"two"}]})");
  CHECK(attribute(process, "process.exit.code") == "0");
  CHECK(attribute(attempt_at(spans, "echo"), "process.exit.code") == "3");
  CHECK(step_at(spans, "both/x").at("parentSpanId") == step_at(spans, "both").at("spanId"));
  CHECK(attribute(step_at(spans, "both"), "cicd.pipeline.task.run.result") == "success");
}

TEST_CASE("requests and processes are told their place in the trace, unless the workflow says another", "[telemetry]") {
  Collector collector;
  Stage stage(collector);
  const std::string file = stage.write(fmt::format(R"(steps:
  get: {{ http: GET {0}/get }}
  own: {{ http: GET {0}/own, headers: {{ TraceParent: mine }} }}
  tell: {{ shell: 'printf %s "${{TRACEPARENT-}}"' }}
  told: {{ shell: 'printf %s "$TRACEPARENT"', env: {{ TRACEPARENT: mine }} }}
  bare: {{ exec: [/bin/sh, -c, 'printf %s "$TRACEPARENT"'], inherit_env: false }}
output: {{ tell: "${{ $steps.tell }}", told: "${{ $steps.told }}", bare: "${{ $steps.bare }}" }}
)",
                                                   collector.url()));
  const auto told = [&] {
    const Ran ran = stage.run({"run", file});
    INFO(ran.err);
    REQUIRE(ran.code == 0);
    return Json::parse(ran.out);
  };
  {
    const Json output = told();
    const std::vector<Json> spans = collector.spans();
    CHECK(collector.seen("/get") == traceparent_of(attempt_at(spans, "get")));
    CHECK(collector.seen("/own") == "mine");
    CHECK(output.at("tell") == traceparent_of(attempt_at(spans, "tell")));
    CHECK(output.at("told") == "mine");
    CHECK(output.at("bare") == traceparent_of(attempt_at(spans, "bare")));
  }
  // Where nobody is told spans of the run, its own children are those of who started it.
  const std::size_t before = collector.spans().size();
  stage.how.env["OTEL_SDK_DISABLED"] = "true";
  stage.how.env["TRACEPARENT"] = kTraceparent;
  {
    const Json output = told();
    CHECK(collector.seen("/get") == kTraceparent);
    CHECK(output.at("tell") == kTraceparent);
    CHECK(output.at("bare") == kTraceparent);
  }
  stage.how.env.erase("TRACEPARENT");
  {
    const Json output = told();
    CHECK(collector.seen("/get").empty());
    CHECK(output.at("tell") == "");
  }
  CHECK(collector.spans().size() == before);
  // Who started it does not want spans to be told.
  stage.how.env.erase("OTEL_SDK_DISABLED");
  stage.how.env["TRACEPARENT"] = "00-" + kTrace + "-" + kOuter + "-00";
  CHECK(told().at("tell") == "00-" + kTrace + "-" + kOuter + "-00");
  CHECK(collector.spans().size() == before);
}

TEST_CASE("a run that is killed, resumed, failed and retried is one trace, below who started it", "[telemetry]") {
  Collector collector;
  Stage stage(collector);
  stage.how.env["TRACEPARENT"] = kTraceparent;
  const std::string file = stage.write(R"(steps:
  first: { shell: 'echo first' }
  hang: { shell: '[ -e go ] || { touch hangs; sleep 100; }; printf %s "$TRACEPARENT" > told', needs: first }
  flaky: { shell: '[ -e tried ] || { touch tried; exit 7; }', needs: hang }
)");
  {
    HowToRun how = stage.how;
    Background drive({FLOWRUN_BINARY, "run", file, "--id", "r1", "--journal", stage.journal}, how);
    while (!std::filesystem::exists(stage.dir.path("hangs"))) std::this_thread::sleep_for(10ms);
    // The first step's span is on its way within a second.
    for (int i = 0; i < 1000 && collector.spans().empty(); ++i) std::this_thread::sleep_for(10ms);
    drive.signal(SIGKILL);
    drive.wait();
  }
  stage.dir.write("go", "");
  // The same line from another trace goes on in the first one.
  stage.how.env["TRACEPARENT"] = "00-" + std::string(32, 'a') + "-" + kOuter + "-01";
  Ran ran = stage.run({"run", file, "--id", "r1"});
  INFO(ran.err);
  CHECK(ran.code == 1);
  stage.how.env.erase("TRACEPARENT");
  ran = stage.run({"retry", "r1"});
  INFO(ran.err);
  CHECK(ran.code == 0);

  const std::vector<Json> spans = collector.spans();
  for (const Json& span : spans) CHECK(span.at("traceId") == kTrace);
  std::vector<Json> roots;
  std::set<std::string> hangs;
  for (const Json& span : spans) {
    if (!attribute(span, "cicd.pipeline.result").empty()) roots.push_back(span);
    if (attribute(span, "flowrun.step.path") == "hang" && !attribute(span, "flowrun.attempt").empty())
      hangs.insert(attribute(span, "error.type") + span.at("spanId").get<std::string>());
  }
  REQUIRE(roots.size() == 2);
  CHECK(roots[0].at("parentSpanId") == kOuter);
  CHECK(attribute(roots[0], "cicd.pipeline.result") == "failure");
  CHECK(roots[1].at("parentSpanId") == roots[0].at("spanId"));
  CHECK(attribute(roots[1], "cicd.pipeline.result") == "success");
  CHECK(step_at(spans, "first").at("parentSpanId") == roots[0].at("spanId"));
  REQUIRE(hangs.size() == 2);
  // By chance either is the first: ids are hexadecimal, and `cut_off` begins with a digit of theirs.
  const bool first_is_cut = hangs.begin()->starts_with("cut_off");
  const std::string cut = first_is_cut ? *hangs.begin() : *hangs.rbegin();
  const std::string second = first_is_cut ? *hangs.rbegin() : *hangs.begin();
  CHECK(cut.starts_with("cut_off"));
  CHECK_FALSE(second.starts_with("cut_off"));
  CHECK(run({"/bin/cat", stage.dir.path("told")}).out == "00-" + kTrace + "-" + second + "-01");

  // What the journal tells afterwards is what the drives have told.
  ran = stage.run({"report", "r1", "--format", "otlp", "-o", "-"});
  CHECK(texts(spans_in({ran.out})) == texts(spans));
  const std::size_t before = spans.size();
  ran = flowrun(stage.journal, {"report", "r1", "--format", "otlp"}, stage.how);
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(has(ran.err, fmt::format("sent {} spans to {}", before, collector.url("/v1/traces"))));
  CHECK(collector.spans().size() == 2 * before);
}

TEST_CASE("a collector that is slow, down or full costs a run two seconds at the most, and is told of once",
          "[telemetry]") {
  Stage stage;
  const std::string file = stage.write("steps: { many: { for_each: 200, do: { shell: 'true' } } }\noutput: done\n");
  const auto took = [&](const std::string& endpoint, const std::string& said) {
    stage.how.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint;
    const auto begin = std::chrono::steady_clock::now();
    const Ran ran = stage.run({"run", file});
    INFO(ran.err);
    CHECK(ran.code == 0);
    CHECK(ran.out == "done\n");
    CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == (said.empty() ? 0 : 1));
    CHECK(has(ran.err, said));
    return std::chrono::steady_clock::now() - begin;
  };
  const auto alone = took("", "");
  std::atomic<bool> over = false;
  RawServer silent([&](int client, int) {
    RawServer::request(client);
    while (!over) std::this_thread::sleep_for(10ms);
  });
  CHECK(took(silent.url(), "not sent to " + silent.url("/v1/traces")) < alone * 2 + 4s);
  over = true;
  int down = 0;
  {
    RawServer gone([](int, int) {});
    down = gone.port();
  }
  CHECK(took(fmt::format("http://127.0.0.1:{}", down), "warning: ") < alone * 2 + 3s);
  Collector full(503, "come back later");
  CHECK(took(full.url(), "it answers with HTTP status 503: come back later") < alone * 2 + 3s);
  Collector deaf(400, "what?");
  CHECK(took(deaf.url(), "it answers with HTTP status 400: what?") < alone * 2 + 3s);
  Collector picky(200, R"({"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}})");
  took(picky.url(), fmt::format(" spans refused by {}: too old", picky.url("/v1/traces")));
  Collector late;
  late.answer_first({503, 429});
  took(late.url(), "");
  CHECK(late.spans().size() >= 401);
}

TEST_CASE("a report to a collector that is away comes to an end", "[telemetry]") {
  Stage stage;
  const std::string file = stage.write("steps: { many: { for_each: 7000, do: { s: { set: 1 } } } }\n");
  CHECK(stage.run({"run", file, "--id", "r"}).code == 0);
  int down = 0;
  {
    RawServer gone([](int, int) {});
    down = gone.port();
  }
  stage.how.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = fmt::format("http://127.0.0.1:{}", down);
  stage.how.env["OTEL_EXPORTER_OTLP_TIMEOUT"] = "500";
  const Ran ran = stage.run({"report", "r", "--format", "otlp"});
  INFO(ran.err);
  CHECK(ran.code == 74);
  CHECK(has(ran.err, " not sent to "));
}

TEST_CASE("a report waits for a collector that takes its time, as long as it takes something", "[telemetry]") {
  Collector late;
  late.answer_first({503, 429, 503, 503, 503});
  Stage stage(late);
  const std::string file = stage.write("steps: { many: { for_each: 300, do: { s: { set: 1 } } } }\n");
  stage.how.env.erase("OTEL_EXPORTER_OTLP_ENDPOINT");
  CHECK(stage.run({"run", file, "--id", "r"}).code == 0);
  stage.how.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = late.url();
  const Ran ran = stage.run({"report", "r", "--format", "otlp"});
  INFO(ran.err);
  CHECK(ran.code == 0);
}

TEST_CASE("a file of certificates that is a pipe is told of, and nobody waits for who writes to it", "[telemetry]") {
  Stage stage;
  const std::string file = stage.write("steps: { a: { set: 1 } }\noutput: done\n");
  REQUIRE(mkfifo(stage.dir.path("ca").c_str(), 0600) == 0);
  stage.how.env["SSL_CERT_FILE"] = stage.dir.path("ca");
  stage.how.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = "https://127.0.0.1:9";
  const Ran ran = stage.run({"run", file});
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(ran.out == "done\n");
  CHECK(has(ran.err, "cannot read the file " + stage.dir.path("ca")));
}

TEST_CASE("while a slow collector has its last moment, the run is free for others, and a signal ends that",
          "[telemetry]") {
  std::atomic<bool> over = false;
  RawServer silent([&](int client, int) {
    RawServer::request(client);
    while (!over) std::this_thread::sleep_for(10ms);
  });
  Stage stage;
  const std::string file = stage.write("steps: { a: { shell: 'echo; exit 3' } }\n");
  HowToRun how = stage.how;
  how.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = silent.url();
  Background drive({FLOWRUN_BINARY, "run", file, "--id", "r", "--journal", stage.journal}, how);
  while (!has(drive.err(), "retry: ") && drive.running()) std::this_thread::sleep_for(5ms);
  const Ran again = flowrun(stage.journal, {"retry", "r", "--progress", "none"}, stage.how);
  INFO(again.err);
  CHECK(again.code == 1);
  const auto asked = std::chrono::steady_clock::now();
  drive.signal(SIGTERM);
  const Ran ran = drive.wait();
  over = true;
  CHECK(ran.code == 1);
  CHECK(std::chrono::steady_clock::now() - asked < 10s);
}

TEST_CASE("without these variables nothing is sent, and nothing is loaded", "[telemetry]") {
  Collector collector;
  Stage stage;
  const std::string file = stage.write(
      "steps: { a: { shell: 'sleep 0.2; grep -c libcurl /proc/$PPID/maps || :' } }\n"
      "output: ${ $steps.a | tonumber > 0 }\n");
  CHECK(stage.run({"run", file}).out == "false\n");
  CHECK(collector.bodies().empty());
  Ran ran = stage.run({"report", "--format", "otlp"});
  CHECK(ran.code == 2);
  CHECK(has(ran.err, "OTEL_EXPORTER_OTLP_ENDPOINT"));
  ran = stage.run({"report", "--format", "otlp", "-o", stage.dir.path("out.json")});
  CHECK(ran.code == 0);
  CHECK(spans_in({flowrun::test::run({"/bin/cat", stage.dir.path("out.json")}).out}).size() == 3);
  stage.how.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = "no url";
  ran = flowrun(stage.journal, {"run", file}, stage.how);
  CHECK(ran.code == 0);
  CHECK(has(ran.err, "warning: OTEL_EXPORTER_OTLP_ENDPOINT: it is no URL of http or https; no spans are sent\n"));
}

TEST_CASE("the trace does not change what a run compares when it goes on elsewhere", "[telemetry]") {
  Collector collector;
  Stage stage(collector);
  const std::string file =
      stage.write(fmt::format("steps:\n  a: {{ http: GET {0}/x, on_crash: rerun }}\n  w: {{ wait: go, needs: a }}\n"
                              "  b: {{ http: GET {0}/y, needs: w }}\n",
                              collector.url()));
  CHECK(stage.run({"run", file, "--id", "r1", "--no-wait"}).code == 4);
  stage.how.env.erase("OTEL_EXPORTER_OTLP_ENDPOINT");
  CHECK(stage.run({"approve", "r1"}).code == 0);
  CHECK(stage.run({"resume", "r1"}).code == 0);
  CHECK(collector.seen("/y").empty());
  const Ran ran = stage.run({"journal", "verify", "r1"});
  INFO(ran.out << ran.err);
  CHECK(ran.code == 0);
}

TEST_CASE("each tells of every item", "[telemetry]") {
  Collector collector;
  Stage stage(collector);
  std::string lines;
  for (int i = 0; i < 1000; ++i) lines += fmt::format("line {}\n", i);
  stage.how.stdin_text = lines;
  const Ran ran = run({FLOWRUN_BINARY, "each", "-q", "--journal", stage.journal, "-P", "8", "--quiet-output", "--id",
                       "e1", "--", "true", "{}"},
                      stage.how);
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(ran.err.empty());
  stage.how.stdin_text.clear();
  const std::vector<Json> spans = collector.spans();
  CHECK(spans.size() == 2 * 1000 + 2);
  CHECK(texts(spans_in({stage.run({"report", "e1", "--format", "otlp", "-o", "-"}).out})) == texts(spans));
}

}  // namespace flowrun::test::telemetry_test
