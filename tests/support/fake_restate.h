// What a Restate server is to one invocation of `run`: it keeps its journal, hands it over when it wakes, and does what
// it is asked for, when the test says so. Strict: what a server would answer by waking for ever is a failure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/model/task.h"
#include "engine/model/task_text.h"
#include "engine/model/time.h"
#include "engine/restate/handler.h"
#include "engine/restate/messages.h"
#include "engine/restate/step_call.h"

namespace flowrun::test {

class FakeRestate {
 public:
  /// |body| of a POST to /invoke/flowrun/run.
  using Worker = std::function<std::string(const restate::Invocation&)>;
  FakeRestate(std::string input, int protocol, Worker worker);

  /// Hands the journal over as often as the run wants it. Throws what is wrong with an answer.
  void run();
  /// The same, and the answer is lost on the way: nothing of it is recorded.
  void run_in_vain();

  struct Call {
    std::string name;
    restate::StepCall step;
    std::string invocation;
    bool stopped = false;
  };
  struct Sleep {
    std::string name;
    Instant wake;
  };
  /// What is asked for and not answered yet, by its completion.
  std::map<std::uint32_t, Call> calls;
  std::map<std::uint32_t, Sleep> sleeps;

  void complete(std::uint32_t call, const TaskEnded& ended, Instant at) { answer(call, ended_text(ended, at)); }
  /// Any text as the answer.
  void answer(std::uint32_t call, std::string_view text);
  void fail(std::uint32_t call, std::uint32_t code, const std::string& message);
  void wake(std::uint32_t sleep);
  void mail(const std::string& text);  ///< as the handler `send` delivers it
  void cancel();

  const std::optional<std::string>& output() const { return output_; }
  /// The code and message of the Error that was answered last.
  const std::optional<std::pair<std::uint32_t, std::string>>& error() const { return error_; }
  struct Entry {
    restate::FrameType type;
    std::string message;
  };
  std::vector<Entry> journal;  ///< behind Start
  std::size_t invocations = 0;

 private:
  std::string body() const;
  std::string asked() const;
  void record(const std::string& answer);
  void suspend(std::string_view message);
  bool satisfied(const restate::Awaited& awaited) const;
  void notify(restate::FrameType type, std::string message);

  const int protocol_;
  const Worker worker_;
  std::optional<restate::Awaited> awaited_;
  std::optional<std::string> output_;
  std::optional<std::pair<std::uint32_t, std::string>> error_;
  std::uint32_t mails_ = 0;
  bool ended_ = false;
};

/// What |message|, of a Suspension, waits for.
restate::Awaited awaited_from(std::string_view message, int protocol);

}  // namespace flowrun::test
