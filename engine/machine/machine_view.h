// What can be seen of a run from outside, for people who ask: steps, names, what waits for what, what a retry could do.
// Changes nothing and decides nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/machine/frame.h"
#include "engine/machine/machine.h"

namespace flowrun {

/// Lends the machine; what it says is of now.
class MachineView {
 public:
  explicit MachineView(const Machine& machine) : machine_(machine) {}

  /// How the step at |path| stands, when it is known.
  std::optional<Settled> look(std::string_view path) const;
  /// What the top of the run binds: inputs, `vars`, `$run`.
  Frame::Bound bind(const Reference& reference) const;
  /// The step whose attempt is in flight at |path|; null: none is.
  const Frame* in_flight_at(const std::string& path) const;
  /// Steps that are open though nothing is in flight, due or awaited, so that the run can never end. That is a mistake
  /// of the machine. Empty while all is well.
  std::vector<std::string> stuck() const;
  /// Whether `flowrun undo` would undo something.
  bool has_undos() const;
  /// REQUIRES: that a retry of what has failed was foreseen. As Frame::has_failed.
  bool has_failed() const;
  /// REQUIRES: the run has ended. As Frame::way_to.
  Frame::Way way_to(const std::string& path) const;

 private:
  const Machine& machine_;
};

}  // namespace flowrun
