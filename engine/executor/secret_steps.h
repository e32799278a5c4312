// The steps whose output is secret, and those that need it: what a drive has not had is read again by its step before
// who needs it begins. Knows tasks and results; not how a task is carried out.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
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

  /// What follows from a task, or from what has happened.
  struct Then {
    std::vector<Task> begin;                        ///< to be carried out now
    std::vector<Event> happened;                    ///< to be told
    std::vector<Task> ended;                        ///< that is told: what was held for them is free
    std::vector<std::pair<std::string, int>> stop;  ///< paths and attempts that nobody needs any more
  };

  /// |task| is what reads the output of its step again.
  void remember(const Task& task) { known_[task.path] = task; }
  /// |task| begins, or waits until what it needs has been read again.
  Then admit(Task task);
  /// Takes the outputs out of what |happened| from number |from| on, and adds what is to be told to it.
  Then take(std::vector<Event>& happened, std::size_t from);
  /// Takes the attempt out again, if it waits for an output.
  std::optional<Task> withdraw(const std::string& path, int attempt, Then& then);
  /// All that wait at |path| and below.
  std::vector<Task> withdraw_below(const std::string& path, Then& then);
  /// How many that the machine has asked for wait.
  std::size_t waiting() const { return waiting_.size() - reads_waiting_; }

 private:
  struct Waiting {
    Task task;
    bool again;                              ///< it reads an output again; the machine has not asked for it
    std::vector<std::string> needs;          ///< paths of the outputs that were not there
    std::optional<std::size_t> number = {};  ///< in the line's file
  };
  /// An attempt of a step with a secret output.
  struct UnderWay {
    int attempt;
    bool again;
    bool stopping = false;
  };

  std::vector<std::string> missing(const Task& task) const;
  /// Whether an attempt of the same step is under way: two of them would be known by one path.
  bool follows_itself(const Task& task, bool again) const {
    return !again && task.secret_output && under_way_.contains(task.path);
  }
  void begin_or_wait(Task task, bool again, Then& then);
  void begin(Task task, bool again, Then& then);
  /// Reads the output of |path| again, unless an attempt of it is under way or waits.
  void read(const std::string& path, Then& then);
  /// Begins what waits for nothing any more, and reads what is needed and not under way.
  void go_on(Then& then);
  /// Nobody needs a read any more: it is not begun, or stopped.
  void stop_unneeded(Then& then);
  /// What waits for the output of |path| ends with |failure|.
  void fail_waiting(const std::string& path, const Failure& failure, Then& then);
  /// Takes in the end of an attempt of a step with a secret output. False: nobody else is to know.
  bool take_end(Event& event, Then& then);
  Task take_out(std::size_t which);

  SecretOutputs& outputs_;
  LineFile* const line_;
  const std::string drive_;
  std::map<std::string, Task> known_;          ///< by path
  std::map<std::string, UnderWay> under_way_;  ///< by path
  std::deque<Waiting> waiting_;
  std::size_t reads_waiting_ = 0;               ///< of |waiting_|
  std::map<std::string, std::size_t> needed_;   ///< how many of them need the output of a path
  std::map<std::string, std::size_t> to_come_;  ///< how many of them are attempts of a step with a secret output
};

}  // namespace flowrun
