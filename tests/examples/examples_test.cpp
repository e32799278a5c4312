// The examples of the language, each run by the real binary against a scripted peer and stand-ins for its programs.
// The files here are what people are shown; only hosts and long waits are written otherwise.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/examples/example_stage.h"

namespace flowrun::test::examples_test {
namespace {

using nlohmann::json;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::vector<std::string> with(const std::vector<std::string>& all, const std::string& part) {
  std::vector<std::string> found;
  std::copy_if(all.begin(), all.end(), std::back_inserter(found), [&](const auto& one) { return has(one, part); });
  return found;
}

/// Everything is fine, but |part| is 404.
Stage::Script fine_but(const std::vector<std::string>& parts) {
  return [parts](const Asked& asked) {
    for (const std::string& part : parts)
      if (has(asked.what, part)) return Reply{404, "{}", ""};
    return Reply{};
  };
}

/// The output of a run that ended with |code|.
json output_of(const Ran& ran, int code = 0) {
  INFO(ran.out << ran.err);
  REQUIRE(ran.code == code);
  return ran.out.empty() ? json() : json::parse(ran.out);
}

}  // namespace

TEST_CASE("example 00-hello", "[examples]") {
  Stage stage("00-hello.yaml", [](const Asked& asked) {
    return has(asked.what, "todos") ? Reply{200, "[1,2,3]", ""} : Reply{200, R"({"name":"Ada"})", ""};
  });
  Ran ran = stage.run();
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(has(ran.out, "Ada has 3 todos"));
  CHECK(stage.asked().size() == 2);
}

TEST_CASE("example 01-order", "[examples]") {
  std::string fraud = R"({"score":0.1})", broken;
  Stage stage("01-order.yaml", [&](const Asked& asked) -> Reply {
    if (!broken.empty() && has(asked.what, broken)) return {422, "{}", ""};
    if (has(asked.what, "/orders/")) return {200, R"({"lines":[{"sku":"a"}],"total":10,"zip":"101"})", ""};
    if (has(asked.what, "/fraud/")) return {200, fraud, ""};
    if (has(asked.what, "/rates")) return {200, R"([{"id":"x","price":5},{"id":"y","price":2}])", ""};
    if (has(asked.what, "/payments")) return {200, R"({"id":"P1"})", ""};
    if (has(asked.what, "/shipments")) return {200, R"({"tracking":"T1"})", ""};
    return {};
  });
  stage.set("SHOP_TOKEN", "secret-token");
  SECTION("charges and ships") {
    CHECK(output_of(stage.run({"-i", "order_id=O-1"})) ==
          json{{"order", "O-1"}, {"payment", "P1"}, {"tracking", "T1"}});
    std::vector<Asked> requests = stage.requests();
    REQUIRE(requests.size() == 6);
    CHECK(has(requests[0].what, "GET /api.shop.example/orders/O-1"));
    CHECK(has(requests[4].what, "/payments"));
    CHECK(json::parse(requests[4].body)["amount"] == 12);
    CHECK_FALSE(requests[4].key.empty());
    CHECK(json::parse(requests[5].body)["rate"] == "y");
    for (const Asked& request : requests) CHECK(request.auth == "Bearer secret-token");
  }
  SECTION("a dry run pays nothing") {
    output_of(stage.run({"-i", "order_id=O-1", "-i", "dry_run=true"}));
    CHECK(stage.asked().size() == 4);
  }
  SECTION("fraud stops it") {
    fraud = R"({"score":0.95})";
    Ran ran = stage.run({"-i", "order_id=O-1"});
    CHECK(ran.code == 1);
    CHECK(has(ran.err, "looks fraudulent (score 0.95)"));
    CHECK(with(stage.asked(), "/payments").empty());
  }
  SECTION("no word of the fraud service is a word") {
    broken = "/fraud/";
    output_of(stage.run({"-i", "order_id=O-1"}));
  }
  SECTION("what can not be shipped is refunded") {
    broken = "/shipments";
    CHECK(stage.run({"-i", "order_id=O-1"}).code == 1);
    CHECK(stage.asked().back() == "POST /api.shop.example/payments/P1/refund");
  }
}

TEST_CASE("example 02-race-fallback", "[examples]") {
  SECTION("the second answers") {
    Stage stage("02-race-fallback.yaml", fine_but({"quotes-a"}));
    json output = output_of(stage.run({"-i", "symbol=X"}));
    CHECK(output["answered_by"] == "secondary");
  }
  SECTION("nobody answers") {
    Stage stage("02-race-fallback.yaml", fine_but({"quotes"}));
    std::filesystem::create_directory(stage.dir().path("cache"));
    stage.dir().write("cache/X.json", R"({"price":7})");
    CHECK(output_of(stage.run({"-i", "symbol=X"})) ==
          json{{"symbol", "X"}, {"quote", {{"price", 7}}}, {"answered_by", "fallback"}});
  }
  SECTION("nor is anything kept") {
    Stage stage("02-race-fallback.yaml", fine_but({"quotes"}));
    CHECK(output_of(stage.run({"-i", "symbol=X"}))["quote"] == json{{"price", nullptr}, {"stale", true}});
  }
}

TEST_CASE("example 03-best-effort", "[examples]") {
  Stage good("03-best-effort.yaml", fine_but({"weather", "uptime"}));
  json output = output_of(good.run());
  CHECK(output["data"].size() == 3);
  REQUIRE(output["missing"].size() == 2);
  CHECK(has(output["missing"].dump(), "weather"));
  Stage bad("03-best-effort.yaml", fine_but({"weather", "ops"}));
  CHECK(bad.run().code == 1);
  CHECK(bad.asked().size() == 5);
}

TEST_CASE("example 04-map-1000", "[examples]") {
  auto play = [](const std::vector<std::string>& broken) {
    auto stage = std::make_unique<Stage>("04-map-1000.yaml", fine_but(broken), Stage::Swaps{{"50/s", "500/s"}});
    std::string rows;
    for (int i = 0; i < 60; ++i) rows += "{\"id\":\"c" + std::to_string(i) + "\"}\n";
    stage->dir().write("customers.jsonl", rows);
    return stage;
  };
  auto good = play({"/c7", "/c11"});  // c7 alone and c11: of sixty, three may fail
  CHECK(output_of(good->run())["failed"].size() == 2);
  CHECK(json::parse(good->dir().read("enriched.json")).size() == 58);
  auto bad = play({"/c2"});  // c2 and c20 to c29
  CHECK(bad->run().code == 1);
  CHECK_FALSE(std::filesystem::exists(bad->dir().path("enriched.json")));
}

TEST_CASE("example 05-pipeline", "[examples]") {
  Stage stage("05-pipeline.yaml", fine_but({"/img/1"}));
  stage.fake("convert", "cp \"$1\" \"$4\"");
  json urls{stage.url("/img/0"), stage.url("/img/1"), stage.url("/img/2")};
  json output = output_of(stage.run({"-i", "urls=" + urls.dump()}));
  REQUIRE(output.size() == 2);
  CHECK(output[1] == json{{"url", urls[2]}, {"etag", "tag"}});
  CHECK(with(stage.asked(), "PUT /cdn.example/thumbs/").size() == 2);
}

TEST_CASE("example 06-saga", "[examples]") {
  std::string broken = "nothing";
  Stage stage("06-saga.yaml", [&](const Asked& asked) -> Reply {
    if (has(asked.what, broken)) return {422, "{}", ""};
    if (has(asked.what, "/refunds")) return {404, "{}", ""};
    return {200, R"({"id":"N1","price":5})", ""};
  });
  stage.set("BOOKING_TOKEN", "secret-token");
  const std::vector<std::string> trip{"-i", R"(trip={"flight":{},"hotel":{},"car":{}})"};
  SECTION("all is booked") {
    json output = output_of(stage.run(trip));
    CHECK(output["charge"] == "N1");
    CHECK(output["booking"].size() == 3);
    CHECK(stage.asked().size() == 4);
  }
  SECTION("a leg fails") {
    broken = "POST /hotels";
    CHECK(stage.run(trip).code == 1);
    CHECK(with(stage.asked(), "pay.example").empty());
    CHECK(with(stage.asked(), "DELETE /hotels").empty());
  }
}

TEST_CASE("example 06-saga: the payment fails at last", "[examples]") {
  Stage stage("06-saga.yaml", [&](const Asked& asked) -> Reply {
    if (has(asked.what, "/charges")) return {422, "{}", ""};
    if (has(asked.what, "/refunds")) return {404, "{}", ""};
    return {200, R"({"id":"N1","price":5})", ""};
  });
  stage.set("BOOKING_TOKEN", "secret-token");
  const std::vector<std::string> trip{"-i", R"(trip={"flight":{},"hotel":{},"car":{}})"};
  CHECK(stage.run(trip).code == 1);
  std::vector<Asked> requests = stage.requests();
  for (const Asked& request : requests) UNSCOPED_INFO(request.what);
  REQUIRE(requests.size() == 9);
  CHECK(requests[4].what == "POST /pay.example/refunds");
  for (int i = 5; i < 8; ++i) CHECK(has(requests[i].what, "DELETE /"));
  CHECK(requests[8].what == "POST /hooks.example/trips");
  CHECK(requests[8].auth.empty());
  CHECK(json::parse(requests[8].body)["undone"].size() == 4);
}

TEST_CASE("example 07-approval", "[examples]") {
  Stage stage("07-approval.yaml", fine_but({}));
  stage.fake("./migrate", R"(echo '{"id":"m1","changes":["a","b"]}')");
  auto applied = [&] { return with(stage.calls(), "apply").size(); };
  SECTION("staging needs nobody") {
    output_of(stage.run({"-i", "env=staging"}));
    CHECK(stage.calls().back() == "./migrate apply --env staging --plan m1");
  }
  SECTION("production is approved") {
    CHECK(stage.run({"-i", "env=production", "--no-wait"}).code == 4);
    CHECK(applied() == 0);
    CHECK(stage.flow({"approve", "r", "--data", R"({"comment":"fine"})"}).code == 0);
    json output = output_of(stage.flow({"resume", "r"}));
    CHECK(output.contains("approved_by"));
    CHECK(applied() == 1);
  }
  SECTION("production is rejected") {
    CHECK(stage.run({"-i", "env=production", "--no-wait"}).code == 4);
    CHECK(stage.flow({"reject", "r", "-m", "not today"}).code == 0);
    CHECK(stage.flow({"resume", "r"}).code == 1);
    CHECK(applied() == 0);
  }
}

TEST_CASE("example 07-approval: the output names who approved", "[examples]") {
  Stage stage("07-approval.yaml", fine_but({}));
  stage.fake("./migrate", R"(echo '{"id":"m1","changes":["a","b"]}')");
  CHECK(stage.run({"-i", "env=production", "--no-wait"}).code == 4);
  CHECK(stage.flow({"approve", "r", "--data", R"({"comment":"fine"})"}).code == 0);
  CHECK(output_of(stage.flow({"resume", "r"}))["approved_by"].is_string());
}

TEST_CASE("example 08-ci-shards", "[examples]") {
  Stage stage("08-ci-shards.yaml", fine_but({}));
  stage.fake("make");
  stage.fake("./smoke");
  stage.fake("./merge-junit");
  SECTION("all is well") {
    stage.fake("./run-tests");
    CHECK(output_of(stage.run({"-i", "shards=3"})) == json{{"failed_shards", json::array()}});
    CHECK(with(stage.calls(), "./smoke").size() == 4);
    CHECK(with(stage.calls(), "./run-tests").size() == 3);
  }
  SECTION("one shard is broken, all are reported") {
    stage.fake("./run-tests", "[ \"$2\" != 2/3 ]");
    CHECK(stage.run({"-i", "shards=3"}).code == 1);
    CHECK(with(stage.calls(), "./run-tests").size() == 3);
    CHECK(with(stage.calls(), "./merge-junit").size() == 1);
  }
}

TEST_CASE("example 09-etl", "[examples]") {
  Stage stage("09-etl.yaml", fine_but({}));
  stage.copy("etl/load-table.yaml", {{"10s", "10ms"}});
  stage.set("PAGER_URL", stage.url("/pager/hook"));
  stage.set("PG_URL", "postgres://secret-place");
  stage.fake("psql", R"(f=$(printf %s "$3" | sed "s/.* to '//; s/' csv.*//"); printf 'h\n1\n2\n' > "$f")");
  stage.fake("jq", R"sh(printf '{"path":"%s","rows":%s}' "$4" "$(($7 - 1))")sh");
  stage.fake("bq");
  SECTION("the tables are loaded, then the marts") {
    stage.fake("dbt");
    json output = output_of(stage.run({"-i", "day=2026-01-02"}));
    CHECK(output == json{{"day", "2026-01-02"}, {"rows", 8}});
    CHECK(with(stage.calls(), "bq load").size() == 4);
    CHECK(with(stage.calls(), "dbt run").size() == 3);
    CHECK(stage.asked() == std::vector<std::string>{"POST /metrics.example/push"});
  }
  SECTION("somebody is told of a failure") {
    stage.fake("dbt", "exit 1");
    CHECK(stage.run({"-i", "day=2026-01-02"}).code == 1);
    std::vector<Asked> requests = stage.requests();
    REQUIRE(requests.size() == 2);
    CHECK(requests[0].what == "POST /pager/hook");
    CHECK(has(requests[0].body, "ETL 2026-01-02 failed at marts"));
    CHECK(json::parse(requests[1].body)["state"] == "failed");
  }
}

TEST_CASE("example 10-poll", "[examples]") {
  int polls = 0;
  Stage* self = nullptr;
  Stage stage("10-poll.yaml",
              [&](const Asked& asked) -> Reply {
                if (has(asked.what, "POST")) return {202, R"({"id":"j1"})", ""};
                if (has(asked.what, "/video")) return {200, "frames", ""};
                if (++polls < 3) return {200, R"({"state":"busy"})", ""};
                return {200, json{{"state", "done"}, {"url", self->url("/video")}}.dump(), ""};
              },
              {{"every: 5s", "every: 20ms"}});
  self = &stage;
  Ran ran = stage.run({"-i", "script=hello"});
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(polls == 3);
  CHECK(stage.asked().back() == "GET /video");
}

TEST_CASE("example 11-health", "[examples]") {
  Stage stage("11-health.yaml", fine_but({"/down"}));
  json up{stage.url("/a"), stage.url("/b")}, down{stage.url("/a"), stage.url("/down"), stage.url("/b")};
  SECTION("all are up") { CHECK(output_of(stage.run({"-i", "urls=" + up.dump()}))["up"] == 2); }
  SECTION("one is down") {
    Ran ran = stage.run({"-i", "urls=" + down.dump()});
    CHECK(ran.code == 1);
    CHECK(has(ran.err, "1 of 3 are down"));
    CHECK(stage.asked().size() == 3);
  }
}

TEST_CASE("example 12-release", "[examples]") {
  auto prepare = [](Stage& stage, const std::string& deploy) {
    stage.dir().write("registry", "registry-secret");
    stage.fake("docker");
    stage.fake("vault", "echo deploy-secret");
    stage.fake("./deploy", deploy);
  };
  auto errors = [](const std::string& rate) {
    return [rate](const Asked&) { return Reply{200, R"({"data":{"result":[{"value":[0,")" + rate + "\"]}]}}", ""}; };
  };
  const Stage::Swaps quick{{"/run/secrets/registry", "./registry"}, {"sleep: 15m", "sleep: 20ms"}},
      slow{{"/run/secrets/registry", "./registry"}};
  const std::vector<std::string> version{"-i", "version=v1.2.3"};
  auto no_wait = version;
  no_wait.push_back("--no-wait");
  SECTION("a healthy canary goes to all regions") {
    Stage stage("12-release.yaml", errors("0.1"), quick);
    prepare(stage, "");
    CHECK(output_of(stage.run(version))["version"] == "v1.2.3");
    CHECK(with(stage.calls(), "./deploy").size() == 4);
    CHECK(stage.calls().back() == "./deploy --region ap --version v1.2.3");
    CHECK(with(stage.calls(), "docker push").size() == 3);
  }
  SECTION("a sick canary is rolled back") {
    Stage stage("12-release.yaml", errors("0.9"), quick);
    prepare(stage, "");
    CHECK(stage.run(version).code == 1);
    CHECK(with(stage.calls(), "./deploy") ==
          std::vector<std::string>{"./deploy --region canary --version v1.2.3", "./deploy --region canary --rollback"});
  }
  SECTION("a person is asked") {
    Stage stage("12-release.yaml", errors("0.1"), slow);
    prepare(stage, "");
    CHECK(stage.run(no_wait).code == 4);
    SECTION("and says no") {
      CHECK(stage.flow({"reject", "r", "go", "-m", "no"}).code == 0);
      CHECK(stage.flow({"resume", "r"}).code == 1);
      CHECK(stage.calls().back() == "./deploy --region canary --rollback");
    }
    SECTION("and says yes") {
      CHECK(stage.flow({"approve", "r", "go"}).code == 0);
      CHECK(stage.flow({"resume", "r"}).code == 0);
      CHECK(with(stage.calls(), "./deploy").size() == 4);
    }
  }
  SECTION("a region that fails rolls back what was deployed, the last first") {
    Stage stage("12-release.yaml", errors("0.1"), quick);
    prepare(stage, "[ \"$2 $3\" != 'us --version' ]");
    CHECK(stage.run(version).code == 1);
    CHECK(with(stage.calls(), "--rollback") == std::vector<std::string>{"./deploy --region us --rollback",
                                                                        "./deploy --region eu --rollback",
                                                                        "./deploy --region canary --rollback"});
  }
}

TEST_CASE("example 13-quorum", "[examples]") {
  Stage good("13-quorum.yaml", fine_but({"/r1.", "/r4."}));
  CHECK(output_of(good.run({"-i", "key=k", "-i", "value=7"})) == json{{"acked", {"r2", "r3", "r5"}}});
  Stage bad("13-quorum.yaml", fine_but({"/r1.", "/r4.", "/r5."}));
  CHECK(bad.run({"-i", "key=k", "-i", "value=7"}).code == 1);
}

TEST_CASE("example 14-batch", "[examples]") {
  Stage stage("14-batch.yaml", fine_but({}), {{"5/s", "50/s"}});
  stage.set("EMBED_KEY", "secret-key");
  json texts = json::array();
  for (int i = 0; i < 250; ++i) texts.push_back("t" + std::to_string(i));
  stage.dir().write("texts.json", texts.dump());
  json output = output_of(stage.run({"-i", "texts=@" + stage.dir().path("texts.json")}));
  CHECK(output["texts"] == 250);
  CHECK(output["files"].size() == 3);
  std::vector<std::size_t> sizes;
  for (const Asked& request : stage.requests()) {
    sizes.push_back(json::parse(request.body)["input"].size());
    CHECK_FALSE(request.key.empty());
  }
  std::sort(sizes.begin(), sizes.end());
  CHECK(sizes == std::vector<std::size_t>{50, 100, 100});
}

TEST_CASE("example 15-provision", "[examples]") {
  int polls = 0;
  Stage stage("15-provision.yaml",
              [&](const Asked&) {
                return Reply{++polls < 3 ? 503 : 200, "{}", ""};
              },
              {{"every: 2s", "every: 20ms"}});
  for (const char* name : {"./pg", "./rds"}) stage.fake(name, R"(echo '{"url":"db"}')");
  stage.fake("./app", "[ \"$1\" = down ] || echo '{\"url\":\"" + stage.url("/app") + "\"}'");
  SECTION("small, and cleaned up") {
    stage.fake("npx");
    output_of(stage.run({"-i", "branch=b"}));
    CHECK(polls == 3);
    CHECK(stage.calls() == std::vector<std::string>{"./pg create --branch b", "./app up --branch b --db db",
                                                    "npx playwright test", "./app down --branch b"});
  }
  SECTION("large, and cleaned up after a failure") {
    stage.fake("npx", "exit 1");
    CHECK(stage.run({"-i", "branch=b", "-i", "size=large"}).code == 1);
    CHECK(stage.calls().front() == "./rds restore --branch b");
    CHECK(stage.calls().back() == "./app down --branch b");
  }
}

TEST_CASE("example 16-paginate", "[examples]") {
  Stage stage("16-paginate.yaml", [](const Asked& asked) -> Reply {
    if (has(asked.what, "page=2")) return {200, R"([{"login":"c"}])", ""};
    if (has(asked.what, "/stargazers"))
      return {200, R"([{"login":"a"},{"login":"b"}])", "<stargazers?page=2>; rel=\"next\""};
    return {200, has(asked.what, "/users/b") ? R"({"company":null})" : R"({"company":"Acme"})", ""};
  });
  CHECK(output_of(stage.run()) == json::parse(R"([["Acme",2]])"));
  CHECK(stage.asked().size() == 5);
}

}  // namespace flowrun::test::examples_test
