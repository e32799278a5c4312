// flowrun diff: where two runs part: inputs, definition, decisions, values, order and time.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

#include "cli/entry_text.h"
#include "cli/render.h"
#include "cli/runs.h"
#include "engine/model/entry_reading.h"

namespace flowrun::cli {
namespace {

constexpr std::size_t kWidth = 60;     // of a value that is shown
constexpr std::size_t kMostSlow = 5;   // steps whose times differ most
constexpr Duration kWorthTelling{10};  // a smaller difference of times is noise

struct DiffOptions {
  std::string one, other;
  bool json = false;
};

/// What is compared of a run.
struct Side {
  RunRecord run;
  History history;
  std::map<std::string, std::string> sources;  ///< hashes of the texts of sub-workflows, by file
  std::vector<Entry> decisions;                ///< in order
  std::vector<std::string> finished;           ///< paths in the order of their ends
};

Side read(const Journal& journal, const std::string& name) {
  Side side;
  side.run = journal.find(name);
  for (Entry& entry : entries(journal, side.run)) {
    side.history.add(entry);
    if (entry.kind == EntryKind::RunStarted) side.sources = as<RunStarted>(entry).sources;
    const StepHistory* step = entry.path.empty() ? nullptr : side.history.find(entry.path);
    const bool ends = entry.kind == EntryKind::TaskEnded || entry.kind == EntryKind::StepSettled;
    if (ends && step && is_terminal(step->state) && (side.finished.empty() || side.finished.back() != entry.path))
      side.finished.push_back(entry.path);
    if (!is_fact(entry.kind)) side.decisions.push_back(std::move(entry));
  }
  return side;
}

/// The first place where two values differ, as jq would name it, and what is there; null: nothing.
struct Difference {
  std::string place;
  const Json *one = nullptr, *other = nullptr;

  std::string text() const { return fmt::format("{}: {} | {}", place, shown(one), shown(other)); }

