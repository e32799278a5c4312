#include <fmt/format.h>

#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "cli/last_words.h"
#include "cli/render.h"
#include "cli/report/reports.h"
#include "cli/report/xml.h"
#include "engine/run/step_paths.h"

namespace flowrun::cli {
namespace {

constexpr std::size_t kMostLines = 20;  // of what a step that failed has said

std::string seconds(Duration span) { return fmt::format("{:.3f}", static_cast<double>(span.count()) / 1000); }

struct Counts {
  std::size_t tests = 0, failures = 0, errors = 0, skipped = 0;
};

/// `deploy.staging` and `app` of `staging/app` in the workflow `deploy`.
std::pair<std::string, std::string> names_of(const std::string& workflow, const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {workflow, path};
  std::string group = path.substr(0, slash);
  for (char& c : group)
    if (c == '/') c = '.';
  return {workflow + "." + group, path.substr(slash + 1)};
}

/// Groups, by what is in them.
class Groups {
 public:
  explicit Groups(const PastRun& run) : run_(run) {
    for (const StepHistory& step : run.history.steps())
      for (std::string above = path_above(step.path); !above.empty(); above = path_above(above)) {
        holds_.insert(above);
        if (step.state == State::Failed) failing_.insert(above);
      }
  }

  /// Whether what is in |step| tells of it: a group that went well, or one in which something is to blame.
  bool tell_of(const StepHistory& step) const {
    if (only_holds_others(step)) return true;
    return (step.state == State::Failed ? failing_ : holds_).count(step.path) > 0;
  }

  /// Whether the failure of |step| has made neither the run fail nor the group that it stands in.
  bool tolerate(const StepHistory& step) const {
    if (run_.record.state == RunState::Succeeded) return true;
    if (const OutlineRow* row = run_.row_of(step.path); row && row->tolerated == "true") return true;
    for (std::string above = path_above(step.path); !above.empty(); above = path_above(above))
      if (const StepHistory* group = run_.history.find(above); group && group->state == State::Succeeded) return true;
    return false;
  }

 private:
  const PastRun& run_;
  std::unordered_set<std::string> holds_, failing_;
};

std::string case_of(const PastRun& run, const StepHistory& step, bool tolerated,
                    const std::vector<const PastAttempt*>& failed, Counts& counts) {
  const auto [group, name] = names_of(run.record.name, step.path);
  const std::string head =
      fmt::format("    <testcase classname=\"{}\" name=\"{}\" time=\"{}\"", xml(group), xml(name), seconds(step.took));
  ++counts.tests;
  std::string inside;
  switch (step.state) {
    case State::Succeeded:
      // Tries that failed before the one that did not.
      for (const PastAttempt* attempt : failed)
        inside +=
            fmt::format("      <flakyFailure type=\"{}\" message=\"try {}\"/>\n", xml(attempt->error), attempt->number);
      break;
    case State::Failed: {
      const Failure failure = step.failure.value_or(Failure{"failed", step.reason});
      const std::string place = run.place_of(step.path);
      const std::string text = fmt::format("{}{}{}: {}\n{}", place, place.empty() ? "" : "  ", failure.type,
                                           failure.message, own_words(failure, kMostLines, ""));
      ++(tolerated ? counts.skipped : counts.failures);
      inside = tolerated ? fmt::format("      <skipped message=\"failed, and was tolerated: {}: {}\">{}</skipped>\n",
                                       xml(failure.type), xml(failure.message), xml(text))
                         : fmt::format("      <failure type=\"{}\" message=\"{}\">{}</failure>\n", xml(failure.type),
                                       xml(failure.message), xml(text));
      break;
    }
    default:
      ++counts.skipped;
      inside = fmt::format("      <skipped message=\"{}\"/>\n",
                           xml(std::string(to_string(step.state)) + (step.reason.empty() ? "" : ": " + step.reason)));
  }
  return inside.empty() ? head + "/>\n" : head + ">\n" + inside + "    </testcase>\n";
}

}  // namespace

std::string junit_report(const PastRun& run) {
  Counts counts;
  const Groups groups(run);
  std::string cases;
  std::unordered_map<std::string, std::vector<const PastAttempt*>> failed;
  for (const PastAttempt& attempt : run.attempts)
    if (!attempt.ok) failed[attempt.path].push_back(&attempt);
  for (const StepHistory& step : run.history.steps())
    if (!groups.tell_of(step)) cases += case_of(run, step, groups.tolerate(step), failed[step.path], counts);
  // A run may fail without a step that did: out of time, or its output can not be evaluated.
  if (run.failure && counts.failures == 0) {
    ++counts.tests;
    ++counts.errors;
    cases += fmt::format(
        "    <testcase classname=\"{}\" name=\"run\" time=\"{}\">\n      <error type=\"{}\" message=\"{}\"/>\n"
        "    </testcase>\n",
        xml(run.record.name), seconds(run.until - run.record.started_at), xml(run.failure->type),
        xml(run.failure->message));
  }
  const std::string numbers =
      fmt::format("tests=\"{}\" failures=\"{}\" errors=\"{}\"", counts.tests, counts.failures, counts.errors);
  const std::string took = seconds(run.until - run.record.started_at);
  std::string started = timestamp(run.record.started_at);
  started.resize(19);  // the schema's date and time know neither fractions nor zones
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuites name=\"{0}\" {1} time=\"{2}\">\n"
      "  <testsuite name=\"{0}\" {1} skipped=\"{3}\" time=\"{2}\" timestamp=\"{4}\">\n"
      "    <properties>\n      <property name=\"run\" value=\"{5}\"/>\n      <property name=\"state\" value=\"{6}\"/>\n"
      "    </properties>\n{7}  </testsuite>\n</testsuites>\n",
      xml(run.record.name), numbers, took, counts.skipped, started, xml(run.record.id), standing_of(run.record), cases);
}

}  // namespace flowrun::cli
