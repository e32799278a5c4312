#include "cli/result_json.h"

#include <fmt/format.h>

#include "cli/render.h"
#include "engine/run/history.h"

namespace flowrun::cli {

std::string result_json(const Journal& journal, const Run& run, Duration took) {
  const bool ended = run.machine().phase() == Machine::Phase::Ended;
  const Outcome& outcome = run.machine().outcome();
  const History history = history_of(journal, run.record());
  Json steps = Json::array();
  for (const StepHistory& step : history.steps()) steps.push_back(step_json(step));
  // The output may be too long to become a tree with the rest. The members are in the order of their names.
  const auto text = [](const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); };
  const std::string before = text({{"counts", history.counts()},
                                   {"duration_ms", took.count()},
                                   {"error", ended && outcome.failure ? to_json(*outcome.failure) : Json()}});
  const std::string behind = text({{"run", run.record().id},
                                   {"state", to_string(ended ? run_state_from(outcome.state) : RunState::Suspended)},
                                   {"steps", std::move(steps)}});
  return fmt::format("{},\"output\":{},{}\n", before.substr(0, before.size() - 1),
                     ended ? json_text(outcome.output, false) : "null", behind.substr(1));
}

}  // namespace flowrun::cli
