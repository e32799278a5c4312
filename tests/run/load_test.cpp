// What becomes of a file: steps, edges, defaults, and everything that is wrong with it at once.
#include "engine/run/load.h"

#include <algorithm>
#include <set>

#include "engine/language/template.h"
#include "engine/model/error.h"
#include "engine/steps/fail.h"
#include "engine/steps/for_each.h"
#include "engine/steps/http.h"
#include "engine/steps/process.h"
#include "engine/steps/root.h"
#include "engine/steps/switch.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::load_test {
namespace {

Loaded good(const std::string& text, const std::string& file = "/tmp/sample.flow.yaml") {
  Diagnostics diagnostics({file, text});
  auto loaded = load(file, diagnostics);
  INFO(diagnostics.text());
  REQUIRE(loaded);
  return std::move(*loaded);
}

std::string with_steps(const std::string& steps) { return "flowrun: 1\nsteps:\n" + steps; }

std::string findings(const std::string& text) {
  Diagnostics diagnostics({"bad.yaml", text});
  CHECK_FALSE(load("/tmp/bad.yaml", diagnostics));
  return diagnostics.text();
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

const GraphStep& body_of(const Loaded& loaded) { return *dynamic_cast<const RootStep&>(*loaded.workflow.root).body; }

template <typename T>
const T& child(const GraphStep& graph, const std::string& name) {
  auto found = graph.find(name);
  INFO(name);
  REQUIRE(found);
  return dynamic_cast<const T&>(*graph.children[*found].step);
}

/// `a b | c`: what |name| needs, and behind the bar what it only waits for.
std::string edges(const GraphStep& graph, const std::string& name) {
  const GraphStep::Child& one = graph.children[*graph.find(name)];
  std::string text;
  for (std::size_t other : one.needs) text += graph.children[other].step->name + " ";
  text += "|";
  for (std::size_t other : one.after) text += " " + graph.children[other].step->name;
  return text;
}

}  // namespace

TEST_CASE("steps in a map wait for what their expressions name, anywhere inside them", "[load]") {
  Loaded loaded = good(with_steps(R"(
  a: { set: 1 }
  b: { set: "${ $steps.a }" }
  c: { set: "${ $status.a.state }" }
  d: { set: [ "${ $status.a.ok }", "${ $steps.a }" ], after: [b] }
  e:
    parallel:
      deep: { for_each: 3, do: [ { if: "${ $steps.b > 0 }", set: 1 } ] }
  f: { needs: [e], shell: "true" }
)"));
  const GraphStep& graph = body_of(loaded);
  CHECK(graph.form == GraphStep::Form::Map);
  CHECK(edges(graph, "a") == "|");
  CHECK(edges(graph, "b") == "a |");
  CHECK(edges(graph, "c") == "| a");
  CHECK(edges(graph, "d") == "a | b");
  CHECK(edges(graph, "e") == "b |");
  CHECK(edges(graph, "f") == "e |");
}

TEST_CASE("a fallback makes no edge for its step, but steps within it wait for each other", "[load]") {
  Loaded loaded = good(with_steps(R"(
  other: { set: 1 }
  price:
    fail: gone
    fallback:
      parallel:
        p: { set: "${ $steps.other }" }
        q: { set: "${ $steps.p }" }
)"));
  CHECK(edges(body_of(loaded), "price") == "|");
  const auto& price = child<FailStep>(body_of(loaded), "price");
  CHECK(edges(dynamic_cast<const GraphStep&>(*price.options.fallback), "q") == "p |");
}

TEST_CASE("steps in a list follow each other; one that looks at a status waits for all before it", "[load]") {
  Loaded loaded = good(with_steps(R"(
  - { id: one, set: 1 }
  - { set: 2 }
  - { id: report, set: "${ $status.one.state }" }
  - { id: last, set: 3 }
)"));
  const GraphStep& list = body_of(loaded);
  CHECK(list.form == GraphStep::Form::List);
  CHECK(list.children[1].step->name == "_2");
  CHECK(edges(list, "_2") == "one |");
  CHECK(edges(list, "report") == "| one _2");
  CHECK(edges(list, "last") == "report |");
}

TEST_CASE("a step that stands by itself is read as one, whatever its options hold", "[load]") {
  Loaded loaded = good("flowrun: 1\nsteps: { set: { set: 1 }, fallback: { set: 2 } }\n");
  CHECK(body_of(loaded).form == GraphStep::Form::Single);
  CHECK(body_of(loaded).children.front().step->name == "_1");
}

TEST_CASE("defaults stand in for what a step does not write; headers and env are merged", "[load]") {
  Loaded loaded = good(R"(flowrun: 1
env: { A: top, B: top, C: top }
defaults:
  all: { timeout: 9s, continue_on_error: true }
  http: { timeout: 5s, headers: { x-one: "1", x-two: "1" } }
  shell: { env: { B: default } }
steps:
  call: { http: "https://x.example", headers: { x-two: "2" } }
  own: { http: "https://x.example", timeout: 1s }
  script: { shell: "true", env: { C: step } }
  rescue: { fail: no, fallback: { exec: ["true"] } }
)");
  const auto& call = child<HttpStep>(body_of(loaded), "call");
  CHECK(call.options.timeout.value == Duration{5000});
  CHECK(call.options.continue_on_error.value == true);
  struct Nothing : Scope, Evaluator {
    Fallible<Value> lookup(const Reference&) const override { return Value(); }
    Answer evaluate(const Question&) override { return {}; }
  } nothing;
  auto json = [&](const ValueTemplate& value) { return std::get<Value>(value.evaluate(nothing, nothing)).json(); };
  CHECK(json(call.headers) == Json::parse(R"({"x-one":"1","x-two":"2"})"));
  CHECK(child<HttpStep>(body_of(loaded), "own").options.timeout.value == Duration{1000});
  CHECK(json(child<ProcessStep>(body_of(loaded), "script").env) ==
        Json::parse(R"({"A":"top","B":"default","C":"step"})"));
  const auto& rescue = child<FailStep>(body_of(loaded), "rescue");
  CHECK(json(dynamic_cast<const ProcessStep&>(*rescue.options.fallback).env)["A"] == "top");
}

TEST_CASE("how often a call is repeated depends on its method, its key and what is written", "[load]") {
  Loaded loaded = good(with_steps(R"(
  get: { http: "https://x.example" }
  post: { http: "POST ${ $run.name }" }
  written: { http: "POST https://x.example", retry: { attempts: 5 } }
  keyless: { http: "PATCH https://x.example", retry: { attempts: 5 }, idempotency_key: none }
  never: { http: "https://x.example", retry: none }
  script: { shell: make }
  again: { shell: make, retry: { on: [exit.75] } }
)"));
  const GraphStep& graph = body_of(loaded);
  using Names = std::vector<std::string>;
  const auto& get = child<HttpStep>(graph, "get");
  CHECK(get.method == "GET");
  CHECK(get.retry.attempts.value == 3);
  CHECK(get.retry.on == Names{"transient"});
  CHECK_FALSE(get.retry.only_unsent);
  const auto& post = child<HttpStep>(graph, "post");
  CHECK(post.method == "POST");
  CHECK(post.retry.on == Names{"connect", "dns"});
  CHECK(post.retry.only_unsent);
  CHECK(post.on_crash == OnCrash::Rerun);
  const auto& written = child<HttpStep>(graph, "written");
  CHECK(written.retry.attempts.value == 5);
  CHECK(written.retry.on == Names{"transient"});
  CHECK_FALSE(written.retry.only_unsent);
  const auto& keyless = child<HttpStep>(graph, "keyless");
  CHECK(keyless.retry.only_unsent);
  CHECK(keyless.on_crash == OnCrash::Ask);
  CHECK(child<HttpStep>(graph, "never").retry.attempts.value == 1);
  CHECK(child<ProcessStep>(graph, "script").retry.attempts.value == 1);
  const auto& again = child<ProcessStep>(graph, "again");
  CHECK(again.retry.attempts.value == 3);
  CHECK(again.retry.on == Names{"exit.75"});
}

TEST_CASE("processes share the CPUs where the nearest for_each is not sized", "[load]") {
  Loaded loaded = good(with_steps(R"(
  free: { shell: make }
  wide: { for_each: 3, do: { shell: make } }
  sized: { for_each: 3, concurrency: 2, do: { shell: make } }
)"));
  auto shares = [&](const char* name) {
    const auto& each = child<ForEachStep>(body_of(loaded), name);
    return child<ProcessStep>(dynamic_cast<const GraphStep&>(*each.body), "_1").shares_cpus;
  };
  CHECK_FALSE(child<ProcessStep>(body_of(loaded), "free").shares_cpus);
  CHECK(shares("wide"));
  CHECK_FALSE(shares("sized"));
}

TEST_CASE("groups inherit the nearest fail_fast that is written", "[load]") {
  Loaded loaded = good(R"(flowrun: 1
fail_fast: false
steps:
  a: { parallel: { x: { race: { y: { set: 1 } } } } }
  b: { fail_fast: true, parallel: { x: { race: { y: { set: 1 } } } } }
)");
  const auto& a = child<GraphStep>(body_of(loaded), "a");
  CHECK(a.inherited == FailFast::Continue);
  CHECK(child<GraphStep>(a, "x").inherited == FailFast::Continue);
  CHECK(child<GraphStep>(child<GraphStep>(body_of(loaded), "b"), "x").inherited == FailFast::Cancel);
}

TEST_CASE("items are remembered only where an expression looks at them", "[load]") {
  Loaded loaded = good(with_steps(R"(
  counted: { for_each: 3, do: { set: 1 } }
  listed: { for_each: 3, do: { set: 1 } }
  looks: { set: [ "${ $status.counted.counts.failed }", "${ $status.listed.items }" ] }
)"));
  CHECK_FALSE(child<ForEachStep>(body_of(loaded), "counted").children_named);
  CHECK(child<ForEachStep>(body_of(loaded), "listed").children_named);
}

TEST_CASE("a workflow is named after its file and runs in its folder", "[load]") {
  const std::string steps = "flowrun: 1\nsteps: { a: { set: 1 } }\n";
  CHECK(good(steps, "/srv/Nightly Load.flow.yaml").workflow.name == "nightly-load");
  CHECK(good("name: my-own\n" + steps, "/srv/x.yaml").workflow.name == "my-own");
  CHECK(good(steps, "/srv/work/x.yaml").folder == "/srv/work");
  CHECK(good(steps, "/srv/work/.flowrun/x.yaml").folder == "/srv/work");
  CHECK(good("cwd: ../data\n" + steps, "/srv/work/x.yaml").folder == "/srv/data");
}

TEST_CASE("everything that is wrong is said at once, in file order", "[load]") {
  std::string said = findings(R"(flowrun: 1
inputs: {}
steps:
  a: { shell: make, timeout: 30 }
  b: { needs: [aa], http: "https://x.example", retires: {} }
  c: { run: make }
output: ${ $steps.d }
)");
  std::size_t last = 0;
  for (const char* part :
       {"bad.yaml:2:1: error[E101]: unknown key `inputs` at the top",
        "bad.yaml:4:30: error[E102]: `timeout` needs a unit", "bad.yaml:5:16: error[E203]: no step `aa`",
        "did you mean `a` (line 4)?", "error[E101]: unknown key `retires`", "did you mean `retry`?",
        "error[E103]: step `c` has no kind", "for `run` use `shell`", "bad.yaml:7:12: error[E203]: no step `d` here"}) {
    INFO(part << "\n" << said);
    std::size_t at = said.find(part);
    REQUIRE(at != std::string::npos);
    CHECK(at >= last);
    last = at;
  }
}

TEST_CASE("a step that can not be read is not complained of again by those that name it", "[load]") {
  std::string said = findings(with_steps("  a: { run: make }\n  b: { needs: [a], set: \"${ $steps.a }\" }\n"));
  CHECK(has(said, "E103"));
  CHECK_FALSE(has(said, "E203"));
}

TEST_CASE("a mistake in the defaults is said once, not for every step", "[load]") {
  std::string said = findings(R"(flowrun: 1
defaults: { shell: { env: { A: "${ $input.nope }" } } }
steps: { a: { shell: x }, b: { shell: y } }
)");
  CHECK(said.find("E204") == said.rfind("E204"));
}

TEST_CASE("a step inside a group is out of sight, and the message says how to reach it", "[load]") {
  std::string said = findings(with_steps(R"(
  book: { parallel: { legs: { parallel: { flight: { set: 1 } } } } }
  pay: { set: "${ $steps.flight }" }
)"));
  CHECK(has(said, "inside `book.legs`: use $steps.book.legs.flight"));
}

TEST_CASE("collect sees the steps of the item and nothing that is not there", "[load]") {
  good(with_steps("  a: { for_each: 2, do: { x: { set: 1 } }, collect: \"${ $steps.x }\" }\n"));
  CHECK(has(findings(with_steps("  a: { for_each: 2, do: { x: { set: 1 } }, collect: \"${ $steps.y }\" }\n")), "E203"));
}

TEST_CASE("an unnamed step can not be referenced", "[load]") {
  CHECK(has(findings(with_steps("  - { set: 1 }\n  - { set: \"${ $steps._1 }\" }\n")), "E203"));
}

TEST_CASE("what is evaluated before the run can name only what is known then", "[load]") {
  std::string said = findings(R"(flowrun: 1
input: { a: 1, b: "${ $input.a }" }
vars: { c: "${ $vars.d }", d: "${ $uuid }", e: "${ $input.a }", f: "${ $run.id }" }
steps: { s: { set: "${ $vars.e }" } }
)");
  for (const char* part : {"`$input` is not known yet", "`$vars.d` is not known yet: it comes on line 3",
                           "`$uuid` is not known yet", "`$run.id` is not known yet"}) {
    INFO(part << "\n" << said);
    CHECK(has(said, part));
  }
}

TEST_CASE("a condition that is written as a literal keeps its meaning", "[load]") {
  Loaded loaded = good(with_steps(R"(
  a: { http: "https://x.example", expect: { if: false }, retry: { if: false } }
)"));
  const auto& call = child<HttpStep>(body_of(loaded), "a");
  REQUIRE(call.expect_condition);
  REQUIRE(call.retry.condition);
  CHECK(call.expect_condition->literal()->json() == false);
}

TEST_CASE("keys that begin with x- are ignored in the language and kept in data", "[load]") {
  Loaded loaded = good(R"(flowrun: 1
x-note: anything
input: { x-note: 1, a: 2 }
steps:
  x-note: 3
  call: { http: "https://x.example", x-note: 4, headers: { x-request: "5" } }
)");
  CHECK(loaded.inputs.size() == 1);
  CHECK(body_of(loaded).children.size() == 1);
}

TEST_CASE("more than 10,000 steps and more than 32 levels are refused", "[load]") {
  std::string many = "flowrun: 1\nsteps:\n";
  for (int i = 0; i <= 10000; ++i) many += "  s" + std::to_string(i) + ": { set: 1 }\n";
  CHECK(has(findings(many), "E008"));
  auto nested = [](int levels) {
    std::string text = "{ set: 1 }";
    for (int i = 1; i < levels; ++i) text = "{ parallel: { l" + std::to_string(levels - i) + ": " + text + " } }";
    return with_steps("  top: " + text + "\n");
  };
  good(nested(31));
  CHECK(has(findings(nested(40)), "E008"));
}

TEST_CASE("10,000 steps in a row are read, whatever they name", "[load]") {
  std::string text = "flowrun: 1\nsteps:\n  s0: { set: 1 }\n";
  for (int i = 1; i < 10000; ++i)
    text += "  s" + std::to_string(i) + ": { set: \"${ $steps.s" + std::to_string(i - 1) + " }\" }\n";
  CHECK(body_of(good(text)).children.size() == 10000);
}

TEST_CASE("a file that is missing, a folder or too long is refused in words", "[load]") {
  flowrun::test::TempDir folder;
  auto said = [](const std::string& file) -> std::string {
    try {
      read_file(file);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  CHECK(has(said(folder.path("none.yaml")), "cannot read"));
  CHECK(has(said(folder.path()), "it is a folder"));
  Diagnostics found({"long.yaml", read_file(folder.write("long.yaml", std::string((8 << 20) + 1, ' ')))});
  CHECK_FALSE(load("long.yaml", found));
  CHECK(has(found.text(), "long.yaml:1:1: error[E008]: the file has more than 4 MiB"));
}

}  // namespace flowrun::test::load_test
