#include "engine/explore/exploration.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <random>
#include <thread>

#include "engine/model/error.h"

namespace flowrun {
namespace {

/// More runs are not remembered for later.
constexpr std::size_t kMostKnown = 1'000'000;

constexpr std::uint32_t kNone = 0xffffffff;

/// A run to be looked at: that of |parent|, and one thing more.
struct Planned {
  std::uint32_t parent = kNone;  ///< in the level before
  ExploredRun::Order order = ExploredRun::Order::OldestFirst;
  Deviation deviation;
};

using Level = std::vector<Planned>;

class Search {
 public:
  Search(const ReadFiles& files, const ExploreOptions& options)
      : files_(files), options_(options), leaf_(chosen_leaf(files)) {}

  Explored run() {
    Explored explored;
    explored.workflow = files_.workflow;
    explored.scenarios = files_.scenario_name;
    Stand stand(files_, leaf_, false);
    ExploreFindings findings = fresh(stand);
    findings.judge_written();
    levels_.push_back(begin(stand, findings, explored));
    for (std::size_t depth = 1; depth <= options_.depth && !is_enough(); ++depth) {
      // Whoever has no time for all of them sees some of every sort.
      if (depth > 1) std::shuffle(levels_.back().begin(), levels_.back().end(), std::mt19937(1));
      Level next;
      ExploredLevel seen = walk(stand, findings, depth, next);
      seen.complete = seen.complete && complete_before_;
      complete_before_ = seen.complete && !dropped_;
      explored.levels.push_back(seen);
      if (next.empty()) break;
      levels_.push_back(std::move(next));
    }
    // For those of the next level there was no time.
    if (explored.levels.size() <= options_.depth && !levels_.back().empty() && is_enough())
      explored.levels.push_back({0, levels_.back().size(), false});
    explored.schedules = schedules_;
    explored.cut = cut_;
    explored.unclear = findings.unclear();
    explored.findings = findings.sorted();
    explored.unreached = findings.unreached();
    return explored;
  }

 private:
  ExploreFindings fresh(const Stand& stand) const {
    return ExploreFindings(stand.steps(), stand.places(), stand.never(), stand.run_name());
  }

  bool is_enough() const { return (options_.stop && options_.stop()) || (options_.enough && options_.enough()); }

  /// The runs in which nothing goes wrong, and what may go wrong in them.
  Level begin(Stand& stand, ExploreFindings& findings, Explored& explored) {
    Level level;
    std::string first;
    for (const auto order : {ExploredRun::Order::OldestFirst, ExploredRun::Order::NewestFirst}) {
      ExploredRun run(stand.stage());
      run.play({}, order, options_.depth > 0);
      // Where one thing follows the other, both orders are one.
      if (order == ExploredRun::Order::NewestFirst && run.text().empty()) break;
      ++schedules_;
      cut_ += run.end() == ExploredRun::End::Cut ? 1 : 0;
      findings.judge(run, 0, schedules_);
      if (order == ExploredRun::Order::OldestFirst) note_base(run, explored);
      for (const Deviation& one : run.alternatives()) level.push_back({kNone, order, one});
    }
    explored.levels.push_back({schedules_, schedules_, cut_ == 0});
    return level;
  }

  static void note_base(const ExploredRun& run, Explored& explored) {
    if (run.made_up())
      explored.notes.push_back(
          "answers are made up where no scenario gives them; a file of scenarios does that better");
    if (run.end() != ExploredRun::End::Ended || run.outcome().state == State::Succeeded) return;
    std::string why = "";
    if (run.outcome().failure)
      why = fmt::format(": {}{}", run.outcome().failure->step.empty() ? "" : run.outcome().failure->step + ", ",
                        run.outcome().failure->message);
    explored.notes.push_back("the run fails even when every attempt ends well" + why);
  }

