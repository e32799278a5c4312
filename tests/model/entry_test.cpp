#include "engine/model/entry.h"

#include <set>

#include "engine/model/error.h"
#include "tests/model/samples.h"
#include "tests/support/catch.h"

namespace flowrun::test::entry_test {
namespace {

Entry entry_of(auto what, std::vector<Answer> answers = {}) {
  return to_entry(Decision{std::move(what), std::move(answers)}, samples::at());
}

void require_equal(const Entry& a, const Entry& b) {
  REQUIRE(a.at == b.at);
  REQUIRE(a.kind == b.kind);
  REQUIRE(a.path == b.path);
  REQUIRE(a.attempt == b.attempt);
  REQUIRE(a.data == b.data);
  REQUIRE(a.value.text() == b.value.text());
}

}  // namespace

TEST_CASE("every fact becomes an entry and comes back") {
  std::set<std::size_t> seen;
  for (const Event& event : samples::events()) {
    const Entry entry = to_entry(event);
    INFO(to_string(entry.kind) << ' ' << entry.data);
    REQUIRE(is_fact(entry.kind));
    REQUIRE(Json::accept(entry.data));
    const Event back = to_event(entry);
    REQUIRE(back.fact.index() == event.fact.index());
    require_equal(to_entry(back), entry);
    seen.insert(event.fact.index());
  }
  REQUIRE(seen.size() == std::variant_size_v<decltype(Event::fact)>);
}

TEST_CASE("what a fact says survives to the last member") {
  const auto back = [](auto fact) {
    using Fact = decltype(fact);
    return std::get<Fact>(to_event(to_entry(Event{samples::at(), fact})).fact);
  };
  TaskEnded ended;
  ended.path = "x";
  ended.attempt = 3;
  ended.result.code = 503;
  ended.result.took = Duration(310);
  ended.result.retry_after = Duration(2000);
  ended.result.sent = false;
  ended.result.failure = samples::failure();
  ended.result.value = Value::from_text(R"({"b":1.10,"a":2})");
  const TaskEnded same = back(ended);
  REQUIRE(same.path == "x");
  REQUIRE(same.attempt == 3);
  REQUIRE(same.result.code == 503);
  REQUIRE(same.result.took == Duration(310));
  REQUIRE(same.result.retry_after == Duration(2000));
  REQUIRE_FALSE(same.result.sent);
  REQUIRE(same.result.value.text() == R"({"b":1.10,"a":2})");
  REQUIRE(same.result.failure->type == "http.503");
  REQUIRE(same.result.failure->message == "he said \"no\"\n");
  REQUIRE(same.result.failure->step == "a[b%2F]/c");
  REQUIRE(same.result.failure->attempt == 2);
  REQUIRE(same.result.failure->detail.text() == samples::failure().detail.text());

  RunStarted started;
  started.inputs = Value::from_text(R"({"z":1.10,"a":1})");
  started.fail_fast = FailFast::Continue;
  started.timeout = Duration(5);
  REQUIRE(back(started).inputs.text() == R"({"z":1.10,"a":1})");
  REQUIRE(back(started).fail_fast == FailFast::Continue);
  REQUIRE(back(started).timeout == Duration(5));
  REQUIRE_FALSE(back(RunStarted{}).timeout.has_value());

  RunResumed resumed;
  resumed.on_crash = OnCrash::Ask;
  resumed.folder = "/elsewhere";
  resumed.unbegun = {"a[\"]", "b"};
  resumed.marks = {{.path = "deploy", .done = true, .output = Value::string("v")},
                   {.path = "x", .rerun = true, .output = {}}};
  REQUIRE(back(resumed).on_crash == OnCrash::Ask);
  REQUIRE(back(resumed).unbegun == resumed.unbegun);
  REQUIRE(back(resumed).marks.at(0).path == "deploy");
  REQUIRE(back(resumed).marks.at(0).done);
  REQUIRE(back(resumed).marks.at(1).rerun);
  REQUIRE(back(resumed).folder == "/elsewhere");
  REQUIRE(back(resumed).marks.at(0).output.text() == "\"v\"");
}

TEST_CASE("an end that nobody waits for is an entry of its own kind") {
  const Event event{samples::at(), TaskEnded{"b", 2, {}}};
  const Entry entry = to_entry(event, true);
  REQUIRE(entry.kind == EntryKind::LateEnd);
  REQUIRE(is_fact(EntryKind::LateEnd));
  REQUIRE(std::get<TaskEnded>(to_event(entry).fact).attempt == 2);
}

TEST_CASE("every decision becomes an entry that is no fact") {
  std::set<EntryKind> seen;
  for (const Decision& decision : samples::decisions()) {
    const Entry entry = to_entry(decision, samples::at());
    INFO(to_string(entry.kind) << ' ' << entry.data);
    REQUIRE_FALSE(is_fact(entry.kind));
    REQUIRE(Json::accept(entry.data));
    REQUIRE(entry.at == samples::at());
    REQUIRE_THROWS_AS(to_event(entry), Corruption);
    REQUIRE(difference(entry, to_entry(decision, samples::at())).empty());
    seen.insert(entry.kind);
  }
  REQUIRE(seen.size() == std::variant_size_v<decltype(Decision::what)>);
}

TEST_CASE("every kind of entry has a name of its own, and no other name is one") {
  std::set<std::string_view> names;
  for (int i = 0; i < 256; ++i) {
    const auto kind = static_cast<EntryKind>(i);
    if (i > static_cast<int>(EntryKind::ChildStarted)) break;
    INFO(to_string(kind));
    REQUIRE(names.insert(to_string(kind)).second);
    REQUIRE(entry_kind_from(to_string(kind)) == kind);
  }
  for (const FormerName& former : former_names()) {
    INFO(former.name);
    REQUIRE(names.insert(former.name).second);
    REQUIRE(entry_kind_from(former.name) == former.kind);
  }
  for (const char* none : {"", "nonsense", "Ended", "ended ", "run_"}) REQUIRE_FALSE(entry_kind_from(none));
}

TEST_CASE("entries leave out what is as always") {
  REQUIRE(to_entry({samples::at(), TaskEnded{"a", 1, {}}}).data == R"({"ok":true,"code":0,"took_ms":0})");
  REQUIRE(to_entry({samples::at(), SuspendRequested{}}).data == "{}");
  REQUIRE(entry_of(RunSuspended{}).data == "{}");
  StartTask start;
  start.task.path = "a";
  start.task.work = Process{};
  REQUIRE(entry_of(start).data == R"({"input":{"argv":[]}})");
  REQUIRE(entry_of(ArmTimer{"a", TimerKind::Sleep, 0, from_millis(1500), Duration(500), ""}).data ==
          R"({"timer":"sleep","due":1500,"for_ms":500})");
}

TEST_CASE("a long input is kept as its size and hash") {
  StartTask start;
  start.task.path = "a";
  Process process;
  process.stdin_text = std::string(5000, 'x');
  start.task.work = process;
  const Json input = Json::parse(entry_of(start).data)["input"];
  REQUIRE(input["size"] == to_json_text(start.task).size());
  REQUIRE(input["xxh3"].get<std::string>().size() == 16);
}

TEST_CASE("answers of jq are kept to the byte, errors too, and the entry's own value only once") {
  StepSettled settled;
  settled.path = "a";
  settled.kind = "set";
  settled.outcome.state = State::Succeeded;
  settled.outcome.output = Value::from_text(R"({"z":1.10,"a":"]"})");
  const std::vector<Answer> answers = {
      {Value::from_text(R"([1e2,"]},\"jq\":["])"), ""}, {Value(), "it \"broke\""}, {settled.outcome.output, ""}, {}};
  const Entry entry = entry_of(settled, answers);
  REQUIRE(Json::parse(entry.data)["jq"][2] == Json{{"=", 1}});
  const std::vector<Answer> back = answers_of(entry);
  REQUIRE(back.size() == answers.size());
  for (std::size_t i = 0; i < back.size(); ++i) {
    REQUIRE(back[i].value.text() == answers[i].value.text());
    REQUIRE(back[i].error == answers[i].error);
  }
}

