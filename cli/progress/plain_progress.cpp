#include "cli/progress/plain_progress.h"

#include <fmt/format.h>

namespace flowrun::cli {
namespace {

constexpr Duration kLongInLine{1000};  // for a place, before that is worth a word
constexpr Duration kSilence{60000};    // without a line, before one says what runs

Instant wall() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

}  // namespace

void PlainProgress::entry(const Entry& entry) {
  if (silent_) return;
  const EntryKind kind = entry.kind;
  if (kind == EntryKind::RunStarted) run_ = Json::parse(entry.data).value("id", "");
  if (kind == EntryKind::StartTask) running_[entry.path] = entry.at;
  const std::string queued = in_line(entry);
  if (kind == EntryKind::TaskEnded || kind == EntryKind::LateEnd || kind == EntryKind::TaskInterrupted ||
      kind == EntryKind::TaskWithdrawn)
    running_.erase(entry.path);
  // What only the machine's bookkeeping needs is not news.
  if (kind == EntryKind::ReservePlace || kind == EntryKind::TaskReserved || kind == EntryKind::Evaluated ||
      kind == EntryKind::ItemsChosen || kind == EntryKind::RunStarted || kind == EntryKind::RunEnded ||
      kind == EntryKind::RunSuspended || kind == EntryKind::SuspendRequested || kind == EntryKind::WithdrawWaiting ||
      kind == EntryKind::TaskWithdrawn)
    return;
  EntryLine said = describe(entry, false);
  said.detail += queued;
  if (kind == EntryKind::SignalAwaited) {
    const auto& awaited = *awaited_.insert_or_assign(entry.path, Json::parse(entry.data).value("name", "")).first;
    said.detail += "  answer: " + answer_to(awaited);
  } else if (kind == EntryKind::StepSettled) {
    awaited_.erase(entry.path);
  }
  if (said.what == "timer" || said.what == "fired") return;
  line(entry.at, said.what, said.step, said.detail);
}

std::string PlainProgress::in_line(const Entry& entry) const {
  auto started = entry.kind == EntryKind::TaskEnded ? running_.find(entry.path) : running_.end();
  if (started == running_.end() || entry.at - started->second < kLongInLine) return "";
  const auto ended = std::get<TaskEnded>(to_event(entry).fact);
  if (ended.result.began == Instant{}) return "";
  const Duration waited = ended.result.began - started->second;
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
