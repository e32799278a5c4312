#include "engine/model/run_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "engine/model/error.h"

namespace flowrun {

namespace {

/// By the numbers of RunState.
constexpr std::string_view kRunStates[] = {"running", "suspended", "succeeded", "failed", "cancelled"};
static_assert(static_cast<std::size_t>(RunState::Cancelled) + 1 == std::size(kRunStates));

}  // namespace

std::string_view to_string(RunState state) { return kRunStates[static_cast<std::size_t>(state)]; }

std::optional<RunState> run_state_from(std::string_view name) {
  const auto* found = std::find(std::begin(kRunStates), std::end(kRunStates), name);
  if (found == std::end(kRunStates)) return std::nullopt;
  return static_cast<RunState>(found - std::begin(kRunStates));
}

RunState run_state_from(State outcome) {
  switch (outcome) {
    case State::Succeeded:
      return RunState::Succeeded;
    case State::Failed:
      return RunState::Failed;
    case State::Cancelled:
      return RunState::Cancelled;
    default:
      throw Corruption(fmt::format("no run ends '{}'", to_string(outcome)));
  }
}

}  // namespace flowrun
