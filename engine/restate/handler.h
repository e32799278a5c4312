// What a worker offers to the server: handlers, each a function of an invocation to the frames that answer it. Knows
// the protocol; nothing of HTTP and nothing of what handlers do.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/time.h"
#include "engine/restate/messages.h"

namespace flowrun::restate {

/// One request of the server to a handler: the journal of an invocation as it stands.
struct Invocation {
  /// |body|: the frames. Throws Corruption where they are no frames, or do not begin with Start and Input.
  Invocation(std::string service, std::string handler, int protocol, std::string body);
  Invocation(const Invocation&) = delete;
  Invocation& operator=(const Invocation&) = delete;

  std::string service, handler;
  int protocol;  ///< version, of what is read and of what is answered
  std::string body;
  Start start;                     ///< all but the state of a virtual object
  std::string_view start_message;  ///< for that: start_from() with its key
  std::string_view input;          ///< the value of Input
  std::vector<Frame> entries;      ///< the commands and notifications behind Start, the first is Input; into |body|
  /// Nobody waits for the answer any more: the server has closed the connection. Changes while a handler runs.
  std::atomic<bool> gone{false};
};

/// The frames that answer it, complete: the last is End, Suspension or Error. May block; runs on a thread of its own,
/// several at once. What it throws is answered as an Error of code 500, so the server tries again; a Corruption as
/// kJournalMismatch.
using Handler = std::function<std::string(const Invocation&)>;

/// A handler beside `step`.
struct OfferedHandler {
  enum class Service { Plain, VirtualObject };  ///< of an object one call runs at a time
  /// Behind the name of the pool's service: `flowrun` + suffix, or `flowrun-POOL` + suffix. Empty: the service of
  /// `step`, which is Plain. All handlers of a service say the same |type|.
  std::string suffix;
  Service type = Service::Plain;
  std::string name;
  Handler call;
  /// How long the server keeps what it recorded of an invocation, once it has ended.
  Duration retention = std::chrono::hours(7 * 24);
};

struct WorkerOptions {
  std::string listen;             ///< ADDRESS:PORT; port 0: any that is free
  std::string pool;               ///< empty: the service is `flowrun`
  std::string workdir;            ///< absolute; what relative paths of a step are relative to
  std::string state;              ///< absolute; where workers keep their files, made when it is not there
  int jobs = 0;                   ///< processes at once, of all runs; 0: as at home
  std::vector<std::string> keys;  ///< of servers, `publickeyv1_...`; empty: anybody may ask
  std::vector<OfferedHandler> more = {};
};

}  // namespace flowrun::restate
