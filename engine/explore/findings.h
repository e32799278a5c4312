// What is wrong with a run that was explored, and the shortest schedule that shows it. Judges what happened; drives
// nothing.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/explore/explored_run.h"
#include "engine/scenario/never_rule.h"
#include "engine/scenario/workflow_places.h"

namespace flowrun {

struct ExploreFinding {
  std::string kind;     ///< `stays`, `twice`, `endless`, `output`, `never_runs`, `join`, `finally`, `never`, `stuck`
  std::string step;     ///< path, as it is written; empty: the run
  std::string place{};  ///< `order.yaml:27`
  std::string message{}, advice{};
  std::string schedule{};   ///< empty: as it comes by itself
  std::size_t length = 0;   ///< of that
  std::size_t faults = 0;   ///< so many things go otherwise than they should
  std::size_t number = 0;   ///< of the run, among those with as many faults
  bool everywhere = false;  ///< whatever happens: there is no schedule to show it
};

class ExploreFindings {
 public:
  /// All is lent. |never|: what a person rules out.
  ExploreFindings(const WrittenSteps& steps, const WorkflowPlaces& places, const std::vector<NeverRule>& never,
                  std::string run_name)
      : steps_(steps), places_(places), never_(never), run_name_(std::move(run_name)) {}

  /// What holds for every run, by what is written.
  void judge_written();
  /// |faults|: so many deviations led there; none: nothing was to go wrong. |number|: of the run among those.
  void judge(const ExploredRun& run, std::size_t faults, std::size_t number);
  void take_over(const ExploreFindings& other);
  /// What the runs without a fault have shown holds here, too.
  void know_of(const ExploreFindings& other) { output_fails_anyway_ = other.output_fails_anyway_; }

  std::size_t size() const { return found_.size(); }
  /// Those that are shown first come first.
  std::vector<ExploreFinding> sorted() const;
  /// Runs that failed by an expression on a value that is made up: nobody knows what they would have done.
  std::size_t unclear() const { return unclear_; }
  /// Steps that act, could begin, and have begun in no run.
  std::vector<std::string> unreached() const;

 private:
  void add(ExploreFinding finding, const std::string& key, const ExploredRun* run);
  void keep(const std::string& key, ExploreFinding finding);
  void judge_acts(const ExploredRun& run);
  void judge_handlers(const ExploredRun& run);
  void judge_rules(const ExploredRun& run);
  bool is_used(const ExploredRun& run, const ExploredRun::Act& act) const;
  static bool is_undone(const ExploredRun& run, std::string path);
  bool in_handler(std::size_t row) const;
  std::string why(const ExploredRun& run) const;
  std::string shown(const std::string& path) const { return "`" + path + "`"; }

  const WrittenSteps& steps_;
  const WorkflowPlaces& places_;
  const std::vector<NeverRule>& never_;
  const std::string run_name_;
  std::map<std::string, ExploreFinding> found_;  ///< by kind and step
  std::size_t faults_ = 0, number_ = 0;          ///< of the run that is judged
  bool output_fails_anyway_ = false;
  std::vector<bool> reached_;  ///< by row
  std::size_t unclear_ = 0;
};

}  // namespace flowrun
