// A run in virtual time: the machine decides as in any run, a scripted executor acts, the journal is a list in memory.
// It may die at an entry and be resumed: then a fresh machine is fed what was written. Knows neither files of scenarios
// nor what is expected; reads no clock.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/machine/machine.h"
#include "engine/run/history.h"
#include "engine/run/replay.h"
#include "engine/run/virtual_time.h"
#include "engine/scenario/scripted_executor.h"

namespace flowrun {

/// Why a run in virtual time does not come to its end.
class NoEnd : public std::runtime_error {
 public:
  /// |path|: the step that it is about; empty: none.
  NoEnd(std::string path, const std::string& what, std::string advice = "")
      : std::runtime_error(what), path(std::move(path)), advice(std::move(advice)) {}
  const std::string path, advice;
};

/// The world around a run.
struct World {
  /// How the attempt |nth|, from 1, of the step of |task| ends, which begins at |now|. May throw.
  std::function<Result(const Task& task, int nth, Instant now)> answer;

  struct Signal {
    SignalReceived signal;
    /// Since the run began, or since |after| has held; nothing, and no |after|: once a step waits for it.
    std::optional<Duration> at;
    std::function<bool(const std::string& path)> after;  ///< whether it is the step whose end is meant
  };
  std::vector<Signal> signals;
  std::vector<Json> items;  ///< of standard input

  struct Crash {
    std::size_t after = 1;  ///< so many entries are written by then
    Duration down{0};
    OnCrash on_crash = OnCrash::Default;
  };
  std::vector<Crash> crashes;  ///< in order
};

/// One run. Belongs to one thread.
class VirtualRun : public EventSink {
 public:
  /// All but |started| and |world| is lent.
  VirtualRun(const Workflow& workflow, Evaluator& evaluator, RunStarted started, World world, Instant now);

  /// Throws NoEnd, and what World::answer throws.
  void to_the_end();

  /// A request that was sent, or a process that was begun.
  struct Sent {
    std::int64_t seq;  ///< of the entry of its start
    Instant at;        ///< when it began; later than the entry when it had to wait in line
    Task task;
  };
  const std::vector<Sent>& sent() const { return sent_; }
  /// What is written.
  const std::vector<Entry>& entries() const { return entries_; }
  const Machine& machine() const { return *machine_; }
  const History& history() const { return history_; }
  /// From its beginning to the newest entry.
  Duration took() const { return entries_.empty() ? Duration{0} : entries_.back().at - began_; }
  /// Whether that one of World::signals was sent, be it too late.
  bool has_sent(std::size_t signal) const { return posted_[signal]; }
  /// How many of the crashes there were.
  std::size_t crashed() const { return crashed_; }

  void happened(const Event& event, bool late) override;
  void decide(Decision decision) override;

 private:
  struct Mail {
    Instant at;
    std::size_t number;  ///< in World::signals
    bool operator>(const Mail& other) const { return std::tie(at, number) > std::tie(other.at, other.number); }
  };
  /// A command with the number of its entry.
  using Command = std::pair<std::int64_t, Decision>;

  void make_executor();
  Result ask(const Task& task);
  bool take(Fact fact);
  void turn();
  /// The batch is written: the process dies, or what is commanded is done.
  void commit();
  void release(Decision& decision);
  void take_timers();
  /// What has come, or only what came before |until|.
  void take_mail(std::optional<Instant> until = {});
  void take_items();
  bool has_items() const;
  void post(std::size_t number, Instant at);
  /// What is sent once the step at |awaited| waits.
  void post_for(const SignalAwaited& awaited);
  /// What is sent once one of the steps of this turn has ended.
  void post_behind_ends();
  std::optional<Instant> next_instant() const;
  void crash(const World::Crash& crash);
  void resume(const World::Crash& crash, Replayed replayed, std::vector<std::string> queued);
  /// Keeps the first |count| entries, and what follows from them.
  void keep(std::size_t count);
  /// Steps whose attempts wait in the line; of the first |until| entries.
  std::vector<std::string> in_line(std::size_t until) const;
  [[noreturn]] void never_ends() const;
  void write(Entry entry);
  /// What |entry| says of the attempts of its step.
  void count(const Entry& entry);

  const Workflow& workflow_;
  Evaluator& evaluator_;
  const RunStarted started_;
  const World world_;
  const Instant began_;
  Instant now_;
  Instant last_at_{};  ///< of the newest fact
  std::unique_ptr<ReplayThenLive> replay_then_live_;
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<ScriptedExecutor> executor_;

  /// What the entries tell of the attempts of a step.
  struct Started {
    std::int64_t seq = 0;  ///< of the newest start
    int nth = 0;           ///< which attempt that is
    bool again = false;    ///< it had begun before, and was cut off
  };

  std::vector<Entry> entries_;
  History history_;
  std::map<std::string, Started> starts_;  ///< by path
  std::vector<Command> commands_;          ///< to be released when their batch is written
  std::vector<Sent> sent_;
  Earliest<VirtualTimer> timers_;
  Earliest<Mail> mail_;
  std::vector<bool> posted_;                   ///< by number of the signal
  std::map<std::size_t, std::int64_t> taken_;  ///< numbers of signals that were taken in, with their entries
  std::vector<std::string> ends_;              ///< paths at which something has ended in this turn
  std::size_t items_ = 0;                      ///< that have arrived
  bool items_told_ = false;                    ///< all, and that there are no more
  std::size_t crashed_ = 0;
  bool dying_ = false;  ///< nothing that begins now comes to an end
};

}  // namespace flowrun
