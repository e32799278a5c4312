// When things happen to a run: the date of the fact that is being taken in, and how much of the time up to it was
// worked. Knows no clock: facts bring their dates.
#pragma once

#include <algorithm>

#include "engine/model/time.h"

namespace flowrun {

class Timeline {
 public:
  Instant now() const { return now_; }
  /// The same without time in which nobody drove the run: spans of work are differences of these.
  Instant worked() const { return measured_ ? now_ - idle_ : now_; }

  /// |measured| as in RunStarted.
  void start(bool measured) { measured_ = measured; }
  /// A fact of |at| follows. Dates never go back.
  void advance(Instant at) {
    before_ = now_;
    now_ = std::max(now_, at);
  }
  /// For so long nobody drove the run, or flowrun was frozen.
  void lose(Duration span) { idle_ += span; }
  /// Nobody has driven the run since the fact before.
  void lose_since_last_fact() { lose(now_ - before_); }

 private:
  Instant now_{};
  Instant before_{};  ///< of the fact before
  Duration idle_{0};
  bool measured_ = false;
};

}  // namespace flowrun
