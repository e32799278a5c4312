// What became of a step, and of one attempt at it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/model/time.h"
#include "engine/model/value.h"

namespace flowrun {

enum class State { Pending, Running, Sleeping, Waiting, Retrying, Succeeded, Skipped, Failed, Cancelled, Blocked };

std::string_view to_string(State state);
State state_from(std::string_view name);
constexpr bool is_terminal(State state) { return state >= State::Succeeded; }

/// Why a step did not succeed, with the words of flowrun-workflow(5), "Error types".
struct Failure {
  std::string type;     ///< `timeout`, `http.503`, `exit.2`, ...
  std::string message;  ///< one line for people
  std::string step{};   ///< path of the step where it arose; empty until a frame has seen it
  int attempt = 0;      ///< counted from 1; 0: none
  /// Object with what else is known: `http` {status, headers, body}, `exit_code`, `stderr_tail`, `causes`, `more`.
  Value detail{};
};

/// A value, or why there is none.
template <typename T>
class Fallible : public std::variant<T, Failure> {
 public:
  using std::variant<T, Failure>::variant;

  explicit operator bool() const { return this->index() == 0; }
  T& operator*() & { return std::get<0>(*this); }
  const T& operator*() const& { return std::get<0>(*this); }
  T&& operator*() && { return std::get<0>(std::move(*this)); }
  T* operator->() { return &std::get<0>(*this); }
  const T* operator->() const { return &std::get<0>(*this); }
  /// REQUIRES: there is no value.
  Failure& failure() { return std::get<1>(*this); }
  const Failure& failure() const { return std::get<1>(*this); }
};

/// `$error`: {type, message, step, attempt, ...detail}.
Json to_json(const Failure& failure);
Failure failure_from(const Json& json);

struct Outcome {
  State state = State::Pending;
  Value output;
  std::optional<Failure> failure;
  bool ok() const { return state == State::Succeeded; }
};

/// What the memo of a journal has to do with a result.
struct MemoNote {
  std::string run{};     ///< the one that it was taken from; empty: the attempt ran
  std::int64_t seq = 0;  ///< of the entry there with which it had ended
  Instant at{};          ///< when it had
  Duration took{0};      ///< how long it had taken
  std::string miss{};    ///< of an attempt that ran: why nothing was taken
  std::string unkept{};  ///< likewise: why its result is not kept for later runs
};

/// What one attempt at a task came to, as the executor reports it.
struct Result {
  std::optional<Failure> failure;  ///< none: it succeeded
  /// On success the default output, or the raw result if the command asked to keep it (Task::keep_raw). Of a failed
  /// attempt what it had captured (process) or the response body (http), for `$status.x.output`.
  Value value;
  int code = 0;      ///< HTTP status, exit code, or minus the signal number; 0 for an http attempt without an answer
  Duration took{0};  ///< since it began, without time in which flowrun was frozen
  Instant began{};   ///< by the wall clock; not known of old ones and of what never began
  std::optional<Duration> retry_after{};  ///< what the server asked for
  bool sent = true;                       ///< false: nothing of the request can have reached the other side
  bool taken = false;                     ///< over from the run that this one was forked of
  bool again = false;                     ///< of a poll: not what is waited for yet; then there is no value
  int page = 0;                           ///< which of the pages it is that paginate follows, from 1; 0: none of such
  std::int64_t cut = 0;            ///< so many bytes of what a process said are not in |value|, which nobody reads
  std::int64_t unlogged = 0;       ///< so many bytes of it could not be written to the log
  std::string next{};              ///< of a page, whose output is |value|: where the next one is; empty: the last
  std::optional<MemoNote> memo{};  ///< of a step with `memo`
  bool ok() const { return !failure; }
  /// Nothing ran for it: it is that of another run, as it was completed there.
  bool is_taken() const { return taken || (memo && !memo->run.empty()); }
};

}  // namespace flowrun
