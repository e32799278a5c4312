#include "cli/progress/plain_progress.h"

#include <fmt/format.h>

#include "cli/entry_text.h"
#include "engine/model/entry_reading.h"

namespace flowrun::cli {
namespace {

constexpr Duration kLongInLine{1000};  // for a place, before that is worth a word
constexpr Duration kSilence{60000};    // without a line, before one says what runs

Instant wall() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

}  // namespace

void PlainProgress::entry(const Entry& entry) {
  if (silent_) return;
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
  EntryLine said = describe(entry, false);
  if (!said.news) return;
  said.detail += waited;
  if (entry.kind == EntryKind::SignalAwaited) said.detail += "  answer: " + answer_to(*awaited_.find(entry.path));
  line(entry.at, said.what, said.step, said.detail);
}

std::string PlainProgress::in_line(const Entry& entry) const {
  const auto started = running_.find(entry.path);
  if (started == running_.end() || entry.at - started->second < kLongInLine) return "";
  const Instant began = as<TaskEnded>(entry).result.began;
  if (began == Instant{}) return "";
  const Duration waited = began - started->second;
  return waited < kLongInLine ? "" : fmt::format("  after {} in line", for_people(waited));
}

std::string PlainProgress::answer_to(const std::pair<const std::string, std::string>& awaited) const {
  return answer_command(journal_, run_.empty() ? "RUN" : run_, awaited.first, awaited.second, answers_);
}

void PlainProgress::note(const std::string& text) {
  if (silent_) return;
  std::fprintf(stderr, "%s\n", text.c_str());
  last_ = wall();
}

void PlainProgress::heartbeat(Instant now, const Machine& machine) {
  if (silent_) return;
  if (last_ == Instant{}) last_ = now;
  if (now - last_ < kSilence) return;
  std::size_t in_flight = machine.in_flight_count(), awaiting = machine.awaiting();
  std::string names;
  std::size_t shown = 0;
  for (const auto& [path, yes] : running_) {
    if (++shown > 3) break;
    names += (names.empty() ? "" : ", ") + path;
  }
  std::string text =
      fmt::format("{} running{}{}", in_flight, names.empty() ? "" : ": " + names, in_flight > 3 ? ", ..." : "");
  if (awaiting > 0 && !awaited_.empty())
    text += fmt::format("; {} wait for a signal, first: {}", awaiting, answer_to(*awaited_.begin()));
  for (const Pools::Line& waits : machine.lines())
    text += fmt::format("; {} {} for {}", waits.waiting, waits.waiting == 1 ? "waits" : "wait",
                        what_binds(waits, machine.concurrency()));
  line(now, "alive", "run", text);
}

void PlainProgress::line(Instant at, const std::string& what, const std::string& step, const std::string& detail) {
  // In a log that is read later: the date is told when it is another than that of the first line.
  if (began_ == Instant{}) began_ = at;
  std::string text = fmt::format("{} {:<9} {:<24} {}", clock_text(at, began_), what, step, detail);
  text.erase(text.find_last_not_of(' ') + 1);
  text += '\n';
  std::fwrite(text.data(), 1, text.size(), stderr);
  last_ = wall();
}

}  // namespace flowrun::cli
