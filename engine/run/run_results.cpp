// Results that stand for attempts, which do not begin then: taken over from another run, or of earlier ones.
#include <algorithm>

#include "engine/journal/journal.h"
#include "engine/model/path.h"
#include "engine/run/clocks.h"
#include "engine/run/fork.h"
#include "engine/run/memo.h"
#include "engine/run/run.h"

namespace flowrun {

bool Run::reuse_result(const Decision& decision) {
  if (!reuse_) return false;
  if (const auto* items = std::get_if<ItemsChosen>(&decision.what)) reuse_->chosen(*items);
  if (const auto* start = std::get_if<StartTask>(&decision.what)) {
    auto result = reuse_->result_of(start->task);
    if (result) answer(start->task, std::move(*result));
    return result.has_value();
  }
  if (const auto* awaited = std::get_if<SignalAwaited>(&decision.what)) {
    if (auto signal = reuse_->signal_for(*awaited)) happened_.push_back({{}, std::move(*signal)});
  } else if (const auto* timer = std::get_if<ArmTimer>(&decision.what); timer && reuse_->slept(*timer)) {
    timers_.push({boot_clock(), timer->due, timer->path, timer->timer});
    return true;
  }
  return false;
}

Memo& Run::memo() {
  if (memo_) return *memo_;
  MemoSetting setting;
  setting.journal = journal_.path();
  setting.run = record_.id;
  setting.workflow = machine_->run().name;
  setting.takes = takes_memo_;
  setting.here = machine_->run().on.empty();
  setting.marks = [this](const std::string& salt) { return secrets_.marks(salt); };
  make_executor();
  memo_ = std::make_unique<Memo>(
      std::move(setting), [this] { wake(); }, executor_->line());
  return *memo_;
}

void Run::take_memo() {
  if (!memo_) return;
  std::erase_if(happened_, [&](Event& event) {
    auto* ended = std::get_if<TaskEnded>(&event.fact);
    return ended && !ended->result.is_taken() && !machine_->late(*ended) && memo_->take_in(*ended);
  });
  for (Memo::Came& came : memo_->came()) {
    if (came.taken_in) {
      happened_.push_back({{}, *std::move(came.taken_in)});
    } else if (came.found) {
      answer(*came.task, *std::move(came.found));
    } else if (came.withdrawn) {
      happened_.push_back({{}, TaskWithdrawn{came.task->path, came.task->attempt}});
    } else {
      memo_->begins(*came.task);
      executor_->begin(*std::move(came.task));
    }
  }
}

void Run::answer(const Task& task, Result result) {
  // A place that was held for it is free.
  if (task.strict && executor_) executor_->stop(task.path, task.attempt);
  happened_.push_back({{}, TaskEnded{task.path, task.attempt, std::move(result)}});
}

}  // namespace flowrun
