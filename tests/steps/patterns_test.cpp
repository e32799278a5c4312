// The patterns that the language promises keys for, one scenario each, told by the order of the log. What a pattern
// does at its edges is proved by the tests of its room, named in the comments.
#include <algorithm>

#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::patterns_test {
namespace {

/// The place in the log of the first |kind| of |path|; fails the test when there is none.
std::size_t place(const Scenario& s, EntryKind kind, const std::string& path) {
  const std::vector<Entry>& log = s.entries();
  auto found = std::find_if(log.begin(), log.end(),
                            [&](const Entry& entry) { return entry.kind == kind && entry.path == path; });
  INFO(to_string(kind) << " " << path);
  REQUIRE(found != log.end());
  return static_cast<std::size_t>(found - log.begin());
}

}  // namespace

TEST_CASE("pattern: a future is started at once and awaited where it is used") {
  Scenario s(R"(
slow: { exec: [slow] }
other: { exec: [other] }
use: { exec: [use, "${ $steps.slow }"] }
)");
  s.expect_started({"slow", "other"});
  s.succeed("other", "1");
  s.expect_started({});
  s.succeed("slow", "2");
  s.expect_started({"use"});
  s.succeed("use");
  s.expect_success();
  CHECK(place(s, EntryKind::StartTask, "other") < place(s, EntryKind::TaskEnded, "slow"));
  CHECK(place(s, EntryKind::TaskEnded, "slow") < place(s, EntryKind::StartTask, "use"));
}

// Also: "steps of a map start together, and one that uses another waits for it".
TEST_CASE("pattern: wait for all by using all") {
  Scenario s(R"(
a: { exec: [a] }
b: { exec: [b] }
c: { exec: [c] }
sum: { set: "${ $steps.a + $steps.b + $steps.c }" }
)");
  s.succeed("c", "3");
  s.succeed("a", "1");
  s.expect_state("sum", State::Pending);
  s.crash_and_resume();
  s.succeed("b", "2");
  s.expect_success();
  CHECK(s.output("sum") == Json(6));
}

// Also: "items of a pipeline walk its stages by themselves".
TEST_CASE("pattern: results are processed as they complete") {
  Scenario items(R"(
each:
  for_each: [a, b]
  do:
    - { id: fetch, exec: [fetch, "${ $item }"] }
    - { id: store, exec: [store, "${ $steps.fetch }"] }
)");
  items.succeed("each[a]/fetch", "1");
  items.crash_and_resume();
  items.succeed("each[a]/store");
  items.succeed("each[b]/fetch", "2");
  items.succeed("each[b]/store");
  items.expect_success();
  CHECK(place(items, EntryKind::StartTask, "each[a]/store") < place(items, EntryKind::TaskEnded, "each[b]/fetch"));

  Scenario sources(R"(
a: { exec: [a] }
b: { exec: [b] }
after_a: { exec: [store, "${ $steps.a }"] }
after_b: { exec: [store, "${ $steps.b }"] }
)");
  sources.succeed("b", "2");
  sources.succeed("after_b");
  sources.succeed("a", "1");
  sources.succeed("after_a");
  sources.expect_success();
  CHECK(place(sources, EntryKind::TaskEnded, "after_b") < place(sources, EntryKind::TaskEnded, "a"));
}

// Also: "a race is won by the first success and its losers are stopped", "first_completed takes the first end for
// better or worse".
TEST_CASE("pattern: the first of many, for a success or for any end") {
  Scenario race("r: { race: { a: { exec: [a] }, b: { exec: [b] }, c: { exec: [c] } } }");
  race.fail("r/a");
  race.succeed("r/c", "3");
  race.expect_stopped({"r/b"});
  race.fail("r/b", "cancelled");
  race.expect_success();
  CHECK(race.output("r") == Json(3));

  Scenario first("g: { parallel: { a: { exec: [a] }, b: { exec: [b] } }, join: first_completed }");
  first.succeed("g/b", "2");
  first.expect_stopped({"g/a"});
  first.fail("g/a", "cancelled");
  first.expect_success();
  CHECK(first.output("g") == Json{{"a", nullptr}, {"b", 2}});
}

TEST_CASE("pattern: a timeout with a fallback, for one try or for all") {
  Scenario s(R"(
one: { exec: [one], timeout: 2s, fallback: { set: cached } }
all: { exec: [all], retry: { attempts: 9, delay: 1s, jitter: none }, deadline: 3s, fallback: { exec: [cached] } }
)");
  s.fail("one", "timeout");  // the timeout of one try is kept by those who run it
  CHECK(s.output("one") == Json("cached"));
  s.reserved("all");
  s.fail("all");
  s.advance(1s);
  s.reserved("all");
  s.advance(2s);
  s.fail("all", "cancelled");
  s.succeed("all.fallback", "\"old\"");
  s.expect_success();
  CHECK(s.output("all") == Json("old"));
}

TEST_CASE("pattern: redundant requests, the second only when the first is slow") {
  constexpr const char* kHedge = "r: { race: { a: { exec: [a] }, b: { exec: [b], delay: 150ms } } }";
  Scenario quick(kHedge);
  quick.advance(100ms);
  quick.succeed("r/a", "1");
  quick.expect_started({"r/a"});
  quick.expect_success();
  Scenario slow(kHedge);
  slow.advance(150ms);
  slow.expect_started({"r/a", "r/b"});
  slow.succeed("r/b", "2");
  slow.expect_stopped({"r/a"});
  slow.fail("r/a", "cancelled");
  slow.expect_success();
  CHECK(slow.output("r") == Json(2));
}

