// What a past run would take with other settings: a row for each, and what its time is made of.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "cli/render.h"
#include "cli/report/critical_path.h"
#include "cli/report/reports.h"
#include "engine/model/path.h"
#include "engine/run/predict.h"

namespace flowrun::cli {
namespace {

constexpr std::size_t kMostLinks = 3;  // of a critical path in a row

/// Steps of a critical path that are written as one: items of a for_each.
struct Link {
  std::string step;  ///< without keys
  std::size_t times = 0;
  Duration took{0};
};

std::vector<Link> links_of(const PastRun& run) {
  std::vector<Link> links;
  Instant before = run.record.started_at;
  for (const CriticalStep& step : critical_path(run)) {
    const std::string name = without_keys(step.path);
    auto link = std::find_if(links.begin(), links.end(), [&](const Link& one) { return one.step == name; });
    if (link == links.end()) link = links.insert(links.end(), {name});
    ++link->times;
    // What was taken over from another run, or stopped late, began before its turn.
    link->took += std::max(step.ended - std::max(step.began, before), Duration{0});
    before = std::max(before, step.ended);
  }
  return links;
}

double share(Duration part, Duration whole) {
  return whole.count() > 0 ? static_cast<double>(part.count()) / static_cast<double>(whole.count()) : 0;
}

std::string percent(Duration part, Duration whole) {
  return whole.count() > 0 ? fmt::format("{:.0f}%", 100 * share(part, whole)) : "";
}

/// What a link costs of |whole|; what began in a time that is left out counts as all of it.
std::string percent_of(const Link& link, Duration whole) { return percent(std::min(link.took, whole), whole); }

std::string text_of(const std::vector<Link>& links, Duration whole) {
  std::vector<Link> longest = links;
  std::stable_sort(longest.begin(), longest.end(),
                   [](const Link& one, const Link& other) { return one.took > other.took; });
  if (longest.size() > kMostLinks) longest.resize(kMostLinks);
  std::string text;
  std::size_t shown = 0;
  for (const Link& link : links) {
    if (std::none_of(longest.begin(), longest.end(), [&](const Link& one) { return one.step == link.step; })) continue;
    const std::string times = link.times > 1 ? fmt::format(" x{}", link.times) : "";
    text += fmt::format("{}{}{} {}", shown++ > 0 ? " > " : "", link.step, times, percent_of(link, whole));
  }
  if (links.size() > shown) text += fmt::format(" and {} more", links.size() - shown);
  return text;
}

/// `jobs 97%`: for so much of the time somebody waited for that.
std::string text_of(const std::vector<Prediction::Wait>& waits, Duration whole) {
  if (waits.empty() || share(waits.front().span, whole) < 0.005) return "-";
  return fmt::format("{} {}", waits.front().what, percent(waits.front().span, whole));
}

/// A row of the table.
struct Row {
  std::string what;  ///< the settings; of the run itself `recorded`
  Duration took{0};
  State state = State::Succeeded;
  Prediction prediction{};
  std::vector<Link> links = {};
};

Json row_json(const Row& row, const RunRecord& run, Duration recorded) {
  Json json{
      {"run", run.id},
      {"what_if", row.what},
      {"state", to_string(row.state)},
      {"took_ms", row.took.count()},
      {"recorded_ms", recorded.count()},
      {"of_recorded", recorded.count() > 0 ? Json(std::round(share(row.took, recorded) * 10000) / 10000) : Json()},
      {"attempts", row.prediction.attempts},
      {"guessed", row.prediction.guessed}};
  Json waits = Json::object();
  for (const Prediction::Wait& wait : row.prediction.waits) waits[wait.what] = wait.span.count();
  json["waits_ms"] = std::move(waits);
  Json path = Json::array();
  for (const Link& link : row.links)
    path.push_back({{"step", link.step}, {"times", link.times}, {"took_ms", link.took.count()}});
  json["critical_path"] = std::move(path);
  return json;
}

std::string table_of(const std::vector<Row>& rows, const RunRecord& run, Duration recorded) {
  std::vector<std::vector<std::string>> cells{{"WHAT IF", "TAKES", "OF IT", "WAITS FOR", "CRITICAL PATH"}};
  cells.push_back(
      {"(recorded)", to_display(recorded), "100%", "", text_of(rows.front().links, *run.ended_at - run.started_at)});
  std::string notes;
  for (auto row = rows.begin() + 1; row != rows.end(); ++row) {
    cells.push_back({one_line(row->what, 60), to_display(row->took), percent(row->took, recorded),
                     text_of(row->prediction.waits, row->took), text_of(row->links, row->took)});
    const std::string what = one_line(row->what, 60);
    if (run_state_from(row->state) != run.state)
      notes += fmt::format("{}: the run would not be {} but {}\n", what, to_string(run.state), to_string(row->state));
    if (const std::size_t guessed = row->prediction.guessed; guessed > 0)
      notes += fmt::format("{}: {} of {} attempts {} guessed, the first at {}: the run does not have {}\n", what,
                           guessed, row->prediction.attempts, guessed == 1 ? "is" : "are", row->prediction.guessed_path,
                           guessed == 1 ? "it" : "them");
  }
  return table(cells) + notes;
}

}  // namespace

std::string what_if_report(const Journal& journal, const RunRecord& run, const std::vector<std::string>& what_ifs,
                           bool json) {
  std::vector<WhatIf> wanted;
  for (const std::string& text : what_ifs) wanted.push_back(what_if_from(text));
  const Recording recording = recording_of(journal, run);
  PastRun empty;
  empty.record = run;
  std::vector<Row> rows(1);
  {
    const PastRun past = past_run(journal, run);
    empty.rows = past.rows;
    rows.front().links = links_of(past);
  }
  for (const WhatIf& what_if : wanted) {
    PastRun past = empty;
    PastRunFold fold(past);
    Row row{what_if.text};
    row.prediction = predict(journal, run, recording, what_if, [&](const Entry& entry) { fold.add(entry); });
    row.took = row.prediction.took;
    row.state = row.prediction.outcome.state;
    row.links = links_of(past);
    rows.push_back(std::move(row));
  }
  if (!json) return table_of(rows, run, recording.took());
  std::string text;
  for (auto row = rows.begin() + 1; row != rows.end(); ++row)
    text += row_json(*row, run, recording.took()).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  return text;
}

}  // namespace flowrun::cli
