// A step `log`: what it says is its entry, once.
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::log_test {
namespace {

std::vector<std::string> said(const Scenario& s) {
  std::vector<std::string> all;
  for (const Entry& entry : s.entries())
    if (const auto one = said_by(entry)) all.push_back(one->level + " " + entry.path + ": " + one->text);
  return all;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a log says its text with its level, and the text is its output") {
  Scenario s(R"(flowrun: 1
input: { sku: A-1 }
steps:
  - { id: note, log: "only 3 of ${ $input.sku } left", level: warn }
  - log: { sku: "${ $input.sku }", left: 3 }
output: ${ $steps.note }
)",
             R"({"sku": "A-1"})");
  s.expect_success("\"only 3 of A-1 left\"");
  CHECK(said(s) == Lines{"warn note: only 3 of A-1 left", R"(info _2: {"left":3,"sku":"A-1"})"});
}

TEST_CASE("a log is told once, however often the run is cut off") {
  Scenario s("[{ log: before }, { shell: work }, { log: after }]");
  s.crash_and_resume();
  s.succeed("_2");
  s.expect_success();
  CHECK(said(s) == Lines{"info _1: before", "info _3: after"});
}

TEST_CASE("a log that is skipped or can not be computed says nothing") {
  Scenario s("{ a: { if: false, log: never }, b: { log: \"${ 1 / 0 }\", continue_on_error: true } }");
  s.expect_success();
  CHECK(said(s).empty());
}

TEST_CASE("in a file that is older than the kind a step may be called log") {
  Scenario alone("log: { shell: work }");
  alone.succeed("log");
  alone.expect_success();
  Scenario among("{ log: { exec: [a] }, b: { log: \"said ${ $steps.log }\" } }");
  among.succeed("log", "\"x\"");
  among.expect_success();
  CHECK(said(among) == Lines{"info b: said x"});
}

}  // namespace flowrun::test::log_test