TEST_CASE("text that looks like answers is none") {
  StartTask start;
  start.task.path = "a";
  HttpRequest request;
  request.headers = {{"jq", "1"}, {"jq", "2"}};
  request.body = R"("jq":[{"v":1}])";
  start.task.work = request;
  REQUIRE(answers_of(entry_of(start)).empty());
}

TEST_CASE("a different decision is told from the recorded one") {
  const Entry stop = entry_of(StopTask{"b", 1, "lost"});
  REQUIRE(difference(stop, stop).empty());
  REQUIRE(difference(stop, entry_of(StopTask{"b", 1, "deadline"})) ==
          "'stop' of b, attempt 1: reason: recorded \"lost\", recomputed \"deadline\"");
  REQUIRE(difference(stop, entry_of(StopTask{"c", 1, "lost"})) ==
          "recorded 'stop' of b, attempt 1, recomputed 'stop' of c, attempt 1");
  REQUIRE_FALSE(difference(stop, entry_of(StopTask{"b", 2, "lost"})).empty());
  REQUIRE_FALSE(difference(stop, entry_of(RunSuspended{})).empty());

  const auto timer = [](std::int64_t due, TimerKind kind, std::int64_t span) {
    return entry_of(ArmTimer{"b", kind, 1, from_millis(due), Duration(span), ""});
  };
  REQUIRE_FALSE(difference(timer(1, TimerKind::Retry, 1), timer(2, TimerKind::Retry, 1)).empty());
  REQUIRE_FALSE(difference(timer(1, TimerKind::Retry, 1), timer(1, TimerKind::Delay, 1)).empty());
  REQUIRE(difference(timer(1, TimerKind::Retry, 1), timer(1, TimerKind::Retry, 2)).empty());

  RunEnded ended;
  ended.outcome.state = State::Failed;
  ended.outcome.failure = samples::failure();
  RunEnded other = ended;
  other.outcome.failure->message = "in other words";
  REQUIRE(difference(entry_of(ended), entry_of(other)).empty());
  other.outcome.state = State::Cancelled;
  REQUIRE_FALSE(difference(entry_of(ended), entry_of(other)).empty());
}

