#include "shop.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>

#include "connection.h"

namespace shop {
namespace {

// By its bare name the library would pack the type: small answers become longer, and take 2 ms more than they should.
const char* const kJson = "application/json; charset=utf-8";

void pause(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

Json body_of(const httplib::Request& request) {
  Json body = Json::parse(request.body, nullptr, false);
  return body.is_object() ? body : Json::object();
}

}  // namespace

Shop::Shop(httplib::Server& server) : server_(server) {
  services();
  account();
  catalog();
  generic();
  control();
}

void Shop::services() {
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

void Shop::account() {
  serve("POST", "/login", "login", 20, [this](const httplib::Request&) {
    std::random_device random;
    const std::string token = "shop-" + std::to_string(random()) + "-" + std::to_string(random());
    tokens_.insert(token);
    return Json{{"access_token", token}, {"token_type", "bearer"}, {"expires_in", 900}};
  });
  server_.Get("/account", [this](const httplib::Request& request, httplib::Response& response) {
    const Mischief mischief = called("account", request);
    if (mischief.times > 0) misbehave(mischief, request, response);
    if (mischief.times > 0 && mischief.how != "slow") return;
    pause(20);
    const std::string given = request.get_header_value("Authorization");
    std::lock_guard lock(mutex_);
    const bool known = given.starts_with("Bearer ") && tokens_.count(given.substr(7)) > 0;
    if (!known) response.status = 401;
    const Json said =
        known ? Json{{"customer", "C-1042"}, {"orders", {"O-1001", "O-1002"}}} : Json{{"error", "log in"}};
    response.set_content(said.dump(), kJson);
  });
}

void Shop::catalog() {
  server_.Get("/catalog", [this](const httplib::Request& request, httplib::Response& response) {
    constexpr int kArticles = 11;
    auto number = [&](const char* name, int otherwise) {
      const int given = request.has_param(name) ? std::atoi(request.get_param_value(name).c_str()) : 0;
      return given > 0 && given < 1000 ? given : otherwise;
    };
    const int page = number("page", 1), per = number("per", 4);
    const Mischief mischief = called("catalog/" + std::to_string(page), request);
    if (mischief.times > 0) misbehave(mischief, request, response);
    if (mischief.times > 0 && mischief.how != "slow") return;
    Json items = Json::array();
    for (int i = (page - 1) * per; i < std::min(page * per, kArticles); ++i)
      items.push_back({{"sku", "lamp-" + std::to_string(i + 1)}, {"stars", i % 5 + 1}});
    const bool last = page * per >= kArticles;
    if (!last)
      response.set_header("Link", "</catalog?page=" + std::to_string(page + 1) + "&per=" + std::to_string(per) +
                                      ">; rel=\"next\", </catalog>; rel=\"first\"");
    response.set_content(Json{{"items", items}, {"next", last ? Json() : Json(page + 1)}}.dump(), kJson);
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
  const Mischief mischief = called(name, request);
  if (mischief.times > 0 && !mischief.after_work) {
    misbehave(mischief, request, response);
    if (mischief.how != "slow") return;
  }
  pause(ms);
  response.set_content(work(request, name, make).dump(), kJson);
  if (mischief.times > 0 && mischief.after_work) misbehave(mischief, request, response);
}

Json Shop::work(const httplib::Request& request, const std::string& name, const Answer& make) {
  const std::string key = request.get_header_value("Idempotency-Key");
  std::lock_guard lock(mutex_);
  if (!key.empty()) {
    auto known = answers_.find(request.path + " " + key);
    if (known != answers_.end()) return known->second;
  }
  Json answer = make(request);
  if (request.method != "GET") ++effects_[name];
  if (!key.empty()) answers_[request.path + " " + key] = answer;
  return answer;
}

Shop::Mischief Shop::called(const std::string& name, const httplib::Request& request) {
  std::lock_guard lock(mutex_);
  ++calls_[name];
  auto planned = mischief_.find(request.path);
  if (planned == mischief_.end() || planned->second.times <= 0) return {};
  Mischief mischief = planned->second;
  --planned->second.times;
  return mischief;
}

void Shop::misbehave(const Mischief& mischief, const httplib::Request& request, httplib::Response& response) {
  if (mischief.how == "slow") {
    pause(mischief.ms);
  } else if (mischief.how == "hang") {
    wait_until_gone(request);
  } else if (mischief.how == "break") {
    break_off(request);
  } else if (mischief.how == "429") {
    response.status = 429;
    response.set_header("Retry-After", std::to_string(mischief.retry_after));
    response.set_content(R"({"error":"slow down"})", kJson);
  } else if (mischief.how == "rubbish") {
    response.set_content("{\"half\": ", kJson);
  } else {
    response.status = mischief.how == "status" ? mischief.status : 500;
    response.set_content(R"({"error":"told to fail"})", kJson);
  }
}

void Shop::generic() {
  // Nothing of these needs the shop: they only answer.
  auto plain = [this](const std::string& name, Answer make) {
    return [this, name, make](const httplib::Request& request, httplib::Response& response) {
      const Mischief mischief = called(name, request);
      if (mischief.times > 0) misbehave(mischief, request, response);
      if (mischief.times == 0 || mischief.how == "slow") response.set_content(make(request).dump(), kJson);
    };
  };
  auto echo = plain("echo", [](const httplib::Request& request) {
    Json headers = Json::object();
    for (const auto& [name, value] : request.headers) headers[name] = value;
    return Json{{"method", request.method},
                {"path", request.path},
                {"target", request.target},
                {"headers", headers},
                {"body", request.body}};
  });
  server_.Get("/echo.*", echo);
  server_.Post("/echo.*", echo);
  server_.Put("/echo.*", echo);
  server_.Delete("/echo.*", echo);
  server_.Patch("/echo.*", echo);
  server_.Post("/uploads", plain("uploads", [](const httplib::Request& request) {
                 Json fields = Json::array();
                 for (const auto& [name, field] : request.files)
                   fields.push_back({{"name", name},
                                     {"filename", field.filename},
                                     {"type", field.content_type},
                                     {"bytes", field.content.size()}});
                 return fields;
               }));
  auto status = [this](const httplib::Request& request, httplib::Response& response) {
    called("status", request);
    response.status = std::stoi(request.matches[1]);
    response.set_content(Json{{"status", response.status}}.dump(), kJson);
  };
  server_.Get(R"(/status/([2-5][0-9][0-9]))", status);
  server_.Post(R"(/status/([2-5][0-9][0-9]))", status);
  server_.Get(R"(/delay/([0-9]{1,6}))", plain("delay", [](const httplib::Request& request) {
                const int ms = std::stoi(request.matches[1]);
                pause(ms);
                return Json{{"ms", ms}};
              }));
  server_.Get(R"(/items/([0-9]{1,6}))", plain("items", [](const httplib::Request& request) {
                Json items = Json::array();
                const int count = std::stoi(request.matches[1]);
                for (int i = 0; i < count; ++i) items.push_back({{"id", i}, {"name", "item " + std::to_string(i)}});
                return items;
              }));
  server_.Post(R"(/effect/([A-Za-z0-9_.-]+))", [this](const httplib::Request& request, httplib::Response& response) {
    const int ms = request.has_param("ms") ? std::atoi(request.get_param_value("ms").c_str()) : 0;
    answer(request, response, "effect/" + request.matches[1].str(), ms, [](const httplib::Request& what) {
      return Json{{"effect", what.matches[1].str()}};
    });
  });
}

void Shop::control() {
  server_.Get("/stats", [this](const httplib::Request&, httplib::Response& response) {
    std::lock_guard lock(mutex_);
    response.set_content(Json{{"calls", calls_}, {"effects", effects_}}.dump(), kJson);
  });
  server_.Delete("/stats", [this](const httplib::Request&, httplib::Response& response) {
    std::lock_guard lock(mutex_);
    calls_.clear();
    effects_.clear();
    answers_.clear();
    mischief_.clear();
    response.set_content("{}", kJson);
  });
  server_.Post("/misbehave", [this](const httplib::Request& request, httplib::Response& response) {
    static const std::set<std::string> kWays{"fail", "status", "429", "rubbish", "slow", "hang", "break"};
    const Json asked = body_of(request);
    try {
      Mischief mischief;
      mischief.times = asked.value("times", 1);
      mischief.how = asked.at("how").get<std::string>();
      mischief.status = asked.value("status", mischief.status);
      mischief.ms = asked.value("ms", mischief.ms);
      mischief.retry_after = asked.value("retry_after", mischief.retry_after);
      mischief.after_work = asked.value("after_work", false);
      if (!kWays.count(mischief.how)) throw std::invalid_argument("no such way to misbehave: " + mischief.how);
      std::lock_guard lock(mutex_);
      mischief_[asked.at("path").get<std::string>()] = mischief;
      response.set_content("{}", kJson);
    } catch (const std::exception& wrong) {
      response.status = 400;
      response.set_content(Json{{"error", wrong.what()}}.dump(), kJson);
    }
  });
}

}  // namespace shop
