// A workflow played without a clock, a process or a file: the test says what happens, the machine says what follows.
// As it ends, every scenario replays its own log: from each prefix of its entries the same decisions must follow.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/machine/frame.h"
#include "engine/machine/machine.h"
#include "engine/model/entry.h"
#include "engine/run/history.h"
#include "engine/run/load.h"
#include "tests/support/driver.h"
#include "tests/support/replay_prefix.h"

namespace flowrun::test {

using namespace std::chrono_literals;

/// What a scenario plays.
struct Played {
  std::unique_ptr<Loaded> loaded;
  std::unique_ptr<Loaded> asked;  ///< the same for who asks for what nothing in it looks at
  std::unique_ptr<Evaluator> evaluator;
};

class Scenario : private Played, public Driver {
 public:
  /// |steps| is what stands under `steps:`, or a whole workflow when it begins with `flowrun:`. |files|: the texts of
  /// sub-workflows; |sub_inputs|: what the environment gives to them.
  explicit Scenario(const std::string& steps, const std::string& inputs = "{}", const Texts& files = {},
                    const std::string& sub_inputs = "null");
  ~Scenario() override;

  /// The attempt of |path| ends well with |value| as JSON.
  void succeed(const std::string& path, const std::string& value = "null");
  void fail(const std::string& path, const std::string& type = "exit.1", const std::string& message = "broken");
  void end(const std::string& path, Result result);
  void reserved(const std::string& path);
  /// Time passes; timers that are due fire in order.
  void advance(Duration span);
  /// Items of the stream at |path| come; |items| is a list.
  void arrive(const std::string& path, const std::string& items, bool last = false,
              std::vector<RepeatedItem> repeated = {});
  void signal(const std::string& name, const std::string& data = "null", const std::string& path = "");
  void reject(const std::string& name, const std::string& why);
  void suspend();
  void interrupt(const std::string& path);
  /// The attempt of |path| had no place yet and is not begun.
  void withdraw(const std::string& path);
  /// The executor has read the secret output of |path| again, or not for |failure|.
  void read_again(const std::string& path, std::optional<Failure> failure = {});
  /// Time passes in which flowrun does not run: no timer fires in it.
  void freeze(Duration span);
  /// The process dies here; |down| later somebody resumes.
  void crash_and_resume(RunResumed how = {}, Duration down = 1000ms);
  /// As `flowrun retry` does it: the log is played anew, knowing what will be reopened.
  void retry(const std::string& path = "");
  void retry(RunReopened asked);
  /// As a flowrun did that ran the whole of groups that had succeeded.
  void retry_inexactly(const std::string& path = "");
  void cancel(bool undo = false, bool now = false);
  void undo();  ///< `flowrun undo`, of a run that has ended

  void expect_started(const std::vector<std::string>& paths);  ///< exactly these, since last asked, in order
  void expect_stopped(const std::vector<std::string>& paths);
  /// Where what waits for a place was withdrawn, since last asked.
  void expect_withdrawn(const std::vector<std::string>& paths);
  void expect_state(const std::string& path, State state);
  void expect_running();
  void expect_success(const std::string& output = "");  ///< JSON; empty: any
  void expect_failure(const std::string& type, const std::string& step = "");
  void expect_cancelled();
  void expect_suspended();

  State state(const std::string& path) const;
  Json output(const std::string& path) const;  ///< also what the machine has let go
  std::string reason(const std::string& path) const;
  Duration timer(const std::string& path, TimerKind kind) const;
  const std::vector<Entry>& entries() const { return log; }

  void happened(const Event& event, bool late) override;
  void decide(Decision decision) override;

 private:
  Scenario(Played played, const std::string& inputs, const std::string& sub_inputs);
  void check_replays() const;

  History history_;
  std::vector<std::string> started_, stopped_, withdrawn_;
  std::map<std::string, Instant> began_;
};

/// Loads a workflow from text; fails the test with the diagnostics when it is not valid.
std::unique_ptr<Loaded> load_text(const std::string& text, const Texts& files = {}, bool for_questions = false);

}  // namespace flowrun::test
