// HTTP steps that know their requests: many runs of one workflow ask the same of the same values, and to make a request
// takes longer than all that is decided about it. They send no idempotency keys. Changes a workflow before it is run;
// what it decides stays the same.
#pragma once

#include "engine/explore/written_steps.h"

namespace flowrun {

/// Puts one in the place of each step of |loaded| whose request depends on nothing but inputs, items and outputs of
/// steps. |steps| goes by the new ones from here on. To be called once, before there is a machine.
void know_requests(Loaded& loaded, WrittenSteps& steps);

}  // namespace flowrun
