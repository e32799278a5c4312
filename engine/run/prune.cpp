#include "engine/run/prune.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "engine/journal/upkeep.h"
#include "engine/run/fork.h"
namespace flowrun {
namespace {

namespace fs = std::filesystem;

// That are removed in one transaction: a commit for each would be most of the time, and others wait meanwhile.
constexpr std::size_t kRunsAtOnce = 64;
constexpr std::int64_t kBytesAtOnce = 16 << 20;

std::int64_t bytes_below(const std::string& folder) {
  std::int64_t sum = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code gone;
    if (entry->is_symlink(gone) || !entry->is_regular_file(gone)) continue;
    if (const auto size = entry->file_size(gone); !gone) sum += static_cast<std::int64_t>(size);
  }
  return sum;
}

std::string keeps(const RunRecord& run, bool named, const std::map<std::string, std::string>& needed) {
  if (run.driver_pid != 0)
    return run.driver_pid > 0 ? fmt::format("process {} drives it", run.driver_pid) : "it is driven";
  if (!run.ended_at && !named) return "it has not ended; name it to remove it all the same";
  const auto fork = needed.find(run.id);
  if (fork != needed.end()) return fmt::format("its fork {} has not ended", fork->second);
  return {};
}

}  // namespace

PrunePlan plan_prune(const Journal& journal, const PruneOptions& options, Instant now) {
  Journal::Filter all;
  all.limit = std::numeric_limits<int>::max();
  const std::vector<RunRecord> runs = journal.list(all);  // newest first
  std::set<std::string> named;
  for (const std::string& run : options.runs) named.insert(journal.find(run).id);

  PrunePlan plan;
  std::size_t ended = 0;
  std::map<std::string, std::string> needed;  // by the id of a run: the fork that has not ended, stays and needs it
  const auto is_asked_for = [&](const RunRecord& run) {
    if (!named.empty()) return named.count(run.id) > 0;
    if (!run.ended_at) return false;
    ++ended;
    return !(options.keep && ended <= *options.keep) &&
           !(options.older_than && now - *run.ended_at < *options.older_than) &&
           !(options.state && run.state != *options.state);
  };
  const auto needs = [&](const RunRecord& run) {
    if (run.ended_at) return;
    if (std::string origin = origin_of(journal, run); !origin.empty()) needed[std::move(origin)] = run.id;
  };
  // Which is older: a fork or what it takes over from, imports may have turned round.
  for (const RunRecord& run : runs)
    if (named.count(run.id) == 0 || run.driver_pid != 0) needs(run);
  for (const RunRecord& run : runs) {
    const bool asked = is_asked_for(run);
    const std::string why = asked ? keeps(run, !named.empty(), needed) : "";
    if (asked && why.empty()) {
      plan.remove.push_back({run, JournalUpkeep::bytes_of(journal, run) + bytes_below(journal.run_dir(run.id))});
      continue;
    }
    if (asked) plan.kept.push_back({run, why});
    needs(run);
  }
  return plan;
}

Pruned prune(Journal& journal, const PrunePlan& plan, Instant now,
             const std::function<void(const PrunedRun&)>& removed) {
  Pruned done;
  for (auto from = plan.remove.begin(); from != plan.remove.end();) {
    auto to = from;
    std::vector<std::int64_t> numbers;
    for (std::int64_t bytes = 0; to != plan.remove.end() && numbers.size() < kRunsAtOnce && bytes < kBytesAtOnce;
         ++to) {
      numbers.push_back(to->run.number);
      bytes += to->bytes;
    }
    const std::set<std::int64_t> driven = JournalUpkeep(journal).remove(numbers);
    for (; from != to; ++from) {
      if (driven.count(from->run.number) > 0) {
        done.kept.push_back({from->run, "it is driven by now"});
        continue;
      }
      // What a crash leaves here belongs to no run, and harms none: ids are not used twice by chance.
      std::error_code ignored;
      fs::remove_all(journal.run_dir(from->run.id), ignored);
      ++done.runs;
      removed(*from);
    }
  }
  if (done.runs > 0) done.file_bytes = JournalUpkeep(journal).shrink();
  try {
    done.memo = tidy_memo(journal, now);
  } catch (const Error&) {
    // It can not be used; who needs it is told.
  }
  return done;
}

}  // namespace flowrun
