// Mistakes of users and troubles of journals, thrown; steps that fail are data and never come here.
#pragma once

#include <stdexcept>
#include <string>

namespace flowrun {

/// What main turns into an exit code.
enum class Problem { Usage, Invalid, NeedsDecision, Busy, Impossible, Journal, Internal };

class Error : public std::runtime_error {
 public:
  Error(Problem problem, const std::string& message) : std::runtime_error(message), problem_(problem) {}
  Problem problem() const { return problem_; }

 private:
  Problem problem_;
};

/// The journal contradicts itself: a checksum, a shape, a divergence.
class Corruption : public Error {
 public:
  explicit Corruption(const std::string& message) : Error(Problem::Journal, message) {}
};

}  // namespace flowrun
