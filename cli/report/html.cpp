// A run as a page for a browser: the page of cli/report/page/ with the run as JSON in it. What the members of the JSON
// mean is said in page/model.js, which reads it.
#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cli/entry_text.h"
#include "cli/last_words.h"
#include "cli/render.h"
#include "cli/report/critical_path.h"
#include "cli/report/page.h"
#include "cli/report/page_rows.h"
#include "cli/report/reports.h"
#include "cli/report/step_times.h"
#include "engine/journal/typed_command.h"
#include "engine/model/entry_reading.h"
#include "engine/model/json_text.h"
#include "engine/run/step_paths.h"

namespace flowrun::cli {
namespace {

constexpr std::size_t kMostRows = 100'000;
constexpr std::size_t kLongestValue = 64 << 10;  // bytes of one value; of a longer one its beginning
constexpr std::size_t kMostValues = 24 << 20;    // bytes of all; of what comes later only how long it is
constexpr std::size_t kLongestText = 2000;       // of a message, a command, a prompt
constexpr std::size_t kMostLastLines = 40;       // last lines of what a process said

/// Words that come again and again, as numbers in order of their first use.
class Words {
 public:
  std::int64_t number_of(const std::string& word) {
    const auto [known, fresh] = numbers_.emplace(word, words_.size());
    if (fresh) words_.push_back(word);
    return static_cast<std::int64_t>(known->second);
  }
  void write(std::string& out) const {
    ListWriter list(out);
    for (const std::string& word : words_) list.text(word);
  }

 private:
  std::unordered_map<std::string, std::size_t> numbers_;
  std::vector<std::string> words_;
};

/// JSON that may stand in a script element, whatever its strings say: nothing in it ends or opens anything of HTML.
std::string for_script(std::string_view json) {
  std::string out;
  out.reserve(json.size() + json.size() / 16);
  for (std::size_t from = 0; from < json.size();) {
    const std::size_t at = std::min(json.find_first_of("<\xe2", from), json.size());
    out += json.substr(from, at - from);
    const std::string_view here = json.substr(at, 3);
    const bool line = here == "\u2028", paragraph = here == "\u2029";
    if (at < json.size()) out += json[at] == '<' ? "\\u003c" : line ? "\\u2028" : paragraph ? "\\u2029" : "\xe2";
    from = at + (line || paragraph ? 3 : 1);
  }
  return out;
}

class PageData {
 public:
  PageData(const PastRun& run, const StepTimes& times, std::vector<std::pair<std::int64_t, std::string>> notes,
           std::vector<std::string> inputs)
      : run_(run),
        steps_(run.history.steps()),
        times_(times),
        notes_(std::move(notes)),
        inputs_(std::move(inputs)),
        page_(page_rows(run, kMostRows)),
        row_of_step_(steps_.size(), PageRow::kNone) {
    for (std::size_t row = 0; row < page_.rows.size(); ++row) {
      by_path_.emplace(page_.rows[row].path, row);
      if (page_.rows[row].step != PageRow::kNone) row_of_step_[page_.rows[row].step] = row;
    }
  }

  std::string write() {
    std::string out;
    {
      ObjectWriter data(out);
      data.number("version", 1);
      data.text("flowrun", FLOWRUN_VERSION);
      write_run(data.member("run"));
      data.number_if("folded", static_cast<std::int64_t>(page_.folded));
      write_names(data.member("states"), kStates, [](State state) { return to_string(state); });
      write_names(data.member("segments"), kSegmentNames, [](std::string_view name) { return name; });
      write_names(data.member("ends"), kSegmentEnds, [](std::string_view name) { return name; });
      write_rows(data.member("rows"));
      write_entries(data.member("entries"));
      write_notes(data.member("notes"));
      write_idle(data.member("idle"));
      write_outline(data.member("outline"));
      write_critical(data.member("critical"));
      write_details(data.member("details"));
      words_.write(data.member("words"));  // the last: all others use them
    }
    return for_script(out);
  }

