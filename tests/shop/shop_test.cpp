// The sample shop itself, over real connections: what other tests count on.
#include <httplib.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/shop.h"

namespace flowrun::test::shop_test {
namespace {

using nlohmann::json;

json got(const httplib::Result& answer) {
  REQUIRE(answer);
  INFO(answer->body);
  REQUIRE(answer->status == 200);
  return json::parse(answer->body);
}

httplib::Result post(httplib::Client& client, const std::string& path, const json& body, const std::string& key = "") {
  httplib::Headers headers;
  if (!key.empty()) headers.emplace("Idempotency-Key", key);
  return client.Post(path, headers, body.dump(), "application/json");
}

}  // namespace

TEST_CASE("the shop answers everything the order workflow asks", "[shop]") {
  Shop shop;
  httplib::Client client(shop.url());
  json order = got(client.Get("/orders/O-1001"));
  CHECK(order["id"] == "O-1001");
  CHECK(order["lines"][0]["sku"].is_string());
  CHECK(order["total"].is_number());
  CHECK(order["zip"].is_string());
  CHECK(got(post(client, "/inventory/check", {{"skus", {"lamp"}}}))["skus"] == json{"lamp"});
  CHECK(got(post(client, "/fraud/score", {{"order", order}}))["score"] < 0.9);
  json rates = got(client.Get("/shipping/rates?zip=10115"));
  CHECK(rates[0]["price"].is_number());
  CHECK(rates[0]["id"].is_string());
  json payment = got(post(client, "/payments", {{"order", "O-1001"}, {"amount", 134.8}}));
  CHECK(payment["amount"] == 134.8);
  CHECK(got(post(client, "/payments/" + payment["id"].get<std::string>() + "/refund", {}))["refunded"] ==
        payment["id"]);
  CHECK(got(post(client, "/shipments", {{"order", "O-1001"}, {"rate", "slow"}}))["tracking"].is_string());
  CHECK(shop.stats() ==
        json{{"calls",
              {{"orders", 1},
               {"inventory", 1},
               {"fraud", 1},
               {"rates", 1},
               {"payments", 1},
               {"refunds", 1},
               {"shipments", 1}}},
             {"effects", {{"inventory", 1}, {"fraud", 1}, {"payments", 1}, {"refunds", 1}, {"shipments", 1}}}});
}

TEST_CASE("the shop gives the same Idempotency-Key its first answer and counts one effect", "[shop]") {
  Shop shop;
  httplib::Client client(shop.url());
  json first = got(post(client, "/payments", {{"amount", 1}}, "k-1"));
  CHECK(got(post(client, "/payments", {{"amount", 2}}, "k-1")) == first);
  CHECK(got(post(client, "/payments", {{"amount", 1}}, "k-2")) != first);
  CHECK(got(post(client, "/payments", {{"amount", 1}})) != got(post(client, "/payments", {{"amount", 1}})));
  CHECK(shop.stats()["calls"]["payments"] == 5);
  CHECK(shop.stats()["effects"]["payments"] == 4);

  got(client.Delete("/stats"));
  CHECK(shop.stats() == json{{"calls", json::object()}, {"effects", json::object()}});
  CHECK(got(post(client, "/payments", {{"amount", 2}}, "k-1")) != first);
}

TEST_CASE("the shop counts one effect for the same key at the same time", "[shop]") {
  Shop shop;
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i)
    callers.emplace_back([&shop] {
      httplib::Client client(shop.url());
      post(client, "/effect/stamp?ms=50", json::object(), "same");
    });
  for (std::thread& caller : callers) caller.join();
  CHECK(shop.stats()["calls"]["effect/stamp"] == 8);
  CHECK(shop.stats()["effects"]["effect/stamp"] == 1);
}

TEST_CASE("the shop fails in the way it was told, as often as it was told", "[shop]") {
  Shop shop;
  httplib::Client client(shop.url());
  shop.misbehave({{"path", "/payments"}, {"how", "fail"}, {"times", 2}});
  CHECK(post(client, "/payments", {})->status == 500);
  CHECK(post(client, "/payments", {})->status == 500);
  CHECK(post(client, "/payments", {})->status == 200);
  shop.misbehave({{"path", "/payments"}, {"how", "status"}, {"status", 502}});
  CHECK(post(client, "/payments", {})->status == 502);
  shop.misbehave({{"path", "/payments"}, {"how", "429"}, {"retry_after", 7}});
  auto busy = post(client, "/payments", {});
  CHECK(busy->status == 429);
  CHECK(busy->get_header_value("Retry-After") == "7");
  shop.misbehave({{"path", "/payments"}, {"how", "rubbish"}});
  CHECK(json::parse(post(client, "/payments", {})->body, nullptr, false).is_discarded());
  shop.misbehave({{"path", "/payments"}, {"how", "slow"}, {"ms", 1}});
  CHECK(post(client, "/payments", {})->status == 200);
  shop.misbehave({{"path", "/items/3"}, {"how", "fail"}});
  CHECK(client.Get("/items/3")->status == 500);
  CHECK(got(client.Get("/items/3")).size() == 3);
  CHECK(shop.stats()["calls"]["payments"] == 7);
  CHECK(shop.stats()["effects"]["payments"] == 2);
  CHECK(post(client, "/misbehave", {{"path", "/payments"}, {"how", "dance"}})->status == 400);
  CHECK(post(client, "/misbehave", {{"how", "fail"}})->status == 400);
}

