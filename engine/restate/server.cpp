#include "engine/restate/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>
#include <unordered_map>

#include "engine/model/error.h"
#include "engine/model/json_text.h"
#include "engine/restate/requests.h"
#include "engine/restate/step_call.h"

namespace flowrun::restate {
namespace {

constexpr std::size_t kAtOnce = 64;  // requests of many
constexpr int kOldestMinor = 7;      // of 1.x: the first with /restate/call

/// Waits for the answer of the one request that is under way.
[[noreturn]] void not_there(const std::string& what, const std::string& url, const Answer& answer,
                            const std::string& help) {
  throw Error(Problem::Impossible, fmt::format("{} {} does not answer: {}; {}", what, url, answer.why(), help));
}

/// Calls |ask| for the numbers below |count|, some at once, and |take| with each answer.
void for_each_of(Requests& requests, std::size_t count, const std::function<std::uint64_t(std::size_t)>& ask,
                 const std::function<void(std::size_t, Answer&)>& take) {
  std::unordered_map<std::uint64_t, std::size_t> asked;
  std::vector<Answer> answers;
  for (std::size_t next = 0; next < count || !asked.empty();) {
    while (next < count && asked.size() < kAtOnce) {
      const std::uint64_t id = ask(next);
      asked.emplace(id, next++);
    }
    answers.clear();
    requests.wait(answers, Duration{1000});
    for (Answer& answer : answers)
      if (auto found = asked.find(answer.id); found != asked.end()) {
        const std::size_t number = found->second;
        asked.erase(found);
        take(number, answer);
      }
  }
}

/// The names in {"services": [{"name": ...} or "..."]}.
std::set<std::string> services_in(const std::string& body) {
  std::set<std::string> names;
  const auto health = json_of(body);
  if (!health || !health->is_object()) return names;
  const auto services = health->find("services");
  if (services == health->end() || !services->is_array()) return names;
  for (const Json& service : *services) {
    if (service.is_string()) names.insert(service.get<std::string>());
    if (service.is_object() && service.contains("name") && service["name"].is_string())
      names.insert(service["name"].get<std::string>());
  }
  return names;
}

void check_version(const std::string& url, const std::string& body) {
  const auto version = json_of(body);
  const auto text = version && version->is_object() ? version->value("version", Json()) : Json();
  int major = 0, minor = 0;
  if (!text.is_string() || std::sscanf(text.get<std::string>().c_str(), "%d.%d", &major, &minor) != 2)
    throw Error(Problem::Impossible, fmt::format("what answers at {} is not the admin interface of a Restate server; "
                                                 "name it: --on restate=URL,admin=URL",
                                                 url));
  if (major < 1 || (major == 1 && minor < kOldestMinor))
    throw Error(Problem::Impossible, fmt::format("the Restate server at {} is version {}; flowrun needs 1.{} or newer",
                                                 url, text.get<std::string>(), kOldestMinor));
}

}  // namespace

std::string target_of(const CallName& call) {
  return Json{{"target", "idempotentInvocation"},
              {"service", service_name(call.pool)},
              {"handler", "step"},
              {"idempotencyKey", call.key}}
      .dump();
}

std::string url_of_step(const Place& place, const std::string& pool) {
  return fmt::format("{}/restate/call/{}/step", place.ingress, service_name(pool));
}
std::string url_of_lookup(const Place& place) { return place.ingress + "/restate/lookup"; }
std::string url_of_health(const Place& place) { return place.ingress + "/restate/health"; }
std::string url_of_kill(const Place& place, const std::string& invocation) {
  return fmt::format("{}/invocations/{}/kill", place.admin, invocation);
}

std::string query_of_waiting(const std::string& call) {
  const std::string seed = call.substr(0, call.find('/'));
  const bool plain = std::all_of(seed.begin(), seed.end(), [](unsigned char c) { return std::isalnum(c) != 0; });
  return Json{
      {"query", fmt::format("SELECT target_service_name AS service, MAX(last_failure) AS why FROM sys_invocation WHERE "
                            "target_handler_name = 'step' AND status IN ('backing-off', 'paused'){} GROUP BY 1",
                            plain ? fmt::format(" AND idempotency_key LIKE '{}/%'", seed) : "")}}
      .dump();
}

std::string invocation_in(const std::string& body) {
  const auto json = json_of(body);
  const Json id = json && json->is_object() ? json->value("invocationId", Json()) : Json();
  return id.is_string() ? id.get<std::string>() : "";
}

void check_server(const Place& place, const std::set<std::string>& pools) {
  Requests requests;
  const std::uint64_t health = requests.send("GET", url_of_health(place), {});
  const Answer there = answer_to(requests, health);
  if (!there.ok() || !json_of(there.body))
    not_there("the Restate server at", place.ingress, there,
              "start it, or name another: --on restate=http://HOST:8080; nothing was started");
  const Answer admin = answer_to(requests, requests.send("GET", place.admin + "/version", {}));
  if (!admin.ok())
    not_there("the admin interface of the Restate server, by which steps are stopped,", place.admin, admin,
              "where it is somewhere else, name it: --on restate=URL,admin=URL; nothing was started");
  check_version(place.admin, admin.body);
  const std::set<std::string> services = services_in(there.body);
  for (const std::string& pool : pools) {
    if (services.count(service_name(pool)) > 0) continue;
    throw Error(
        Problem::Impossible,
        fmt::format("the Restate server at {} has no service `{}`, which {}; start a worker and register it:\n"
                    "  flowrun worker --listen 127.0.0.1:9080{}\n"
                    "  curl {}/deployments --json '{{\"uri\":\"http://127.0.0.1:9080\",\"use_http_11\":true}}'\n"
                    "nothing was started",
                    place.ingress, service_name(pool),
                    pool.empty() ? "carries out steps that name no pool"
                                 : fmt::format("carries out steps with `pool: {}`", pool),
                    pool.empty() ? "" : " --name " + pool, place.admin));
  }
}

std::vector<Known> known_calls(const Place& place, const std::vector<CallName>& calls) {
  Requests requests;
  std::vector<Known> known(calls.size());
  for_each_of(
      requests, calls.size(),
      [&](std::size_t i) { return requests.send("POST", place.ingress + "/restate/output", target_of(calls[i])); },
      [&](std::size_t i, const Answer& answer) {
        if (answer.failure || (answer.source.empty() && !answer.ok() && answer.status != 470) ||
            (answer.source == "ingress" && (answer.status == 429 || answer.status >= 500)))
          not_there("the Restate server at", place.ingress, answer, "what was in flight there is not known without it");
        // 470: not ready.
        if (answer.ok() || answer.status == 470) known[i] = Known::Taken;
        if (answer.source == "invocation") known[i] = Known::Over;
      });
  return known;
}

std::string kill_calls(const Place& place, const std::vector<CallName>& calls) {
  Requests requests;
  std::string trouble;
  std::vector<std::string> invocations;
  for_each_of(
      requests, calls.size(),
      [&](std::size_t i) { return requests.send("POST", url_of_lookup(place), target_of(calls[i])); },
      [&](std::size_t, const Answer& answer) {
        const std::string id = answer.ok() ? invocation_in(answer.body) : "";
        id.empty() ? void(trouble = answer.why()) : invocations.push_back(id);
      });
  for_each_of(
      requests, invocations.size(),
      [&](std::size_t i) { return requests.send("PATCH", url_of_kill(place, invocations[i]), {}); },
      [&](std::size_t, const Answer& answer) {
        // 404: the server has never had it, or has forgotten it. 409: it is over.
        if (!answer.ok() && answer.status != 404 && answer.status != 409) trouble = answer.why();
      });
  return trouble;
}

}  // namespace flowrun::restate
