#include "shop.h"

#include <chrono>
#include <thread>

namespace shop {
namespace {

void pause(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

Json body_of(const httplib::Request& request) {
  Json body = Json::parse(request.body, nullptr, false);
  return body.is_discarded() ? Json() : body;
}

}  // namespace

Shop::Shop(httplib::Server& server) : server_(server) {
  control();
  generic();
  serve("GET", R"(/orders/([A-Za-z0-9-]+))", "orders", 20, [](const httplib::Request& request) {
    return Json{{"id", request.matches[1].str()},
                {"zip", "10115"},
                {"total", 129.9},
                {"lines", {{{"sku", "lamp"}, {"count", 1}}, {{"sku", "bulb"}, {"count", 4}}}}};
  });
  serve("POST", "/inventory/check", "inventory", 100, [](const httplib::Request& request) {
    return Json{{"available", true}, {"skus", body_of(request).value("skus", Json::array())}};
  });
  serve("POST", "/fraud/score", "fraud", 200, [](const httplib::Request&) { return Json{{"score", 0.12}}; });
  serve("GET", "/shipping/rates", "rates", 120, [](const httplib::Request&) {
    return Json{{{"id", "slow"}, {"price", 4.9}}, {{"id", "fast"}, {"price", 12.5}}};
  });
  serve("POST", "/payments", "payments", 150, [this](const httplib::Request& request) {
    return Json{{"id", "pay-" + std::to_string(next_++)}, {"amount", body_of(request).value("amount", Json())}};
  });
  serve("POST", R"(/payments/([A-Za-z0-9-]+)/refund)", "refunds", 50, [](const httplib::Request& request) {
    return Json{{"refunded", request.matches[1].str()}};
  });
  serve("POST", "/shipments", "shipments", 50, [this](const httplib::Request&) {
    return Json{{"tracking", "T" + std::to_string(1000 + next_++)}};
  });
}

void Shop::serve(const char* method, const std::string& pattern, const std::string& name, int ms, Answer make) {
  auto handler = [this, name, ms, make](const httplib::Request& request, httplib::Response& response) {
    answer(request, response, name, ms, make);
  };
  if (std::string(method) == "GET") {
    server_.Get(pattern, handler);
  } else {
    server_.Post(pattern, handler);
  }
}

void Shop::answer(const httplib::Request& request, httplib::Response& response, const std::string& name, int ms,
                  const Answer& make) {
  {
    std::lock_guard lock(mutex_);
    ++calls_[name];
  }
  if (misbehave(request, response)) return;
  pause(ms);
  std::string key = request.get_header_value("Idempotency-Key");
  std::lock_guard lock(mutex_);
  Json answer;
  auto known = key.empty() ? answers_.end() : answers_.find(request.path + " " + key);
  if (known != answers_.end()) {
    answer = known->second;
  } else {
    answer = make(request);
    if (request.method != "GET") ++effects_[name];
    if (!key.empty()) answers_[request.path + " " + key] = answer;
  }
  response.set_content(answer.dump(), "application/json");
}

bool Shop::misbehave(const httplib::Request& request, httplib::Response& response) {
  Mischief mischief;
  {
    std::lock_guard lock(mutex_);
    auto found = mischief_.find(request.path);
    if (found == mischief_.end() || found->second.times <= 0) return false;
    --found->second.times;
    mischief = found->second;
  }
  if (mischief.how == "slow") {
    pause(mischief.ms);
    return false;
  }
  if (mischief.how == "hang") {
    // For an hour: longer than anybody waits.
    for (int i = 0; i < 36000; ++i) pause(100);
  } else if (mischief.how == "429") {
    response.status = 429;
    response.set_header("Retry-After", std::to_string(mischief.retry_after));
    response.set_content(R"({"error":"slow down"})", "application/json");
  } else if (mischief.how == "rubbish") {
    response.set_content("{\"half\": ", "application/json");
  } else if (mischief.how == "break") {
    // A body that is promised and does not come ends the connection.
    response.set_content_provider(1000, "application/json",
                                  [](std::size_t, std::size_t, httplib::DataSink&) { return false; });
  } else {
    response.status = mischief.how == "fail" ? 500 : mischief.status;
    response.set_content(R"({"error":"told to fail"})", "application/json");
  }
  return true;
}

void Shop::generic() {
  auto echo = [](const httplib::Request& request, httplib::Response& response) {
    Json headers = Json::object();
    for (const auto& [name, value] : request.headers) headers[name] = value;
    response.set_content(Json{{"method", request.method},
                              {"path", request.path},
                              {"target", request.target},
                              {"headers", headers},
                              {"body", request.body}}
                             .dump(),
                         "application/json");
  };
  server_.Get("/echo.*", echo);
  server_.Post("/echo.*", echo);
  server_.Put("/echo.*", echo);
  server_.Delete("/echo.*", echo);
  server_.Patch("/echo.*", echo);
  auto status = [](const httplib::Request& request, httplib::Response& response) {
    response.status = std::stoi(request.matches[1]);
    response.set_content(Json{{"status", response.status}}.dump(), "application/json");
  };
  server_.Get(R"(/status/([1-5][0-9][0-9]))", status);
  server_.Post(R"(/status/([1-5][0-9][0-9]))", status);
  server_.Get(R"(/delay/([0-9]{1,6}))", [](const httplib::Request& request, httplib::Response& response) {
    int ms = std::stoi(request.matches[1]);
    pause(ms);
    response.set_content(Json{{"ms", ms}}.dump(), "application/json");
  });
  server_.Get(R"(/items/([0-9]{1,6}))", [](const httplib::Request& request, httplib::Response& response) {
    Json items = Json::array();
    for (int i = 0; i < std::stoi(request.matches[1]); ++i)
      items.push_back({{"id", i}, {"name", "item " + std::to_string(i)}});
    response.set_content(items.dump(), "application/json");
  });
  server_.Post(R"(/effect/([A-Za-z0-9_.-]+))", [this](const httplib::Request& request, httplib::Response& response) {
    int ms = request.has_param("ms") ? std::atoi(request.get_param_value("ms").c_str()) : 0;
    std::string name = "effect/" + request.matches[1].str();
    answer(request, response, name, ms, [&](const httplib::Request&) {
      return Json{{"effect", request.matches[1].str()}};
    });
  });
}

void Shop::control() {
  server_.Get("/stats", [this](const httplib::Request&, httplib::Response& response) {
    std::lock_guard lock(mutex_);
    response.set_content(Json{{"calls", calls_}, {"effects", effects_}}.dump(), "application/json");
  });
  server_.Delete("/stats", [this](const httplib::Request&, httplib::Response& response) {
    std::lock_guard lock(mutex_);
    calls_.clear();
    effects_.clear();
    answers_.clear();
    mischief_.clear();
    response.set_content("{}", "application/json");
  });
  server_.Post("/misbehave", [this](const httplib::Request& request, httplib::Response& response) {
    Json asked = body_of(request);
    if (!asked.is_object() || !asked.contains("path") || !asked.contains("how")) {
      response.status = 400;
      response.set_content(R"({"error":"path and how are needed"})", "application/json");
      return;
    }
    Mischief mischief;
    mischief.times = asked.value("times", 1);
    mischief.how = asked["how"];
    mischief.status = asked.value("status", 503);
    mischief.ms = asked.value("ms", 1000);
    mischief.retry_after = asked.value("retry_after", 1);
    std::lock_guard lock(mutex_);
    mischief_[asked["path"]] = mischief;
    response.set_content("{}", "application/json");
  });
}

}  // namespace shop
