// Runs on a Restate server, without one: a fake server plays the frames, and whatever comes in whatever order, the run
// decides what it would have decided at home. The real server is in tests/restate.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <stdexcept>

#include "engine/jq/jq.h"
#include "engine/machine/machine.h"
#include "engine/model/hash.h"
#include "engine/restate/protobuf.h"
#include "engine/run/detached_handlers.h"
#include "engine/run/detached_run.h"
#include "tests/machine/random_workflow.h"
#include "tests/support/catch.h"
#include "tests/support/fake_restate.h"
#include "tests/support/replay_prefix.h"

namespace flowrun::test::detached_test {
namespace {

using restate::FrameType;

const Instant kBegan = from_millis(1'800'000'000'000);

DetachedInput input_of(const std::string& text, const Texts& files = {}, const std::string& inputs = "{}") {
  DetachedInput input;
  input.at = kBegan;
  input.text = text;
  input.sources = files;
  input.admin = "http://127.0.0.1:9070";
  input.started.semantics = Machine::kSemantics;
  input.started.id = "detached-1";
  input.started.name = "w";
  input.started.seed = "00112233445566778899aabbccddeeff";
  input.started.token = "t";
  input.started.source_hash = hash_name(text);
  for (const auto& [path, source] : files) input.started.sources[path] = hash_name(source);
  input.started.inputs = Value::from_text(inputs);
  input.started.vars = Value::from_text("{}");
  input.started.file = "/nowhere/w.yaml";
  input.started.folder = "/nowhere";
  input.started.run_dir = "/nowhere/run";
  input.started.measured = true;
  return input;
}

/// The entries of a run whose journal the server has.
std::vector<Entry> entries_of(const FakeRestate& server) {
  const DetachedInput input = detached_input_from(restate::input_from(server.journal.front().message));
  const Loaded loaded = load_detached(input);
  const auto evaluator = make_jq(loaded.programs);
  std::vector<Entry> entries;
  DetachedRun run(input, loaded, *evaluator, [&](Entry entry) { entries.push_back(std::move(entry)); });
  for (const auto& entry : server.journal) {
    const restate::Frame frame{static_cast<std::uint16_t>(entry.type), entry.message};
    if (frame.is_notification()) run.take(restate::notification_from(frame));
  }
  return entries;
}

/// A run of |steps| with a worker that forgets nothing while it lives.
class Detached {
 public:
  explicit Detached(const std::string& steps, int protocol = 6, const std::string& inputs = "{}")
      : server(to_text(input_of("flowrun: 1\n" + steps, {}, inputs)), protocol,
               [this](const restate::Invocation& invocation) { return worker_.answer(invocation); }) {
    server.run();
  }

  std::uint32_t call(const std::string& path) const {
    for (const auto& [id, call] : server.calls)
      if (call.step.task.path == path) return id;
    throw std::runtime_error("nothing is asked for " + path);
  }
  bool asked(const std::string& path) const {
    return std::any_of(server.calls.begin(), server.calls.end(),
                       [&](const auto& call) { return call.second.step.task.path == path; });
  }
  void succeed(const std::string& path, const std::string& value = "null") {
    Result result;
    result.value = Value::from_text(value);
    end(path, std::move(result));
  }
  void fail(const std::string& path) {
    Result result;
    result.failure = Failure{"exit.1", "broken"};
    end(path, std::move(result));
  }
  void end(const std::string& path, Result result) {
    now += Duration{100};
    server.complete(call(path), TaskEnded{path, 1, std::move(result)}, now);
    server.run();
  }
  Json output() const {
    REQUIRE(server.output());
    return Json::parse(*server.output());
  }

  FakeRestate server;
  Instant now = kBegan;

 private:
  DetachedRuns worker_;
};

constexpr const char* kRace = R"(steps:
  - id: first
    parallel: { a: { shell: one }, b: { shell: two } }
    join: first_success
output: ${ $steps.first }
)";

}  // namespace

