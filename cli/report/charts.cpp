// Pictures of time that other programs draw.
#include <fmt/format.h>

#include <algorithm>
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

/// Mermaid has no escape in a gantt: what ends a name or a line is replaced.
std::string mermaid_name(std::string_view path) {
  std::string name = one_line(path, 60);
  for (char& c : name)
    if (c == ':' || c == ';' || c == '#' || c == ',' || c == '%') c = '_';
  return name;
}

/// The group that a step stands in: `mails` of `mails[7]` and of `mails[7]/send`.
std::string section_of(const std::string& path) {
  const std::size_t end = path.find_first_of("/[");
  return end == std::string::npos ? "steps" : mermaid_name(path.substr(0, end));
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
      fmt::format("gantt\n  title {}\n  dateFormat x\n  axisFormat %H:%M:%S\n", mermaid_name(run.record.id));
  std::vector<std::string> sections;  // in order of their first steps
  std::map<std::string, std::string> bars;
  for (const StepHistory& step : run.history.steps()) {
    if (step.started_at == Instant{}) continue;
    if (only_holds_others(step) && step.kind != "for_each") continue;
    std::string& section = bars[section_of(step.path)];
    if (section.empty()) sections.push_back(section_of(step.path));
    const Instant end = is_terminal(step.state) ? step.ended_at : run.until;
    const char* tag = step.state == State::Failed ? "crit, " : is_terminal(step.state) ? "done, " : "active, ";
    section += fmt::format("  {} :{}{}, {}\n", mermaid_name(step.path), tag, to_millis(step.started_at),
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
