// Which steps nobody listens to: no expression of their file can see what they bring. Looks at steps as they were read;
// in doubt somebody listens.
#pragma once

#include <vector>

#include "engine/reader/reading.h"
#include "engine/steps/root.h"

namespace flowrun {

/// Sets ProcessStep::unread and Options::heard below |root|. |mentions|: all of its file. |for_questions|: people may
/// ask for any output.
void mark_unread(RootStep& root, const std::vector<Mention>& mentions, bool for_questions);

}  // namespace flowrun
