#include "engine/restate/remote_executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <unordered_map>

#include "engine/model/error.h"
#include "engine/model/json_text.h"
#include "engine/restate/remote_answer.h"
#include "engine/restate/requests.h"
#include "engine/restate/server.h"
#include "engine/restate/step_call.h"

namespace flowrun::restate {
namespace {

using Steady = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kLargestCall = (32 << 20) - 4096;        // the server takes 32 MiB, with what it adds
constexpr milliseconds kFirstPause{100}, kLongestPause{2000};  // between two looks for a server that is gone
constexpr seconds kQuiet{20};                                  // nothing was heard for so long: is it still there?
constexpr seconds kBeyondTimeout{5};  // beyond the timeout of an attempt, which its worker keeps
constexpr seconds kGiveUp{600};       // the longest that an attempt waits for a server
constexpr seconds kWorthAWord{3};     // and when people are told
constexpr seconds kStopPatience{30};  // until an attempt that is stopped is given up
constexpr milliseconds kKillAgain{200};
constexpr std::size_t kStopsAtOnce = 64;
constexpr seconds kIdle{5};  // no attempt has ended for so long: do workers take them?

/// An attempt that has not ended.
struct Remote {
  Task task;  ///< without its work
  std::string text;
  Steady::time_point began;
  std::uint64_t request = 0;  ///< under way; 0: it waits for the server
  bool reached = false;       ///< the server may have it
  Steady::time_point sent_at{}, not_before{};
  milliseconds pause{0};                    ///< before it is sent again
  std::optional<Steady::time_point> since;  ///< the server has not taken it, or lost it
  std::string why;                          ///< the same in words
  enum class Stop { No, Wanted, Asked, Killed } stop = Stop::No;
  Steady::time_point stop_by{};
  std::string invocation;  ///< its id, once it is known
};

class RemoteExecutor final : public Executor {
 public:
  explicit RemoteExecutor(RemoteOptions options) : options_(std::move(options)) {}

  void begin(Task task) override;
  void reserve(const ReservePlace& place) override { tell(TaskReserved{place.path}); }
  void stop(const std::string& path, int attempt) override;
  /// Nothing waits for a place of this machine.
  void withdraw(const std::string&) override {}
  void stop_all(std::optional<Duration>) override;
  void wait(std::vector<Event>& happened, Duration timeout) override;
  void acted() override {}
  Duration lost() override { return inner().lost(); }
  void catch_up() override { inner().catch_up(); }
  void wake() override { inner().wake(); }
  std::size_t ahead() const override { return 0; }
  std::size_t in_line() const override { return waiting_; }
  std::string trouble() const override;

 private:
  using Remotes = std::map<std::uint64_t, Remote>;  // in order of begin()
  enum class What { Step, Health, Workers, Lookup, Kill };
  struct Asked {
    What what;
    std::uint64_t call;
  };

  Executor& inner() { return requests_.executor(); }
  void tell(Fact fact) { told_.push_back({{}, std::move(fact)}); }
  void send(std::uint64_t number, Remote& call);
  void take(const Answer& answer, Steady::time_point now);
  void take_step(std::uint64_t number, const Answer& answer, Steady::time_point now);
  void take_health(const Answer& answer, Steady::time_point now);
  /// What the server says of calls that no worker takes.
  void take_workers(const Answer& answer);
  void take_stop(What what, std::uint64_t number, const Answer& answer, Steady::time_point now);
  /// The call waits until the server answers again.
  void hold(Remote& call, const Answer& answer, Steady::time_point now);
  void server_is_gone(const std::string& why, Steady::time_point now);
  void begin_stop(std::uint64_t number, Remote& call);
  void ask_to_stop(Steady::time_point now);
  void look(Steady::time_point now);
  void give_up_overdue(Steady::time_point now);
  void end(std::uint64_t number, Result result);
  void fail(std::uint64_t number, const char* type, std::string message);
  void cancel(std::uint64_t number, const char* how);

  const RemoteOptions options_;
  Requests requests_;
  Remotes calls_;
  std::unordered_map<std::string, std::uint64_t> by_path_;
  std::unordered_map<std::uint64_t, Asked> asked_;  ///< by request
  std::uint64_t last_ = 0;
  std::size_t waiting_ = 0;  ///< calls that are not under way
  std::deque<Event> told_;
  std::vector<Answer> answers_;

