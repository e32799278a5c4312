#include "engine/run/predict.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "engine/jq/jq.h"
#include "engine/machine/machine.h"
#include "engine/machine/machine_view.h"
#include "engine/run/paper_executor.h"
#include "engine/run/replay.h"
#include "engine/run/virtual_time.h"

namespace flowrun {
namespace {

/// A run that makes so many times the entries of the recorded one goes in circles.
constexpr std::size_t kMostTimes = 50;
constexpr std::size_t kMostBesides = 100000;

class PaperRun : public EventSink {
 public:
  PaperRun(const Recording& recording, const Loaded& loaded, Evaluator& evaluator, const WhatIf& what_if,
           const SawEntry& saw)
      : recording_(recording),
        what_if_(what_if),
        saw_(saw),
        started_(recording.started()),
        now_(recording.started_at()),
        machine_(loaded.workflow, evaluator) {
    if (what_if.jobs > 0) started_.jobs = what_if.jobs;
    if (what_if.concurrency > 0) started_.concurrency = what_if.concurrency;
    executor_.emplace(
        recording, [&](const std::string& path) { return factor_of(what_if_, path); }, started_.jobs, started_.cpus);
  }

  Prediction to_the_end() {
    for (const RecordedSignal& early : recording_.early_signals()) send(early, recording_.started_at());
    take({now_, started_});
    release();
    while (machine_.phase() != Machine::Phase::Ended) {
      const std::optional<Instant> next = next_instant();
      if (!next) never_ends();
      count_waits(*next - now_);
      now_ = *next;
      turn();
      if (entries_ > recording_.entries() * kMostTimes + kMostBesides)
        throw Error(Problem::Impossible,
                    fmt::format("--what-if {}: the run would make more than {} times the entries of the recorded one",
                                what_if_.text, kMostTimes));
    }
    return prediction();
  }

  void happened(const Event& event, bool late) override {
    tell([&] { return to_entry(event, late); });
  }
  void decide(Decision decision) override {
    tell([&] { return to_entry(decision, now_); });
    commands_.push_back(std::move(decision));
  }

 private:
  struct Mail {
    Instant at;
    std::uint64_t number;
    SignalReceived signal;
    bool operator>(const Mail& other) const { return std::tie(at, number) > std::tie(other.at, other.number); }
  };

  template <typename Make>
  void tell(Make make) {
    ++entries_;
    if (!saw_) return;
    Entry entry = make();
    entry.seq = static_cast<std::int64_t>(entries_);
    saw_(entry);
  }

  void take(Event event) {
    event.at = now_;
    if (!machine_.expects(event)) return;
    const auto* ended = std::get_if<TaskEnded>(&event.fact);
    happened(event, ended && machine_.late(*ended));
    machine_.apply(event, *this);
  }

  /// In the order of Run::turn.
  void turn() {
    std::vector<Event> happened;
    executor_->advance(now_, happened);
    for (Event& event : happened) take(std::move(event));
    while (!timers_.empty() && timers_.top().at <= now_) {
      const VirtualTimer timer = timers_.top();
      timers_.pop();
      if (machine_.timers().due(timer.path, timer.timer) == timer.due) take({{}, TimerFired{timer.path, timer.timer}});
    }
    while (!mail_.empty() && mail_.top().at <= now_) {
      SignalReceived signal = mail_.top().signal;
      mail_.pop();
      take({{}, std::move(signal)});
    }
    while (next_items() && *next_items() <= now_) take_items();
    release();
    executor_->acted();
  }

  std::optional<Instant> next_instant() const {
    std::optional<Instant> next = executor_->next();
    const auto sooner = [&](Instant at) { next = next ? std::min(*next, at) : at; };
    if (!timers_.empty()) sooner(timers_.top().at);
    if (!mail_.empty()) sooner(mail_.top().at);
    if (const std::optional<Instant> items = next_items()) sooner(*items);
    if (next) next = std::max(*next, now_);
    return next;
  }

  /// When the stream may have more of what it wants.
  std::optional<Instant> next_items() const {
    const ItemStream* stream = machine_.stream();
    if (!stream || machine_.phase() != Machine::Phase::Running || items_told_ || stream->wanted() == 0)
      return std::nullopt;
    const auto& items = recording_.items();
    if (items_ < items.size()) return recording_.started_at() + items[items_].there;
    // Only the end is left.
    return recording_.items_ended() ? std::optional(now_) : std::nullopt;
  }

  void take_items() {
    const ItemStream* stream = machine_.stream();
    ItemsArrived arrived;
    arrived.path = stream->stream_path();
    Json values = Json::array();
    const auto& items = recording_.items();
    for (std::size_t most = stream->wanted(); most > 0 && items_ < items.size(); --most, ++items_) {
      if (recording_.started_at() + items[items_].there > now_) break;
      if (items[items_].nth > 1) arrived.repeated.push_back({static_cast<int>(values.size()), items[items_].nth});
      values.push_back(items[items_].value);
    }
    arrived.items = Value(std::move(values));
    arrived.last = items_told_ = items_ == items.size() && recording_.items_ended();
    take({{}, std::move(arrived)});
  }

  void send(const RecordedSignal& recorded, Instant since) {
    mail_.push({since + recorded.after, ++mails_, recorded.signal});
  }

  void release() {
    for (Decision& decision : std::exchange(commands_, {})) release(decision);
  }

