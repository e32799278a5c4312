// Where the attempts of a run are carried out: on this machine, or through a Restate server, as --on says it. Words
// only; asks nobody.
#pragma once

#include <string>
#include <string_view>

namespace flowrun::restate {

/// The addresses of a server, without a `/` at their end.
struct Place {
  std::string ingress;  ///< takes calls; empty: this machine
  std::string admin;    ///< ends them

  bool is_here() const { return ingress.empty(); }
};

/// Reads `restate=URL[,admin=URL]` or `here`; without `admin` it is port 9070 of the same host. Throws Error(Usage)
/// that begins with |option|.
Place place_from(const std::string& text, std::string_view option);
/// The inverse, with both addresses; empty for this machine.
std::string to_text(const Place& place);

}  // namespace flowrun::restate