 private:
  static constexpr std::array kStates = {State::Pending,   State::Running,   State::Sleeping, State::Waiting,
                                         State::Retrying,  State::Succeeded, State::Skipped,  State::Failed,
                                         State::Cancelled, State::Blocked};

  template <class List, class Name>
  static void write_names(std::string& out, const List& all, Name name) {
    ListWriter list(out);
    for (const auto& one : all) list.text(name(one));
  }

  /// In ms since the run began; -1: not known.
  std::int64_t since(Instant at) const {
    return at == Instant{} ? -1 : std::max<std::int64_t>((at - run_.record.started_at).count(), 0);
  }
  static std::string_view beginning(std::string_view text, std::size_t most) {
    return text.substr(0, whole_characters(text, most));
  }

  void write_run(std::string& out) {
    const RunRecord& record = run_.record;
    ObjectWriter run(out);
    run.text("id", record.id);
    run.text("name", record.name);
    run.text("file", record.file);
    run.text("state", to_string(record.state));
    run.number("started", to_millis(record.started_at));
    run.number("span", since(run_.until));
    run.boolean("ended", has_ended(record.state));
    if (run_.failure) {
      run.text_if("error_type", run_.failure->type);
      run.text_if("error_message", beginning(run_.failure->message, kLongestText));
      run.text_if("error_step", run_.failure->step);
    }
    if (can_be_retried(record.state)) run.text("next", typed_command({"retry", record.id}, run_.journal));
    if (waits_for_resume(record)) run.text("next", typed_command({"resume", record.id}, run_.journal));
    write_value(run, "input", record.input.text());
    write_value(run, "output", record.output.text());
  }

  /// |text| is JSON. Also how long it is, where that is not all of it.
  void write_value(ObjectWriter& object, const std::string& key, std::string_view text) {
    if (text.empty() || text == "null") return;
    const std::size_t room = kMostValues - std::min(kMostValues, values_);
    const std::string_view shown = text.size() > room && text.size() > 200 ? "" : beginning(text, kLongestValue);
    values_ += shown.size();
    object.text(key, shown);
    if (shown.size() < text.size()) object.number(key + "_size", static_cast<std::int64_t>(text.size()));
  }

  template <class Number>
  void write_column(ObjectWriter& object, std::string_view key, Number number) {
    ListWriter column(object.member(key));
    for (std::size_t row = 0; row < page_.rows.size(); ++row) column.number(number(page_.rows[row], step_of(row)));
  }
  const StepHistory* step_of(std::size_t row) const {
    const std::size_t step = page_.rows[row].step;
    return step == PageRow::kNone ? nullptr : &steps_[step];
  }
  static std::int64_t index(std::size_t at) { return at == PageRow::kNone ? -1 : static_cast<std::int64_t>(at); }

  std::string kind_of(const PageRow& row, const StepHistory* step) const {
    if (step && !step->kind.empty()) return step->kind;
    if (row.path.ends_with(']') && !step) return "item";
    return row.outline == PageRow::kNone ? "" : run_.rows[row.outline].kind;
  }

