#include "tests/support/shop.h"

#include <httplib.h>

#include <stdexcept>
#include <thread>

namespace flowrun::test {

Shop::Shop() : process_(std::make_unique<Background>(std::vector<std::string>{FLOWRUN_SHOP, "--port", "0"})) {
  const std::string hello = "listening on ";
  for (int i = 0; i < 2000 && process_->running(); ++i) {
    std::string out = process_->out();
    if (out.find('\n') != std::string::npos) {
      url_ = out.substr(hello.size(), out.find('\n') - hello.size());
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  throw std::runtime_error("the shop did not start: " + process_->err());
}

nlohmann::json Shop::stats() const {
  httplib::Client client(url_);
  auto answer = client.Get("/stats");
  if (!answer) throw std::runtime_error("the shop does not answer");
  return nlohmann::json::parse(answer->body);
}

void Shop::misbehave(const nlohmann::json& how) const {
  httplib::Client client(url_);
  auto answer = client.Post("/misbehave", how.dump(), "application/json");
  if (!answer || answer->status != 200) throw std::runtime_error("the shop does not misbehave");
}

}  // namespace flowrun::test
