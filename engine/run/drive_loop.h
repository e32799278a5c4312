// Turns a run until it rests, and decides when it is to rest: asked for an end, or with nothing left but long waits.
// Knows no signals of the system and no terminal.
#pragma once

#include "engine/run/front_end.h"

namespace flowrun {

/// Drives |run| until it has ended or is suspended; its machine tells which. Asked for an end it starts nothing new,
/// gives what runs |options|.grace, then interrupts it, and hurries when asked again. Throws Error(Journal) when the
/// journal can not be written and an end is wanted.
void drive(Run& run, const DriveOptions& options, FrontEnd& front);

}  // namespace flowrun