 private:
  static std::string shown(const Json* value) {
    return value ? one_line(value->dump(-1, ' ', false, Json::error_handler_t::replace), kWidth) : "nothing";
  }
};

/// `.who.name`, `.who["first.name"]`, `.["a b"]`
std::string below_key(const std::string& at, const std::string& key) {
  const auto is_word = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
  if (!key.empty() && !std::isdigit(static_cast<unsigned char>(key[0])) && std::all_of(key.begin(), key.end(), is_word))
    return at + "." + key;
  return fmt::format("{}[{}]", at.empty() ? "." : at, Json(key).dump(-1, ' ', false, Json::error_handler_t::replace));
}

/// Nothing: they are equal.
std::optional<Difference> first_difference(const Json& one, const Json& other, const std::string& at = "") {
  if (one == other) return std::nullopt;
  if (one.is_object() && other.is_object()) {
    for (const auto& [key, value] : one.items()) {
      const std::string below = below_key(at, key);
      if (!other.contains(key)) return Difference{below, &value, nullptr};
      if (auto found = first_difference(value, other.at(key), below)) return found;
    }
    for (const auto& [key, value] : other.items())
      if (!one.contains(key)) return Difference{below_key(at, key), nullptr, &value};
  }
  if (one.is_array() && other.is_array()) {
    const auto below = [&](std::size_t i) { return fmt::format("{}[{}]", at.empty() ? "." : at, i); };
    const std::size_t both = std::min(one.size(), other.size());
    for (std::size_t i = 0; i < both; ++i)
      if (auto found = first_difference(one[i], other[i], below(i))) return found;
    return Difference{below(both), both < one.size() ? &one[both] : nullptr,
                      both < other.size() ? &other[both] : nullptr};
  }
  return Difference{at.empty() ? "." : at, &one, &other};
}

/// The first line that differs: its number and both texts.
std::string line_difference(const std::string& one, const std::string& other) {
  std::size_t line = 1, i = 0, j = 0;
  for (;; ++line) {
    const std::size_t a = one.find('\n', i), b = other.find('\n', j);
    const std::string first = i > one.size() ? "" : one.substr(i, a == std::string::npos ? a : a - i);
    const std::string second = j > other.size() ? "" : other.substr(j, b == std::string::npos ? b : b - j);
    if (first != second || a == std::string::npos || b == std::string::npos)
      return fmt::format("line {}: {} | {}", line, one_line(first, kWidth), one_line(second, kWidth));
    i = a + 1;
    j = b + 1;
  }
}

/// `start charge, try 2`
std::string told(const Entry& entry) {
  const EntryLine line = describe(entry, false);
  return fmt::format("{} {}{} (entry {})", line.what, line.step,
                     entry.attempt > 1 ? fmt::format(", try {}", entry.attempt) : "", entry.seq);
}

struct Finding {
  const char* what;
  std::string difference;  ///< empty: none
};

Finding inputs(const Side& one, const Side& other) {
  const auto found = first_difference(one.run.input.json(), other.run.input.json());
  return {"inputs", found ? found->text() : ""};
}

/// Of the main file, then of those of sub-workflows.
Finding definition(const Journal& journal, const Side& one, const Side& other) {
  if (one.run.source_hash != other.run.source_hash)
    return {"definition", line_difference(journal.source(one.run.source_hash), journal.source(other.run.source_hash))};
  for (const auto& [file, hash] : one.sources) {
    const auto found = other.sources.find(file);
    if (found == other.sources.end()) return {"definition", fmt::format("{}: there | nothing", file)};
    if (found->second != hash)
      return {"definition",
              fmt::format("{} {}", file, line_difference(journal.source(hash), journal.source(found->second)))};
  }
  for (const auto& [file, hash] : other.sources)
    if (one.sources.count(file) == 0) return {"definition", fmt::format("{}: nothing | there", file)};
  return {"definition", ""};
}

Finding decisions(const Side& one, const Side& other) {
  const auto same = [](const Entry& a, const Entry& b) {
    return a.kind == b.kind && a.path == b.path && a.attempt == b.attempt;
  };
  const auto [a, b] =
      std::mismatch(one.decisions.begin(), one.decisions.end(), other.decisions.begin(), other.decisions.end(), same);
  const bool first = a == one.decisions.end(), second = b == other.decisions.end();
  if (first && second) return {"decisions", ""};
  return {"decisions", fmt::format("{} | {}", first ? "nothing more" : told(*a), second ? "nothing more" : told(*b))};
}

Finding values(const Side& one, const Side& other) {
  for (const std::string& path : one.finished) {
    const StepHistory *a = one.history.find(path), *b = other.history.find(path);
    if (!a || !b) continue;
    if (a->state != b->state)
      return {"values", fmt::format("{} {} | {}", path, to_string(a->state), to_string(b->state))};
    if (const auto found = first_difference(a->output.json(), b->output.json()))
      return {"values", fmt::format("{} {}", path, found->text())};
  }
  return {"values", ""};
}

Finding order(const Side& one, const Side& other) {
  const auto [a, b] =
      std::mismatch(one.finished.begin(), one.finished.end(), other.finished.begin(), other.finished.end());
  if (a == one.finished.end() && b == other.finished.end()) return {"order", ""};
  return {"order", fmt::format("number {} to end is {} | {}", a - one.finished.begin() + 1,
                               a == one.finished.end() ? "none" : *a, b == other.finished.end() ? "none" : *b)};
}

std::vector<std::string> times(const Side& one, const Side& other) {
  struct Change {
    const StepHistory *a, *b;
    Duration by;
  };
  std::vector<Change> changes;
  for (const StepHistory& step : one.history.steps()) {
    const StepHistory* found = other.history.find(step.path);
    if (!found || step.attempts == 0 || found->attempts == 0) continue;
    const Duration by = std::chrono::abs(found->took - step.took);
    if (by >= kWorthTelling) changes.push_back({&step, found, by});
  }
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) { return a.by > b.by; });
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < std::min(kMostSlow, changes.size()); ++i)
    lines.push_back(
        fmt::format("{} {} | {}", changes[i].a->path, to_display(changes[i].a->took), to_display(changes[i].b->took)));
  return lines;
}

int diff(const Context& context, const DiffOptions& options) {
  const Journal journal(journal_path(context.journal), Journal::Mode::ReadOnly);
  const Side one = read(journal, options.one), other = read(journal, options.other);
  const std::vector<Finding> findings = {inputs(one, other), definition(journal, one, other), decisions(one, other),
                                         values(one, other), order(one, other)};
  const std::vector<std::string> slow = times(one, other);
  // Two runs never take the same time, so that alone is no difference.
  const bool differs =
      std::any_of(findings.begin(), findings.end(), [](const Finding& finding) { return !finding.difference.empty(); });
  if (options.json) {
    Json json{{"runs", {one.run.id, other.run.id}}, {"same", !differs}, {"durations", slow}};
    for (const Finding& finding : findings)
      json[finding.what] = finding.difference.empty() ? Json() : Json(finding.difference);
    print_result(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    return differs ? 1 : 0;
  }
  std::vector<std::vector<std::string>> rows;
  for (const Finding& finding : findings)
    rows.push_back({finding.what, finding.difference.empty() ? "the same" : finding.difference});
  for (std::size_t i = 0; i < slow.size(); ++i) rows.push_back({i == 0 ? "durations" : "", slow[i]});
  print_view(fmt::format("{} | {}\n", one.run.id, other.run.id) + table(rows));
  return differs ? 1 : 0;
}

}  // namespace

void add_diff(Command& app, Context& context) {
  auto options = std::make_shared<DiffOptions>();
  Command* command = app.add_subcommand("diff", "Where two runs part");
  command->add_option("RUN", options->one, "A run")->required();
  command->add_option("OTHER", options->other, "Another one")->required();
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([&context, options] { context.chosen = [&context, options] { return diff(context, *options); }; });
}

}  // namespace flowrun::cli
