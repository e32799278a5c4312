// The one way in which tests feed a machine: as a run does, with a log instead of a journal and a number instead of a
// clock. Knows no workflow and no rule; what happens is said by who derives from it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/machine/machine_view.h"
#include "engine/model/entry.h"

namespace flowrun::test {

class Driver : public EventSink {
 public:
  /// Both are lent.
  Driver(const Workflow& workflow, Evaluator& evaluator);

  std::vector<Entry> log;

  const Machine& machine() const { return *machine_; }
  MachineView view() const { return MachineView(*machine_); }
  const Task& task(const std::string& path) const { return tasks_.at(path); }  ///< of its newest attempt
  Instant now() const { return now_; }

  void happened(const Event& event, bool late) override;
  void decide(Decision decision) override;

 protected:
  /// The fact happens now. False: the machine does not expect it, and nothing has changed.
  template <typename Fact>
  bool offer(Fact fact) {
    return machine_->take({now_, std::move(fact)}, *this);
  }
  /// The same of what has to be expected; throws when it is not.
  template <typename Fact>
  void happens(Fact fact) {
    if (!offer(std::move(fact))) refuse();
  }
  /// Whether the fact would be expected now.
  template <typename Fact>
  bool expects(Fact fact) const {
    return machine_->expects({now_, std::move(fact)});
  }
  /// The next timer fires, and time goes on to its date. False: there is none, or none until |until|.
  bool fire_timer(std::optional<Instant> until = {});
  /// A new machine takes in the facts of the log; what it decides is told to nobody.
  void play_anew(Foresight foresight);

  std::unique_ptr<Machine> machine_;
  Instant now_ = from_millis(1'800'000'000'000);
  std::map<std::string, Task> tasks_;  ///< newest attempts, by path

 private:
  [[noreturn]] static void refuse();

  const Workflow& workflow_;
  Evaluator& evaluator_;
};

}  // namespace flowrun::test
