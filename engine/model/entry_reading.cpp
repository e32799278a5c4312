#include "engine/model/entry_reading.h"

#include <fmt/format.h>

#include "engine/model/error.h"
#include "engine/model/json_order.h"
#include "engine/model/json_text.h"

namespace flowrun {

void damaged(const Entry& entry, const std::string& said) {
  // The library's own number of its error says nothing to people.
  const std::string what = said.starts_with("[json.exception") ? said.substr(said.find(']') + 2) : said;
  throw Corruption(fmt::format("entry {}, '{}' of '{}', is not as flowrun writes it: {}", entry.seq,
                               to_string(entry.kind), entry.path, what));
}

Json data_of(const Entry& entry) {
  auto data = json_of(entry.data, entry.data.size());
  if (!data || !data->is_object()) damaged(entry, "its data are no JSON object");
  for (const auto& [key, value] : data->items()) {
    if (!value.is_number()) continue;
    if (!value.is_number_integer() || compare(value, kLargestNumber) > 0 || compare(value, -kLargestNumber) < 0)
      damaged(entry, fmt::format("{} can not be {}", key, value.dump()));
  }
  return std::move(*data);
}

}  // namespace flowrun
