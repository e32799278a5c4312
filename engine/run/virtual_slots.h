// The line and the slots of the real executor, for executors in virtual time: who may begin, in which order, and what
// is told at once. Begins nothing and knows no time.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/executor/process_slots.h"
#include "engine/model/event.h"

namespace flowrun {

class VirtualSlots {
 public:
  using Start = std::function<void(const Task& task)>;

  /// |jobs| and |cpus| as in ExecutorOptions. |start| is called for each task that may begin.
  VirtualSlots(int jobs, int cpus, Start start) : slots_(jobs, cpus), start_(std::move(start)) {}

  // As of Executor.
  void begin(Task task);
  void reserve(const ReservePlace& place);
  /// Takes a waiting task or a reservation out again, and tells the end of the task. False: there is none.
  bool stop(const std::string& path, int attempt);
  void withdraw(const std::string& path);
  void acted();

  /// The process at |path| has ended |well| or not: then its slot waits for what the run says.
  void end(const std::string& path, const ProcessSlots::Place& place, bool well);
  /// The run is told of that failure now.
  void told_failure(std::string path) { failed_.push_back(std::move(path)); }

  /// Whether a process waits in line.
  bool has_line() const { return slots_.waiting() > 0; }
  /// Something that the run is to be told at once.
  void add(Event event) { told_.push_back(std::move(event)); }
  bool has_told() const { return !told_.empty(); }
  /// Moves what is told to the end of |happened|.
  void tell(std::vector<Event>& happened);

 private:
  void fill();

  ProcessSlots slots_;
  const Start start_;
  std::vector<Event> told_;
  std::vector<std::string> failed_;
};

}  // namespace flowrun
