// What a worker offers for runs on a Restate server: `run`, which drives one, `send`, which numbers its mail, and
// `stop`, which has a step killed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/restate/handler.h"

namespace flowrun {

class DetachedRun;

/// The answer of the handler `run` whose |run| has taken in all notifications of |invocation|: what is new, and what it
/// waits for, or its end. An Error where the server has recorded other commands than those of |run|.
std::string answer_of(const DetachedRun& run, const restate::Invocation& invocation);

/// Runs whose invocations are suspended, so that their beginning is not computed anew each time. May be used by
/// several threads.
class DetachedRuns {
 public:
  DetachedRuns();
  ~DetachedRuns();
  /// The frames that answer |invocation| of `run`. Throws Error for a run that this flowrun can not go on with.
  std::string answer(const restate::Invocation& invocation);

 private:
  struct Live;
  struct Shelf;
  std::unique_ptr<Shelf> shelf_;
};

/// The frames that answer an invocation of `send`.
std::string answer_mail(const restate::Invocation& invocation);

std::vector<restate::OfferedHandler> detached_handlers();

}  // namespace flowrun
