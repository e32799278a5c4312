// The sample shop: the services of the order workflow, with an account of what they were asked and what they did. Can
// be told to misbehave. For trying things out and for tests; listens on the loopback only.
#pragma once

#include <httplib.h>

#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

namespace shop {

using Json = nlohmann::json;

class Shop {
 public:
  explicit Shop(httplib::Server& server);

 private:
  /// What an endpoint is to do wrong, and how often.
  struct Mischief {
    int times = 0;
    std::string how;  ///< fail, status, hang, slow, 429, rubbish, break
    int status = 500;
    int ms = 1000;
    int retry_after = 1;
  };
  using Answer = std::function<Json(const httplib::Request&)>;

  /// An endpoint of the shop: counted, delayed, idempotent, mischievous.
  void serve(const char* method, const std::string& pattern, const std::string& name, int ms, Answer answer);
  void answer(const httplib::Request& request, httplib::Response& response, const std::string& name, int ms,
              const Answer& make);
  /// True when the mischief has answered already.
  bool misbehave(const httplib::Request& request, httplib::Response& response);
  void generic();
  void control();

  httplib::Server& server_;
  std::mutex mutex_;
  std::map<std::string, int> calls_, effects_;
  std::map<std::string, Json> answers_;       ///< by path and Idempotency-Key
  std::map<std::string, Mischief> mischief_;  ///< by path
  int next_ = 1;
};

}  // namespace shop
