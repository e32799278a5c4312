// Random workflows under random events: the machine never contradicts itself, never hangs, and every join agrees with a
// model of ten lines. The seed is printed; FLOWRUN_SEED repeats it.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <utility>

#include "engine/machine/frame.h"
#include "engine/machine/machine.h"
#include "engine/model/path.h"
#include "engine/run/history.h"
#include "tests/machine/random_play.h"
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::random_test {
namespace {

/// A join in ten lines: the states of its children as the log has them last.
bool model_succeeds(const GroupSpec& spec, const std::map<std::string, std::string>& states, const std::string& first) {
  int n = 0, ok = 0;
  for (const std::string& child : spec.children) {
    auto state = states.find(child);
    std::string is = state == states.end() ? "cancelled" : state->second;
    if (is == "skipped" || (is == "failed" && spec.tolerated.count(child))) continue;
    ++n;
    ok += is == "succeeded";
  }
  if (spec.join == "best_effort") return true;
  if (spec.join == "at_least" || spec.join == "quorum") return ok >= spec.amount;
  if (spec.join == "tolerate") return n - ok <= spec.amount;
  if (spec.join == "first_completed") return first == "succeeded";
  return ok == n;
}

/// Whether the step at |path| tidies up a file within |group|: that happens at any end.
bool of_handler(const std::string& path, const std::string& group) {
  return path.find("/finally/", group.size()) != std::string::npos ||
         path.find("/on_failure/", group.size()) != std::string::npos;
}

/// What `$status` of a group says is what its children say, and what the entries say to people.
/// |withdrawn|: paths of attempts that did not begin, which those who had given them up could not know. |anew|: steps
/// ran again under the same paths, and of those that did not begin again the entries tell the old end.
void check_status(const std::string& path, const Settled& settled, const History& history,
                  const std::set<std::string>& withdrawn, bool anew) {
  if (!settled.group || settled.group->of == GroupStatus::Of::Body) return;
  const bool items = settled.group->of == GroupStatus::Of::Items;
  const Json status = status_json(settled, Sight::all());
  std::map<std::string, int> counts;
  std::set<std::string> ended, failed;
  for (const ChildStatus& child : settled.group->children) {
    const std::string state(to_string(child.settled.state));
    ++counts[state];
    if (state == "failed" || state == "succeeded") ended.insert(child.name);
    if (state == "failed") failed.insert(child.name);
    const std::string below = items ? item_path(path, child.name) : child_path(path, child.name);
    if (!items) check_status(below, child.settled, history, withdrawn, anew);
    const Json& shown =
        items ? status["items"][&child - settled.group->children.data()] : status["branches"][child.name];
    if (shown["state"] != state || shown["ok"] != (state == "succeeded") || shown["attempts"] != child.settled.attempts)
      throw std::runtime_error(fmt::format("{} is shown as {}", below, shown.dump()));
    const StepHistory* told = history.find(below);
    if (!told || anew) continue;
    const std::string view(to_string(told->state));
    const bool counted = told->attempts == child.settled.attempts || withdrawn.count(below) > 0;
    if (view != state || !counted)
      throw std::runtime_error(fmt::format("{} is {} after {} to the machine, {} after {} to the entries", below, state,
                                           child.settled.attempts, view, told->attempts));
  }
  for (const char* state : {"succeeded", "failed", "skipped", "cancelled", "blocked"})
    if (status["counts"][state] != counts[state])
      throw std::runtime_error(fmt::format("{} counts {}", path, status["counts"].dump()));
  std::set<std::string> order, named;
  for (const Json& name : status["order"]) order.insert(name.get<std::string>());
  for (const Json& one : status["failed"]) named.insert(one["key"].get<std::string>());
  if (order != ended || named != failed || status["order"].size() != ended.size())
    throw std::runtime_error(fmt::format("{} says {} and {}", path, status["order"].dump(), status["failed"].dump()));
}

/// Reads the log as a person would and holds each group against the model.
void check_log(const std::vector<Entry>& log, const std::map<std::string, GroupSpec>& groups) {
  std::map<std::string, std::string> states;
  std::map<std::string, std::vector<std::string>> settled_order;
  std::map<std::string, int> open;
  std::set<std::string> over;
  for (const Entry& entry : log) {
    Json data = Json::parse(entry.data);
    if (entry.kind == EntryKind::RunReopened) {
      over.clear();
      states.clear();
      settled_order.clear();
    }
    if (entry.kind == EntryKind::ChildStarted) {
      // A new try: what is below happens again.
      const std::string below = entry.path + "/";
      std::erase_if(over, [&](const std::string& path) { return path.starts_with(below); });
      std::erase_if(states, [&](const auto& state) { return state.first.starts_with(below); });
    }
    if (entry.kind == EntryKind::StartTask) {
      ++open[entry.path];
      states.erase(entry.path);
      for (const std::string& group : over)
        if (!entry.path.ends_with(".undo") && !of_handler(entry.path, group) && entry.path.size() > group.size() &&
            entry.path.compare(0, group.size(), group) == 0 &&
            (entry.path[group.size()] == '/' || entry.path[group.size()] == '['))
          throw std::runtime_error(entry.path + " starts after its group " + group + " has settled");
    }
    if (entry.kind == EntryKind::TaskEnded) states[entry.path] = data.value("ok", false) ? "succeeded" : "failed";
    if (entry.kind == EntryKind::TimerFired && data.value("timer", "") == "sleep") states[entry.path] = "succeeded";
    if (entry.kind != EntryKind::StepSettled) continue;
    std::string state = data.value("state", ""), reason = data.value("reason", "");
    auto group = groups.find(entry.path);
    bool judged = group != groups.end() && (state == "succeeded" || state == "failed") && reason != "timeout" &&
                  reason != "fallback" && reason != "if";
    bool timed_out = data.contains("failure") && data["failure"].value("type", "") != "group";
    // A reopened group keeps children that the log does not tell of again.
    bool whole = true;
    for (const Entry& other : log) whole = whole && other.kind != EntryKind::RunReopened;
    if (judged && !timed_out && whole && group->second.told && group->second.join != "first_completed") {
      if (model_succeeds(group->second, states, "") != (state == "succeeded"))
        throw std::runtime_error(fmt::format("group {} ({} {}) is {}, the model differs", entry.path,
                                             group->second.join, group->second.amount, state));
    }
    states[entry.path] = state;
    if (state != "skipped" && state != "blocked") over.insert(entry.path);
  }
}

/// What there is to be seen in an entry.
std::string sort_of(const Entry& entry) {
  if (entry.data.find("no jq here") != std::string::npos) return "unanswered";
  Json data = Json::parse(entry.data);
  if (entry.kind == EntryKind::SignalReceived && data.contains("rejected")) return "rejected";
  if (entry.kind == EntryKind::ArmTimer) return "timer " + data.value("timer", "");
  if (entry.kind == EntryKind::TaskEnded && data.contains("again")) return "ended again";
  if (entry.kind == EntryKind::TaskEnded && data.contains("page")) return "ended page";
  if (entry.kind == EntryKind::TaskEnded && entry.path.ends_with(".undo")) return "ended undo";
  if (entry.kind == EntryKind::StartTask &&
      (entry.path.starts_with("on_failure/") || entry.path.starts_with("finally/")))
    return "start handler";
  return std::string(to_string(entry.kind));
}

}  // namespace

TEST_CASE("twenty thousand random runs: no contradiction, no hang, every join as the model says") {
  const char* given = std::getenv("FLOWRUN_SEED");
  unsigned seed = given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device()();
  int runs = 0, resumed = 0, ended_ok = 0;
  std::map<std::string, int> seen;
  for (unsigned round = 0; round < 1000; ++round) {
    Random random(seed + round);
    RandomWorkflow workflow(random);
    INFO("FLOWRUN_SEED=" << seed + round << "\n" << workflow.text);
    for (const auto& [name, file] : workflow.files) UNSCOPED_INFO(name << ":\n" << file);
    // As for questions: every group is to tell how it came out.
    Diagnostics diagnostics({"random.yaml", workflow.text});
    std::optional<Loaded> loaded = load("/nowhere/random.yaml", diagnostics, nullptr, Lints::No, true, &workflow.files);
    INFO(diagnostics.text());
    REQUIRE(loaded);
    // As a run has it: what nobody looks at is let go.
    const std::unique_ptr<Loaded> lean = load_text(workflow.text, workflow.files);
    NoJq no_jq;
    for (int again = 0; again < 20; ++again) {
      Play play(*loaded, random);
      std::string trouble;
      try {
        play.to_the_end();
        check_log(play.log, workflow.groups);
        History history;
        bool anew = false;
        std::set<std::string> withdrawn;
        for (const Entry& entry : play.log) {
          history.add(entry);
          if (entry.kind == EntryKind::TaskWithdrawn) withdrawn.insert(entry.path);
          if (entry.kind == EntryKind::RunResumed)
            for (const Json& path : Json::parse(entry.data).value("queued", Json::array()))
              withdrawn.insert(path.get<std::string>());
          anew = anew || entry.kind == EntryKind::RunReopened || entry.kind == EntryKind::UndoRequested ||
                 (entry.kind == EntryKind::ChildStarted && entry.attempt > 1);
        }
        for (const auto& [path, group] : workflow.groups)
          if (auto settled = play.view().look(path)) check_status(path, *settled, history, withdrawn, anew);
        std::size_t prefix = play.log.empty() ? 0 : random() % (play.log.size() + 1);
        replay_prefix(*loaded, play.log, prefix, no_jq);
        replay_prefix(*loaded, play.log, play.log.size(), no_jq);
        replay_prefix(*lean, play.log, play.log.size(), no_jq);
      } catch (const std::exception& error) {
        trouble = error.what();
        std::size_t shown = 0;
        for (const Entry& entry : play.log)
          if (play.log.size() < 80 || ++shown > play.log.size() - 80)
            trouble += fmt::format("\n  {} {} {} {}", to_string(entry.kind), entry.path, entry.attempt, entry.data);
      }
      INFO("run " << again << ": " << trouble);
      REQUIRE(trouble.empty());
      ++runs;
      resumed += play.resumed;
      for (const Entry& entry : play.log) ++seen[sort_of(entry)];
      ended_ok += play.log.back().data.find("succeeded") != std::string::npos;
    }
  }
  // The dice must have shown all sides.
  CHECK(runs == 20000);
  CHECK(resumed > 1000);
  CHECK(ended_ok > 1000);
  CHECK(ended_ok < 19000);
  for (const char* sort :
       {"ended again",    "ended page",    "ended undo", "undo_requested", "cancel_requested", "signal",
        "rejected",       "waiting",       "late",       "interrupted",    "run_reopened",     "reserved",
        "reserve",        "stop",          "timer poll", "timer wait",     "timer limit",      "timer retry",
        "timer deadline", "timer timeout", "child",      "items",          "run_suspended",    "start handler",
        "withdraw",       "withdrawn"}) {
    INFO(sort);
    CHECK(seen[sort] >= 20);
  }
  CHECK(seen["unanswered"] == 0);
}

}  // namespace flowrun::test::random_test
