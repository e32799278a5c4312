// Acts: HTTP calls and processes. Knows tasks and results; nothing of workflows, frames or the journal.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/model/decision.h"
#include "engine/model/event.h"
#include "engine/model/task.h"
#include "engine/shared/held_places.h"

namespace flowrun {

class LineFile;
class Secrets;

class Executor {
 public:
  virtual ~Executor() = default;
  /// Begins |task| as soon as a slot is free for it; never blocks. wait() returns its TaskEnded, always, unless the
  /// task is withdrawn.
  virtual void begin(Task task) = 0;
  /// |task|, which is not begun by this, reads the output of a step again that is secret and that begin() needs.
  virtual void remember(const Task& task) { (void)task; }
  /// |task|, whose output is secret, has ended with |value|, though not by this executor.
  virtual void learn(const Task& task, const Value& value) { (void)task, (void)value; }
  /// Holds a slot for a strict step; wait() returns TaskReserved. begin() with `strict` uses the slot up,
  /// stop() of the same path frees it.
  virtual void reserve(const ReservePlace& place) = 0;
  /// Ends an attempt: transfer aborted; process group TERM, its kill_grace, KILL. Its TaskEnded still comes (type
  /// `cancelled`). Unknown or ended attempts: no effect.
  virtual void stop(const std::string& path, int attempt) = 0;
  /// The tasks at |path| and below it that wait for a slot are not begun; wait() returns TaskWithdrawn for each.
  virtual void withdraw(const std::string& path) = 0;
  /// Stops everything: not begun tasks end at once, processes get TERM and after their kill_grace, or |most| when that
  /// is less, KILL. Each answers TaskEnded of type `cancelled`. Once more: only less patience is news.
  virtual void stop_all(std::optional<Duration> most) = 0;
  /// Blocks until something has happened, wake() was called or |timeout| is over; appends what happened, in order of
  /// arrival. `at` of the events is not filled: the run stamps them.
  virtual void wait(std::vector<Event>& happened, Duration timeout) = 0;
  /// Call when everything the last wait() returned has been processed. A failed process keeps its slot until then,
  /// because the run may withdraw the task that is next in line.
  virtual void acted() = 0;
  /// How long flowrun itself did not run, all together: it was stopped, or the machine slept. To be asked a few times a
  /// second. Limits of attempts do not count that time.
  virtual Duration lost() = 0;
  /// What has ended by now comes from the next wait(); for after such a time, before timers fire. Takes a second at
  /// most.
  virtual void catch_up() = 0;
  /// Where that stands which was started and has not begun, for the drive after this one; null: nowhere.
  virtual LineFile* line() { return nullptr; }
  /// Makes wait() return soon. Safe in a signal handler and from any thread.
  virtual void wake() = 0;
  /// How many tasks wait for a slot: what ends is followed by one of them at once. 0 while a slot waits for acted().
  virtual std::size_t ahead() const = 0;
  /// How many tasks and reservations wait for a slot, so have not begun. For people: it is another when it is read.
  virtual std::size_t in_line() const = 0;
  /// How many tasks have their slot, and wait for a place of what drives on the same journal share, by its name.
  virtual std::map<std::string, std::size_t> in_shared_line() const { return {}; }
  /// Why tasks do not go on at present, for people, when they are carried out elsewhere; empty: they do.
  virtual std::string trouble() const { return {}; }
};

struct ExecutorOptions {
  int workers = 0;  ///< threads; 0: one a core, at most 4
  int jobs = 0;     ///< processes at once; 0: see Process::shares_cpus
  int cpus = 1;     ///< slots for processes that share the CPUs
  std::string run_id, token;
  std::string run_dir;                ///< made when first needed
  std::string shared_file = {};       ///< beside the journal, of pools that drives share; made when first needed
  std::vector<HeldPlaces> held = {};  ///< what the drive has of such files while processes run: its key
  bool secret_outputs = false;        ///< some task may have a secret output
  const Secrets* secrets = nullptr;   ///< outlives the executor; null: none
};

/// Loads what HTTP needs, which takes 5 ms; else the first request does. Throws Error(Impossible) where it is not
/// there.
void prepare_http();

/// The executor on this machine: a pool of event loops.
std::unique_ptr<Executor> make_worker_pool(const ExecutorOptions& options);

}  // namespace flowrun