  std::vector<Deviation> deviations_of(const Level& level, std::size_t depth, std::size_t number) const {
    std::vector<Deviation> deviations;
    const Level* at = &level;
    for (std::uint32_t one = static_cast<std::uint32_t>(number); one != kNone;) {
      deviations.push_back((*at)[one].deviation);
      one = (*at)[one].parent;
      if (one != kNone) at = &levels_[--depth - 1];
    }
    std::reverse(deviations.begin(), deviations.end());
    return deviations;
  }

  ExploredLevel walk(Stand& stand, ExploreFindings& findings, std::size_t depth, Level& next) {
    const Level& level = levels_.back();
    const bool last = depth == options_.depth;
    std::atomic<std::size_t> taken{0}, seen{0};
    std::mutex mutex;
    std::exception_ptr trouble;
    const auto work = [&](Stand& own, ExploreFindings& found, bool tells) {
      try {
        for (std::size_t i; (i = taken++) < level.size();) {
          if (is_enough()) return;
          ExploredRun run(own.stage());
          run.play(deviations_of(level, depth, i), level[i].order, !last);
          found.judge(run, depth, i);
          ++seen;
          if (tells && options_.progress && i % 512 == 0) {
            const std::unique_lock lock(mutex);
            const std::size_t of_all = std::max(findings.size(), found.size());
            options_.progress({schedules_ + seen, of_all, depth});
          }
          if (last && run.end() != ExploredRun::End::Cut) continue;
          const std::lock_guard lock(mutex);
          cut_ += run.end() == ExploredRun::End::Cut ? 1 : 0;
          for (const Deviation& one : run.alternatives()) {
            if (next.size() < kMostKnown)
              next.push_back({static_cast<std::uint32_t>(i), level[i].order, one});
            else
              dropped_ = true;
          }
        }
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!trouble) trouble = std::current_exception();
        taken = level.size();
      }
    };
    const std::size_t threads = std::min<std::size_t>(static_cast<std::size_t>(options_.jobs), level.size() / 256 + 1);
    {
      std::vector<std::jthread> others;
      for (std::size_t i = 1; i < threads; ++i)
        others.emplace_back([&] {
          try {
            Stand own(files_, leaf_, false);
            ExploreFindings found = fresh(own);
            found.know_of(findings);
            work(own, found, false);
            const std::lock_guard lock(mutex);
            findings.take_over(found);
          } catch (...) {
            const std::lock_guard lock(mutex);
            if (!trouble) trouble = std::current_exception();
          }
        });
      ExploreFindings found = fresh(stand);
      found.know_of(findings);
      work(stand, found, true);
      {
        const std::lock_guard lock(mutex);
        findings.take_over(found);
      }
    }
    if (trouble) std::rethrow_exception(trouble);
    // In an order that does not depend on the threads.
    std::stable_sort(next.begin(), next.end(), [](const Planned& a, const Planned& b) { return a.parent < b.parent; });
    schedules_ += seen;
    return {seen, level.size(), seen == level.size()};
  }

  const ReadFiles& files_;
  const ExploreOptions& options_;
  const Json leaf_;
  std::vector<Level> levels_;  ///< [0]: of one thing that goes otherwise
  std::size_t schedules_ = 0, cut_ = 0;
  bool dropped_ = false, complete_before_ = true;
};

}  // namespace

Json chosen_leaf(const ReadFiles& files) {
  const std::vector<Json> leaves{1, 0, "x", true, false, Json::array(), Json::object()};
  for (const Json& leaf : leaves) {
    Stand stand(files, leaf, false);
    ExploredRun run(stand.stage());
    run.play({}, ExploredRun::Order::OldestFirst, false);
    if (!run.made_up() || (run.end() == ExploredRun::End::Ended && run.outcome().state == State::Succeeded))
      return leaf;
  }
  return leaves.front();
}

Explored explore(const ExploreFiles& files, const ExploreOptions& options) {
  const ReadFiles read(files);
  return Search(read, options).run();
}

}  // namespace flowrun
