#include "engine/machine/join.h"

#include <fmt/format.h>

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
  const char* word;
  bool takes_amount;
};

// In the order of Join::Policy.
constexpr std::array<Row, 6> kPolicies{{
    {all, false, "all", false},
    {best_effort, false, "best_effort", false},
    {at_least, false, "at_least", true},
    {tolerate, false, "tolerate", true},
    {quorum, true, "quorum", true},
    {first_completed, true, "first_completed", false},
}};

// A quorum of one has a word of its own.
constexpr Join kFirstSuccess{Join::Policy::Quorum, 1, false};
constexpr const char* kFirstSuccessWord = "first_success";

const Row& row_of(const Join& join) { return kPolicies.at(static_cast<std::size_t>(join.policy)); }

}  // namespace

Verdict judge(const Join& join, const Tally& tally) { return row_of(join).judge(join, tally); }

bool ends_early(const Join& join) { return row_of(join).ends_early; }

std::optional<Join> join_named(std::string_view word) {
  if (word == kFirstSuccessWord) return kFirstSuccess;
  for (std::size_t i = 0; i < kPolicies.size(); ++i)
    if (word == kPolicies.at(i).word) return Join{static_cast<Join::Policy>(i)};
  return std::nullopt;
}

std::string to_string(const Join& join) {
  const Row& row = row_of(join);
  if (!row.takes_amount) return row.word;
  const std::string amount = fmt::format("{}{}", join.amount, join.percent ? "%" : "");
  if (join.policy == kFirstSuccess.policy && amount == "1") return kFirstSuccessWord;
  return fmt::format("{} {}", row.word, amount);
}

bool single_winner(const Join& join) {
  if (join.policy == Join::Policy::FirstCompleted) return true;
  return join.policy == Join::Policy::Quorum && join.amount <= 1 && !join.percent;
}

}  // namespace flowrun
