// How the attempts of a step may end: well, with what a scenario says or with something made up that looks like what
// expressions want of it; and with each type of error that can be told apart. Knows no run.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/explore/written_steps.h"
#include "engine/scenario/scenario_file.h"

namespace flowrun {

struct AttemptEnding {
  std::string how;  ///< as Choice has it
  ScriptedAnswer answer;
  bool well = false;
  bool made_up = false;   ///< of what it brings nobody has said anything
  std::size_t types = 1;  ///< of errors that it stands for
};

/// Whether something may have been done by an attempt at |step| that has ended with the error |type|.
bool may_have_acted(const WrittenStep& step, std::string_view type, bool sent);

class Endings {
 public:
  /// |scenarios|: whose answers are taken, the first before others; may be none. Both are lent.
  Endings(const WrittenSteps& steps, const std::vector<const Scenario*>& scenarios)
      : steps_(steps), scenarios_(scenarios) {}

  /// What is made up where no scenario says it.
  void make_up(Json leaf) { leaf_ = std::move(leaf); }
  /// Of the step at |path|, which begins |task|. The first is the one that is meant to be. |every|: each type of error,
  /// also those that nothing tells apart.
  std::vector<AttemptEnding> of(std::size_t row, const std::string& path, const Task& task, bool every) const;
  /// What a signal brings that |row|, a `wait`, accepts.
  Json said_to(std::size_t row) const;
  /// Its name.
  std::string signal_of(std::size_t row) const;

 private:
  void add_scripted(const std::string& path, const Task& task, std::vector<AttemptEnding>& endings) const;
  AttemptEnding made_up(std::size_t row, const Task& task) const;
  std::vector<std::string> errors(std::size_t row, const Task& task) const;

  const WrittenSteps& steps_;
  const std::vector<const Scenario*>& scenarios_;
  Json leaf_ = 1;
};

/// A value that satisfies |schema|, as far as that is easy.
Json value_of_schema(const Json& schema, const Json& leaf);

}  // namespace flowrun
