// When is a group done, and did it succeed? Arithmetic only: everything comes in, a verdict goes out.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "engine/model/outcome.h"

namespace flowrun {

/// A join policy, flowrun-workflow(5) "Join".
struct Join {
  enum class Policy { All, BestEffort, AtLeast, Tolerate, Quorum, FirstCompleted };
  Policy policy = Policy::All;
  double amount = 0;  ///< AtLeast, Tolerate, Quorum: a count, or percent of those that count
  bool percent = false;
};

/// How the children of a group stand. Skipped and tolerated ones are excluded: they count nowhere.
struct Tally {
  std::size_t total = 0;
  std::size_t excluded = 0;
  std::size_t succeeded = 0;
  std::size_t failed = 0;      ///< failed, blocked, or cancelled other than by this join
  std::optional<State> first;  ///< of the first child that settled and counts
  std::size_t settled() const { return excluded + succeeded + failed; }
  std::size_t open() const { return total - settled(); }
};

enum class Verdict { Open, Succeeded, Failed };

Verdict judge(const Join& join, const Tally& tally);

/// Whether success is final while children still run: they are cancelled then.
bool ends_early(const Join& join);

/// The policy that the language calls |word|; its amount is still to be set where there is one. Nothing: no such word.
std::optional<Join> join_named(std::string_view word);
/// As the language writes it: `all`, `quorum 2`, `tolerate 5%`.
std::string to_string(const Join& join);

/// Whether it is the first success, or the first end, that settles the group: then one child wins, else several do.
bool single_winner(const Join& join);

}  // namespace flowrun
