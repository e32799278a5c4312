// A Restate server in a few lines, with a worker behind it: takes calls by their keys, keeps results, kills. What it
// answers, and when, is up to the test.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "engine/model/task_text.h"
#include "engine/model/value.h"
#include "engine/restate/step_call.h"
#include "tests/executor/http_server.h"

namespace flowrun::test {

class FakeServer {
 public:
  using Answer = httplib::Response;

  FakeServer() {
    ingress_.new_task_queue = [] { return new httplib::ThreadPool(256); };
    ingress_.Get("/restate/health", [this](const auto&, Answer& answer) {
      Json list = Json::array();
      for (const std::string& name : services) list.push_back({{"name", name}});
      answer.set_content(Json{{"services", list}}.dump(), "application/json");
    });
    ingress_.Post(R"(/restate/call/([^/]+)/step)",
                  [this](const auto& request, Answer& answer) { call(request, answer); });
    ingress_.Post("/restate/lookup", [](const auto& request, Answer& answer) {
      answer.set_content(Json{{"invocationId", "inv-" + key_in(request)}}.dump(), "application/json");
    });
    ingress_.Post("/restate/output", [this](const auto& request, Answer& answer) {
      std::lock_guard lock(mutex_);
      const auto known = invocations_.find(key_in(request));
      if (known == invocations_.end()) return refuse(answer, 404, "invocation not found", "ingress");
      if (!known->second.over) return refuse(answer, 470, "not ready", "ingress");
      known->second.give(answer);
    });
    admin_.Get("/version", [this](const auto&, Answer& answer) { answer.set_content(version, "application/json"); });
    admin_.Post("/query", [this](const auto&, Answer& answer) { answer.set_content(waiting, "application/json"); });
    admin_.Patch(R"(/invocations/inv-(.*)/kill)", [this](const auto& request, Answer& answer) {
      std::lock_guard lock(mutex_);
      kills_.push_back(request.matches[1]);
      const auto known = invocations_.find(request.matches[1]);
      if (known == invocations_.end()) return refuse(answer, 404, "it does not exist", "");
      if (!known->second.over) known->second = killed();
      changed_.notify_all();
    });
    ingress_.start();
    admin_.start();
  }
  ~FakeServer() { release(); }

  std::string place() const { return "restate=" + ingress_.url("") + ",admin=" + admin_.url(""); }
  std::string ingress() const { return ingress_.url(""); }
  std::string admin() const { return admin_.url(""); }

  // To be set before anything is sent.
  std::set<std::string> services{"flowrun"};
  std::string version = R"({"version":"1.7.12"})";
  std::string waiting = R"({"rows":[]})";  ///< what the administration says of calls that nobody takes
  /// Answers instead of the server: true.
  std::function<bool(const httplib::Request&, Answer&)> instead;
  /// What the worker makes of a call: the text that it answers.
  std::function<std::string(const restate::StepCall&)> work = [](const restate::StepCall& step) {
    return ended(step, Value::string("done"));
  };

  /// Steps do not end from here on, until release().
  void hold() {
    std::lock_guard lock(mutex_);
    held_ = true;
  }
  void release() {
    std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }

  /// Keys of all calls, in the order in which they came, attached ones too.
  std::vector<std::string> calls() const {
    std::lock_guard lock(mutex_);
    return calls_;
  }
  std::vector<std::string> kills() const {
    std::lock_guard lock(mutex_);
    return kills_;
  }
  /// Attempts that a worker has begun.
  std::vector<restate::StepCall> begun() const {
    std::lock_guard lock(mutex_);
    return begun_;
  }
  std::size_t over() const {
    std::lock_guard lock(mutex_);
    std::size_t count = 0;
    for (const auto& [key, invocation] : invocations_) count += invocation.over ? 1 : 0;
    return count;
  }
  /// As a person at its administration does.
  void kill_all() {
    std::lock_guard lock(mutex_);
    for (auto& [key, invocation] : invocations_) invocation = killed();
    changed_.notify_all();
  }
  /// Forgets all that it has kept.
  void forget() {
    std::lock_guard lock(mutex_);
    invocations_.clear();
  }

  static std::string ended(const restate::StepCall& step, Value value) {
    TaskEnded ended{step.task.path, step.task.attempt, {}};
    ended.result.value = std::move(value);
    return ended_text(ended, std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()));
  }
  static void refuse(Answer& answer, int status, const std::string& message, const std::string& source) {
    answer.status = status;
    if (!source.empty()) answer.set_header("x-restate-error-source", source);
    answer.set_content(Json{{"code", status}, {"message", message}}.dump(), "application/json");
  }

 private:
  struct Invocation {
    bool over = false;
    int status = 200;
    std::string body, source;

    void give(Answer& answer) const {
      answer.status = status;
      if (!source.empty()) answer.set_header("x-restate-error-source", source);
      answer.set_content(body, "application/json");
    }
  };

  static Invocation killed() { return {true, 409, R"({"code":409,"message":"killed"})", "invocation"}; }

  static std::string key_in(const httplib::Request& request) {
    return Json::parse(request.body).at("idempotencyKey").get<std::string>();
  }

  void call(const httplib::Request& request, Answer& answer) {
    const std::string key = request.get_header_value("Idempotency-Key");
    std::unique_lock lock(mutex_);
    calls_.push_back(key);
    if (instead && instead(request, answer)) return;
    if (services.count(request.matches[1]) == 0) return refuse(answer, 404, "service not found", "ingress");
    if (invocations_.try_emplace(key).second) {
      const restate::StepCall step = restate::step_call_from(request.body);
      begun_.push_back(step);
      changed_.wait(lock, [&] { return !held_ || invocations_[key].over; });
      Invocation& invocation = invocations_[key];
      if (!invocation.over) {
        invocation.body = work(step);
        invocation.over = true;
        changed_.notify_all();
      }
    } else {
      changed_.wait(lock, [&] { return invocations_[key].over; });
    }
    invocations_[key].give(answer);
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  std::map<std::string, Invocation> invocations_;
  std::vector<std::string> calls_, kills_;
  std::vector<restate::StepCall> begun_;
  HttpServer ingress_, admin_;  ///< last: their threads use the above
};

}  // namespace flowrun::test
