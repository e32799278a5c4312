// One request to a server, waited for. For a word between programs; what many wait for is a task of an executor.
#pragma once

#include <string>

#include "engine/model/task.h"

namespace flowrun::restate {

struct Answered {
  int status = 0;       ///< 0: there is no answer
  std::string body;     ///< as text
  std::string trouble;  ///< why there is none
  bool ok() const { return status >= 200 && status < 300; }
};

/// Any status is an answer. Blocks for |patience| at most.
Answered exchange(HttpRequest request, Duration patience);

}  // namespace flowrun::restate
