// The outputs of steps that nobody may see, for the length of a drive: in memory, and nowhere else. Knows their paths
// and what is in them; not who has put them out.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "engine/executor/mask.h"
#include "engine/model/task.h"

namespace flowrun {

/// Any thread.
class SecretOutputs {
 public:
  /// What is taken out of an output is hidden by |mask| from then on, which grows.
  explicit SecretOutputs(Mask& mask) : mask_(mask) {}

  void keep(const std::string& path, const Value& output);
  bool has(std::string_view path) const;
  /// The text at |within|, a JSON pointer, of the output of the step at |path|: a number or a boolean as JSON writes
  /// it. Throws std::runtime_error, which names no value, when there is none.
  std::string text_of(std::string_view path, const std::string& within);

 private:
  Mask& mask_;
  mutable std::mutex mutex_;
  struct Output {
    Json value;
    std::set<std::string> masked{};  ///< the parts that were taken
  };
  std::map<std::string, Output, std::less<>> outputs_;
};

/// Which part of |result|, as an executor makes it for a task that keeps the raw result or not, |wanted| is: null when
/// there is none.
Value part_of(const Value& result, const SecretOutput& wanted);

}  // namespace flowrun
