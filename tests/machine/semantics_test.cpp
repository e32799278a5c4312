// A run of an older program is replayed by the rules it was started with. The journal in semantics_1/ was written by
// the last program that knew nothing else: items that count as succeeded, an empty key, a switch inside an item, a
// sub-workflow that lost a race.
#include <chrono>
#include <fstream>
#include <sstream>

#include "engine/jq/jq.h"
#include "tests/support/catch.h"
#include "tests/support/replay_prefix.h"
#include "tests/support/scenario.h"

namespace flowrun::test::semantics_test {
namespace {

std::string content_of(const std::string& name) {
  std::ifstream in(FLOWRUN_SOURCE_DIR "/tests/machine/semantics_1/" + name);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<Entry> entries_of(const std::string& name) {
  std::istringstream lines(content_of(name));
  std::vector<Entry> entries;
  for (std::string line; std::getline(lines, line);) {
    const Json json = Json::parse(line);
    Entry entry;
    entry.seq = static_cast<std::int64_t>(entries.size()) + 1;
    entry.at = from_millis(json.at("at").get<std::int64_t>());
    entry.kind = entry_kind_from(json.at("kind").get<std::string>()).value();
    entry.path = json.value("path", "");
    entry.attempt = json.value("attempt", 0);
    entry.data = json.value("data", Json::object()).dump();
    if (json.contains("value")) entry.value = Value(json["value"]);
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace

TEST_CASE("a run that an older program started is replayed as it was decided") {
  const std::unique_ptr<Loaded> loaded = load_text(content_of("run.yaml"), {{"sub.yaml", content_of("sub.yaml")}});
  const std::vector<Entry> entries = entries_of("journal.jsonl");
  REQUIRE(entries.size() > 40);
  const std::unique_ptr<Evaluator> jq = make_jq(loaded->programs);
  for (std::size_t count = 0; count <= entries.size(); ++count) {
    INFO(count << " entries");
    CHECK_NOTHROW(replay_prefix(*loaded, entries, count, *jq));
  }
}

TEST_CASE("the same run is decided otherwise today") {
  const std::unique_ptr<Loaded> loaded = load_text(content_of("run.yaml"), {{"sub.yaml", content_of("sub.yaml")}});
  std::vector<Entry> entries = entries_of("journal.jsonl");
  Json data = Json::parse(entries.front().data);
  data["semantics"] = Machine::kSemantics;
  entries.front().data = data.dump();
  const std::unique_ptr<Evaluator> jq = make_jq(loaded->programs);
  CHECK_THROWS(replay_prefix(*loaded, entries, entries.size(), *jq));
}

TEST_CASE("before number 3 a retry without max_delay waits 30 s at the most") {
  const std::string text = "flowrun: 1\nsteps: { a: { shell: a, retry: { delay: 10m, jitter: none, on: [exit] } } }\n";
  const std::unique_ptr<Loaded> loaded = load_text(text);
  Scenario s(text);
  s.fail("a");
  CHECK(s.timer("a", TimerKind::Retry) == std::chrono::minutes(10));
  std::vector<Entry> entries = s.entries();
  const std::unique_ptr<Evaluator> jq = make_jq(loaded->programs);
  Json data = Json::parse(entries.front().data);
  data["semantics"] = 2;
  entries.front().data = data.dump();
  CHECK_THROWS(replay_prefix(*loaded, entries, entries.size(), *jq));
  for (Entry& entry : entries)
    if (entry.kind == EntryKind::ArmTimer) {
      Json timer = Json::parse(entry.data);
      timer["due"] = timer["due"].get<std::int64_t>() - 570'000;
      entry.data = timer.dump();
    }
  CHECK_NOTHROW(replay_prefix(*loaded, entries, entries.size(), *jq));
}

TEST_CASE("before number 5 filters are asked of jq, whose answers are in the journal") {
  const std::string text =
      "flowrun: 1\nsteps:\n  - { id: a, set: [1, 2, 3] }\n"
      "  - { id: b, set: \"${ [$steps.a[] | select(. > 1)] }\" }\n"
      "  - { id: c, set: \"${ $steps.b | length }\" }\n";
  struct Counted : Evaluator {
    int asked = 0;
    Answer evaluate(const Question&) override {
      ++asked;
      return {Value(Json{2, 3}), ""};
    }
  };
  const std::unique_ptr<Loaded> loaded = load_text(text);
  Scenario s(text);
  s.expect_success();
  std::vector<Entry> entries = s.entries();
  Counted today, before;
  replay_prefix(*loaded, entries, entries.size(), today);
  CHECK(today.asked == 0);
  Json data = Json::parse(entries.front().data);
  data["semantics"] = 4;
  entries.front().data = data.dump();
  replay_prefix(*loaded, entries, entries.size(), before);
  CHECK(before.asked == 1);
}

}  // namespace flowrun::test::semantics_test
