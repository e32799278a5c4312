#include "engine/run/fork_preview.h"
#include "engine/run/clocks.h"
#include "engine/run/item_feed.h"

#include <algorithm>
#include <deque>
#include <set>

namespace flowrun {
namespace {

class Preview : public DecisionSink {
 public:
  Preview(Reuse& reuse, ItemFeed& items, const Loaded& loaded, Evaluator& evaluator)
      : reuse_(reuse), items_(items), machine_(loaded.workflow, evaluator) {}

  void play(RunStarted started) {
    happens(std::move(started));
    do {
      while (!happened_.empty()) {
        Event event = std::move(happened_.front());
        happened_.pop_front();
        machine_.apply(event, *this);
      }
    } while (time_passes() || items_come());
    for (const std::string& path : reuse_.finished())
      if (!seen_.count(path)) (reuse_.knows(path) ? preview.waiting : preview.gone).push_back(path);
    preview.anew = reuse_.anew();
    for (const auto& [path, why] : preview.anew) std::erase(preview.fresh, path);
  }

  void decide(Decision decision) override {
    if (const auto* start = std::get_if<StartTask>(&decision.what)) return decide(start->task);
    if (const auto* reserve = std::get_if<ReservePlace>(&decision.what)) return happens(TaskReserved{reserve->path});
    if (const auto* items = std::get_if<ItemsChosen>(&decision.what)) return reuse_.chosen(*items);
    if (const auto* stop = std::get_if<StopTask>(&decision.what); stop && stop->attempt > 0) {
      Result stopped;
      stopped.failure = Failure{"cancelled", "cancelled: " + stop->reason};
      return happens(TaskEnded{stop->path, stop->attempt, std::move(stopped)});
    }
    if (const auto* awaited = std::get_if<SignalAwaited>(&decision.what)) {
      seen_.insert(reuse_.old_path(awaited->path));
      auto signal = reuse_.signal_for(*awaited);
      (signal ? preview.taken : preview.fresh).push_back(awaited->path);
      if (signal) happens(std::move(*signal));
    } else if (const auto* timer = std::get_if<ArmTimer>(&decision.what); timer && timer->timer == TimerKind::Sleep) {
      seen_.insert(reuse_.old_path(timer->path));
      (reuse_.slept(*timer) ? preview.taken : preview.fresh).push_back(timer->path);
    }
  }

  ForkPreview preview;

 private:
  template <typename Fact>
  void happens(Fact fact) {
    happened_.push_back({now_, std::move(fact)});
  }

  void decide(const Task& task) {
    if (Reuse::is_of_the_end(task.path)) return happens(TaskEnded{task.path, task.attempt, {}});
    seen_.insert(reuse_.old_path(task.path));
    std::optional<Result> result = reuse_.result_of(task);
    (result ? preview.taken : preview.fresh).push_back(task.path);
    // Once: what is tried or polled again would go on for ever.
    if (!result && assumed_.insert(task.path).second) result = reuse_.former(task.path);
    if (result) happens(TaskEnded{task.path, task.attempt, std::move(*result)});
  }

  /// Sleeps and delays take no time here; what a limit or a timeout would do is not foreseen.
  bool time_passes() {
    std::vector<PendingTimer> timers = machine_.timers().pending();
    std::erase_if(timers, [](const PendingTimer& one) {
      return one.timer == TimerKind::Timeout || one.timer == TimerKind::Deadline || one.timer == TimerKind::Wait;
    });
    auto next = std::min_element(timers.begin(), timers.end());
    if (next == timers.end()) return false;
    now_ = std::max(now_, next->due);
    happens(TimerFired{next->path, next->timer});
    return true;
  }

  /// Those of the old run, as the fork would have them.
  bool items_come() {
    const ItemStream* stream = machine_.stream();
    if (!stream || !stream->is_open()) return false;
    std::optional<ItemsArrived> arrived = items_.take(0);
    if (!arrived) return false;
    arrived->path = stream->stream_path();
    happens(*std::move(arrived));
    return true;
  }

  Reuse& reuse_;
  ItemFeed& items_;
  Machine machine_;
  Instant now_ = wall_clock();
  std::deque<Event> happened_;
  std::set<std::string> seen_;     ///< paths of the old run
  std::set<std::string> assumed_;  ///< to come to what they came to before
};

}  // namespace

ForkPreview preview_fork(const Journal& journal, const Loaded& loaded, const ResolvedInputs& inputs,
                         const StartOptions& options, Evaluator& evaluator) {
  RunStarted started;
  started.semantics = Machine::kSemantics;
  started.id = options.id.empty() ? loaded.workflow.name : options.id;
  started.name = loaded.workflow.name;
  started.seed = std::string(32, '0');
  started.inputs = inputs.inputs;
  started.vars = inputs.vars;
  started.sub_inputs = inputs.sub_inputs;
  started.file = loaded.file;
  started.folder = loaded.folder;
  started.run_dir = journal.run_dir(started.id);
  started.concurrency = options.concurrency;
  started.via = options.via;
  started.fail_fast = options.fail_fast;
  started.forked_of = options.forked_of;
  started.forked_from = options.forked_from;
  std::unique_ptr<Reuse> reuse = reuse_for(journal, started, loaded.workflow);
  if (!reuse) return {};
  const std::unique_ptr<ItemFeed> items = items_of_run(journal, journal.find(options.forked_of));
  Preview preview(*reuse, *items, loaded, evaluator);
  preview.play(std::move(started));
  return std::move(preview.preview);
}

}  // namespace flowrun
