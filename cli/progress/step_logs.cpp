#include "cli/progress/step_logs.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cli/progress/item_groups.h"
#include "cli/render.h"
#include "engine/model/entry_reading.h"
#include "engine/model/path.h"

namespace flowrun::cli {
namespace {

constexpr std::size_t kAtOnce = 64 << 10;  // bytes that are written together

/// Whether an attempt is over with |entry|.
bool ends_attempt(const Entry& entry) {
  return entry.kind == EntryKind::TaskEnded || entry.kind == EntryKind::LateEnd ||
         entry.kind == EntryKind::TaskInterrupted;
}

}  // namespace

void StepLogs::earlier(const Entry& entry) {
  const bool folds = (entry.kind == EntryKind::ItemsChosen && as<ItemsChosen>(entry).count > kLargeGroup) ||
                     entry.kind == EntryKind::ItemsArrived;
  if (folds_ && folds && !is_folded(entry.path)) folded_.push_back(entry.path);
}

void StepLogs::before(const Entry& entry) {
  earlier(entry);
  if (entry.kind == EntryKind::StartTask && work_of(entry) != Work::Request) processes_.insert(entry.path);
  if (!ends_attempt(entry) || processes_.erase(entry.path) == 0) return;
  ended_ = true;
  // What follows upon the end may have said something already. It comes behind the words of the end.
  std::vector<LogLine> of_others;
  const auto own = [&](const LogLine& line) { line.step == entry.path ? take(line) : of_others.push_back(line); };
  tail_.look(own);
  tail_.finish(entry.path, entry.attempt, own);
  print();
  for (const LogLine& line : of_others) take(line);
}

void StepLogs::after(const Entry& entry) {
  if (!std::exchange(ended_, false)) return;
  tell(entry);
  print();
}

void StepLogs::tell(const Entry& entry) {
  const auto found = said_.find({entry.path, entry.attempt});
  if (found == said_.end()) return;
  const Said said = std::move(found->second);
  said_.erase(found);
  const bool failed = entry.kind != EntryKind::TaskInterrupted && as<TaskEnded>(entry).result.failure.has_value();
  if (mode_ == Mode::Fail && !failed) return;
  if (said.left_out > 0) text_ += fmt::format("[{}] ... {} lines before\n", entry.path, said.left_out);
  for (const std::string& line : said.lines) text_ += line;
}

void StepLogs::look() {
  tail_.look([&](const LogLine& line) { take(line); });
  print();
}

void StepLogs::print() {
  std::fwrite(text_.data(), 1, text_.size(), stderr);
  text_.clear();
}

bool StepLogs::is_folded(const std::string& step) const {
  return std::any_of(folded_.begin(), folded_.end(), [&](const std::string& group) { return is_below(step, group); });
}

void StepLogs::take(const LogLine& line) {
  if (is_folded(line.step)) return;
  std::string text = log_text(line);
  if (mode_ == Mode::Stream) {
    text_ += text;
    if (text_.size() > kAtOnce) print();
    return;
  }
  Said& said = said_[{line.step, line.attempt}];
  said.bytes += text.size();
  said.lines.push_back(std::move(text));
  while (said.lines.size() > kMostLines || (said.bytes > kMostBytes && said.lines.size() > 1)) {
    said.bytes -= said.lines.front().size();
    said.lines.pop_front();
    ++said.left_out;
  }
}

void add_logs_option(Command& command, std::string& word) {
  command.add_option("--logs", word, "What processes say, on standard error: auto, stream, group, fail, none")
      ->one_of({"auto", "stream", "group", "fail", "none"})
      ->envname("FLOWRUN_LOGS");
}

std::unique_ptr<StepLogs> make_step_logs(const Context& context, const std::string& word, ProgressKind kind,
                                         std::string folder) {
  using Mode = StepLogs::Mode;
  std::optional<Mode> mode;
  if (word == "stream" || (word == "auto" && kind == ProgressKind::Plain)) mode = Mode::Stream;
  if (word == "group" || (word == "auto" && kind == ProgressKind::Github)) mode = Mode::Group;
  if (word == "fail") mode = Mode::Fail;
  if (!mode) return nullptr;
  return std::make_unique<StepLogs>(std::move(folder), *mode, word == "auto" && context.verbose == 0);
}

}  // namespace flowrun::cli
