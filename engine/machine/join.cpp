#include "engine/machine/join.h"

#include <array>
#include <cmath>

namespace flowrun {
namespace {

// A hair off the product keeps 5 % of 100 at 5 although 0.05 is not a binary fraction.
constexpr double kHair = 1e-9;

std::size_t rounded_up(const Join& join, std::size_t of) {
  double amount = join.percent ? std::ceil(join.amount * static_cast<double>(of) / 100 - kHair) : join.amount;
  return static_cast<std::size_t>(amount);
}

std::size_t rounded_down(const Join& join, std::size_t of) {
  double amount = join.percent ? std::floor(join.amount * static_cast<double>(of) / 100 + kHair) : join.amount;
  return static_cast<std::size_t>(amount);
}

Verdict all(const Join&, const Tally& tally) {
  if (tally.failed > 0) return Verdict::Failed;
  return tally.open() == 0 ? Verdict::Succeeded : Verdict::Open;
}

Verdict best_effort(const Join&, const Tally& tally) { return tally.open() == 0 ? Verdict::Succeeded : Verdict::Open; }

Verdict at_least(const Join& join, const Tally& tally) {
  std::size_t counting = tally.total - tally.excluded;
  std::size_t wanted = rounded_up(join, counting);
  if (counting - tally.failed < wanted) return Verdict::Failed;
  return tally.open() == 0 ? Verdict::Succeeded : Verdict::Open;
}

Verdict tolerate(const Join& join, const Tally& tally) {
  if (tally.failed > rounded_down(join, tally.total - tally.excluded)) return Verdict::Failed;
  return tally.open() == 0 ? Verdict::Succeeded : Verdict::Open;
}

Verdict quorum(const Join& join, const Tally& tally) {
  std::size_t counting = tally.total - tally.excluded;
  std::size_t wanted = rounded_up(join, counting);
  // Nobody can win where nobody counts; only an `at_least` in percent is met by nothing.
  if (counting == 0) return tally.open() == 0 ? Verdict::Failed : Verdict::Open;
  if (tally.succeeded >= wanted) return Verdict::Succeeded;
  return counting - tally.failed < wanted ? Verdict::Failed : Verdict::Open;
}

Verdict first_completed(const Join&, const Tally& tally) {
  if (tally.first) return *tally.first == State::Succeeded ? Verdict::Succeeded : Verdict::Failed;
  return tally.open() == 0 ? Verdict::Failed : Verdict::Open;
}

struct Row {
  Verdict (*judge)(const Join&, const Tally&);
  bool ends_early;
};

// In the order of Join::Policy.
constexpr std::array<Row, 6> kPolicies{{
    {all, false},
    {best_effort, false},
    {at_least, false},
    {tolerate, false},
    {quorum, true},
    {first_completed, true},
}};

}  // namespace

Verdict judge(const Join& join, const Tally& tally) {
  return kPolicies.at(static_cast<std::size_t>(join.policy)).judge(join, tally);
}

bool ends_early(const Join& join) { return kPolicies.at(static_cast<std::size_t>(join.policy)).ends_early; }

}  // namespace flowrun
