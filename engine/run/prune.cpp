#include "engine/run/prune.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>
#include <set>

#include "engine/model/entry_reading.h"
namespace flowrun {
namespace {

namespace fs = std::filesystem;

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

/// By the id of a run: the fork that has not ended and takes over what it did.
std::map<std::string, std::string> needed_by_forks(const Journal& journal, const std::vector<RunRecord>& runs) {
  std::map<std::string, std::string> needed;
  for (const RunRecord& run : runs) {
    if (run.ended_at) continue;
    const std::vector<Entry> first = journal.read(run.number, 1, 1);
    if (first.empty() || first[0].kind != EntryKind::RunStarted) continue;
    const auto started = as<RunStarted>(first[0]);
    if (!started.forked_of.empty()) needed[started.forked_of] = run.id;
  }
  return needed;
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
  const std::map<std::string, std::string> needed = needed_by_forks(journal, runs);
  std::set<std::string> named;
  for (const std::string& run : options.runs) named.insert(journal.find(run).id);

  PrunePlan plan;
  std::size_t ended = 0;
  for (const RunRecord& run : runs) {
    if (named.empty()) {
      if (!run.ended_at) continue;
      ++ended;
      if (options.keep && ended <= *options.keep) continue;
      if (options.older_than && now - *run.ended_at < *options.older_than) continue;
      if (options.state && run.state != *options.state) continue;
    } else if (named.count(run.id) == 0) {
      continue;
    }
    if (const std::string why = keeps(run, !named.empty(), needed); !why.empty()) {
      plan.kept.push_back({run, why});
    } else {
      plan.remove.push_back({run, journal.bytes_of(run) + bytes_below(journal.run_dir(run.id))});
    }
  }
  return plan;
}

Pruned prune(Journal& journal, const PrunePlan& plan, const std::function<void(const PrunedRun&)>& removed) {
  Pruned done;
  for (const PrunedRun& one : plan.remove) {
    try {
      journal.remove(one.run);
    } catch (const Error& error) {
      if (error.problem() != Problem::Busy) throw;
      done.kept.push_back({one.run, "it is driven by now"});
      continue;
    }
    // What a crash leaves here belongs to no run, and harms none: ids are not used twice by chance.
    std::error_code ignored;
    fs::remove_all(journal.run_dir(one.run.id), ignored);
    ++done.runs;
    removed(one);
  }
  if (done.runs > 0) done.file_bytes = journal.shrink();
  return done;
}

}  // namespace flowrun
