// Answers of jq by what was asked: many runs of one workflow ask the same. Belongs to one thread.
#pragma once

#include <string>
#include <unordered_map>

#include "engine/model/scope.h"

namespace flowrun {

class AnswerCache : public Evaluator {
 public:
  explicit AnswerCache(Evaluator& evaluator) : evaluator_(evaluator) {}

  Answer evaluate(const Question& question) override {
    std::string key = question.program.code;
    key += question.program.strict ? '\1' : '\0';
    for (const auto& [name, value] : question.bindings) {
      key += name;
      key += '\0';
      key += value.text();
      key += '\0';
    }
    const auto found = answers_.find(key);
    if (found != answers_.end()) return found->second;
    if (answers_.size() >= kMost) answers_.clear();
    return answers_.emplace(std::move(key), evaluator_.evaluate(question)).first->second;
  }

 private:
  static constexpr std::size_t kMost = 20'000;
  Evaluator& evaluator_;
  std::unordered_map<std::string, Answer> answers_;
};

}  // namespace flowrun
