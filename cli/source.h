// Where a command finds the run that it is about: in the journal of this machine, or on a server, of which it gets a
// copy.
#pragma once

#include <memory>
#include <string>

#include "cli/commands.h"
#include "engine/run/detached_copy.h"

namespace flowrun::cli {

/// --on, for a command that is about runs that go on by themselves on a server.
void add_server_option(Command& command, std::string& on);

class RunSource {
 public:
  /// |on|: --on, or empty. |run|: RUN. Throws Error(Impossible) when the server has no such run.
  RunSource(const Context& context, const std::string& on, const std::string& run);

  /// Of the journal.
  const std::string& path() const { return path_; }
  /// RUN in that journal.
  const std::string& run() const { return run_; }
  /// Null: it is here.
  DetachedCopy* copy() const { return copy_.get(); }

 private:
  std::unique_ptr<DetachedCopy> copy_;
  std::string path_, run_;
};

/// Tells what keeps the run of |copy| from going on.
void tell_trouble(const Context& context, const DetachedCopy& copy);

/// Reads what is new of the run of |copy|, and tells what keeps it from going on, when that is not what was |told|. A
/// server that does not answer is such, too.
void look_again(const Context& context, DetachedCopy& copy, std::string& told);

}  // namespace flowrun::cli
