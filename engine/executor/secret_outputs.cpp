#include "engine/executor/secret_outputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <stdexcept>
#include <utility>

namespace flowrun {

void SecretOutputs::keep(const std::string& path, const Value& output) {
  std::lock_guard lock(mutex_);
  outputs_[path] = {output.json()};
}

bool SecretOutputs::has(std::string_view path) const {
  std::lock_guard lock(mutex_);
  return outputs_.contains(path);
}

namespace {

/// `/access/0/token` as people write it: `.access[0].token`.
std::string as_path(const std::string& pointer) {
  std::string path;
  for (std::size_t at = 0; at < pointer.size();) {
    const std::size_t end = std::min(pointer.find('/', at + 1), pointer.size());
    const std::string name = Json::json_pointer(pointer.substr(at, end - at)).back();
    const bool digits = !name.empty() && name.find_first_not_of("0123456789") == name.npos;
    const bool plain = !name.empty() && std::all_of(name.begin(), name.end(),
                                                    [](unsigned char c) { return std::isalnum(c) || c == '_'; });
    path += digits ? "[" + name + "]" : plain ? "." + name : "[" + Json(name).dump() + "]";
    at = end;
  }
  return path;
}

/// What |pointer| leads to in |value|; null: to nothing.
const Json* part_at(const Json& value, const std::string& pointer) {
  // The library takes no index that is larger than a number.
  try {
    const Json::json_pointer where(pointer);
    return value.contains(where) ? &value.at(where) : nullptr;
  } catch (const Json::exception&) {
    return nullptr;
  }
}

}  // namespace

std::string SecretOutputs::text_of(std::string_view path, const std::string& within) {
  std::lock_guard lock(mutex_);
  const auto output = outputs_.find(path);
  if (output == outputs_.end()) throw std::runtime_error(fmt::format("the secret output of {} is not there", path));
  const Json* found = part_at(output->second.value, within);
  if (!found) throw std::runtime_error(fmt::format("the secret output of {} has no `{}`", path, as_path(within)));
  const std::string where = within.empty() ? "" : fmt::format(" at `{}`", as_path(within));
  if (found->is_null()) throw std::runtime_error(fmt::format("the secret output of {} is null{}", path, where));
  if (found->is_structured())
    throw std::runtime_error(
        fmt::format("the secret output of {} is {}{}; name a part of it, such as `${{ $steps.{}{}{} }}`", path,
                    found->is_object() ? "an object" : "a list", where, path.substr(path.rfind('/') + 1),
                    as_path(within), found->is_object() ? ".token" : "[0]"));
  std::string text = found->is_string() ? found->get<std::string>() : found->dump();
  if (output->second.masked.insert(within).second) mask_.add(text);
  return text;
}

Value part_of(const Value& result, const SecretOutput& wanted) {
  if (wanted.within.empty()) return result;
  const Json* found = part_at(result.json(), wanted.within);
  return found ? Value(*found) : Value();
}

}  // namespace flowrun
