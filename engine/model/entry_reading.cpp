#include "engine/model/entry_reading.h"

#include <fmt/format.h>

#include "engine/model/error.h"
#include "engine/model/json_text.h"

namespace flowrun {

void damaged(const Entry& entry, const std::string& said) {
  // The library's own number of its error says nothing to people.
  const std::string what = said.starts_with("[json.exception") ? said.substr(said.find(']') + 2) : said;
  throw Corruption(
      fmt::format("entry {}, '{}' of '{}', is not as flowrun writes it: {}", entry.seq, entry.kind, entry.path, what));
}

Json data_of(const Entry& entry) {
  auto data = json_of(entry.data);
  if (!data || !data->is_object()) damaged(entry, "its data are no JSON object");
  return std::move(*data);
}

}  // namespace flowrun
