#include "engine/run/summary.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "engine/model/entry_reading.h"
#include "engine/model/hash.h"
#include "engine/run/step_paths.h"

namespace flowrun {
namespace {

/// More entries than these are read one after the other.
constexpr std::size_t kMostApart = 10'000;

/// Entries after which a step looks as before.
bool tells_nothing(EntryKind kind) {
  switch (kind) {
    case EntryKind::TaskReserved:
    case EntryKind::ReservePlace:
    case EntryKind::WithdrawWaiting:
    case EntryKind::SignalReceived:
    case EntryKind::ItemsChosen:
    case EntryKind::ItemsArrived:
    case EntryKind::SecretRead:
    case EntryKind::Evaluated:
      return true;
    default:
      return false;
  }
}

/// A step within an item: no fallback, which its step is told with, and nothing that stands in no item.
bool may_be_plain(std::string_view path) {
  if (path.ends_with(']')) return true;
  const std::size_t item = path.rfind(']');
  return item != path.npos && path.find('.', item) == path.npos;
}

std::string_view group_of(std::string_view path) {
  std::size_t end = path.size();
  while (end > 0 && path[end - 1] != '/' && path[end - 1] != '[') --end;
  return path.substr(0, end);
}

std::uint64_t name_of_path(std::string_view path) {
  const std::uint64_t hash = hash64(path);
  return hash == 0 ? 1 : hash;
}

}  // namespace

std::size_t Summary::Hashes::place(std::uint64_t hash) const {
  std::size_t i = hash & (slots_.size() - 1);
  while (slots_[i] != 0 && slots_[i] != hash) i = (i + 1) & (slots_.size() - 1);
  return i;
}

bool Summary::Hashes::insert(std::uint64_t hash) {
  if (size_ >= slots_.size() / 4 * 3) {
    std::vector<std::uint64_t> before = std::exchange(slots_, std::vector<std::uint64_t>(2 * slots_.size()));
    for (std::uint64_t each : before)
      if (each != 0) slots_[place(each)] = each;
  }
  std::uint64_t& slot = slots_[place(hash)];
  if (slot == hash) return false;
  slot = hash;
  ++size_;
  return true;
}

bool Summary::Hashes::contains(std::uint64_t hash) const { return slots_[place(hash)] == hash; }

Summary Summary::of(const Journal& journal, const RunRecord& run, std::int64_t until) {
  bool counts = true;
  Summary summary;
  if (auto alike = of_alike(journal, run, until)) {
    summary = *std::move(alike);
  } else {
    EntryLook(journal, run).through(1, [&](const EntryView& entry) {
      if (until > 0 && entry.seq > until) return false;
      counts = summary.add(entry);
      return counts;
    });
  }
  if (!counts) {
    summary = Summary();
    summary.history_ = history_of(journal, run, until);
  }
  for (const auto& [path, start] : std::exchange(summary.held_, {})) summary.history_.add(start);
  return summary;
}

std::map<std::string, std::size_t> Summary::counts() const {
  std::map<std::string, std::size_t> counts = history_.counts();
  if (counted() > 0) counts[std::string(to_string(State::Succeeded))] += counted();
  return counts;
}

std::optional<Summary> Summary::of_alike(const Journal& journal, const RunRecord& run, std::int64_t until) {
  std::vector<std::uint64_t> names;  // of the paths of these items
  std::vector<std::int64_t> begun;   // the first of each group
  std::unordered_set<std::uint64_t> groups;
  std::string group;
  const auto is_one = [&](std::int64_t seq, std::string_view path) {
    if (!may_be_plain(path)) return false;
    names.push_back(name_of_path(path));
    const std::string_view around = group_of(path);
    if (around == group) return true;
    group = around;
    if (groups.insert(hash64(around)).second) begun.push_back(seq);
    return true;
  };
  // Such a step has no other entry: neither an attempt nor a start.
  const char* const set = R"({"kind":"set","state":"succeeded"})";
  const auto others = EntryLook(journal, run).others(until, set, kMostApart, is_one);
  if (!others || names.empty() || begun.size() > kMostApart) return std::nullopt;

  Summary summary;
  std::unordered_set<std::uint64_t> told;
  auto begin = begun.begin();
  const auto note_until = [&](std::int64_t seq) {
    for (; begin != begun.end() && *begin < seq; ++begin)
      for (const Entry& first : journal.read(run.number, *begin, 1)) summary.history_.note_begin(first.path, first.at);
  };
  for (std::size_t i = 0; i < others->size();) {
    std::size_t in_a_row = 1;
    while (i + in_a_row < others->size() && (*others)[i + in_a_row] == (*others)[i] + static_cast<int>(in_a_row))
      ++in_a_row;
    const std::vector<Entry> entries = journal.read(run.number, (*others)[i], in_a_row);
    if (entries.empty()) return std::nullopt;
    for (const Entry& entry : entries) {
      note_until(entry.seq);
      // Another try of a file runs its steps again under the same paths.
      if (entry.kind == EntryKind::ChildStarted && entry.attempt > 1) return std::nullopt;
      if (may_be_plain(entry.path) && !tells_nothing(entry.kind)) told.insert(name_of_path(entry.path));
      const std::string value = entry.value.is_null() ? "" : entry.value.text();
      if (!summary.add({entry.seq, entry.at, entry.kind, entry.path, entry.attempt, entry.data, value}))
        return std::nullopt;
    }
    i += entries.size();
  }
  note_until(run.last_seq + 1);
  // Where more is told of one of them, it is no step of that kind alone.
  if (!told.empty() && std::any_of(names.begin(), names.end(), [&](std::uint64_t name) { return told.contains(name); }))
    return std::nullopt;
  summary.alike_ = names.size();
  return summary;
}

bool Summary::add(const EntryView& entry) {
  if (tells_nothing(entry.kind)) return true;
  switch (entry.kind) {
    case EntryKind::RunReopened:
    case EntryKind::UndoRequested:
      return false;
    case EntryKind::RunResumed:
    case EntryKind::RunFrozen:
      // Times before it and behind it are counted otherwise.
      for (const auto& [path, start] : std::exchange(held_, {})) history_.add(start);
      break;
    default:
      break;
  }
  if (entry.path.find(".undo") != entry.path.npos) return false;
  if (!entry.path.empty() && may_be_plain(entry.path)) return add_item(entry);
  tell(entry);
  return true;
}

bool Summary::add_item(const EntryView& entry) {
  const std::uint64_t name = name_of_path(entry.path);
  const bool counted = plain_.contains(name);
  if (entry.kind == EntryKind::StepSettled && settled_well(entry)) {
    const std::string path(entry.path);
    if (!counted && (held_.contains(path) || history_.find(path))) {
      release(path);
      tell(entry);
    } else if (plain_.insert(name)) {
      note_begin(entry.path, entry.at);
    }
    return true;
  }
  if (counted) return false;
  std::string path(entry.path);
  if (entry.kind == EntryKind::StartTask && entry.attempt == 1 && !history_.find(path)) {
    note_begin(entry.path, entry.at);
    if (held_.try_emplace(std::move(path), entry.copy()).second) return true;
    path = entry.path;
  }
  // Nothing but success: neither pages, nor what is asked for again.
  if (entry.kind == EntryKind::TaskEnded && entry.data.starts_with(R"({"ok":true,"code":)") && held_.erase(path) > 0) {
    plain_.insert(name);
    return true;
  }
  release(path);
  tell(entry);
  return true;
}

bool Summary::settled_well(const EntryView& entry) {
  if (entry.data == settled_data_) return true;
  const StepSettled settled = as<StepSettled>(entry.copy());
  if (settled.outcome.state != State::Succeeded || settled.outcome.failure) return false;
  settled_data_ = entry.data;
  return true;
}

void Summary::note_begin(std::string_view path, Instant at) {
  const std::string_view parent = group_of(path);
  if (parent == parent_) return;
  parent_ = parent;
  history_.note_begin(std::string(path), at);
}

void Summary::release(const std::string& path) {
  if (auto start = held_.extract(path)) history_.add(start.mapped());
}

}  // namespace flowrun