TEST_CASE("a detached run asks for each step once and ends with its output") {
  Detached run(R"(steps:
  - { id: a, shell: one }
  - { id: b, shell: two, env: { N: "${ $steps.a }" } }
output: ${ $steps.b }
)");
  REQUIRE(run.asked("a"));
  const restate::StepCall& step = run.server.calls.begin()->second.step;
  CHECK(step.run_id == "detached-1");
  CHECK(step.folder == "/nowhere");
  run.succeed("a", "\"x\"");
  run.succeed("b", "7");
  CHECK(run.output() == Json{{"run", "detached-1"}, {"state", "succeeded"}, {"output", 7}});
  CHECK(run.server.invocations == 3);
}

TEST_CASE("a worker is told which steps of a detached run are not begun again") {
  const Detached run(R"(steps:
  - id: all
    parallel:
      a: { shell: one }
      b: { shell: two, on_crash: fail }
      c: { shell: three, on_crash: ask }
)");
  for (const auto& [id, call] : run.server.calls) CHECK(call.step.repeats == (call.step.task.path == "all/a"));
  CHECK(run.server.calls.size() == 3);
}

TEST_CASE("a detached run that fails answers so, it does not fail itself") {
  Detached run("steps:\n  - { id: a, shell: one }\n");
  run.fail("a");
  CHECK(run.output()["state"] == "failed");
  CHECK(run.output()["error"]["type"] == "exit.1");
  CHECK(run.output()["error"]["step"] == "a");
}

TEST_CASE("the loser of a detached race is killed, and its end is awaited") {
  for (const int protocol : {5, 6, 7}) {
    Detached run(kRace, protocol);
    run.succeed("first/b", "2");
    CHECK_FALSE(run.server.output());
    CHECK(run.server.calls.at(run.call("first/a")).stopped);
    run.server.fail(run.call("first/a"), 409, "killed");
    run.server.run();
    CHECK(run.output()["output"]["b"] == 2);
    CHECK(entries_of(run.server).back().kind == EntryKind::RunEnded);
  }
}

TEST_CASE("a detached run waits for signals, each under a name of its own") {
  Detached run(R"(steps:
  - { id: one, wait: go }
  - { id: two, wait: go }
output: ${ [$steps.one, $steps.two] }
)");
  SignalReceived signal{"go", "", Value(Json(1)), "ann@desk", {}};
  run.server.mail(mail_text(signal, kBegan + Duration{50}));
  run.server.run();
  CHECK_FALSE(run.server.output());
  run.server.mail("what nobody has written");
  run.server.mail("{\"kind\":\"signal\",\"at\":-1,\"data\":7}");
  run.server.run();
  signal.data = Value(Json(2));
  run.server.mail(mail_text(signal, kBegan + Duration{70}));
  run.server.run();
  CHECK(run.output()["output"] == Json{1, 2});
  for (const Entry& entry : entries_of(run.server))
    if (entry.kind == EntryKind::SignalReceived) CHECK(entry.at > kBegan);
}

TEST_CASE("a detached run is cancelled by the server's own cancel, and by mail that says how") {
  const std::string steps = R"(steps:
  - { id: a, shell: one, undo: { shell: back } }
  - { id: b, shell: two }
finally: [ { id: z, shell: tidy } ]
)";
  {
    Detached run(steps);
    run.succeed("a");
    run.server.cancel();
    run.server.run();
    CHECK(run.server.calls.at(run.call("b")).stopped);
    run.server.fail(run.call("b"), 409, "killed");
    run.server.run();
    run.succeed("finally/z");
    CHECK(run.output()["state"] == "cancelled");
  }
  {
    Detached run(steps);
    run.succeed("a");
    run.server.mail(mail_text(CancelRequested{true, false, "ann"}, kBegan));
    run.server.run();
    run.server.fail(run.call("b"), 409, "killed");
    run.server.run();
    run.succeed("a.undo");
    run.succeed("finally/z");
    CHECK(run.output()["state"] == "cancelled");
  }
}

