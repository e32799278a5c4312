// Pictures of time that other programs draw.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>
#include <map>
#include <queue>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/render.h"
#include "cli/report/reports.h"

namespace flowrun::cli {
namespace {

/// What the grammar of Mermaid's gantt takes for something else at the beginning of a line, in any case.
constexpr std::array<std::string_view, 16> kMermaidWords = {
    "gantt",   "title",    "acctitle", "accdescr",    "section", "click",   "dateformat",   "inclusiveenddates",
    "topaxis", "includes", "excludes", "todaymarker", "weekday", "weekend", "tickinterval", "axisformat"};

/// Mermaid has no escape in a gantt: what ends a name or a line is replaced.
std::string mermaid_text(std::string_view path) {
  std::string text = one_line(path, 60);
  for (char& c : text)
    if (c == ':' || c == ';' || c == '#' || c == ',' || c == '%') c = '_';
  return text;
}

/// The same as the name of a bar, which stands at the beginning of a line.
std::string mermaid_name(std::string_view path) {
  const std::string name = mermaid_text(path);
  std::string word;
  for (const char c : name) {
    if (!std::isalpha(static_cast<unsigned char>(c))) break;
    word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  // A name that begins with a digit may be read as a date.
  const bool taken = word.empty() || std::find(kMermaidWords.begin(), kMermaidWords.end(), word) != kMermaidWords.end();
  return taken ? "step " + name : name;
}

/// Whether |step| has taken time: one that was prevented has not.
bool has_run(const StepHistory& step) {
  if (step.started_at == Instant{} || step.state == State::Skipped || step.state == State::Blocked) return false;
  return step.state != State::Cancelled || step.attempts > 0 || step.took > Duration{0};
}

/// How Mermaid draws a bar; what was stopped is no more than a bar.
const char* tag_of(State state) {
  if (state == State::Failed) return "crit, ";
  if (state == State::Succeeded) return "done, ";
  return is_terminal(state) ? "" : "active, ";
}

/// The group that a step stands in: `mails` of `mails[7]` and of `mails[7]/send`.
std::string section_of(const std::string& path) {
  const std::size_t end = path.find_first_of("/[");
  return end == std::string::npos ? "steps" : mermaid_text(path.substr(0, end));
}

/// The lowest track that is free from |from| on, one after another in order of |from|.
class Tracks {
 public:
  int take(Instant from, Instant to) {
    while (!busy_.empty() && busy_.top().first <= from) {
      free_.push(busy_.top().second);
      busy_.pop();
    }
    int track = 0;
    if (free_.empty()) {
      track = ++count_;
    } else {
      track = free_.top();
      free_.pop();
    }
    busy_.emplace(to, track);
    return track;
  }
  int count() const { return count_; }

 private:
  using End = std::pair<Instant, int>;
  std::priority_queue<End, std::vector<End>, std::greater<>> busy_;
  std::priority_queue<int, std::vector<int>, std::greater<>> free_;
  int count_ = 0;
};

}  // namespace

std::string mermaid_report(const PastRun& run) {
  std::string text =
      fmt::format("gantt\n  title {}\n  dateFormat x\n  axisFormat %H:%M:%S\n", mermaid_text(run.record.id));
  std::vector<std::string> sections;  // in order of their first steps
  std::map<std::string, std::string> bars;
  for (const StepHistory& step : run.history.steps()) {
    if (!has_run(step)) continue;
    if (only_holds_others(step) && step.kind != "for_each") continue;
    std::string& section = bars[section_of(step.path)];
    if (section.empty()) sections.push_back(section_of(step.path));
    const Instant end = is_terminal(step.state) ? step.ended_at : run.until;
    section += fmt::format("  {} :{}{}, {}\n", mermaid_name(step.path), tag_of(step.state), to_millis(step.started_at),
                           std::max(to_millis(end), to_millis(step.started_at) + 1));
  }
  for (const std::string& section : sections) text += fmt::format("  section {}\n{}", section, bars[section]);
  return text;
}

std::string perfetto_report(const PastRun& run) {
  std::vector<const PastAttempt*> attempts;
  for (const PastAttempt& attempt : run.attempts) attempts.push_back(&attempt);
  std::stable_sort(attempts.begin(), attempts.end(),
                   [](const PastAttempt* one, const PastAttempt* other) { return one->began < other->began; });
  Json events = Json::array();
  Tracks tracks;
  for (const PastAttempt* attempt : attempts) {
    const StepHistory* step = run.history.find(attempt->path);
    Json args{{"attempt", attempt->number}, {"ok", attempt->ok}};
    if (attempt->code != 0) args["code"] = attempt->code;
    if (!attempt->error.empty()) args["error"] = attempt->error;
    if (attempt->given_up) args["given_up"] = true;
    if (step && !step->what.empty()) args["what"] = step->what;
    if (const std::string place = run.place_of(attempt->path); !place.empty()) args["place"] = place;
    if (attempt->asked != Instant{} && attempt->began > attempt->asked)
      args["in_line_ms"] = (attempt->began - attempt->asked).count();
    events.push_back({{"ph", "X"},
                      {"name", attempt->path},
                      {"cat", step ? step->kind : ""},
                      {"ts", to_millis(attempt->began) * 1000},
                      {"dur", (attempt->ended - attempt->began).count() * 1000},
                      {"pid", 1},
                      {"tid", tracks.take(attempt->began, attempt->ended)},
                      {"args", args}});
  }
  events.push_back({{"ph", "M"}, {"name", "process_name"}, {"pid", 1}, {"args", {{"name", run.record.id}}}});
  for (int track = 1; track <= tracks.count(); ++track)
    events.push_back({{"ph", "M"},
                      {"name", "thread_name"},
                      {"pid", 1},
                      {"tid", track},
                      {"args", {{"name", fmt::format("slot {}", track)}}}});
  return Json{{"traceEvents", events}, {"displayTimeUnit", "ms"}}.dump(-1, ' ', false, Json::error_handler_t::replace) +
         "\n";
}

}  // namespace flowrun::cli
