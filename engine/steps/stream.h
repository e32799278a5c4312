// A for_each over a stream: its items come while it runs, and it lets go of those that have succeeded, so that a stream
// may be longer than memory is large. Does not know where its items come from.
#pragma once

#include <memory>
#include <string>

#include "engine/steps/for_each.h"

namespace flowrun {

std::unique_ptr<Frame> stream_frame(Context& context, Frame* parent, const ForEachStep& step, std::string path);

}  // namespace flowrun