  void release(Decision& decision) {
    if (command(*executor_, decision)) return;
    if (const auto* timer = std::get_if<ArmTimer>(&decision.what)) {
      Instant at = timer->due;
      if (timer->timer == TimerKind::Sleep)
        at = recording_.slept_before(timer->path) ? now_ : now_ + scaled(timer->span, factor_of(what_if_, timer->path));
      timers_.push({at, timer->path, timer->timer, timer->due});
    } else if (const auto* awaited = std::get_if<SignalAwaited>(&decision.what)) {
      answer(awaited->path);
    }
  }

  /// What came for the wait comes again, as long after its beginning.
  void answer(const std::string& path) {
    const auto* signals = recording_.signals(path);
    std::size_t& next = answered_[path];
    if (!signals || next >= signals->size()) return;
    RecordedSignal signal = (*signals)[next++];
    signal.after = scaled(signal.after, factor_of(what_if_, path));
    send(signal, now_);
  }

  void count_waits(Duration span) {
    if (span == Duration{0}) return;
    if (executor_->has_line()) waits_[started_.jobs > 0 ? "jobs" : "cpus"] += span;
    bool free = false;  // whether somebody waits for nothing but `concurrency`
    for (const Pools::Line& line : machine_.pools().lines()) {
      const std::string name = line.limit ? line.limit->name : "";
      if (line.full)
        waits_[name.empty() ? "limit of a step" : "limit " + name] += span;
      else if (line.opens)
        waits_[(line.held ? "pause of " : "rate of ") + name] += span;
      else
        free = true;
    }
    // What waits in line for a process has a slot of `concurrency`, so that more of those would only lengthen the line.
    if (free && !executor_->has_line()) waits_["concurrency"] += span;
  }

  [[noreturn]] void never_ends() const {
    const std::vector<std::string> waiting = machine_.signals().awaiting_paths();
    if (!waiting.empty())
      throw Error(Problem::Impossible,
                  fmt::format("--what-if {}: the run would wait at {} for a signal that the recorded one never got",
                              what_if_.text, waiting.front()));
    if (machine_.stream())
      throw Error(Problem::Impossible, fmt::format("--what-if {}: the run would wait for more of its standard input "
                                                   "than the recorded one had",
                                                   what_if_.text));
    throw Error(Problem::Internal,
                fmt::format("--what-if {}: {}", what_if_.text, fmt::join(MachineView(machine_).stuck(), "; ")));
  }

  Prediction prediction() {
    Prediction told;
    told.took = now_ - recording_.started_at();
    told.outcome = machine_.outcome();
    told.attempts = executor_->begun();
    told.guessed = executor_->guessed();
    told.guessed_path = executor_->guessed_path();
    for (const auto& [what, span] : waits_) told.waits.push_back({what, span});
    std::stable_sort(told.waits.begin(), told.waits.end(),
                     [](const auto& one, const auto& other) { return one.span > other.span; });
    return told;
  }

  const Recording& recording_;
  const WhatIf& what_if_;
  const SawEntry& saw_;
  RunStarted started_;
  Instant now_;
  Machine machine_;
  std::optional<PaperExecutor> executor_;
  std::vector<Decision> commands_;  ///< to be released at the end of the turn
  Earliest<VirtualTimer> timers_;
  Earliest<Mail> mail_;
  std::uint64_t mails_ = 0;
  std::unordered_map<std::string, std::size_t> answered_;  ///< by path: how many of its signals were sent
  std::size_t items_ = 0;                                  ///< that have arrived
  bool items_told_ = false;                                ///< all, and that there are no more
  std::size_t entries_ = 0;
  std::map<std::string, Duration> waits_;
};

/// Throws when the settings of the drives differ, and |what_if| does not say which are meant.
void check_drives(const WhatIf& what_if, const Recording& recording) {
  const bool jobs = recording.other_jobs() && what_if.jobs == 0;
  if (jobs || (recording.other_concurrency() && what_if.concurrency == 0))
    throw Error(Problem::Impossible,
                fmt::format("--what-if {}: the drives of the run had different {}; say {}=N too", what_if.text,
                            jobs ? "-j" : "--concurrency", jobs ? "jobs" : "concurrency"));
}

}  // namespace

Prediction predict(const Recording& recording, Loaded& loaded, Evaluator& evaluator, const WhatIf& what_if,
                   const SawEntry& saw) {
  check_steps(what_if, recording, loaded.workflow);
  check_drives(what_if, recording);
  change_limits(loaded.workflow, what_if);
  try {
    return PaperRun(recording, loaded, evaluator, what_if, saw).to_the_end();
  } catch (const Json::exception& error) {
    throw Error(Problem::Impossible, fmt::format("--what-if {}: a result of the run is not what a step takes: {}",
                                                 what_if.text, error.what()));
  }
}

Recording recording_of(const Journal& journal, const RunRecord& run) {
  if (!has_ended(run.state)) throw Error(Problem::Impossible, not_to_be_told(run.id, "has not ended"));
  Recording recording;
  for (const Entry& entry : entries(journal, run)) recording.add(entry);
  recording.close();
  return recording;
}

Prediction predict(const Journal& journal, const RunRecord& run, const Recording& recording, const WhatIf& what_if,
                   const SawEntry& saw) {
  Loaded loaded = own_copy(journal, run);
  const std::unique_ptr<Jq> evaluator = make_jq(loaded.programs);
  return predict(recording, loaded, *evaluator, what_if, saw);
}

}  // namespace flowrun
