#include "engine/executor/secret_outputs.h"

#include <fmt/format.h>

#include <algorithm>
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
std::string as_path(std::string_view pointer) {
  std::string path;
  while (!pointer.empty()) {
    const std::size_t end = std::min(pointer.find('/', 1), pointer.size());
    const std::string_view part = pointer.substr(1, end - 1);
    const bool number = !part.empty() && part.find_first_not_of("0123456789") == part.npos;
    path += number ? fmt::format("[{}]", part) : fmt::format(".{}", part);
    pointer.remove_prefix(end);
  }
  return path;
}

}  // namespace

std::string SecretOutputs::text_of(std::string_view path, const std::string& within) {
  std::lock_guard lock(mutex_);
  const auto output = outputs_.find(path);
  if (output == outputs_.end()) throw std::runtime_error(fmt::format("the secret output of {} is not there", path));
  const Json::json_pointer pointer(within);
  if (!output->second.value.contains(pointer))
    throw std::runtime_error(fmt::format("the secret output of {} has no `{}`", path, as_path(within)));
  const Json& found = output->second.value.at(pointer);
  if (found.is_null() || found.is_structured())
    throw std::runtime_error(fmt::format("the secret output of {} is no text, number or boolean{}", path,
                                         within.empty() ? "" : fmt::format(" at `{}`", as_path(within))));
  std::string text = found.is_string() ? found.get<std::string>() : found.dump();
  if (output->second.masked.insert(within).second) mask_.add(text);
  return text;
}

Value part_of(const Value& result, const SecretOutput& wanted) {
  if (wanted.within.empty()) return result;
  const Json::json_pointer pointer(wanted.within);
  return result.json().contains(pointer) ? Value(result.json().at(pointer)) : Value();
}

}  // namespace flowrun
