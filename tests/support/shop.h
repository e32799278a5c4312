// The sample shop for a test: starts on a free port, ends with the test.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/program.h"

namespace flowrun::test {

class Shop {
 public:
  Shop();
  const std::string& url() const { return url_; }
  nlohmann::json stats() const;  ///< {calls: {name: n}, effects: {name: n}}
  void misbehave(const nlohmann::json& how) const;

 private:
  std::unique_ptr<Background> process_;
  std::string url_;
};

}  // namespace flowrun::test
