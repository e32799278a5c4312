// How a run stands, as its row in the journal says it.
#pragma once

#include <optional>
#include <string_view>

#include "engine/model/outcome.h"

namespace flowrun {

/// The last three are ends.
enum class RunState { Running, Suspended, Succeeded, Failed, Cancelled };

std::string_view to_string(RunState state);
/// Nothing: no run can be in a state of that name.
std::optional<RunState> run_state_from(std::string_view name);
/// That of a run which has ended with |outcome|. Throws Corruption when no run ends like this.
RunState run_state_from(State outcome);

constexpr bool has_ended(RunState state) { return state >= RunState::Succeeded; }
/// There is something to be tried again.
constexpr bool can_be_retried(RunState state) { return state == RunState::Failed || state == RunState::Cancelled; }

}  // namespace flowrun