  // Of the server.
  std::optional<Steady::time_point> gone_since_;
  std::string gone_why_;
  milliseconds pause_ = kFirstPause;
  Steady::time_point look_at_{}, heard_at_ = Steady::now();
  bool looking_ = false;
  Steady::time_point ended_at_ = Steady::now(), workers_asked_at_{};  ///< when the last attempt ended
  std::string workers_;                                               ///< why none takes what the server has

  std::deque<std::uint64_t> to_stop_;                            ///< calls
  std::multimap<Steady::time_point, std::uint64_t> stop_again_;  ///< calls, when to ask again
  std::size_t stopping_ = 0;                                     ///< requests to that end under way
  std::size_t to_end_ = 0;                                       ///< calls that are stopped and have not ended
};

void RemoteExecutor::begin(Task task) {
  StepCall step;
  step.run_id = options_.run_id;
  step.folder = options_.folder;
  step.file = options_.file;
  step.secrets = options_.secrets;
  step.repeats = task.repeats;
  step.task = task;
  Remote call;
  call.text = to_text(step);
  *task.work = {};
  call.reached = options_.begun.count(task.call) > 0;
  call.began = Steady::now();
  call.task = std::move(task);
  const std::uint64_t number = ++last_;
  by_path_[call.task.path] = number;
  Remote& kept = calls_.emplace(number, std::move(call)).first->second;
  ++waiting_;
  if (kept.text.size() > kLargestCall)
    return fail(number, "restate.size",
                fmt::format("the attempt as a message has {} MiB; a Restate server takes 32 MiB: hand large values on "
                            "by files or URLs that its worker can read",
                            kept.text.size() >> 20));
  if (gone_since_) {
    kept.since = kept.began;
    kept.why = gone_why_;
  } else {
    send(number, kept);
  }
}

void RemoteExecutor::send(std::uint64_t number, Remote& call) {
  call.request = requests_.send("POST", url_of_step(options_.place, call.task.pool), call.text,
                                {{"Idempotency-Key", call.task.call}}, std::nullopt);
  --waiting_;
  call.sent_at = Steady::now();
  asked_[call.request] = {What::Step, number};
}

void RemoteExecutor::wait(std::vector<Event>& happened, Duration timeout) {
  // So often, because what is asked of the server later has to be asked by somebody.
  if (!calls_.empty()) timeout = std::min(timeout, Duration{waiting_ > 0 || to_end_ > 0 ? 20 : 1000});
  if (!told_.empty()) timeout = Duration{0};
  answers_.clear();
  requests_.wait(answers_, timeout);
  const Steady::time_point now = Steady::now();
  for (const Answer& answer : answers_) take(answer, now);
  look(now);
  std::move(told_.begin(), told_.end(), std::back_inserter(happened));
  told_.clear();
}

void RemoteExecutor::take(const Answer& answer, Steady::time_point now) {
  const auto found = asked_.find(answer.id);
  if (found == asked_.end()) return;
  const Asked asked = found->second;
  asked_.erase(found);
  if (!answer.failure) heard_at_ = now;
  if (asked.what == What::Step) return take_step(asked.call, answer, now);
  if (asked.what == What::Health) return take_health(answer, now);
  if (asked.what == What::Workers) return take_workers(answer);
  take_stop(asked.what, asked.call, answer, now);
}

void RemoteExecutor::take_step(std::uint64_t number, const Answer& answer, Steady::time_point now) {
  const auto found = calls_.find(number);
  if (found == calls_.end()) return;
  Remote& call = found->second;
  call.request = 0;
  ++waiting_;
  call.reached = call.reached || answer.sent;
  if (is_to_be_sent_again(answer)) return hold(call, answer, now);
  pause_ = kFirstPause;
  ended_at_ = now;
  workers_.clear();
  Result result = result_of(answer, call.task, std::chrono::duration_cast<Duration>(now - call.began));
  if (call.stop != Remote::Stop::No && result.failure && result.failure->type == "restate.killed")
    return cancel(number, "stopped");
  end(number, std::move(result));
}

void RemoteExecutor::hold(Remote& call, const Answer& answer, Steady::time_point now) {
  // Of what was under way for long, the trouble is a new one.
  if (now - call.sent_at >= kQuiet) {
    call.since.reset();
    call.pause = milliseconds{0};
  }
  if (!call.since) call.since = now;
  call.why = answer.why();
  call.not_before = now + call.pause;
  call.pause = std::clamp(call.pause * 2, kFirstPause, kLongestPause);
  server_is_gone(call.why, now);
}

void RemoteExecutor::server_is_gone(const std::string& why, Steady::time_point now) {
  gone_why_ = why;
  if (gone_since_) return;
  gone_since_ = now;
  // The first look follows at once: it may have been one connection only.
  look_at_ = pause_ == kFirstPause ? now : now + pause_;
  pause_ = std::min(pause_ * 2, kLongestPause);
}

void RemoteExecutor::take_health(const Answer& answer, Steady::time_point now) {
  looking_ = false;
  if (answer.ok()) {
    gone_since_.reset();
    return;
  }
  if (gone_since_) {
    gone_why_ = answer.why();
    look_at_ = now + pause_;
    pause_ = std::min(pause_ * 2, kLongestPause);
    return;
  }
  // Connections to a machine that is gone stay open for long: they are given up here.
  server_is_gone(answer.why(), now);
  for (auto& [number, call] : calls_) {
    if (call.request == 0) continue;
    asked_.erase(call.request);
    requests_.stop(std::exchange(call.request, 0));
    ++waiting_;
    call.reached = true;
    call.since = now;
    call.why = gone_why_;
  }
}

void RemoteExecutor::take_workers(const Answer& answer) {
  workers_.clear();
  const auto json = answer.ok() ? json_of(answer.body) : std::nullopt;
  if (!json || !json->is_object()) return;
  const Json rows = json->value("rows", Json::array());
  for (const Json& row : rows.is_array() ? rows : Json::array()) {
    if (!row.is_object() || !row.contains("service") || !row.contains("why") || !row["why"].is_string()) continue;
    const bool ours = std::any_of(calls_.begin(), calls_.end(), [&](const auto& call) {
      return row["service"] == service_name(call.second.task.pool);
    });
    if (!ours) continue;
    workers_ = fmt::format("the Restate server at {} finds no worker of service `{}`, and tries again: {}",
                           options_.place.ingress, row["service"].get<std::string>(),
                           message_in(row["why"].get<std::string>()));
  }
}

void RemoteExecutor::look(Steady::time_point now) {
  if (calls_.empty()) {
    ended_at_ = now;
    return;
  }
  const bool quiet = !gone_since_ && now - heard_at_ >= kQuiet;
  if (!looking_ && (quiet || (gone_since_ && now >= look_at_))) {
    looking_ = true;
    heard_at_ = now;
    asked_[requests_.send("GET", url_of_health(options_.place), {})] = {What::Health, 0};
  }
  if (!gone_since_ && now - std::max(ended_at_, workers_asked_at_) >= kIdle) {
    workers_asked_at_ = now;
    asked_[requests_.send("POST", options_.place.admin + "/query", query_of_waiting(calls_.begin()->second.task.call),
                          {{"Accept", "application/json"}})] = {What::Workers, 0};
  }
  if (!gone_since_ && waiting_ > 0)
    for (auto& [number, call] : calls_)
      if (call.request == 0 && call.stop == Remote::Stop::No && call.not_before <= now) send(number, call);
  if (to_end_ > 0) ask_to_stop(now);
  if (gone_since_ || to_end_ > 0) give_up_overdue(now);
}

void RemoteExecutor::give_up_overdue(Steady::time_point now) {
  std::vector<std::uint64_t> overdue;
  for (const auto& [number, call] : calls_) {
    const Steady::duration most =
        call.task.timeout ? std::min<Steady::duration>(kGiveUp, *call.task.timeout + kBeyondTimeout) : kGiveUp;
    const bool stuck = call.stop != Remote::Stop::No && now >= call.stop_by;
    if (stuck || (call.request == 0 && call.since && now - *call.since >= most)) overdue.push_back(number);
  }
  for (const std::uint64_t number : overdue) {
    const Remote& call = calls_.at(number);
    if (call.stop != Remote::Stop::No) {
      cancel(number, "stopped here; the server did not say that it has ended there, so it may go on");
    } else {
      fail(number, "restate.unreachable",
           fmt::format("the Restate server at {} has not answered for {}: {}", options_.place.ingress,
                       to_string(std::chrono::duration_cast<Duration>(now - *call.since)), call.why));
    }
  }
}

void RemoteExecutor::stop(const std::string& path, int attempt) {
  const auto found = by_path_.find(path);
  if (found == by_path_.end()) return;
  Remote& call = calls_.at(found->second);
  if (call.task.attempt == attempt) begin_stop(found->second, call);
}

void RemoteExecutor::stop_all(std::optional<Duration>) {
  std::vector<std::uint64_t> all;
  for (const auto& [number, call] : calls_) all.push_back(number);
  for (const std::uint64_t number : all) begin_stop(number, calls_.at(number));
}

void RemoteExecutor::begin_stop(std::uint64_t number, Remote& call) {
  if (call.stop != Remote::Stop::No) return;
  if (call.request == 0 && !call.reached) return cancel(number, "stopped before it began");
  call.stop = Remote::Stop::Wanted;
  call.stop_by = Steady::now() + kStopPatience;
  ++to_end_;
  to_stop_.push_back(number);
  inner().wake();
}

void RemoteExecutor::ask_to_stop(Steady::time_point now) {
  while (!stop_again_.empty() && stop_again_.begin()->first <= now) {
    to_stop_.push_back(stop_again_.begin()->second);
    stop_again_.erase(stop_again_.begin());
  }
  while (!to_stop_.empty() && stopping_ < kStopsAtOnce) {
    const std::uint64_t number = to_stop_.front();
    to_stop_.pop_front();
    const auto found = calls_.find(number);
    if (found == calls_.end()) continue;
    Remote& call = found->second;
    call.stop = Remote::Stop::Asked;
    ++stopping_;
    const CallName name{call.task.call, call.task.pool};
    if (call.invocation.empty())
      asked_[requests_.send("POST", url_of_lookup(options_.place), target_of(name))] = {What::Lookup, number};
    else
      asked_[requests_.send("PATCH", url_of_kill(options_.place, call.invocation), {})] = {What::Kill, number};
  }
}

void RemoteExecutor::take_stop(What what, std::uint64_t number, const Answer& answer, Steady::time_point now) {
  --stopping_;
  const auto found = calls_.find(number);
  if (found == calls_.end()) return;  // it has ended by itself
  Remote& call = found->second;
  if (what == What::Lookup) {
    if (answer.ok()) call.invocation = invocation_in(answer.body);
    if (!call.invocation.empty()) return to_stop_.push_front(number);
  } else if (answer.ok() || ((answer.status == 404 || answer.status == 409) && call.request == 0)) {
    // What is under way ends by the answer to it.
    call.stop = Remote::Stop::Killed;
    if (call.request == 0) cancel(number, "stopped");
    return;
  }
  // 404: what was sent last may not be there yet.
  stop_again_.emplace(now + kKillAgain, number);
}

void RemoteExecutor::end(std::uint64_t number, Result result) {
  const auto found = calls_.find(number);
  Remote& call = found->second;
  if (call.request != 0) {
    asked_.erase(call.request);
    requests_.stop(call.request);
  } else {
    --waiting_;
  }
  if (call.stop != Remote::Stop::No) --to_end_;
  const auto known = by_path_.find(call.task.path);
  if (known != by_path_.end() && known->second == number) by_path_.erase(known);
  tell(TaskEnded{std::move(call.task.path), call.task.attempt, std::move(result)});
  calls_.erase(found);
}

void RemoteExecutor::fail(std::uint64_t number, const char* type, std::string message) {
  const Remote& call = calls_.at(number);
  Result result;
  result.failure = Failure{type, std::move(message)};
  result.sent = call.reached || call.request != 0;
  result.took = std::chrono::duration_cast<Duration>(Steady::now() - call.began);
  end(number, std::move(result));
}

void RemoteExecutor::cancel(std::uint64_t number, const char* how) { fail(number, "cancelled", how); }

std::string RemoteExecutor::trouble() const {
  if (!gone_since_) return workers_;
  if (Steady::now() - *gone_since_ < kWorthAWord) return "";
  return fmt::format("the Restate server at {} does not answer; {} {} for it: {}", options_.place.ingress, waiting_,
                     waiting_ == 1 ? "attempt waits" : "attempts wait", gone_why_);
}

}  // namespace

std::unique_ptr<Executor> make_remote_executor(RemoteOptions options) {
  return std::make_unique<RemoteExecutor>(std::move(options));
}

}  // namespace flowrun::restate
