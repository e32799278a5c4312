// Signals: early and late ones, several that wait, timeouts that pass while nobody drives the run.
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::wait_test {

TEST_CASE("a step waits for its signal and has its data") {
  Scenario s(R"(
go: { wait: approval, prompt: "Apply ${ $input.n } changes?" }
apply: { exec: [apply, "${ $steps.go.who }"] }
)",
             R"({"n": 3})");
  s.expect_state("go", State::Waiting);
  s.expect_started({});
  s.signal("approval", R"({"who": "ann"})");
  s.expect_started({"apply"});
  s.succeed("apply");
  s.expect_success();
}

TEST_CASE("a rejection fails the step with its reason") {
  Scenario s("go: { wait: approval }");
  s.reject("approval", "too risky");
  s.expect_failure("rejected", "go");
}

TEST_CASE("early signals are kept in order, and each is had once") {
  Scenario s(R"(
first: { sleep: 1s }
one: { needs: [first], wait: word }
two: { needs: [one], wait: word }
three: { needs: [two], wait: word }
)");
  s.signal("word", "1");
  s.signal("other", "9");
  s.signal("word", "2");
  s.advance(1s);
  CHECK(s.output("one") == 1);
  CHECK(s.output("two") == 2);
  s.expect_state("three", State::Waiting);
  s.signal("word", "3");
  s.expect_success();
}

TEST_CASE("of several that wait under one name the path tells which is meant, else the first") {
  Scenario s("each: { for_each: [a, b, c], do: { wait: word } }");
  s.signal("word", "1", "each[b]");
  s.expect_state("each[b]", State::Succeeded);
  s.signal("word", "2");
  s.expect_state("each[a]", State::Succeeded);
  s.signal("word", "3");
  CHECK(s.output("each") == Json({2, 1, 3}));
  s.expect_success();
}

TEST_CASE("a word goes to the first wait that accepts it, and waits for one that does") {
  Scenario s(R"(
first: { wait: word, accept: { type: integer } }
second: { wait: word }
third: { needs: [first], wait: word, accept: { type: integer } }
fourth: { needs: [third], wait: word }
)");
  s.signal("word", R"("yes")");
  CHECK(s.output("second") == "yes");
  s.expect_state("first", State::Waiting);
  s.signal("word", R"("later")");
  s.signal("word", "1");
  CHECK(s.output("first") == 1);
  s.expect_state("third", State::Waiting);
  s.signal("word", "3");
  CHECK(s.output("fourth") == "later");
  s.expect_success();
}

TEST_CASE("the status of a wait tells who answered") {
  Scenario s(R"(
flowrun: 1
steps: { go: { wait: word }, stop: { wait: other, continue_on_error: true } }
output: [ "${ $status.go.by }", "${ $status.stop.by }" ]
)");
  s.signal("word");
  s.crash_and_resume();
  s.reject("other", "no");
  s.expect_success(R"(["tester", "tester"])");
}

TEST_CASE("a wait that is asked anew has not been answered by whom it was before") {
  Scenario s(R"(
flowrun: 1
steps: { go: { wait: word, timeout: 1s } }
on_failure: { exec: [tell, "${ $status.go.by // \"nobody\" }"] }
)");
  auto told = [&] { return std::get<Process>(*s.task("on_failure/_1").work).argv[1]; };
  s.reject("word", "no");
  CHECK(told() == "tester");
  s.succeed("on_failure/_1");
  s.retry();
  s.advance(1s);
  CHECK(told() == "nobody");
  s.succeed("on_failure/_1");
  s.expect_failure("timeout", "go");
}

TEST_CASE("the output of a wait sees who sent it and when") {
  Scenario s("go: { wait: word, output: { who: \"${ .by }\", what: \"${ .data.x }\" } }");
  s.signal("word", R"({"x": 5})");
  CHECK(s.output("go") == Json({{"who", "tester"}, {"what", 5}}));
  s.expect_success();
}

TEST_CASE("the timeout of a wait is a date: it passes while nobody drives the run") {
  Scenario s("go: { wait: word, timeout: 1h, fallback: { set: nobody } }");
  s.crash_and_resume({}, 3600s);
  s.expect_state("go", State::Waiting);
  s.advance(0ms);
  CHECK(s.output("go") == "nobody");
  s.expect_success();
}

TEST_CASE("whoever comes first wins a race between a person and a clock") {
  Scenario s(R"(
go:
  race:
    soak: { sleep: 10m }
    human: { wait: go }
  join: first_completed
)");
  s.signal("go", "true");
  s.expect_success();
  CHECK(s.entries().back().kind == EntryKind::RunEnded);
}

TEST_CASE("a wait holds no place, and a run that only waits may be suspended and resumed") {
  Scenario s("go: { wait: word }");
  CHECK(s.machine().signals().awaiting() == 1);
  s.suspend();
  s.expect_suspended();
  s.crash_and_resume();
  s.signal("word");
  s.expect_success();
}

TEST_CASE("a signal after the wait was given up waits for another") {
  Scenario s(R"(
go: { wait: word, timeout: 1s, continue_on_error: true }
again: { needs: [go], wait: word }
)");
  s.advance(1s);
  s.signal("word", "7");
  CHECK(s.output("again") == 7);
  s.expect_success();
}

TEST_CASE("what comes to its end in the turn in which its group is given up has ended as it did") {
  // The answers are there before the question: all items end in one turn, and the first of them decides the group.
  for (const char* policy : {"drain", "true", "false"})
    for (const char* atomic : {"true", "false"}) {
      INFO(policy << " " << atomic);
      Scenario s(std::string(R"(
first: { shell: x }
each: { for_each: 3, concurrency: 3, needs: first, fail_fast: )") +
                 policy + ", atomic: " + atomic + ", do: { wait: word } }\n");
      s.reject("word", "no");
      s.signal("word");
      s.signal("word");
      s.succeed("first");
      s.expect_failure("group", "each");
      CHECK(s.machine().outcome().failure->message.find("cancelled") == std::string::npos);
      s.expect_state("each[1]", State::Succeeded);
      s.expect_state("each[2]", State::Succeeded);
    }
}

TEST_CASE("a wait that failed is reopened by retry") {
  Scenario s("go: { wait: word }");
  s.reject("word", "no");
  s.expect_failure("rejected", "go");
  s.retry();
  s.expect_state("go", State::Waiting);
  s.signal("word");
  s.expect_success();
}

}  // namespace flowrun::test::wait_test
