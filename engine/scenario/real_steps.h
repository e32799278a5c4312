// Carries attempts out that a scenario lets pass: for real, one after the other, in a folder that is taken away
// afterwards.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/executor/executor.h"
#include "engine/executor/secrets.h"
#include "engine/model/secret.h"
#include "engine/run/load.h"

namespace flowrun {

class RealSteps {
 public:
  /// Whether somebody wants an end.
  using Stop = std::function<bool()>;

  /// Reads the secrets of |loaded|; throws Error(Invalid) when one is missing.
  RealSteps(const Loaded& loaded, const std::string& run, Stop stop);
  ~RealSteps();
  RealSteps(const RealSteps&) = delete;
  RealSteps& operator=(const RealSteps&) = delete;

  /// Where the run may keep files.
  std::string run_dir() const;
  std::vector<SecretMark> marks(const std::string& seed) const { return secrets_.marks(seed); }
  /// Blocks until it has ended. Throws NoEnd when that takes minutes, Interrupted when an end is wanted;
  /// then it has been ended.
  Result carry_out(Task task);
  /// |task|, whose output is secret, was answered with |value|: steps that pass may need it.
  void learn(const Task& task, const Value& value) { executor().learn(task, value); }

 private:
  Executor& executor();

  const std::string run_, token_;
  const bool secret_outputs_;
  const Stop stop_;
  std::string folder_;
  Secrets secrets_;
  std::unique_ptr<Executor> executor_;  ///< made with the first
};

}  // namespace flowrun
