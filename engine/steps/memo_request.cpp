#include "engine/steps/memo_request.h"

#include "engine/steps/words.h"

namespace flowrun {

/// In this order, as the answers of jq are journaled in it: age, reads, writes.
Fallible<MemoRequest> memo_request(const MemoSettings& settings, const std::string& definition, std::string folder,
                                   const FrameScope& scope, Evaluator& evaluator) {
  MemoRequest request;
  auto at_most = resolve(settings.at_most, scope, evaluator, Duration{0}, "memo");
  if (!at_most) return std::move(at_most.failure());
  request.at_most = *at_most;
  request.definition = definition;
  request.folder = std::move(folder);
  if (auto failure = add_words(request.reads, settings.reads, "reads", scope, evaluator)) return *std::move(failure);
  if (auto failure = add_words(request.writes, settings.writes, "writes", scope, evaluator)) return *std::move(failure);
  for (const auto& [names, key] : {std::pair{&request.reads, "reads"}, {&request.writes, "writes"}})
    for (const std::string& name : *names)
      if (name.empty()) return Failure{"expression", std::string("`") + key + "` has an empty name of a file in it"};
  return request;
}

}  // namespace flowrun
