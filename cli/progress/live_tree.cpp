#include "cli/progress/live_tree.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/last_words.h"
#include "cli/render.h"
#include "engine/journal/typed_command.h"
#include "engine/model/entry_reading.h"

namespace flowrun::cli {
namespace {

using RowMark = LiveRow::Mark;

constexpr std::size_t kTextWidth = 200;    // of what a step does; the screen cuts it to its own
constexpr std::size_t kAskedItems = 3;     // that wait for a person, and are shown
constexpr std::size_t kToldFailures = 20;  // of the items of one group; the rest is only counted

/// `0.4s`, `12s`, `1m03s`: of what still goes on, so without hundredths.
std::string since(Duration span) {
  if (span < Duration{0}) span = Duration{0};
  return span < Duration{10000} ? fmt::format("{}.{}s", span.count() / 1000, span.count() / 100 % 10)
                                : to_display(span);
}

}  // namespace

void LiveTree::plan(std::vector<OutlineRow> rows, AnswerData answers) {
  items_.plan(rows);
  rows_ = std::move(rows);
  answers_ = std::move(answers);
}

void LiveTree::earlier(const Entry& entry) { take(entry, false); }

void LiveTree::entry(const Entry& entry) { take(entry, true); }

void LiveTree::take(const Entry& entry, bool told) {
  if (is_fact(entry.kind)) make_rows();
  if (const auto said = said_by(entry)) {
    if (told) {
      make_rows();
      if (said->level != "debug" || every_)
        ended_.push_back({RowMark::Other, entry.path, one_line(said->text, kTextWidth), said->level});
    }
    told = false;
  }
  if (items_.take(entry, told)) return;
  history_.add(entry);
  if (entry.kind == EntryKind::RunReopened || entry.kind == EntryKind::UndoRequested) {
    items_.reopen();
    over_.clear();
  }
  // Nothing stands in for these any more.
  if (entry.kind == EntryKind::RunEnded)
    for (const std::string& path : std::exchange(held_, {}))
      if (over_.insert(path).second && told) changed_.push_back(path);
  if (entry.path.empty()) return;
  if (entry.kind == EntryKind::ItemsChosen) items_.begin(entry.path, entry.at, as<ItemsChosen>(entry).count);
  if (entry.kind == EntryKind::ItemsArrived) {
    const auto arrived = as<ItemsArrived>(entry);
    items_.grow(entry.path, entry.at, arrived.items.json().size(), arrived.last);
  }
  note_state(entry, told);
}

void LiveTree::note_state(const Entry& entry, bool told) {
  const StepHistory* step = history_.find(entry.path);
  if (!step && !items_.find(entry.path)) return;
  const auto live = std::find(live_.begin(), live_.end(), entry.path);
  if (!step || !is_terminal(step->state)) {
    over_.erase(entry.path);
    held_.erase(entry.path);
    std::erase(changed_, entry.path);
    // A new try of a sub-workflow: what is in it happens again.
    if (entry.kind == EntryKind::ChildStarted)
      std::erase_if(over_, [below = entry.path + "/"](const std::string& path) { return path.starts_with(below); });
    if (live == live_.end()) live_.push_back(entry.path);
    return;
  }
  // Before a step that is reopened looks as if it ran other entries come; one that is stopped may come out by its
  // fallback yet.
  const bool slept = entry.kind == EntryKind::TimerFired && as<TimerFired>(entry).timer == TimerKind::Sleep;
  if (entry.kind != EntryKind::TaskEnded && entry.kind != EntryKind::StepSettled && !slept) return;
  items_.end(entry.path);
  if (live != live_.end()) live_.erase(live);
  if (step->state == State::Failed && items_.may_recover(entry)) {
    held_.insert(entry.path);
    return;
  }
  held_.erase(entry.path);
  if (over_.insert(entry.path).second && told) changed_.push_back(entry.path);
}

LiveRow LiveTree::row_of(const StepHistory& step) const {
  LiveRow row{RowMark::Other, step.path, "", ""};
  const auto add = [&](const std::string& word) {
    if (!word.empty()) row.text += (row.text.empty() ? "" : "  ") + word;
  };
  if (step.state == State::Succeeded) row.mark = RowMark::Ok;
  if (step.state == State::Failed) row.mark = RowMark::Failed;
  if (step.state != State::Succeeded && step.state != State::Failed) add(std::string(to_string(step.state)));
  if (step.failure && step.state != State::Succeeded) {
    add(one_line(step.failure->type + ": " + step.failure->message, kTextWidth));
    add(one_line(own_words(*step.failure, 1, ""), kTextWidth));
  } else {
    add(one_line(step.what.empty() ? step.kind : step.what, kTextWidth));
    if (step.code >= 100) add(std::to_string(step.code));
  }
  if (step.attempts > 1) add(fmt::format("{} tries", step.attempts));
  add(step.reason);
  if (step.started_at != Instant{}) row.right = to_display(step.took);
  return row;
}

LiveRow LiveTree::end_of(const ItemGroup& group, const StepHistory& step) const {
  LiveRow row = row_of(step);
  row.text = group.counts();
  if (group.failed() > kToldFailures && !every_)
    row.text += fmt::format("  all of them: {}", typed_command({"show", run_}, journal_));
  if (step.failure && step.state != State::Succeeded) row.text += "  " + one_line(step.failure->message, kTextWidth);
  row.right = to_display(step.ended_at - group.began());
  return row;
}

void LiveTree::make_rows() {
  for (ItemGroups::Ended& item : items_.ended()) {
    if (!item.ok && ++told_[std::string(group_of(item.path))] > kToldFailures && !every_) continue;
    ended_.push_back({item.ok ? RowMark::Ok : RowMark::Failed, std::move(item.path), std::move(item.text), ""});
  }
  for (const std::string& path : changed_) {
    const StepHistory* step = history_.find(path);
    if (!step || !is_terminal(step->state)) continue;
    if (const ItemGroup* group = items_.find(path)) {
      ended_.push_back(end_of(*group, *step));
    } else if (!only_holds_others(*step)) {
      ended_.push_back(row_of(*step));
    }
  }
  changed_.clear();
}

std::vector<LiveRow> LiveTree::ended() {
  make_rows();
  return std::exchange(ended_, {});
}

bool LiveTree::is_over(const OutlineRow& row) const {
  const StepHistory* step = history_.find(row.path);
  return step && is_terminal(step->state);
}

std::vector<LiveRow> LiveTree::waiting_for_others() const {
  std::vector<LiveRow> rows;
  for (const OutlineRow& row : rows_) {
    if (row.depth != 0 || row.edges.empty() || history_.find(row.path) || items_.all().count(row.path) > 0) continue;
    std::string others;
    for (const OutlineEdge& edge : row.edges)
      if (!is_over(rows_[edge.from])) others += (others.empty() ? "" : ", ") + rows_[edge.from].path;
    if (!others.empty()) rows.push_back({RowMark::Later, row.path, "waits for " + others, ""});
  }
  return rows;
}

void LiveTree::ask(std::vector<LiveRow>& rows, LiveRow row, const std::string& signal) const {
  row.mark = RowMark::Waits;
  row.text = "waits for an answer" + (row.text.empty() ? "" : ": " + one_line(row.text, kTextWidth));
  const std::string command = answer_command(journal_, run_.empty() ? "RUN" : run_, row.name, signal, answers_);
  rows.push_back(std::move(row));
  rows.push_back({RowMark::Note, "", command, ""});
  rows.back().whole = true;
}

std::vector<LiveRow> LiveTree::running(Instant now) {
  std::vector<LiveRow> asking, working;
  for (const std::string& path : live_) {
    if (ItemGroup* group = items_.find(path); group && !group->is_over()) {
      working.push_back({RowMark::Runs, path, group->standing(now), since(now - group->began())});
      if (group->total() > 0 && !group->is_open())
        working.back().share = static_cast<double>(group->done()) / static_cast<double>(group->total());
      continue;
    }
    const StepHistory* step = history_.find(path);
    if (!step) continue;
    LiveRow row{RowMark::Runs, path, one_line(step->what.empty() ? step->kind : step->what, kTextWidth),
                step->started_at == Instant{} ? "" : since(now - step->started_at)};
    switch (step->state) {
      case State::Waiting:
        row.text = step->what;
        ask(asking, std::move(row), step->signal);
        continue;
      case State::Retrying:
        row.text = fmt::format("{}try {} in {}  {}", step->failure ? step->failure->type + "  " : "",
                               step->attempts + 1, since(step->due.value_or(now) - now), row.text);
        break;
      case State::Sleeping:
        row.text = fmt::format("sleeps, {} left", since(step->due.value_or(now) - now));
        break;
      case State::Running:
        if (step->attempts > 1) row.text = fmt::format("try {}  {}", step->attempts, row.text);
        break;
      default:
        row.mark = RowMark::Later;
        row.text = step->reason;
    }
    working.push_back(std::move(row));
  }
  std::size_t asked = 0;
  for (const auto& [path, signal] : items_.waiting())
    if (++asked <= kAskedItems) ask(asking, {RowMark::Waits, path, "", ""}, signal);
  if (asked > kAskedItems)
    asking.push_back({RowMark::Note, "", fmt::format("and {} items more that wait", asked - kAskedItems), ""});
  std::vector<LiveRow> rows = std::move(asking);
  rows.insert(rows.end(), working.begin(), working.end());
  const std::vector<LiveRow> later = waiting_for_others();
  rows.insert(rows.end(), later.begin(), later.end());
  return rows;
}

int LiveTree::percent() const {
  std::size_t total = 0, done = 0;
  for (const auto& [path, group] : items_.all()) {
    total += group.total();
    done += group.done();
  }
  for (const OutlineRow& row : rows_) {
    if (row.depth != 0 || items_.all().count(row.path) > 0) continue;
    ++total;
    if (is_over(row)) ++done;
  }
  return total == 0 ? -1 : static_cast<int>(std::min(done, total) * 100 / total);
}

}  // namespace flowrun::cli
