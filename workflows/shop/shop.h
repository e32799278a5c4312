// The sample shop: the services of the order workflow, with an account of what they were asked and what they did. Can
// be told to misbehave. For trying things out and for tests; listens on the loopback only.
//
//   GET  /orders/ID                    20 ms
//   POST /inventory/check             100 ms
//   POST /fraud/score                 200 ms
//   GET  /shipping/rates?zip=ZIP      120 ms
//   POST /payments                    150 ms     POST /payments/ID/refund  50 ms
//   POST /shipments                    50 ms     POST /effect/NAME?ms=MS
//   ANY  /echo...   GET|POST /status/CODE   GET /delay/MS   GET /items/N
//   POST /login                       {"access_token": T}; GET /account, 20 ms, wants it: Authorization: Bearer T
//   POST /uploads                     the fields of a form, [{"name", "filename", "type", "bytes"}]
//   GET  /catalog?page=N&per=M        eleven articles, {"items": [...], "next": N + 1 or null} and a header Link
//   GET  /stats     {"calls": {"payments": 2, ...}, "effects": {"payments": 1, ...}}; DELETE /stats forgets everything
//   POST /misbehave {"path": "/payments", "how": "break", "times": 2}
#pragma once

#include <httplib.h>

#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace shop {

using Json = nlohmann::json;

class Shop {
 public:
  explicit Shop(httplib::Server& server);

 private:
  /// What the next calls of a path are to do wrong.
  struct Mischief {
    int times = 0;            ///< how many calls
    std::string how;          ///< fail (500), status, 429, rubbish, slow, hang (until the client goes), break
    int status = 503;         ///< of "status"
    int ms = 1000;            ///< of "slow"
    int retry_after = 1;      ///< seconds, of "429"
    bool after_work = false;  ///< first do what was asked, so that only the answer is lost
  };
  using Answer = std::function<Json(const httplib::Request&)>;

  /// An endpoint: counted, delayed, idempotent, mischievous.
  void serve(const char* method, const std::string& pattern, const std::string& name, int ms, Answer answer);
  void answer(const httplib::Request& request, httplib::Response& response, const std::string& name, int ms,
              const Answer& make);
  /// Does the work unless its Idempotency-Key has been seen: then the answer is the one of the first time.
  Json work(const httplib::Request& request, const std::string& name, const Answer& make);
  /// Counts a call of |name|; what is to go wrong with it has times > 0.
  Mischief called(const std::string& name, const httplib::Request& request);
  static void misbehave(const Mischief& mischief, const httplib::Request& request, httplib::Response& response);
  void services();
  void account();
  void catalog();
  void generic();
  void control();

  httplib::Server& server_;
  std::mutex mutex_;  ///< guards all below
  std::map<std::string, int> calls_, effects_;
  std::map<std::string, Json> answers_;       ///< by path and Idempotency-Key
  std::map<std::string, Mischief> mischief_;  ///< by path
  std::set<std::string> tokens_;              ///< of all logins
  int next_ = 1;                              ///< number of the next payment or parcel
};

}  // namespace shop
