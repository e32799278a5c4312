// The steps whose output is secret, and those that need it: what a drive has not had is read again by its step before
// who needs it begins. Knows tasks and results; not how a task is carried out.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/executor/line_file.h"
#include "engine/executor/secret_outputs.h"
#include "engine/model/event.h"
#include "engine/model/task.h"

namespace flowrun {

/// The run thread's.
class SecretSteps {
 public:
  /// |drive|: its token. |line| has the tasks that wait as well; null: nobody reads it. All are lent.
  SecretSteps(SecretOutputs& outputs, LineFile* line, std::string drive)
      : outputs_(outputs), line_(line), drive_(std::move(drive)) {}

  /// |task| is what reads the output of its step again.
  void remember(const Task& task);
  /// What follows from a task or an end.
  struct Then {
    std::vector<Task> begin;      ///< to be carried out now
    std::vector<Event> happened;  ///< to be told
  };
  /// |task| begins, or waits until what it needs has been read again.
  Then admit(Task task);
  /// Takes the outputs out of what |happened| from number |from| on, and adds what follows to it. Returns the tasks
  /// that are to be carried out now.
  std::vector<Task> take(std::vector<Event>& happened, std::size_t from);
  /// Takes tasks that wait for an output out again.
  std::optional<Task> withdraw(const std::string& path, int attempt);
  std::vector<Task> withdraw_below(const std::string& path);
  /// What would be read again and has not begun is not.
  void give_up();
  /// Whether the step at |path| is being read again: the machine has not asked for it.
  bool is_read_again(const std::string& path) const { return read_again_.contains(path); }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    Task task;
    std::optional<std::size_t> number;  ///< in the line's file
    bool again;                         ///< it reads an output again; the machine has not asked for it
  };
  /// The paths of the outputs that |task| needs and that are not there.
  std::vector<std::string> missing(const Task& task) const;
  void begin_or_wait(Task task, bool again, Then& then);
  /// Begins what waits for nothing any more.
  void begin_ready(Then& then);
  /// What waits for the output of |path| ends with |failure|.
  void fail_waiting(const std::string& path, const Failure& failure, Then& then);
  Task take_out(std::deque<Waiting>::iterator which);

  SecretOutputs& outputs_;
  LineFile* const line_;
  const std::string drive_;
  std::map<std::string, Task> known_;      ///< by path
  std::map<std::string, int> read_again_;  ///< paths and attempts that are being carried out again
  std::deque<Waiting> waiting_;
};

}  // namespace flowrun
