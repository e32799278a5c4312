#include "cli/progress/plain_progress.h"

#include <fmt/format.h>

#include "cli/entry_text.h"
#include "engine/model/entry_reading.h"
#include "engine/run/clocks.h"
#include "engine/run/history.h"

namespace flowrun::cli {
namespace {

constexpr Duration kToldInLine{1000};  // for a place, before that is worth a word
constexpr Duration kSilence{60000};    // without a line, before one says what runs
constexpr Duration kToldAgain{10000};  // a large group, though less than a tenth of it has ended since

}  // namespace

void PlainProgress::plan(std::vector<OutlineRow> rows, AnswerData answers, const std::string& /*file*/) {
  items_.plan(rows);
  answers_ = std::move(answers);
}

bool PlainProgress::folds(const Entry& entry, bool told) {
  if (every_) return false;
  if (entry.kind == EntryKind::ItemsChosen && group_of(entry.path).empty()) {
    const std::size_t count = as<ItemsChosen>(entry).count;
    if (count > kLargeGroup) {
      items_.begin(entry.path, entry.at, count);
      told_[entry.path].at = entry.at;
    }
  }
  if (entry.kind == EntryKind::ItemsArrived) {
    const auto arrived = as<ItemsArrived>(entry);
    items_.grow(entry.path, entry.at, arrived.items.json().size(), arrived.last);
    told_.try_emplace(entry.path, Told{0, entry.at});
  }
  if (entry.kind == EntryKind::RunReopened || entry.kind == EntryKind::UndoRequested) items_.reopen();
  // What waits for a person is told wherever it stands.
  return items_.take(entry, told) && entry.kind != EntryKind::SignalAwaited && entry.kind != EntryKind::SignalReceived;
}

void PlainProgress::over() { tell_failed_items(wall_clock()); }

void PlainProgress::earlier(const Entry& entry) { folds(entry, false); }

void PlainProgress::tell_failed_items(Instant now) {
  for (const ItemGroups::Ended& item : items_.ended()) line(now, "failed", item.path, item.text);
}

void PlainProgress::tell_groups(Instant now) {
  for (auto& [path, told] : told_) {
    ItemGroup* group = items_.find(path);
    if (!group || group->is_over() || group->total() == 0) continue;
    const std::size_t tenth = group->is_open() ? told.tenth : group->done() * 10 / group->total();
    if (tenth == told.tenth && now - told.at < kToldAgain) continue;
    told = {tenth, now};
    line(now, "items", path, group->standing(now));
  }
}

void PlainProgress::entry(const Entry& entry) {
  if (is_fact(entry.kind)) tell_failed_items(entry.at);
  std::string waited;
  switch (entry.kind) {
    case EntryKind::RunStarted:
      run_ = as<RunStarted>(entry).id;
      break;
    case EntryKind::StartTask:
      running_[entry.path] = entry.at;
      break;
    case EntryKind::TaskEnded:
      waited = in_line(entry);
      [[fallthrough]];
    case EntryKind::LateEnd:
    case EntryKind::TaskInterrupted:
    case EntryKind::TaskWithdrawn:
      running_.erase(entry.path);
      break;
    case EntryKind::SignalAwaited:
      awaited_.insert_or_assign(entry.path, as<SignalAwaited>(entry).name);
      break;
    case EntryKind::StepSettled:
      awaited_.erase(entry.path);
      break;
    default:
      break;
  }
  const bool folded = folds(entry, true);
  // What a step says is told wherever it stands.
  if (const auto said = said_by(entry)) {
    if (said->level == "debug" && !every_) return;
  } else if (folded) {
    return;
  }
  EntryLine said = describe(entry, false);
  if (!said.news) return;
  said.detail += waited;
  if (const ItemGroup* group = items_.find(entry.path); group && entry.kind == EntryKind::StepSettled) {
    items_.end(entry.path);
    said.detail += "  " + group->counts();
  }
  if (entry.kind == EntryKind::SignalAwaited) said.detail += "  answer: " + answer_to(*awaited_.find(entry.path));
  line(entry.at, said.what, said.step, said.detail);
}

std::string PlainProgress::in_line(const Entry& entry) const {
  const auto started = running_.find(entry.path);
  if (started == running_.end() || entry.at - started->second < kToldInLine) return "";
  const Instant began = as<TaskEnded>(entry).result.began;
  if (began == Instant{}) return "";
  const Duration waited = began - started->second;
  return waited < kToldInLine ? "" : fmt::format("  after {} in line", to_display(waited));
}

std::string PlainProgress::answer_to(const std::pair<const std::string, std::string>& awaited) const {
  return answer_command(journal_, run_.empty() ? "RUN" : run_, awaited.first, awaited.second, answers_);
}

void PlainProgress::note(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  last_ = wall_clock();
}

void PlainProgress::turned(Instant now, const Standing& standing) {
  tell_failed_items(now);
  tell_groups(now);
  if (last_ == Instant{}) last_ = now;
  if (now - last_ < kSilence) return;
  const Machine* machine = standing.machine;
  const std::size_t in_flight = machine ? standing.running() : running_.size(), awaiting = awaited_.size();
  std::string names;
  std::size_t shown = 0;
  // Which of those that were started wait for a slot is not known.
  if (standing.in_line + standing.looked_for == 0 && standing.shared.empty())
    for (const auto& [path, yes] : running_) {
      if (++shown > 3) break;
      names += (names.empty() ? "" : ", ") + path;
    }
  std::string text = fmt::format("{} running{}{}", in_flight, names.empty() ? "" : ": " + names,
                                 !names.empty() && in_flight > 3 ? ", ..." : "");
  if (awaiting > 0) text += fmt::format("; {} wait for a signal, first: {}", awaiting, answer_to(*awaited_.begin()));
  if (machine) text += who_waits(*machine, standing.in_line, standing.shared, standing.looked_for);
  line(now, "alive", "run", text);
}

void PlainProgress::closed(Instant now, const Closing& closing) {
  line(now, closing.state == RunState::Succeeded ? "ok" : std::string(to_string(closing.state)), "run",
       fmt::format("{}  {}  {} ok, {} failed", closing.run, to_display(closing.took), closing.ok, closing.failed));
}

void PlainProgress::line(Instant at, const std::string& what, const std::string& step, const std::string& detail) {
  // In a log that is read later: the date is told when it is another than that of the first line.
  if (began_ == Instant{}) began_ = at;
  std::string text = fmt::format("{} {:<9} {:<24} {}", clock_text(at, began_), what, step, detail);
  text.erase(text.find_last_not_of(' ') + 1);
  text += '\n';
  std::fwrite(text.data(), 1, text.size(), stderr);
  last_ = wall_clock();
}

}  // namespace flowrun::cli