TEST_CASE("the shop breaks a connection after the request, before or after the work is done", "[shop]") {
  Shop shop;
  httplib::Client client(shop.url());
  shop.misbehave({{"path", "/payments"}, {"how", "break"}});
  CHECK_FALSE(post(client, "/payments", {{"amount", 1}}, "k"));
  CHECK(shop.stats()["calls"]["payments"] == 1);
  CHECK_FALSE(shop.stats()["effects"].contains("payments"));

  shop.misbehave({{"path", "/payments"}, {"how", "break"}, {"after_work", true}});
  CHECK_FALSE(post(client, "/payments", {{"amount", 1}}, "k"));
  CHECK(shop.stats()["effects"]["payments"] == 1);
  CHECK(post(client, "/payments", {{"amount", 1}}, "k")->status == 200);
  CHECK(shop.stats()["effects"]["payments"] == 1);
}

TEST_CASE("a call that hangs holds nobody else up and ends with its client", "[shop]") {
  Shop shop;
  shop.misbehave({{"path", "/payments"}, {"how", "hang"}});
  {
    httplib::Client client(shop.url());
    client.set_read_timeout(0, 100000);
    CHECK_FALSE(post(client, "/payments", {}));
  }
  httplib::Client other(shop.url());
  CHECK(post(other, "/payments", {})->status == 200);
}

TEST_CASE("the shop serves hundreds of slow calls at once", "[shop]") {
  Shop shop;
  std::atomic<int> good{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 300; ++i)
    callers.emplace_back([&] {
      httplib::Client client(shop.url());
      client.set_connection_timeout(60);
      client.set_read_timeout(60);
      auto answer = client.Get("/delay/300");
      if (answer && answer->status == 200) ++good;
    });
  for (std::thread& caller : callers) caller.join();
  CHECK(good == 300);
}

TEST_CASE("the shop echoes, gives any status, and as many items as asked for", "[shop]") {
  Shop shop;
  httplib::Client client(shop.url());
  json echo = got(client.Put("/echo/a?b=c", "text", "text/plain"));
  CHECK(echo["method"] == "PUT");
  CHECK(echo["path"] == "/echo/a");
  CHECK(echo["target"] == "/echo/a?b=c");
  CHECK(echo["body"] == "text");
  CHECK(client.Get("/status/418")->status == 418);
  CHECK(got(client.Get("/items/1000")).size() == 1000);
  CHECK(got(client.Get("/delay/1"))["ms"] == 1);
  auto last = client.Get("/catalog?per=4&page=3");
  CHECK(got(last)["items"].size() == 3);
  CHECK(got(last)["next"].is_null());
  CHECK_FALSE(last->has_header("Link"));
  CHECK(client.Get("/catalog")->get_header_value("Link").find("</catalog?page=2&per=4>; rel=\"next\"") == 0);
  CHECK(client.Get("/nowhere")->status == 404);
}

TEST_CASE("the shop ends when it is told to, also in the middle of a call", "[shop]") {
  using flowrun::test::Background;
  SECTION("when standard input is closed") {
    CHECK(flowrun::test::run({FLOWRUN_SHOP, "--port", "0", "--until-eof"}).code == 0);
  }
  SECTION("at TERM, while a call hangs") {
    Background process({FLOWRUN_SHOP, "--port", "0"});
    while (process.out().find('\n') == std::string::npos) std::this_thread::yield();
    const std::string out = process.out(), hello = "listening on ";
    REQUIRE(out.rfind(hello + "http://127.0.0.1:", 0) == 0);
    std::thread caller([url = out.substr(hello.size(), out.find('\n') - hello.size())] {
      httplib::Client client(url);
      client.Get("/delay/60000");
    });
    process.signal(SIGTERM);
    CHECK(process.wait().code == 0);
    caller.join();
  }
  SECTION("at once, when the port is taken") {
    Shop shop;
    const std::string port = shop.url().substr(shop.url().rfind(':') + 1);
    CHECK(flowrun::test::run({FLOWRUN_SHOP, "--port", port}).code == 1);
  }
  SECTION("at once, when asked for what it does not know") {
    for (const char* port : {"", "x", "80x", "-1", "65536"})
      CHECK(flowrun::test::run({FLOWRUN_SHOP, "--port", port}).code == 2);
    CHECK(flowrun::test::run({FLOWRUN_SHOP, "--lamp"}).code == 2);
  }
}

}  // namespace flowrun::test::shop_test