// Also: "best effort takes what arrives before the group's timeout", "at_least and tolerate count what succeeded and
// what failed", "a tolerated failure is recorded, reads as null, and fails nothing".
TEST_CASE("pattern: partial failures are counted, stood in for, or passed over") {
  auto with = [](const std::string& join) {
    return "g: { parallel: { a: { exec: [a] }, b: { exec: [b] }, c: { exec: [c] } }, fail_fast: false, join: " + join +
           " }";
  };
  for (const char* join : {"best_effort", "{ at_least: 2 }", "{ tolerate: 1 }"}) {
    INFO(join);
    Scenario s(with(join));
    s.succeed("g/a", "1");
    s.fail("g/b");
    s.succeed("g/c", "3");
    s.expect_success();
    CHECK(s.output("g") == Json{{"a", 1}, {"b", nullptr}, {"c", 3}});
  }
  for (const char* join : {"{ at_least: 2 }", "{ tolerate: 1 }"}) {
    INFO(join);
    Scenario s(with(join));
    s.succeed("g/a", "1");
    s.fail("g/b");
    s.fail("g/c");
    s.expect_failure("group", "g");
  }
  Scenario s(R"(
a: { exec: [a], fallback: { set: 7 } }
b: { exec: [b], continue_on_error: true }
use: { set: ["${ $steps.a }", "${ $steps.b }"] }
)");
  s.fail("a");
  s.fail("b");
  s.expect_success();
  CHECK(s.output("use") == Json::parse("[7,null]"));
}

// Also: "an atomic group undoes its own before it reports, and hands on what is left when it succeeds".
TEST_CASE("pattern: all or nothing") {
  Scenario s(R"(
book:
  atomic: true
  fail_fast: true
  join: all
  parallel:
    a: { exec: [a], undo: { exec: [undo, a] } }
    b: { exec: [b], undo: { exec: [undo, b] } }
    c: { exec: [c], undo: { exec: [undo, c] } }
    d: { exec: [d] }
)");
  s.succeed("book/b");
  s.succeed("book/a");
  s.fail("book/c");
  s.expect_stopped({"book/d"});
  s.fail("book/d", "cancelled");
  s.succeed("book/a.undo");
  s.crash_and_resume();
  s.succeed("book/b.undo");
  s.expect_failure("group", "book");
  CHECK(place(s, EntryKind::TaskEnded, "book/a.undo") <
        place(s, EntryKind::StartTask, "book/b.undo"));  // the last completed is undone first
  CHECK(place(s, EntryKind::TaskEnded, "book/b.undo") < place(s, EntryKind::StepSettled, "book"));
}

TEST_CASE("pattern: similar operations in batches") {
  Scenario s("e: { for_each: [1, 2, 3, 4, 5], batch: 2, do: { exec: [send, \"${ $item | tojson }\"] } }");
  std::vector<std::string> sent;
  for (const char* path : {"e[0]", "e[1]", "e[2]"}) {
    sent.push_back(std::get<Process>(*s.task(path).work).argv[1]);
    s.succeed(path, "\"" + std::string(path) + "\"");
  }
  CHECK(sent == std::vector<std::string>{"[1,2]", "[3,4]", "[5]"});
  s.expect_success();
  CHECK(s.output("e") == Json::parse(R"(["e[0]","e[1]","e[2]"])"));
}

// Also: "a limit of a step bounds its attempts over all items".
TEST_CASE("pattern: a pipeline with a width for each stage") {
  Scenario s(R"(
e:
  for_each: [x, y, z]
  do:
    - { id: get, exec: [get], limit: 2 }
    - { id: put, exec: [put], limit: 1 }
)");
  s.expect_started({"e[x]/get", "e[y]/get"});
  s.succeed("e[x]/get");
  s.expect_started({"e[z]/get", "e[x]/put"});
  s.succeed("e[y]/get");
  s.expect_started({});  // one at a time in the second stage
  s.succeed("e[x]/put");
  s.expect_started({"e[y]/put"});
  for (const char* path : {"e[z]/get", "e[y]/put", "e[z]/put"}) s.succeed(path);
  s.expect_success();
}

TEST_CASE("pattern: a chain by a list, and by what uses what") {
  Scenario list(R"(
- { id: a, exec: [a] }
- { id: b, exec: [b] }
- { id: c, exec: [c] }
)");
  Scenario edges(R"(
c: { exec: [c, "${ $steps.b }"] }
b: { exec: [b, "${ $steps.a }"] }
a: { exec: [a] }
)");
  for (Scenario* s : {&list, &edges}) {
    for (const char* path : {"a", "b", "c"}) {
      s->expect_started({path});
      s->succeed(path, "1");
    }
    s->expect_success();
  }
}

// Every scenario of the tests replays all prefixes of its log as it ends; here the order itself is looked at.
TEST_CASE("pattern: the journal keeps the order in which results came, through crashes") {
  Scenario s(R"(
r: { race: { a: { exec: [a] }, b: { exec: [b] } } }
e: { for_each: [x, y], do: { exec: [e] } }
)");
  s.crash_and_resume();
  s.succeed("e[y]", "2");
  s.succeed("r/b", "2");
  s.fail("r/a", "cancelled");
  s.crash_and_resume();
  s.succeed("e[x]", "1");
  s.expect_success();
  CHECK(s.output("r") == Json(2));
  CHECK(s.output("e") == Json::parse("[1,2]"));
  CHECK(place(s, EntryKind::TaskEnded, "e[y]") < place(s, EntryKind::TaskEnded, "r/b"));
  CHECK(place(s, EntryKind::TaskEnded, "r/b") < place(s, EntryKind::TaskEnded, "e[x]"));
}

// "Blocking right after creating" can not be written in a map, as the first pattern shows; in a list it is found by
// "W110: requests in a list that use nothing of each other" (tests/lint).

}  // namespace flowrun::test::patterns_test
