#include "engine/run/run_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "engine/executor/output_frame.h"
#include "engine/model/entry_reading.h"

namespace flowrun {
namespace {

constexpr std::chrono::milliseconds kLook{200};  // between two looks for more

using Stream = std::tuple<std::string, int, bool>;  // step, attempt, whether it is standard error

Stream stream_of(const OutputReader::Source& source) { return {source.path, source.attempt, source.is_stderr}; }

LogLine line_of(const OutputReader::Source& source, const OutputReader::Line& line) {
  return {line.at,       source.path, source.attempt, source.is_stderr, std::string(line.text),
          line.left_out, line.lost,   line.why};
}

/// The lines of what a step `log` says by |entry|, if it is one.
void add_said(std::vector<LogLine>& lines, const Entry& entry) {
  const std::optional<Said> said = said_by(entry);
  for (std::size_t at = 0; said && at <= said->text.size();) {
    const std::size_t end = std::min(said->text.find('\n', at), said->text.size());
    if (at > 0 && at == said->text.size()) break;  // behind the last line end
    lines.push_back({entry.at, entry.path, 0, false, said->text.substr(at, end - at), 0, 0, "", said->level});
    at = end + 1;
  }
}

/// What is not in the log: what steps `log` say, of steps that were taken over, and of all in runs of older versions,
/// which logged only what was long.
class Unlogged {
 public:
  explicit Unlogged(const OutputReader& reader) {
    for (const OutputReader::Source& source : reader.sources()) logged_[stream_of(source)] += source.lost;
  }

  void add(const Entry& entry) {
    add_said(lines, entry);
    if (entry.kind == EntryKind::RunStarted) all_logged_ = as<RunStarted>(entry).output_log > 0;
    if (entry.kind == EntryKind::StartTask) is_process_[entry.path] = work_of(entry) == Work::Process;
    if ((entry.kind != EntryKind::TaskEnded && entry.kind != EntryKind::LateEnd) || !is_process_[entry.path]) return;
    const Result result = as<TaskEnded>(entry).result;
    if (!all_logged_ || result.taken) from_entry(entry, result);
    std::uint64_t told = logged(entry, false).second + logged(entry, true).second;
    if (const auto lost = static_cast<std::uint64_t>(result.unlogged); lost > told)
      lines.push_back({entry.at, entry.path, entry.attempt, false, "", 0, lost - told, ""});
  }

  std::vector<LogLine> lines;  ///< in order of time

 private:
  std::pair<bool, std::uint64_t> logged(const Entry& entry, bool is_stderr) const {
    auto found = logged_.find({entry.path, entry.attempt, is_stderr});
    return found == logged_.end() ? std::pair(false, std::uint64_t{0}) : std::pair(true, found->second);
  }

  /// Its value, and the end of its standard error when it failed.
  void from_entry(const Entry& entry, const Result& result) {
    const Json detail = result.failure ? result.failure->detail.json() : Json();
    if (!entry.value.is_null() && !logged(entry, false).first) {
      const Json& value = entry.value.json();
      bool raw = value.is_object() && value.contains("stdout") && value.contains("exit_code");
      const Json& shown = raw ? value["stdout"] : value;
      add_lines(
          entry, false,
          shown.is_string() ? shown.get<std::string>() : shown.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    if (detail.is_object() && detail.contains("stderr_tail") && detail["stderr_tail"].is_string() &&
        !logged(entry, true).first)
      add_lines(entry, true, detail["stderr_tail"].get<std::string>());
  }

  void add_lines(const Entry& entry, bool is_stderr, std::string_view text) {
    while (!text.empty()) {
      std::size_t end = std::min(text.find('\n'), text.size());
      lines.push_back({entry.at, entry.path, entry.attempt, is_stderr, std::string(text.substr(0, end)), 0, 0, ""});
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  std::map<Stream, std::uint64_t> logged_;  ///< with the bytes of them that are lost
  std::map<std::string, bool> is_process_;
  bool all_logged_ = false;
};

}  // namespace

RunLog::RunLog(const Journal& journal, const RunRecord& run)
    : journal_(journal),
      run_(run),
      folder_(journal.run_dir(run.id)),
      reader_(folder_),
      goes_on_(!run.ended_at && run.driver_pid != 0) {
  Unlogged unlogged(reader_);
  for (const Entry& entry : entries(journal, run)) {
    history_.add(entry);
    seen_ = entry.seq;
    reading(entry, [&] { unlogged.add(entry); });
  }
  unlogged_ = std::move(unlogged.lines);
}

void RunLog::lines(const Wanted& wanted, const Take& take, bool open) {
  std::vector<bool> shown;
  for (const OutputReader::Source& source : reader_.sources()) shown.push_back(wanted(source.path, source.is_stderr));
  bool enough = false;
  auto other = unlogged_.begin();
  auto others_until = [&](std::optional<Instant> at) {
    for (; other != unlogged_.end() && !enough && (!at || other->at <= *at); ++other)
      if (wanted(other->step, other->is_stderr)) enough = !take(*other);
  };
  reader_.lines([&](const OutputReader::Line& line) {
    const OutputReader::Source& source = reader_.sources()[line.source];
    if (line.open && !open) return true;
    if (!open) known_[stream_of(source)] = line.end;
    if (!shown[line.source]) return true;
    others_until(line.at);
    if (!enough) enough = !take(line_of(source, line));
    return !enough;
  });
  others_until(std::nullopt);
}

void RunLog::follow(const Wanted& wanted, const Take& take, const std::function<bool()>& looked) {
  for (bool over = false; !over;) {
    // Who drives is asked before the files are read, so that what was said last is not missed.
    const auto now = journal_.find_exact(run_.id);
    over = !now || now->ended_at || now->driver_pid == 0;
    const OutputReader reader(folder_);
    OutputReader::Known before;
    for (const OutputReader::Source& source : reader.sources()) before.push_back(known_[stream_of(source)]);
    reader.lines(
        [&](const OutputReader::Line& line) {
          const OutputReader::Source& source = reader.sources()[line.source];
          if (line.open && !over) return true;  // more of it may come
          known_[stream_of(source)] = line.end;
          return !wanted(source.path, source.is_stderr) || take(line_of(source, line));
        },
        before);
    std::vector<LogLine> said;
    for (const Entry& entry : entries(journal_, run_, seen_ + 1)) {
      seen_ = entry.seq;
      reading(entry, [&] { add_said(said, entry); });
    }
    for (const LogLine& line : said)
      if (wanted(line.step, false) && !take(line)) break;
    if (!looked()) return;
    if (!over) std::this_thread::sleep_for(kLook);
  }
}

std::string RunLog::damage() const {
  if (reader_.damaged_at() == 0) return "";
  return fmt::format("{}/{} is damaged from byte {} on", folder_, kOutputLog, reader_.damaged_at());
}

}  // namespace flowrun