  void write_rows(std::string& out) {
    ObjectWriter rows(out);
    {
      ListWriter names(rows.member("name"));
      for (const PageRow& row : page_.rows)
        names.text(row.parent == PageRow::kNone ? row.path : row.path.substr(page_.rows[row.parent].path.size()));
    }
    write_column(rows, "parent", [](const PageRow& row, const StepHistory*) { return index(row.parent); });
    write_column(rows, "kind",
                 [this](const PageRow& row, const StepHistory* step) { return words_.number_of(kind_of(row, step)); });
    write_column(rows, "state",
                 [](const PageRow& row, const StepHistory*) { return static_cast<std::int64_t>(row.state); });
    write_column(rows, "outline", [](const PageRow& row, const StepHistory*) { return index(row.outline); });
    write_column(rows, "tries", [](const PageRow&, const StepHistory* step) { return step ? step->attempts : 0; });
    write_column(rows, "from",
                 [this](const PageRow&, const StepHistory* step) { return step ? since(step->started_at) : -1; });
    write_column(rows, "to",
                 [this](const PageRow&, const StepHistory* step) { return step ? since(step->ended_at) : -1; });
    write_column(rows, "took", [](const PageRow&, const StepHistory* step) { return step ? step->took.count() : 0; });
    write_column(rows, "queued",
                 [](const PageRow&, const StepHistory* step) { return step ? step->queued.count() : 0; });
    ListWriter all(rows.member("segments"));
    for (const PageRow& row : page_.rows) {
      ListWriter list(all.next());
      if (row.step == PageRow::kNone || row.step >= times_.segments().size()) continue;
      for (const Segment& one : times_.segments()[row.step]) {
        list.number(static_cast<std::int64_t>(one.what));
        list.number(since(one.from));
        list.number((one.to - one.from).count());
        list.number(one.attempt);
        list.number(static_cast<std::int64_t>(one.end));
        list.number(one.code);
        list.number(one.error.empty() ? -1 : words_.number_of(one.error));
      }
    }
  }

  void write_entries(std::string& out) {
    ObjectWriter entries(out);
    const auto column = [&](std::string_view key, auto number) {
      ListWriter list(entries.member(key));
      for (const Change& change : times_.changes()) list.number(number(change));
    };
    Instant before = run_.record.started_at;
    column("seq", [](const Change& change) { return change.seq; });
    column("after", [&](const Change& change) {  // ms since the entry before
      const Instant at = std::max(change.at, before);
      return (at - std::exchange(before, at)).count();
    });
    column("kind", [this](const Change& change) { return words_.number_of(std::string(to_string(change.kind))); });
    column("row", [this](const Change& change) {
      return change.step == Change::kNoStep ? -1 : index(row_of_step_[change.step]);
    });
    column("state", [](const Change& change) {
      return change.step == Change::kNoStep ? -1 : static_cast<std::int64_t>(change.state);
    });
  }

  void write_notes(std::string& out) {
    ListWriter notes(out);
    for (const auto& [seq, text] : notes_) {
      ListWriter note(notes.next());
      note.number(seq);
      note.text(beginning(text, kLongestText));
    }
  }

  void write_idle(std::string& out) {
    ListWriter list(out);
    for (const Idle& idle : times_.idle()) {
      list.number(since(idle.from));
      list.number(since(idle.to));
      list.number(idle.frozen ? 1 : 0);
    }
  }

  void write_outline(std::string& out) {
    ListWriter list(out);
    for (const OutlineRow& row : run_.rows) {
      ObjectWriter one(list.next());
      one.text("path", row.path);
      one.text("name", row.name);
      one.text("kind", row.kind);
      one.text_if("what", beginning(row.what, kLongestText));
      one.text_if("role", row.role);
      one.text_if("if", beginning(row.condition, kLongestText));
      one.text_if("join", row.join);
      one.text_if("concurrency", row.concurrency);
      one.text_if("limit", row.limit);
      one.text_if("weight", row.weight);
      one.text_if("place", run_.place_of(row.path));
      if (row.parent) one.number("parent", static_cast<std::int64_t>(*row.parent));
      if (row.edges.empty()) continue;
      ListWriter edges(one.member("edges"));
      for (const OutlineEdge& edge : row.edges) {
        ListWriter parts(edges.next());
        parts.number(static_cast<std::int64_t>(edge.from));
        parts.text(beginning(edge.because, kLongestText));
        parts.number(edge.success ? 1 : 0);
      }
    }
  }

  void write_critical(std::string& out) {
    ListWriter list(out);
    for (const CriticalStep& step : critical_path(run_)) {
      const auto row = by_path_.find(step.path);
      ListWriter one(list.next());
      one.number(row == by_path_.end() ? -1 : index(row->second));
      one.number(since(step.began));
      one.number(since(step.ended));
      one.number(step.waited.count());
      if (row == by_path_.end()) one.text(step.path);
    }
  }

