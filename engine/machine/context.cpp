#include "engine/machine/context.h"

#include "engine/machine/frame.h"
#include "engine/model/hash.h"

namespace flowrun {

Context::Context(const std::vector<std::unique_ptr<Limit>>& limits, Evaluator& evaluator)
    : recorder_(evaluator),
      timers_(recorder_, time_),
      slots_(limits, timers_, time_),
      attempts_(slots_.pools(), recorder_, time_),
      signals_(recorder_),
      abandoned_(attempts_) {}

std::string Context::key_for(std::string name, Asked asked) {
  auto [first, fresh] = first_requests_.emplace(hash64(name), asked);
  // A flowrun that did not tell requests apart sent what a retry had changed with the old key.
  if (was_reopened_ && !retry_request_.exact()) first->second = asked;
  const bool same = first->second.text == asked.text || (keeps_keys_ && first->second.unplaced == asked.unplaced);
  if (!same) name += "\nrequest " + hex16(asked.text);
  return chance_->uuid(name);
}

}  // namespace flowrun
