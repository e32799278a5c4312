#include "cli/progress/item_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/entry_text.h"
#include "cli/last_words.h"
#include "cli/render.h"
#include "engine/model/entry_reading.h"
#include "engine/model/path.h"

namespace flowrun::cli {
namespace {

constexpr Duration kOldItem{5000};           // what runs for longer is worth its name
constexpr Duration kPaceSpan{500};           // a shorter time says nothing of the pace
constexpr double kPaceMemory = 10.0;         // seconds after which what was seen counts a third
constexpr std::size_t kForEstimate = 3;      // items that must have ended
constexpr std::size_t kItemTextWidth = 200;  // of what is said of one

/// A guess, told as one: `7s`, `1m40s`, `2h03m`.
std::string left_text(double seconds) {
  const std::int64_t step = seconds < 60 ? 1 : seconds < 600 ? 10 : 60;
  const std::int64_t whole = static_cast<std::int64_t>(std::ceil(seconds / static_cast<double>(step))) * step;
  return whole < 60 ? fmt::format("{}s", whole) : to_display(Duration(whole * 1000));
}

/// What has failed at the path of |entry|, and the last that was said there.
std::string words_of_failure(const Entry& entry) {
  std::string text = describe(entry, false).detail;
  std::optional<Failure> failure;
  if (entry.kind == EntryKind::TaskEnded) failure = as<TaskEnded>(entry).result.failure;
  if (entry.kind == EntryKind::StepSettled) failure = as<StepSettled>(entry).outcome.failure;
  const std::string said = failure ? own_words(*failure, 1, "") : "";
  return said.empty() ? text : text + "  " + one_line(said, kItemTextWidth);
}

}  // namespace

std::string_view group_of(std::string_view path) {
  const std::size_t bracket = path.find('[');
  return bracket == std::string_view::npos ? std::string_view() : path.substr(0, bracket);
}

void Pace::see(Instant now, std::size_t done) {
  if (!at_) {
    at_ = now;
    done_ = done;
    return;
  }
  const Duration span = now - *at_;
  if (span < kPaceSpan) return;
  const double seconds = static_cast<double>(span.count()) / 1000;
  const double lately = static_cast<double>(done - std::min(done, done_)) / seconds;
  const double weight = per_second_ == 0 ? 1 : 1 - std::exp(-seconds / kPaceMemory);
  per_second_ += weight * (lately - per_second_);
  at_ = now;
  done_ = done;
}

std::string ItemGroup::counts() const {
  std::string text = fmt::format("{} of {}{}", done(), open_ ? "at least " : "", total_);
  if (!failed_.empty()) text += fmt::format("  {} failed", failed_.size());
  return text;
}

std::string ItemGroup::standing(Instant now) {
  pace_.see(now, done());
  std::string text = counts();
  if (const double pace = pace_.per_second(); pace > 0) {
    text += pace < 10 ? fmt::format("  {:.1f}/s", pace) : fmt::format("  {:.0f}/s", pace);
    if (done() >= kForEstimate && done() < total_ && !open_)
      text += fmt::format("  about {} left", left_text(static_cast<double>(total_ - done()) / pace));
  }
  const auto oldest = std::min_element(in_flight_.begin(), in_flight_.end(),
                                       [](const auto& one, const auto& other) { return one.second < other.second; });
  if (oldest != in_flight_.end() && now - oldest->second > kOldItem)
    text += fmt::format("  {} for {}", oldest->first, to_display(now - oldest->second));
  return text;
}

void ItemGroups::plan(const std::vector<OutlineRow>& rows) {
  for (const OutlineRow& row : rows) {
    if (row.role == "fallback") with_fallback_.insert(row.path.substr(0, row.path.rfind('.')));
    if (!row.parent || !row.role.empty()) continue;
    const OutlineRow& group = rows[*row.parent];
    if (group.kind != "for_each" || row.path == group.path) continue;
    ItemGroup::Body& body = bodies_[group.path];
    ++body.steps;
    // Of an expression the entries do not say how it came out.
    if (row.tolerated == "true") body.tolerated.insert(row.path.substr(group.path.size()));
  }
}

ItemGroup* ItemGroups::find(const std::string& path) {
  const auto found = groups_.find(path);
  return found == groups_.end() ? nullptr : &found->second;
}

void ItemGroups::begin(const std::string& path, Instant at, std::size_t total) {
  const auto [group, fresh] = groups_.try_emplace(path, at, total, bodies_[path]);
  if (fresh) return;
  group->second.total_ = total;
  group->second.over_ = false;
}

void ItemGroups::grow(const std::string& path, Instant at, std::size_t more, bool last) {
  const auto [group, fresh] = groups_.try_emplace(path, at, more, bodies_[path]);
  if (!fresh) group->second.total_ += more;
  group->second.over_ = false;
  group->second.open_ = !last;
}

void ItemGroups::end(const std::string& path) {
  if (ItemGroup* group = find(path)) {
    group->over_ = true;
    group->open_ = false;
  }
}

void ItemGroups::reopen() {
  for (auto& [path, group] : groups_) group.over_ = false;
}

bool ItemGroups::may_recover(const Entry& failed) const {
  return failed.kind == EntryKind::TaskEnded && !with_fallback_.empty() &&
         with_fallback_.count(without_keys(failed.path)) > 0;
}

bool ItemGroups::take(const Entry& entry, bool told) {
  const std::string_view of = group_of(entry.path);
  if (of.empty()) return false;
  ItemGroup* group = find(std::string(of));
  if (!group) return false;
  if (entry.kind == EntryKind::SignalAwaited) waiting_[entry.path] = as<SignalAwaited>(entry).name;
  const StepWord word = step_word(entry);
  if (word == StepWord::None) return true;
  if (!waiting_.empty()) waiting_.erase(entry.path);
  if (word == StepWord::Began) {
    group->in_flight_[entry.path] = entry.at;
  } else {
    group->in_flight_.erase(entry.path);
  }
  const bool whole = entry.path.find(']', of.size()) + 1 == entry.path.size();
  if (word == StepWord::Again) forget(entry.path);
  if (told && word == StepWord::Failed && !may_recover(entry)) tell(entry, false);
  if (told && word == StepWord::Ok && every_ && whole) tell(entry, true);
  if (whole || group->body_.steps == 0) {
    if (whole) count_item(*group, entry.path, word);
    return true;
  }
  const std::size_t end = entry.path.find(']', of.size()) + 1;
  if (entry.path.find_first_of("/[.", end + 1) == std::string::npos)
    count_step(*group, entry.path.substr(0, end), entry.path.substr(end), word);
  return true;
}

void ItemGroups::count_item(ItemGroup& group, const std::string& item, StepWord word) {
  if (word == StepWord::Began || word == StepWord::Again || word == StepWord::NotBegun) {
    group.failed_.erase(item);
  } else if (word == StepWord::Failed) {
    group.failed_.insert(item);
  } else {
    if (!group.failed_.empty()) group.failed_.erase(item);
    if (item == group.last_ok_) return;
    if (word == StepWord::Ok) group.last_ok_ = item;
    ++(word == StepWord::Ok ? group.ok_ : group.other_);
  }
}

void ItemGroups::count_step(ItemGroup& group, const std::string& item, std::string name, StepWord word) {
  ItemGroup::Item& steps = group.items_[item];
  group.failed_.erase(item);
  steps.failed.erase(name);
  if (word == StepWord::Failed && group.body_.tolerated.count(name) == 0) steps.failed.insert(name);
  if (word == StepWord::Ok || word == StepWord::Failed || word == StepWord::Other) {
    steps.over.insert(std::move(name));
  } else {
    steps.over.erase(name);
  }
  if (steps.over.size() < group.body_.steps) return;
  if (!steps.failed.empty()) {
    group.failed_.insert(item);  // and kept: it may be tried again
  } else {
    ++group.ok_;
    group.items_.erase(item);
  }
}

void ItemGroups::tell(const Entry& entry, bool ok) {
  // What has failed in an item tells why the item has.
  const bool known =
      std::any_of(ended_.begin(), ended_.end(), [&](const Ended& one) { return one.path.starts_with(entry.path); });
  if (!known) ended_.push_back({entry.path, ok, ok ? describe(entry, false).detail : words_of_failure(entry)});
}

void ItemGroups::forget(std::string_view path) {
  std::erase_if(ended_, [&](const Ended& one) { return one.path == path; });
}

}  // namespace flowrun::cli
