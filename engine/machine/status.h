// What is left of a step that has settled, and what `$status` shows of it. JSON is made of what an expression names,
// and of nothing else: the outputs of a group's children may be large. Knows no frames.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/machine/step.h"
#include "engine/model/outcome.h"
#include "engine/model/scope.h"

namespace flowrun {

struct GroupStatus;

/// What is left of a frame that has settled; all that `$steps` and `$status` of it can show.
struct Settled {
  State state = State::Pending;
  bool tolerated = false;  ///< failed with continue_on_error: recorded, not counted
  int attempts = 0;        ///< of its own
  int within = 0;          ///< of the steps in a group
  Instant started_at{}, ended_at{};
  /// Of a process or request from the begin of its first try to the end of its last, of a group from its first start to
  /// its end; without time in line, and without time that nobody drove the run.
  Duration took{0};
  Value output;
  std::shared_ptr<const Failure> failure;
  std::shared_ptr<const Json> more;          ///< of a wait: by
  std::shared_ptr<const GroupStatus> group;  ///< of groups, where an expression looks at their status

  /// Whether it has settled; its state is final.
  bool over() const { return is_terminal(state); }
  bool counts() const { return state != State::Skipped && !tolerated; }
  /// Whether a step that uses its output may run.
  bool lets_through() const { return state == State::Succeeded || state == State::Skipped || tolerated; }
};

/// A branch, or an item with its number and what it is of.
struct ChildStatus {
  std::string name;  ///< of the branch, or the key of the item
  Value item;
  Settled settled;
  std::uint64_t order = 0;  ///< of settling
  std::size_t index = 0;    ///< among all of them
};

/// How the children of a group came out.
struct GroupStatus {
  enum class Of { Body, Branches, Items, Stream };  ///< of a stream only who has failed
  Of of = Of::Body;
  Json counts;                         ///< {total, succeeded, failed, skipped, cancelled, blocked}
  std::shared_ptr<const Json> winner;  ///< of a group that ends with its winners
  std::vector<ChildStatus> children;   ///< as written; empty when nobody looks at them
  bool tells_order = false;            ///< and who has failed

  /// Adds what there is and can be seen to |status|.
  void show(Json& status, const Sight& sight) const;
};

/// `$status.x` of a step that stands like this: what can be seen of it.
Json status_json(const Settled& settled, const Sight& sight);
/// What |reference| looks at.
Json status_json(const Settled& settled, const Reference& reference);

/// `$steps.NAME` of |step|, at |path|, that stands like this. Of a secret output it is what stands for that.
Fallible<Value> output_of(const Settled& settled, const Step& step, std::string_view path);
/// The same of a step with the name |name| whose output may be seen.
Fallible<Value> output_of(const Settled& settled, const std::string& name);

}  // namespace flowrun
