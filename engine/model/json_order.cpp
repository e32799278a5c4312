#include "engine/model/json_order.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace flowrun {
namespace {

template <typename Number>
int order(Number a, Number b) {
  return a < b ? -1 : b < a;
}

/// A double beside an integer of 64 bit, without making either into the other.
int compare_mixed(double real, const Json& whole) {
  if (std::isnan(real)) return -1;  // jq has it below all numbers
  const bool negative = !whole.is_number_unsigned() && whole.get<std::int64_t>() < 0;
  if (real >= 0x1p64) return 1;
  if (real < -0x1p63) return -1;
  const double below = std::floor(real);
  int result;
  if (below < 0) {
    result = negative ? order(static_cast<std::int64_t>(below), whole.get<std::int64_t>()) : -1;
  } else {
    result = negative ? 1 : order(static_cast<std::uint64_t>(below), whole.get<std::uint64_t>());
  }
  return result == 0 && real > below ? 1 : result;
}

int compare_numbers(const Json& a, const Json& b) {
  if (a.is_number_float() && b.is_number_float()) return order(a.get<double>(), b.get<double>());
  if (a.is_number_float()) return compare_mixed(a.get<double>(), b);
  if (b.is_number_float()) return -compare_mixed(b.get<double>(), a);
  auto negative = [](const Json& json) { return !json.is_number_unsigned() && json.get<std::int64_t>() < 0; };
  if (negative(a) != negative(b)) return negative(a) ? -1 : 1;
  return negative(a) ? order(a.get<std::int64_t>(), b.get<std::int64_t>())
                     : order(a.get<std::uint64_t>(), b.get<std::uint64_t>());
}

}  // namespace

int type_rank(const Json& json) {
  switch (json.type()) {
    case Json::value_t::null:
      return 0;
    case Json::value_t::boolean:
      return json.get<bool>() ? 2 : 1;
    case Json::value_t::string:
      return 4;
    case Json::value_t::array:
      return 5;
    case Json::value_t::object:
      return 6;
    default:
      return 3;
  }
}

int compare(const Json& a, const Json& b) {
  int ranks = type_rank(a) - type_rank(b);
  if (ranks != 0 || type_rank(a) < 3) return ranks;
  if (a.is_array()) {
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
      if (int order = compare(a[i], b[i]); order != 0) return order;
    return a.size() < b.size() ? -1 : a.size() > b.size();
  }
  if (a.is_object()) {
    // First the sets of keys, in order, then the values key by key.
    auto x = a.begin();
    auto y = b.begin();
    for (; x != a.end() && y != b.end(); ++x, ++y)
      if (int order = x.key().compare(y.key()); order != 0) return order;
    if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
    for (x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y)
      if (int order = compare(x.value(), y.value()); order != 0) return order;
    return 0;
  }
  if (a.is_number() && b.is_number()) return compare_numbers(a, b);
  return a < b ? -1 : b < a;  // texts by their bytes, which is by code points; secrets, which are no JSON
}

}  // namespace flowrun
