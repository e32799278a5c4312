// Which processes nobody listens to: in doubt somebody does.
#include "engine/reader/unread.h"

#include "engine/run/load.h"
#include "engine/steps/for_each.h"
#include "engine/steps/process.h"
#include "engine/steps/switch.h"
#include "tests/support/catch.h"

namespace flowrun::test::unread_test {
namespace {

/// Names of the processes in |step| that are read, and those that are not with a `-`.
void tell(const Step& step, std::string& text) {
  const auto& common = dynamic_cast<const CommonStep&>(step);
  if (const auto* process = dynamic_cast<const ProcessStep*>(&step))
    text += (process->unread ? "-" : "") + step.name + " ";
  if (const auto* graph = dynamic_cast<const GraphStep*>(&step))
    for (const auto& child : graph->children) tell(*child.step, text);
  if (const auto* each = dynamic_cast<const ForEachStep*>(&step)) tell(*each->body, text);
  if (const auto* choice = dynamic_cast<const SwitchStep*>(&step))
    for (const auto& way : choice->ways) tell(*way.body, text);
  if (common.options.fallback) tell(*common.options.fallback, text);
  if (common.options.undo) tell(*common.options.undo->step, text);
}

/// Names of the steps in |step| whose output the machine keeps.
void tell_kept(const Step& step, std::string& text) {
  const auto& common = dynamic_cast<const CommonStep&>(step);
  if (common.options.heard && !step.name.empty()) text += step.name + " ";
  if (const auto* graph = dynamic_cast<const GraphStep*>(&step))
    for (const auto& child : graph->children) tell_kept(*child.step, text);
  if (const auto* each = dynamic_cast<const ForEachStep*>(&step)) tell_kept(*each->body, text);
  if (const auto* choice = dynamic_cast<const SwitchStep*>(&step))
    for (const auto& way : choice->ways) tell_kept(*way.body, text);
  if (common.options.fallback) tell_kept(*common.options.fallback, text);
}

std::string kept(const std::string& steps, const std::string& rest = "", bool for_questions = false) {
  std::string file = "flowrun: 1\nsteps: " + steps + "\n" + rest;
  Diagnostics diagnostics({"w.yaml", file});
  auto loaded = load("/tmp/w.yaml", diagnostics, nullptr, Lints::No, for_questions);
  INFO(file << diagnostics.text());
  REQUIRE(loaded);
  std::string text;
  tell_kept(*dynamic_cast<const RootStep&>(*loaded->workflow.root).body, text);
  return text.empty() ? text : text.substr(0, text.size() - 1);
}

std::string heard(const std::string& steps, const std::string& rest = "") {
  std::string file = "flowrun: 1\nsteps: " + steps + "\n" + rest;
  Diagnostics diagnostics({"w.yaml", file});
  auto loaded = load("/tmp/w.yaml", diagnostics);
  INFO(file << diagnostics.text());
  REQUIRE(loaded);
  const auto& root = dynamic_cast<const RootStep&>(*loaded->workflow.root);
  std::string text;
  for (const GraphStep* body : {root.body.get(), root.on_failure.get(), root.finally.get()})
    if (body) tell(*body, text);
  return text.substr(0, text.size() - 1);
}

}  // namespace

TEST_CASE("a process is unread when no expression can see what it brings") {
  CHECK(heard("{ a: { shell: x } }") == "-a");
  CHECK(heard("{ a: { shell: x }, b: { exec: [y] , after: [a] } }") == "-a -b");
  CHECK(heard("{ a: { shell: x } }", "output: ${ $steps.a }") == "a");
  CHECK(heard("{ a: { shell: x }, b: { exec: [y, '${ $steps.a }'] } }") == "a -b");
  CHECK(heard("{ a: { shell: x }, b: { shell: y, env: { A: '${ $status.a }' } } }") == "a -b");
  CHECK(heard("{ a: { shell: x }, b: { shell: y, env: { A: '${ $status.a.output }' } } }") == "a -b");
  CHECK(heard("{ a: { shell: x }, b: { shell: y, if: '${ $status.a.ok }', after: [a] } }") == "-a -b");
  CHECK(heard("{ a: { shell: x }, b: { shell: y, env: { A: '${ $status.a.error.message }' } } }") == "-a -b");
  // Of itself.
  CHECK(heard("{ a: { shell: x, output: '${ .stdout }' } }") == "a");
  CHECK(heard("{ a: { shell: x, returns: { type: string } } }") == "a");
  CHECK(heard("{ a: { shell: x, retry: { attempts: 2, if: '${ .exit_code == 1 }' } } }") == "a");
  CHECK(heard("{ a: { shell: x, retry: { attempts: 2 } } }") == "-a");
  CHECK(heard("{ a: { shell: x, poll: { until: '${ .value == \"1\" }' } } }") == "a");
  // What becomes part of something that is seen.
  CHECK(heard("{ g: { parallel: { a: { shell: x }, b: { shell: y } } } }") == "-a -b");
  CHECK(heard("{ g: { parallel: { a: { shell: x }, b: { shell: y } } } }", "output: ${ $steps.g.a }") == "a b");
  CHECK(heard("{ g: { parallel: { a: { shell: x }, b: { shell: y } }, output: '${ .a }' } }") == "a b");
  CHECK(heard("{ g: { race: { a: { shell: x }, b: { shell: y } } } }", "output: ${ $status.g.winner }") == "-a -b");
  CHECK(heard("{ g: { race: { a: { shell: x }, b: { shell: y } } } }", "output: ${ $status.g.branches }") == "a b");
  CHECK(heard("{ g: { sequence: [ { id: a, shell: x }, { id: b, shell: y } ], returns: { type: string } } }") == "a b");
  CHECK(heard("{ f: { for_each: [1], do: { a: { shell: x }, b: { shell: '$A', env: { A: '${ $steps.a }' } } } } }") ==
        "a -b");
  CHECK(heard("{ f: { for_each: [1], collect: '${ $key }', do: { a: { shell: x } } } }") == "a");
  CHECK(heard("{ f: { for_each: [1], do: { a: { shell: x } } } }", "output: ${ $steps.f }") == "a");
  CHECK(heard("{ s: { switch: [ { if: true, do: { a: { shell: x } } }, { else: { b: { shell: y } } } ] } }",
              "output: ${ $steps.s }") == "a b");
  CHECK(heard("{ a: { shell: x, fallback: { shell: y } } }") == "-a -a.fallback");
  CHECK(heard("{ a: { shell: x, fallback: { shell: y } } }", "output: ${ $steps.a }") == "a a.fallback");
  CHECK(heard("{ a: { shell: x, undo: { shell: y } } }", "output: ${ $steps.a }") == "a -a.undo");
  CHECK(heard("{ a: { shell: x, undo: { shell: y, env: { A: '${ $steps.a }' } } } }") == "a -a.undo");
  // By handlers; and a name is a name, wherever it stands.
  CHECK(heard("{ a: { shell: x } }", "finally: { b: { shell: y, env: { A: '${ $steps.a }' } } }") == "a -b");
  CHECK(heard("{ g: { parallel: { a: { shell: x } } }, f: { for_each: [1], do: { a: { shell: x }, b: { set: '${ "
              "$steps.a }' } } } }") == "a a");
}

TEST_CASE("the output of a step is kept when an expression can see it, or what it becomes part of") {
  const std::string each = "{ f: { for_each: [1], do: { a: { http: http://h/ } } }, z: { http: http://h/ } }";
  CHECK(kept(each) == "");
  CHECK(kept(each, "", true) == "f a z");
  CHECK(kept(each, "output: ${ $steps.f }") == "f a");
  // The list of all is another thing than what is in it.
  CHECK(kept(each, "output: ${ $status.f.items }") == "a");
  CHECK(kept(each, "output: '${ [$status.f.items[] | .output.id] }'") == "a");
  CHECK(kept(each, "output: '${ [$status.f.items[] | select(.ok | not) | .key] }'") == "");
  CHECK(kept(each, "output: '${ [$status.f.items[] | .error] | length }'") == "");
  CHECK(kept(each, "output: '${ [$status.f.items[] | keys] }'") == "a");
  CHECK(kept(each, "output: '${ [$status.f.items[] | select(.ok | not) | .key] | join(\" \") }'") == "");
  CHECK(kept(each, "output: ${ $status.f.output }") == "f a");
  CHECK(kept(each, "output: ${ $status.f }") == "f a");
  CHECK(kept(each, "output: ${ $status.f.failed }") == "");
  CHECK(kept(each, "output: ${ $status.f.counts }") == "");
  CHECK(kept(each, "finally: { b: { set: '${ $steps.z }' } }") == "z");
  CHECK(kept("{ f: { for_each: [1], collect: '${ .id }', do: { a: { http: http://h/ } } } }") == "a");
  CHECK(kept("{ a: { http: http://h/, output: '${ .body.id }' } }") == "a");
  CHECK(kept("{ g: { parallel: { a: { http: http://h/ } } } }", "output: ${ $steps.g.a }") == "g a");
  CHECK(kept("{ g: { race: { a: { http: http://h/ } } } }", "output: ${ $status.g.winner }") == "");
  const std::string within =
      "{ g: { parallel: { a: { for_each: [1], do: { b: { http: http://h/ } } }, c: { shell: x } } } }";
  CHECK(kept(within, "output: ${ $status.g.branches.a.ok }") == "");
  CHECK(kept(within, "output: ${ $status.g.branches.a.output }") == "a b c");
  CHECK(kept(within, "output: '${ [$status.g.branches.a.items[] | .output] }'") == "a b c");
  CHECK(kept(within, "output: '${ [$status.g.branches.a.items[] | .state] }'") == "");
  CHECK(kept(within, "output: '${ [$status.g.branches[] | .output] }'") == "a b c");
  CHECK(kept(within, "output: '${ [$status.g.branches[] | .state] }'") == "");
  CHECK(kept("{ s: { switch: [ { if: true, do: { a: { http: http://h/ } } } ] } }", "output: ${ $steps.s }") == "s a");
  // What stands in for a step is in the entry of that.
  CHECK(kept("{ a: { http: http://h/, fallback: { parallel: { b: { http: http://h/ } } } } }") == "a.fallback b");
}

}  // namespace flowrun::test::unread_test
