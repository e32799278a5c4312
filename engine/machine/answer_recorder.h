// Where the decisions go that follow from a fact, and where their answers come from: questions are passed on, and the
// answers kept until the next decision takes them along. Knows neither what is asked nor what is decided.
#pragma once

#include <utility>
#include <vector>

#include "engine/model/decision.h"
#include "engine/model/scope.h"

namespace flowrun {

class AnswerRecorder : public Evaluator {
 public:
  /// |evaluator| is lent.
  explicit AnswerRecorder(Evaluator& evaluator) : evaluator_(evaluator) {}

  Answer evaluate(const Question& question) override {
    answers_.push_back(evaluator_.evaluate(question));
    return answers_.back();
  }
  /// Keeps no answers: for what becomes part of a fact.
  Evaluator& unrecorded() const { return evaluator_; }

  /// Decisions go to |sink| until end().
  void begin(DecisionSink& sink) { sink_ = &sink; }
  void decide(decltype(Decision::what) what) {
    Decision decision{std::move(what), {}};
    decision.answers.swap(answers_);
    sink_->decide(std::move(decision));
  }
  /// Answers that led to no decision have an entry of their own.
  void end() {
    if (!answers_.empty()) decide(Evaluated{});
    sink_ = nullptr;
  }

 private:
  Evaluator& evaluator_;
  DecisionSink* sink_ = nullptr;
  std::vector<Answer> answers_;
};

}  // namespace flowrun
