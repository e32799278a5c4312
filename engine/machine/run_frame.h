// What only the root of a run is: it is told of what people want of the run as a whole.
#pragma once

#include "engine/model/event.h"

namespace flowrun {

class RunFrame {
 public:
  virtual ~RunFrame() = default;
  /// The run is to end.
  virtual void on_cancel(const CancelRequested& cancel) = 0;
  /// The run has ended, and what can be undone is to be.
  virtual void on_undo(const UndoRequested& undo) = 0;
  /// What people can still want of it.
  struct Open {
    bool cancel;  ///< it does not come to its end yet
    bool undo;    ///< there is something to be undone
  };
  virtual Open open_to() const = 0;
};

}  // namespace flowrun