TEST_CASE("inputs are compared by hash, never by text") {
  const auto start = [](std::string text) {
    Process process;
    process.stdin_text = std::move(text);
    StartTask decision;
    decision.task.path = "a";
    decision.task.work = process;
    return entry_of(decision);
  };
  REQUIRE(difference(start("one"), start("two")).empty());
  REQUIRE(difference(start(std::string(5000, 'x')), start(std::string(5000, 'x'))).empty());
  REQUIRE_FALSE(difference(start(std::string(5000, 'x')), start(std::string(5000, 'y'))).empty());
  REQUIRE_FALSE(difference(start(std::string(5000, 'x')), start("x")).empty());
}

TEST_CASE("data that nobody wrote is corruption, and says which entry") {
  Entry entry = to_entry({samples::at(), TimerFired{"a", TimerKind::Sleep}});
  entry.seq = 12;
  for (const char* data : {"", "{", "[]", "{\"timer\":3}", "{\"timer\":\"egg\"}", "{}", "{\"timer\":\"\\x\"}"}) {
    entry.data = data;
    INFO(data);
    try {
      to_event(entry);
      FAIL("it was taken");
    } catch (const Corruption& error) {
      REQUIRE(std::string(error.what()).find("entry 12, 'fired' of a") != std::string::npos);
    }
  }
}

}  // namespace flowrun::test::entry_test
