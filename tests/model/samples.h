// One of each fact and decision, with every member set, and again with none. For tests that what is written is read.
#pragma once

#include <vector>

#include "engine/model/decision.h"
#include "engine/model/event.h"

namespace flowrun::samples {

inline Instant at() { return from_millis(1'795'423'512'481); }

inline Failure failure() {
  Failure failure;
  failure.type = "http.503";
  failure.message = "he said \"no\"\n";
  failure.step = "a[b%2F]/c";
  failure.attempt = 2;
  failure.detail = Value::from_text(R"({"http":{"status":503,"body":"{}"},"a":1.10})");
  return failure;
}

inline std::vector<Event> events() {
  std::vector<Event> all;
  const auto add = [&](auto fact) { all.push_back({at(), std::move(fact)}); };

  RunStarted started;
  add(started);
  started.semantics = 1;
  started.id = "order-20261123-084512-x7k2";
  started.name = "order";
  started.source_hash = "00ff";
  started.sources = {{"parts/\"pay\".yaml", "11ee"}, {"../b.yaml", "22dd"}};
  started.sub_inputs = Value::from_text(R"({"../b.yaml":{"region":"eu"}})");
  started.seed = std::string(32, 'a');
  started.token = std::string(32, 'b');
  started.inputs = Value::from_text(R"({"z":1.10,"a":["x"]})");
  started.vars = Value::from_text("{}");
  started.file = "/w/order \"1\".yaml";
  started.folder = "/w";
  started.run_dir = "/j/runs/x";
  started.host = "h";
  started.boot_id = "boot";
  started.pid_namespace = "pid:[1]";
  started.cpus = 8;
  started.concurrency = 3;
  started.jobs = 2;
  started.output_log = 1;
  started.fail_fast = FailFast::Drain;
  started.timeout = Duration(0);
  started.forked_of = "order-20261122-084512-x7k2";
  started.forked_from = "charge";
  started.secrets = {{"token", "0af1", false}, {"pin", "", true}};
  started.measured = true;
  started.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  started.on = "restate=http://h:8080,admin=http://h:9070";
  add(started);

  RunResumed resumed;
  add(resumed);
  resumed.token = "t";
  resumed.down = Duration(12'345);
  resumed.on_crash = OnCrash::Fail;
  resumed.marks = {{.path = "deploy", .done = true, .output = Value::from_text("[1]")},
                   {.path = "x/y", .rerun = true, .output = {}}};
  resumed.folder = "/elsewhere";
  resumed.run_dir = "/moved/runs/x";
  resumed.keeps_keys = true;
  resumed.unbegun = {"a[%2F]/b", "c"};
  resumed.queued = {"e[\"1\"]", "d"};
  resumed.cancel = CancelRequested{true, false, "ann@desk"};
  resumed.host = "h";
  resumed.boot_id = "b";
  resumed.pid_namespace = "p";
  resumed.secrets = {{"token", "", false}};
  add(resumed);

  add(RunReopened{});
  add(RunReopened{"t", "charge", {}});
  add(RunReopened{"t", "charge", {{"token", "0af1", false}}});
  RunReopened reopened{"t", "mail[7]", {}};
  reopened.exact = reopened.failed = true;
  reopened.marks = {{.path = "deploy", .done = true, .output = Value::from_text("[1]")}};
  reopened.jobs = 3;
  add(reopened);
  resumed.jobs = 4;
  resumed.on = "here";
  add(resumed);
  reopened.run_dir = "/moved/runs/x";
  reopened.folder = "/elsewhere";
  reopened.keeps_keys = true;
  reopened.on = "restate=http://h:8080,admin=http://h:9070";
  add(reopened);
  add(TaskReserved{"deploy"});

  TaskEnded ended;
  ended.path = "order";
  add(ended);
  ended.attempt = 3;
  ended.result.value = Value::from_text(R"({"b":1,"a":"\u00e9"})");
  ended.result.code = -9;
  ended.result.took = Duration(310);
  ended.result.began = at() - Duration(320);
  ended.result.retry_after = Duration(0);
  ended.result.sent = false;
  ended.result.failure = failure();
  add(ended);
  ended.result.failure->detail = Value();
  add(ended);
  ended.result.again = true;
  add(ended);
  ended.result = Result();
  ended.result.value = Value::from_text("[1,2]");
  ended.result.page = 2;
  ended.result.next = "http://a.example/?page=3&q=\"";
  ended.result.taken = true;
  add(ended);
  ended.result = Result();
  ended.result.cut = 5'000'000'000;
  ended.result.unlogged = 7;
  add(ended);
  ended.result = Result();
  ended.result.memo = MemoNote{"order-1", 12, at() - Duration(86'400'000), Duration(310), "", ""};
  add(ended);
  ended.result.memo = MemoNote{"", 0, {}, Duration(0), "`in` has changed", "its files have more than 9 bytes"};
  add(ended);

  add(TaskInterrupted{"order", 2});
  add(TaskWithdrawn{"order", 2});
  for (TimerKind timer : kTimerKinds) add(TimerFired{"fraud", timer});
  add(SuspendRequested{});
  add(SuspendRequested{15});
  add(SignalReceived{"approval", "", Value::from_text(R"({"comment":"go"})"), "ann@desk", std::nullopt});
  add(SignalReceived{"approval", "each[a]", {}, "ann@desk", "not today"});
  add(CancelRequested{});
  add(CancelRequested{true, true, "ann@desk"});
  add(UndoRequested{});
  add(UndoRequested{"t", "ann@desk"});
  add(UndoRequested{"t", "ann@desk", "/moved/runs/x"});
  add(UndoRequested{"t", "ann@desk", "/moved/runs/x", "/elsewhere", true});
  add(RunFrozen{Duration(4000)});
  add(SecretRead{});
  add(SecretRead{"each[a]/login", 2, Duration(12), Failure{"http.503", "GET x answered 503"}});
  add(ItemsArrived{});
  add(ItemsArrived{"each", Value::from_text(R"(["a","a",{"b":1}])"), {{1, 2}}, true});
  return all;
}

inline std::vector<Decision> decisions() {
  std::vector<Decision> all;
  const auto add = [&](auto what) { all.push_back({std::move(what), {}}); };
  add(ReservePlace{"deploy", true, true});
  add(ReservePlace{"deploy", false, false});

  StartTask start;
  start.task.path = "order";
  add(start);
  start.task.attempt = 2;
  start.task.rerun = 1;
  start.task.page = 3;
  start.task.idempotency_key = "key";
  start.task.timeout = Duration(30'000);
  start.task.keep_raw = true;
  start.task.strict = true;
  Process process;
  process.argv = {"sh", "-c", "true"};
  process.env = {{"T", "a"}};
  process.placeholders = {{TaskPlaceholder::In::Variable, 0, {1, "token", Placeholder::Form::Plain}}};
  start.task.work = process;
  add(start);

  add(StopTask{"b", 2, "lost"});
  add(WithdrawWaiting{"b"});
  add(ArmTimer{"fraud", TimerKind::Retry, 1, at() + Duration(400), Duration(400), "http.503"});

  StepSettled settled;
  settled.path = "ship";
  settled.kind = "set";
  settled.reason = "if";
  settled.outcome.state = State::Skipped;
  add(settled);
  settled.outcome.state = State::Failed;
  settled.outcome.failure = failure();
  settled.outcome.output = Value::from_text("[3,2,1]");
  add(settled);

  add(SignalAwaited{"go", "approval", "Apply 3 changes?"});
  add(ChildStarted{"pay", 2, "parts/pay.yaml", Value::from_text(R"({"amount":1.10})")});
  add(ItemsChosen{"enrich", 2, Value::from_text(R"(["a","b"])")});
  add(Evaluated{"ship"});
  add(RunSuspended{});
  RunEnded run_ended;
  run_ended.outcome.state = State::Succeeded;
  run_ended.outcome.output = Value::from_text(R"({"ok":true})");
  add(run_ended);
  all.back().answers = {{Value::from_text("1"), ""}, {Value(), "no such field"}, {run_ended.outcome.output, ""}};
  return all;
}

}  // namespace flowrun::samples
