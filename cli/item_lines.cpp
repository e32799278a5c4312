#include "cli/item_lines.h"

#include <algorithm>
#include <utility>

#include "cli/progress/tally.h"
#include "engine/model/entry_reading.h"
#include "engine/model/path.h"
#include "engine/model/stream_keys.h"

namespace flowrun::cli {

void ItemLines::arrived(const ItemsArrived& fact) {
  const std::vector<std::string> keys = stream_keys(fact, arrived_);
  const Json& values = fact.items.json();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    Item& item = items_[item_path(path_, keys[i])];
    item.number = arrived_++;
    item.value = Value(values[i]);
  }
  if (ordered_) told_.resize(arrived_);
}

void ItemLines::take(const Entry& entry) {
  if (entry.kind == EntryKind::ItemsArrived && entry.path == path_) return arrived(as<ItemsArrived>(entry));
  if (entry.path.size() <= path_.size() || entry.path[path_.size()] != '[') return;
  const auto found = items_.find(entry.path);
  if (found == items_.end()) return;
  Item& item = found->second;
  if (entry.kind == EntryKind::TaskEnded) {
    const Result result = as<TaskEnded>(entry).result;
    if (item.began == Instant{}) item.began = result.began;
    item.ended = result.began + result.took;
  }
  switch (step_word(entry)) {
    case StepWord::None:
      return;
    case StepWord::Began:
      item.attempts = entry.attempt;
      take_back(item);
      return;
    case StepWord::Again:
    case StepWord::NotBegun:
      take_back(item);
      return;
    case StepWord::Ok:
    case StepWord::Failed:
    case StepWord::Other:
      if (!item.end) ended_.push_back(entry.path);
      item.end = entry;
      return;
  }
}

void ItemLines::take_back(Item& item) {
  item.end.reset();
  if (!ordered_) return;
  held_.erase(item.number);
  told_[item.number] = false;
  next_ = std::min(next_, item.number);
}

void ItemLines::earlier(const Entry& entry) {
  take(entry);
  // The line of what ended before its turn had come is still to be printed.
  end_items();
  if (ordered_) print_in_order(nullptr, false);
}

void ItemLines::entry(const Entry& entry) { take(entry); }

void ItemLines::end_items() {
  for (const std::string& path : std::exchange(ended_, {})) {
    const auto found = items_.find(path);
    if (found == items_.end() || !found->second.end) continue;
    Item& item = found->second;
    const StepWord word = step_word(*item.end);
    if (ordered_ && word != StepWord::Other) {
      Held& held = held_[item.number];
      held.end = item.end->seq;
      held.item = item;
      held.item.end.reset();
    } else if (printing_ && word != StepWord::Other) {
      line(item, *item.end);
    }
    item.end.reset();
    // What has failed may run again, in another drive.
    if (word == StepWord::Ok || printing_) items_.erase(found);
  }
}

void ItemLines::turned(const Run& run) {
  printing_ = true;
  end_items();
  if (ordered_) print_in_order(&run, run.machine().phase() == Machine::Phase::Ended);
}

void ItemLines::print_in_order(const Run* run, bool all) {
  for (;;) {
    while (next_ < told_.size() && told_[next_]) ++next_;
    if (held_.empty() || (!all && held_.begin()->first > next_)) return;
    const Held held = std::move(held_.begin()->second);
    held_.erase(held_.begin());
    told_[held.item.number] = true;
    if (!run) continue;
    const std::vector<Entry> end = journal_.read(run->record().number, held.end, 1);
    if (!end.empty()) line(held.item, end.front());
  }
}

void ItemLines::line(const Item& item, const Entry& end) {
  const bool good = step_word(end) == StepWord::Ok;
  Json line;
  line["index"] = item.number;
  line["item"] = item.value.json();
  line["ok"] = good;
  if (good) {
    line["output"] = end.value.json();
  } else {
    std::optional<Failure> failure;
    if (end.kind == EntryKind::TaskEnded) failure = as<TaskEnded>(end).result.failure;
    if (end.kind == EntryKind::StepSettled) failure = as<StepSettled>(end).outcome.failure;
    if (failure && failure->step.empty()) {
      failure->step = end.path;
      failure->attempt = end.attempt;
    }
    line["error"] = failure ? to_json(*failure) : Json();
  }
  line["attempts"] = item.attempts;
  line["duration_ms"] = item.began == Instant{} ? 0 : (item.ended - item.began).count();
  out_.write_line(line.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace flowrun::cli
