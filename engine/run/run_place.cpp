// Where a drive of a run has its attempts carried out, and what is there already of an earlier drive.
#include <fmt/format.h>

#include <algorithm>

#include "engine/journal/typed_command.h"
#include "engine/restate/server.h"
#include "engine/run/clocks.h"
#include "engine/run/run.h"

namespace flowrun {
namespace {

constexpr std::size_t kNamedAttempts = 5;  // in one message
// A server keeps results for a day at least: before that, what it does not know it has never had.
constexpr Duration kKept = std::chrono::hours(20);

std::string counted_attempts(const std::vector<InFlight>& flights) {
  std::string text = fmt::format("{} {}", flights.size(), flights.size() == 1 ? "attempt" : "attempts");
  for (std::size_t i = 0; i < std::min(flights.size(), kNamedAttempts); ++i)
    text += (i == 0 ? " (" : ", ") + flights[i].path;
  if (flights.size() > kNamedAttempts) text += ", ...";
  return flights.empty() ? text : text + ")";
}

restate::Place place_of(const std::string& on) { return on.empty() ? restate::Place() : restate::place_from(on, "on"); }

}  // namespace

void Run::ask_place() const {
  const auto& limits = loaded_.workflow.limits;
  const auto shared = std::find_if(limits.begin(), limits.end(), [](const auto& limit) { return limit->shared; });
  if (shared != limits.end() && !on_.empty())
    throw Error(Problem::Impossible, fmt::format("--on: limit `{}` is shared by runs that carry their steps out "
                                                 "themselves; workers have no part in it",
                                                 (*shared)->name));
  if (!on_.empty() && !loaded_.secret_outputs.empty())
    throw Error(Problem::Impossible, fmt::format("--on: the output of step `{}` is secret, and a server would keep it "
                                                 "on its disk",
                                                 loaded_.secret_outputs.front()));
  if (shared != limits.end()) SharedFile(shared_file_of(journal_.path()));  // may be used
  if (!on_.empty()) restate::check_server(place_of(on_), loaded_.pools);
}

void Run::find_place(const Following& following) {
  const RunStarted& run = machine_->run();
  const std::string& before = run.on;
  on_ = following.on.empty() ? before : following.on == "here" ? "" : following.on;
  // What the server may have from an earlier drive. What was interrupted is over there.
  std::vector<InFlight> flights;
  std::vector<restate::CallName> calls;
  for (const InFlight& flight : machine_->in_flight()) {
    const std::string name = call_names_.of(run.seed, flight.path);
    if (flight.interrupted || flight.attempt == 0 || name.empty()) continue;
    flights.push_back(flight);
    calls.push_back({name, flight.pool});
  }
  if (!following.acts) return;
  if (!flights.empty() && place_of(before).ingress != place_of(on_).ingress)
    throw Error(
        Problem::Impossible,
        fmt::format("run {0} has {1} under way at {2}; without --on it goes on there, and once that is done, or "
                    "is stopped by Ctrl-C, it may go elsewhere. If that server is gone for good: `{3}`, then "
                    "`{4}`",
                    record_.id, counted_attempts(flights), place_of(before).ingress,
                    typed_command({"cancel", "--now", record_.id}, journal_.path()),
                    typed_command({"retry", record_.id, "--on", on_.empty() ? "here" : on_}, journal_.path())));
  ask_place();
  if (flights.empty()) return;
  const std::vector<restate::Known> known = restate::known_calls(place_of(on_), calls);
  std::vector<InFlight> go_on;
  for (std::size_t i = 0; i < flights.size(); ++i) {
    if (!flights[i].wanted || known[i] == restate::Known::Over) continue;
    const bool taken = known[i] == restate::Known::Taken;
    if (!taken && wall_clock() - flights[i].started_at > kKept) continue;
    // By the same name it is begun once, even if what was sent before the crash is still on its way.
    queued_.insert(flights[i].path);
    begun_calls_.insert(calls[i].key);
    if (taken) go_on.push_back(flights[i]);
  }
  if (!go_on.empty())
    opening_.elsewhere.push_back(fmt::format("{} {} under way at {}, and {} on there", counted_attempts(go_on),
                                             go_on.size() == 1 ? "is" : "are", place_of(on_).ingress,
                                             go_on.size() == 1 ? "goes" : "go"));
}

void Run::end_elsewhere(bool none) {
  const RunStarted& run = machine_->run();
  if (run.on.empty()) return;
  std::vector<restate::CallName> calls;
  for (const InFlight& flight : machine_->in_flight()) {
    const std::string name = call_names_.of(run.seed, flight.path);
    if (!name.empty() && !flight.interrupted && (none || !flight.wanted || !begun_calls_.count(name)))
      calls.push_back({name, flight.pool});
  }
  if (calls.empty()) return;
  const restate::Place place = place_of(run.on);
  if (const std::string trouble = restate::kill_calls(place, calls); !trouble.empty())
    opening_.elsewhere.push_back(fmt::format("{} {} of this run may go on at {}: {}", calls.size(),
                                             calls.size() == 1 ? "attempt" : "attempts", place.ingress, trouble));
}

}  // namespace flowrun