TEST_CASE("times of a detached run follow from what is recorded") {
  Detached run(R"(steps:
  - { id: a, sleep: 10s }
  - { id: b, shell: one, retry: { attempts: 2, delay: 5s } }
)");
  REQUIRE(run.server.sleeps.size() == 1);
  CHECK(run.server.sleeps.begin()->second.wake == kBegan + Duration{10000});
  run.server.wake(run.server.sleeps.begin()->first);
  run.server.run();
  run.now = kBegan + Duration{11900};
  run.fail("b");
  REQUIRE(run.server.sleeps.size() == 1);
  const Instant again = run.server.sleeps.begin()->second.wake;
  CHECK(again >= kBegan + Duration{12000});
  run.server.wake(run.server.sleeps.begin()->first);
  run.server.run();
  CHECK(run.server.calls.begin()->second.step.task.attempt == 2);
  CHECK(run.server.calls.begin()->second.name == "b attempt 2");
}

TEST_CASE("a worker's answer that is none, and a call that failed, are failures of the step") {
  const auto error_after = [](const std::function<void(FakeRestate&, std::uint32_t)>& answer) {
    Detached run("steps:\n  - { id: a, shell: one }\n");
    answer(run.server, run.call("a"));
    run.server.run();
    CHECK(run.output()["state"] == "failed");
    return run.output()["error"]["type"].get<std::string>() + ": " +
           run.output()["error"]["message"].get<std::string>();
  };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  const std::string failed = error_after([](FakeRestate& server, auto call) { server.fail(call, 500, "no worker"); });
  CHECK(has(failed, "restate.worker: "));
  CHECK(has(failed, "no worker"));
  CHECK(has(error_after([](FakeRestate& server, auto call) { server.fail(call, 409, "killed"); }), "restate.killed: "));
  for (const char* text : {"", "{", "7", "[]", "{\"path\":1}", "{\"path\":\"a\"}"})
    CHECK(has(error_after([&](FakeRestate& server, auto call) { server.answer(call, text); }), "restate.answer: "));
  CHECK(has(error_after([](FakeRestate& server, auto call) {
              server.complete(call, TaskEnded{"b", 9, {}}, kBegan);
            }),
            "restate.answer: the answer is that of b, attempt 9"));
}

TEST_CASE("commands that this program would not have given are refused with 570, and nothing is done") {
  const std::string input = to_text(input_of("flowrun: 1\nsteps:\n  - { id: a, shell: one }\n"));
  DetachedRuns worker;
  const auto answer = [&](const restate::Invocation& invocation) { return worker.answer(invocation); };
  FakeRestate good(input, 6, answer);
  good.run();
  FakeRestate::Entry call;
  for (const auto& entry : good.journal)
    if (entry.type == FrameType::Call) call = entry;
  std::map<std::string, FakeRestate::Entry> others;
  restate::Call other = restate::call_from(call.message);
  other.name = "b";
  others["call flowrun/step `b` (2), but this flowrun decides call flowrun/step `a` (2)"] = {FrameType::Call,
                                                                                             to_message(other)};
  other.name = "a";
  other.service = "flowrun-gpu";
  others["call flowrun-gpu/step `a` (2)"] = {FrameType::Call, to_message(other)};
  others["sleep `a` (2)"] = {FrameType::Sleep, to_message(restate::Sleep{5, 2, "a"})};
  for (const auto& [said, entry] : others) {
    FakeRestate server(input, 6, answer);
    server.journal.push_back(entry);
    server.run();
    REQUIRE(server.error());
    CHECK(server.error()->first == restate::kJournalMismatch);
    CHECK_THAT(server.error()->second, ContainsSubstring(said));
    CHECK_THAT(server.error()->second, ContainsSubstring("nothing was done"));
    CHECK(server.calls.empty());
  }
  FakeRestate more(input, 6, answer);
  more.journal.push_back(call);
  more.journal.push_back(call);
  more.run();
  REQUIRE(more.error());
  CHECK_THAT(more.error()->second, ContainsSubstring("decides nothing"));
}

