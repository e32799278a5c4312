// What runs in virtual time have in common: timers in the order in which they fire, and commands handed to an executor
// that is none. Knows neither why time passes nor what is done in it.
#pragma once

#include <functional>
#include <queue>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/model/decision.h"
#include "engine/model/event.h"

namespace flowrun {

/// What comes first is on top.
template <typename What>
using Earliest = std::priority_queue<What, std::vector<What>, std::greater<>>;

struct VirtualTimer {
  Instant at;  ///< when it fires
  std::string path;
  TimerKind timer;
  Instant due;  ///< as the machine knows it
  bool operator>(const VirtualTimer& other) const {
    return std::tie(at, path, timer) > std::tie(other.at, other.path, other.timer);
  }
};

/// Hands |decision| to |executor|, which has the commands of an Executor. False: it is none of these.
template <typename LikeExecutor>
bool command(LikeExecutor& executor, Decision& decision) {
  if (auto* start = std::get_if<StartTask>(&decision.what)) {
    executor.begin(std::move(start->task));
  } else if (const auto* reserve = std::get_if<ReservePlace>(&decision.what)) {
    executor.reserve(*reserve);
  } else if (const auto* stop = std::get_if<StopTask>(&decision.what)) {
    executor.stop(stop->path, stop->attempt);
  } else if (const auto* withdraw = std::get_if<WithdrawWaiting>(&decision.what)) {
    executor.withdraw(withdraw->path);
  } else {
    return false;
  }
  return true;
}

}  // namespace flowrun
