#include "engine/machine/task_frame.h"

#include "engine/machine/frame.h"

namespace flowrun {

TaskFrame::~TaskFrame() {
  Context& context = self_.context();
  context.slots().withdraw(*this);
  context.attempts().forget(*this);
}

}  // namespace flowrun