TEST_CASE("what a newer flowrun has started is tried again by the server, and not misread") {
  DetachedRuns worker;
  const auto answer = [&](const restate::Invocation& invocation) { return worker.answer(invocation); };
  DetachedInput input = input_of("flowrun: 1\nsteps:\n  - { id: a, shell: one }\n");
  input.started.semantics = Semantics::kNewest + 1;
  CHECK_THROWS_WITH(FakeRestate(to_text(input), 6, answer).run(), ContainsSubstring("was decided by semantics"));
  input = input_of("flowrun: 1\nsteps:\n  - { id: a, shell: one }\n");
  input.version = DetachedInput::kVersion + 1;
  CHECK_THROWS_WITH(FakeRestate(to_text(input), 6, answer).run(), ContainsSubstring("in form 2"));
  for (const char* none : {"", "{}", "[", "{\"version\":1}", "null", "{\"version\":1,\"started\":{}}"}) {
    FakeRestate server(none, 6, answer);
    server.run();
    CHECK(server.output());  // a failure that is not tried again
    CHECK(server.calls.empty());
  }
}

TEST_CASE("mail is numbered by the state of its object, also when an answer was lost on the way") {
  const auto mail = [](std::optional<std::string> state, const std::vector<FakeRestate::Entry>& recorded) {
    std::string start, message, body, value;
    restate::FieldWriter fields(start);
    fields.bytes(2, "inv_mail");
    fields.number(3, 1 + recorded.size());
    if (state) {
      std::string entry;
      restate::FieldWriter pair(entry);
      pair.bytes(1, "last");
      pair.bytes(2, *state);
      fields.bytes(4, entry);
    }
    fields.bytes(6, "inv_run");
    restate::FieldWriter(value).bytes(1, "hello");
    restate::FieldWriter(message).bytes(14, value);
    append_frame(body, FrameType::Start, start);
    append_frame(body, FrameType::Input, message);
    for (const auto& entry : recorded) append_frame(body, entry.type, entry.message);
    return answer_mail(restate::Invocation("flowrun.mail", "send", 6, body));
  };
  for (const auto& [state, name] :
       {std::pair<std::optional<std::string>, std::string>{{}, "mail-1"}, {"4", "mail-5"}}) {
    const std::string answer = mail(state, {});
    const std::vector<restate::Frame> frames = restate::frames_of(answer);
    REQUIRE(frames.size() == 4);
    const restate::SendSignal signal = restate::send_signal_from(frames[1].message);
    CHECK(signal.target == "inv_run");
    CHECK(signal.name == name);
    CHECK(signal.value == "hello");
    // Its first command was recorded, and the state with it.
    const std::string again = mail(name.substr(5), {{FrameType::SetState, std::string(frames[0].message)}});
    const std::vector<restate::Frame> rest = restate::frames_of(again);
    REQUIRE(rest.size() == 3);
    CHECK(restate::send_signal_from(rest[0].message).name == name);
  }
}

