// What a Restate server is asked before a drive begins: whether it is there, which services it has, which calls it
// knows. Each function blocks until it is answered, or until the server has had its time.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/restate/place.h"

namespace flowrun::restate {

/// An attempt as the server knows it.
struct CallName {
  std::string key;   ///< Task::call
  std::string pool;  ///< Task::pool
};

/// Throws Error(Impossible), which says what to do, when the server at |place| is not there, is too old, or has not the
/// services of all |pools|.
void check_server(const Place& place, const std::set<std::string>& pools);

/// How a server stands to a call.
enum class Known {
  Unknown,  ///< it has never had it, or has kept its result for long enough
  Taken,    ///< under way, or with a result
  Over      ///< killed, or not to be carried out: a call by this name brings nothing any more
};

/// How the server stands to each of |calls|. Throws Error(Impossible) when it does not answer.
std::vector<Known> known_calls(const Place& place, const std::vector<CallName>& calls);

/// Ends |calls|, as far as the server has them under way. Returns why one of them could not be ended; empty: all is
/// well.
std::string kill_calls(const Place& place, const std::vector<CallName>& calls);

/// The body by which a request names the call.
std::string target_of(const CallName& call);
/// Where a call goes to.
std::string url_of_step(const Place& place, const std::string& pool);
std::string url_of_lookup(const Place& place);
std::string url_of_health(const Place& place);
std::string url_of_kill(const Place& place, const std::string& invocation);
/// Asks which of the calls of a run, told by one of their names, stand still on the server, and why: rows of `service`
/// and `why`.
std::string query_of_waiting(const std::string& call);
/// The invocation's id in the answer of a lookup; empty: it is none.
std::string invocation_in(const std::string& body);

}  // namespace flowrun::restate
