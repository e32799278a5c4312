#include "engine/steps/join_amount.h"

#include <cstdlib>

#include "engine/expression/pattern.h"

namespace flowrun {

std::string set_amount(Join& join, const Json& amount) {
  static const Pattern kPercent(R"(([0-9]+(?:\.[0-9]+)?)%)");
  join.percent = false;
  const double number = amount.is_number() ? amount.get<double>() : -1;
  if (number >= 0 && number <= 1e15 && number == static_cast<double>(static_cast<std::int64_t>(number))) {
    join.amount = number;
  } else if (auto found = amount.is_string() ? kPercent.whole(amount.get_ref<const std::string&>()) : std::nullopt) {
    join.amount = std::strtod(std::string((*found)[1]).c_str(), nullptr);
    join.percent = true;
    if (join.amount > 100) return "more than 100% can not be asked for";
  } else {
    return "a count or a percentage such as 5% is needed here";
  }
  return join.policy == Join::Policy::Quorum && join.amount < 1 ? "a quorum is at least 1" : "";
}

}  // namespace flowrun
