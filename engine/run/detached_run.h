// A run on a Restate server, as a pure function: from what it was started with and what has happened to it, in the
// order in which the server has recorded that, to its entries, to what the server is asked for, and to its end. The
// worker answers with it, and who looks at the run from elsewhere reads it back with it. Knows no network, file or
// clock.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/machine/machine.h"
#include "engine/model/entry.h"
#include "engine/restate/messages.h"
#include "engine/run/detached_input.h"
#include "engine/run/mailbox.h"

namespace flowrun {

/// What the server is asked for: a command of its journal.
struct ServerCommand {
  restate::FrameType type{};
  std::string message;
  // For people, and compared with what was recorded:
  std::string target;  ///< the handler that is called; empty: none
  std::string name;
  std::uint32_t completion = 0;  ///< id of what answers it
};

/// Names of the services and handlers that a detached run needs, behind that of the pool's service.
constexpr std::string_view kRunHandler = "run", kStopHandler = "stop", kMailSuffix = ".mail", kMailHandler = "send";

/// A message to a detached run, and back. What is none is nothing: anybody may send to a server.
std::string mail_text(const MailRequest& request, Instant at);
struct DetachedMail {
  Instant at;
  MailRequest request;
};
std::optional<DetachedMail> detached_mail_from(std::string_view text);
/// The signal that brings the message |number|, from 1. Each has a name of its own: who waits for a signal that has
/// come once is woken at once, for ever.
std::string mail_signal(std::uint32_t number);
/// What the handler `stop` is asked: to have |invocation| killed through |admin|.
std::string stop_text(const std::string& admin, const std::string& invocation);

/// Belongs to one thread.
class DetachedRun : private EventSink {
 public:
  /// Gets each entry, numbered, as a run at home would have written it.
  using Saw = std::function<void(Entry)>;

  /// Begins. |loaded| is the workflow of |input|; it and |evaluator| are lent.
  DetachedRun(const DetachedInput& input, const Loaded& loaded, Evaluator& evaluator, Saw saw = {});

  /// What the server has recorded, in its order. What means nothing to the run changes nothing.
  void take(const restate::Notification& notification);

  /// All that the server has been asked for since the beginning, in order. It only gets longer.
  const std::vector<ServerCommand>& commands() const { return commands_; }
  /// What it waits for. REQUIRES: !ended()
  restate::Awaited awaited() const;
  bool ended() const { return machine_->phase() == Machine::Phase::Ended; }
  /// How it ended: {run, state, output, error}. REQUIRES: ended()
  std::string outcome_text() const;

  const Machine& machine() const { return *machine_; }
  Instant last_at() const { return last_at_; }

 private:
  struct Step {
    std::string path;
    int attempt = 0;
    std::string service;
    std::string invocation;  ///< empty: not known yet
    bool stopping = false;
  };
  struct Timer {
    std::string path;
    TimerKind timer;
    Instant due;
  };

  // The run, which the machine knows as its sink.
  void happened(const Event& event, bool late) override;
  void decide(Decision decision) override;

  void take(Event event);
  void end_step(const restate::Notification& notification);
  void tell(Entry entry);
  void start(Task task);
  void stop(const std::string& path, int attempt);
  void kill(const Step& step);
  void arm(const ArmTimer& timer);
  bool expects(const Timer& timer) const;
  void command(ServerCommand command) { commands_.push_back(std::move(command)); }

  const Loaded& loaded_;
  const std::string admin_;
  const Saw saw_;
  std::unique_ptr<Machine> machine_;
  Instant last_at_{};
  std::int64_t entries_ = 0;
  std::vector<ServerCommand> commands_;
  std::deque<Event> at_once_;                          ///< what follows from decisions by themselves, not taken in yet
  std::uint32_t ids_ = 0;                              ///< of completions
  std::map<std::uint32_t, Step> steps_;                ///< in flight, by the completion that ends each
  std::unordered_map<std::string, std::uint32_t> at_;  ///< the same by path
  std::unordered_map<std::uint32_t, std::uint32_t> invocations_;  ///< by the completion that tells its id
  std::map<std::uint32_t, Timer> timers_;                         ///< that have not fired
  std::uint32_t mails_ = 0;                                       ///< that have come
  bool cancelled_ = false;                                        ///< through the server
};

}  // namespace flowrun