  /// Of what failed first, so that it is there when there is no room for all.
  void write_details(std::string& out) {
    ObjectWriter details(out);
    for (const bool failed : {true, false})
      for (std::size_t row = 0; row < page_.rows.size(); ++row) {
        const StepHistory* step = step_of(row);
        if (!step || step->failure.has_value() != failed) continue;
        std::string& member = details.member(std::to_string(row));
        ObjectWriter one(member);
        one.text_if("what", beginning(step->what, kLongestText));
        one.text_if("reason", beginning(step->reason, kLongestText));
        one.text_if("signal", step->signal);
        one.true_if("undone", step->undone);
        if (step->memo) one.text_if("memo", step->memo->run);
        if (step->code != 0) one.number("code", step->code);
        if (step->due && !is_terminal(step->state)) one.number("due", since(*step->due));
        if (step->failure) {
          one.text("error_type", step->failure->type);
          one.text("error_message", beginning(step->failure->message, kLongestText));
          if (step->failure->step != step->path) one.text_if("error_step", step->failure->step);
          one.text_if("said", beginning(own_words(*step->failure, kMostLastLines, ""), kLongestValue));
          write_value(one, "error", Value(to_json(*step->failure)).text());
        }
        const std::size_t at = page_.rows[row].step;
        if (at < inputs_.size()) write_value(one, "input", inputs_[at]);
        write_value(one, "output", step->output.text());
      }
  }

  const PastRun& run_;
  const std::vector<StepHistory>& steps_;
  const StepTimes& times_;
  const std::vector<std::pair<std::int64_t, std::string>> notes_;
  const std::vector<std::string> inputs_;
  const PageRows page_;
  std::vector<std::size_t> row_of_step_;
  std::unordered_map<std::string, std::size_t> by_path_;
  Words words_;
  std::size_t values_ = 0;  ///< bytes so far
};

/// Entries of the run itself, of which the page says in words what they are.
bool is_of_the_run(const Entry& entry) {
  switch (entry.kind) {
    case EntryKind::RunResumed:
    case EntryKind::RunReopened:
    case EntryKind::RunFrozen:
    case EntryKind::RunEnded:
    case EntryKind::SuspendRequested:
    case EntryKind::SignalReceived:
    case EntryKind::CancelRequested:
    case EntryKind::UndoRequested:
      return true;
    default:
      return false;
  }
}

void replace(std::string& text, std::string_view mark, std::string_view by) {
  const std::size_t at = text.find(mark);
  text.replace(at, mark.size(), by);
}

}  // namespace

std::string html_report(const Journal& journal, const RunRecord& record) {
  StepTimes times;
  std::vector<std::pair<std::int64_t, std::string>> notes;
  std::vector<std::string> inputs;  // of the newest attempt, by step
  std::size_t kept = 0;
  const PastRun run = past_run(journal, record, [&](const Entry& entry, const History& history) {
    times.add(entry, history);
    if (is_of_the_run(entry)) notes.emplace_back(entry.seq, describe(entry, false).detail);
    if (entry.kind != EntryKind::StartTask || kept > kMostValues) return;
    const std::size_t step = times.changes().back().step;
    if (inputs.size() <= step) inputs.resize(step + 1);
    const std::string_view input = input_of(entry);
    kept += input.size();
    inputs[step] = input;
  });
  times.close(run.until, has_ended(record.state) ? Segment::End::GivenUp : Segment::End::Open);

  const Page& parts = page();
  std::string text(parts.html);
  replace(text, "{{policy}}",
          "default-src 'none'; script-src 'sha256-" + std::string(parts.script_hash) + "'; style-src 'sha256-" +
              std::string(parts.style_hash) + "'; base-uri 'none'; form-action 'none'");
  replace(text, "{{style}}", parts.style);
  std::string script;
  for (const std::string_view part : parts.script) script += part;
  replace(text, "{{script}}", script);
  // The last: it may hold anything.
  replace(text, "{{data}}", PageData(run, times, std::move(notes), std::move(inputs)).write());
  return text;
}

}  // namespace flowrun::cli