TEST_CASE("random workflows decide on a server what they decide at home, whatever comes when") {
  const char* given = std::getenv("FLOWRUN_SEED");
  const unsigned seed = given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device()();
  std::map<std::string, int> seen;
  for (unsigned round = 0; round < 400; ++round) {
    Random random(seed + round);
    const RandomWorkflow workflow(random);
    INFO("FLOWRUN_SEED=" << seed + round << "\n" << workflow.text);
    for (const auto& [name, file] : workflow.files) UNSCOPED_INFO(name << ":\n" << file);
    DetachedInput input = input_of(workflow.text, workflow.files, Json{{"flag", percent(random, 50)}}.dump());
    input.started.seed = fmt::format("{:032x}", random());
    if (percent(random, 10)) input.started.concurrency = 1 + below(random, 3);
    auto worker = std::make_unique<DetachedRuns>();
    FakeRestate server(to_text(input), 5 + below(random, 3), [&](const restate::Invocation& invocation) {
      if (percent(random, 30)) worker = std::make_unique<DetachedRuns>();  // another one
      return worker->answer(invocation);
    });
    Instant now = kBegan;
    std::string trouble;
    try {
      for (int turns = 0; !server.output(); ++turns) {
        if (turns > 5000) throw std::runtime_error("it never ends");
        server.run();
        if (server.error()) throw std::runtime_error(server.error()->second);
        if (server.output()) break;
        if (percent(random, 10)) server.run_in_vain();
        // Some things happen, maybe several before the run hears of them.
        for (int many = 1 + (percent(random, 30) ? below(random, 4) : 0); many > 0; --many) {
          now += Duration(below(random, 700));
          if (percent(random, 1)) server.cancel();
          if (percent(random, 1)) server.mail(mail_text(CancelRequested{percent(random, 50), false, "x"}, now));
          const bool nothing_else = server.calls.empty() && server.sleeps.empty();
          if (nothing_else || percent(random, 10)) {
            SignalReceived signal{kSignals[below(random, 2)], "", Value(Json(below(random, 100))), "somebody", {}};
            if (percent(random, 25)) signal.rejected = "no";
            server.mail(mail_text(signal, now));
          }
          if (!server.sleeps.empty() && (server.calls.empty() || percent(random, 20))) {
            const auto next =
                std::min_element(server.sleeps.begin(), server.sleeps.end(),
                                 [](const auto& a, const auto& b) { return a.second.wake < b.second.wake; });
            now = std::max(now, next->second.wake);
            server.wake(next->first);
          } else if (!server.calls.empty()) {
            const auto one = std::next(server.calls.begin(), below(random, static_cast<int>(server.calls.size())));
            const Task& task = one->second.step.task;
            if (one->second.stopped && percent(random, 70)) {
              server.fail(one->first, 409, "killed");
              ++seen["killed"];
            } else {
              server.complete(one->first, TaskEnded{task.path, task.attempt, random_result(task, random())}, now);
            }
          }
        }
      }
      const DetachedInput read = detached_input_from(restate::input_from(server.journal.front().message));
      const Loaded loaded = load_detached(read);
      const std::vector<Entry> entries = entries_of(server);
      NoJq no_jq;
      replay_prefix(loaded, entries, entries.size(), no_jq);
      if (entries.back().kind != EntryKind::RunEnded) throw std::runtime_error("the last entry is another");
      const Json data = Json::parse(entries.back().data), output = Json::parse(*server.output());
      if (data["state"] != output["state"] || entries.back().value.json() != output["output"])
        throw std::runtime_error("the entries end otherwise than the run");
      Instant last{};
      for (const Entry& entry : entries) {
        if (entry.at < last) throw std::runtime_error("time goes back");
        last = entry.at;
        ++seen[std::string(to_string(entry.kind))];
      }
      ++seen[output["state"].get<std::string>()];
    } catch (const std::exception& error) {
      trouble = error.what();
      for (const auto& [id, call] : server.calls) trouble += fmt::format("\n  {} {}", id, call.name);
      for (const auto& [id, sleep] : server.sleeps) trouble += fmt::format("\n  {} {}", id, sleep.name);
    }
    INFO(trouble);
    REQUIRE(trouble.empty());
  }
  for (const char* sort : {"killed", "succeeded", "failed", "cancelled", "late", "cancel_requested", "signal",
                           "waiting", "reserved", "stop", "child", "items", "fired"}) {
    INFO(sort);
    CHECK(seen[sort] >= 5);
  }
}

}  // namespace flowrun::test::detached_test
