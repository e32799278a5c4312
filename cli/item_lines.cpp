#include "cli/item_lines.h"

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
      item.end.reset();
      return;
    case StepWord::Again:
    case StepWord::NotBegun:
      item.end.reset();
      return;
    case StepWord::Ok:
    case StepWord::Failed:
    case StepWord::Other:
      if (!item.end) ended_.push_back(entry.path);
      item.end = entry;
      return;
  }
}

void ItemLines::earlier(const Entry& entry) {
  take(entry);
  for (const std::string& path : std::exchange(ended_, {})) {
    const auto found = items_.find(path);
    if (found == items_.end() || !found->second.end) continue;
    told(found->second.number);
    if (step_word(*found->second.end) == StepWord::Ok) items_.erase(found);
  }
}

void ItemLines::entry(const Entry& entry) { take(entry); }

void ItemLines::turned(const Run& run, bool over) {
  for (const std::string& path : std::exchange(ended_, {})) {
    const auto found = items_.find(path);
    if (found == items_.end() || !found->second.end) continue;
    Item& item = found->second;
    const bool good = step_word(*item.end) == StepWord::Ok;
    if (step_word(*item.end) != StepWord::Other) {
      if (ordered_) {
        Held& held = held_[item.number];
        held.end = item.end->seq;
        held.item = item;
        held.item.end.reset();
      } else {
        line(item, *item.end);
      }
    }
    if (good) items_.erase(found);
  }
  if (ordered_) print_in_order(run, over);
}

void ItemLines::print_in_order(const Run& run, bool over) {
  const auto first_open = [this] {
    while (next_ < told_.size() && told_[next_]) ++next_;
    return next_;
  };
  while (!held_.empty() && (over || held_.begin()->first <= first_open())) {
    const Held held = std::move(held_.begin()->second);
    held_.erase(held_.begin());
    const std::vector<Entry> end = journal_.read(run.record().number, held.end, 1);
    if (!end.empty()) line(held.item, end.front());
    told(held.item.number);
  }
}

void ItemLines::told(std::size_t number) {
  if (ordered_ && number < told_.size()) told_[number] = true;
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
