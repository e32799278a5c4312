// flowrun plan: who waits for whom and why, in the words of people and of the tools that draw graphs.
#include <algorithm>
#include <filesystem>
#include <map>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::plan_test {
namespace {

using nlohmann::json;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

constexpr const char* kShop = R"(flowrun: 1
name: shop
input: { id: { type: string, pattern: "^O-[0-9]+$" }, dry: false }
fail_fast: true
steps:
  order: { http: "https://shop.example/orders/${ $input.id }" }
  stock:
    parallel:
      near: { shell: near }
      far:
        exec: [far, --order, "${ $steps.order.id }"]
    join: { quorum: 50% }
  charge:
    needs: [stock]
    if: ${ $input.dry | not }
    http: POST https://shop.example/payments
    json: { total: "${ $steps.order.total }" }
    fallback: { set: { paid: false } }
  parcels:
    for_each: ${ $steps.order.lines }
    concurrency: 4
    fail_fast: false
    do:
      - { id: pack, shell: pack }
      - { id: post, shell: post }
      - { id: report, shell: report, env: { OK: "${ $status.pack.ok }" } }
  mail:
    after: [charge]
    switch:
      - { if: "${ $input.dry }", do: { id_less: { shell: "true" } } }
      - else: { note: { shell: note, env: { S: "${ $status.parcels.state }" } } }
)";

class Plan {
 public:
  explicit Plan(const std::string& text = kShop) : file_(dir_.write("w.yaml", text)) {}
  Ran operator()(std::vector<std::string> args = {}) const {
    args.insert(args.begin(), {"plan", file_});
    return flowrun(dir_.path("journal.db"), args);
  }
  std::string out(std::vector<std::string> args = {}) const {
    Ran ran = (*this)(std::move(args));
    INFO(ran.err);
    CHECK(ran.code == 0);
    CHECK_FALSE(std::filesystem::exists(dir_.path("journal.db")));
    return ran.out;
  }
  const std::string& file() const { return file_; }

 private:
  TempDir dir_;
  std::string file_;
};

}  // namespace

TEST_CASE("a plan tells each step, what it waits for, and the place that says so") {
  std::string text = Plan().out();
  INFO(text);
  CHECK(has(text, "shop: 13 steps, concurrency 64, fail_fast true\n"));
  CHECK(
      has(text,
          "  order              http      line 6   https://shop.example/orders/${ $input.id }\n      starts first\n"));
  CHECK(has(text, "after order because of $steps.order.id, line 11\n"));
  CHECK(has(text, "join quorum 50%, fail_fast true\n"));
  CHECK(has(text,
            "POST https://shop.example/payments\n      after order because of $steps.order.total, line 17\n"
            "      after stock because of needs, line 14\n      only if ${ $input.dry | not }\n"));
  CHECK(has(text, "    charge.fallback"));
  CHECK(has(text, "when charge has failed\n"));
  CHECK(has(text, "join all, fail_fast false, concurrency 4\n"));
  CHECK(has(text, "after pack because of place in the list, line 25\n"));
  CHECK(has(text, "after pack, post, whatever the outcome, because of $status.pack.ok, line 26\n"));
  CHECK(has(text, "after parcels, whatever the outcome, because of $status.parcels.state, line 31\n"));
  CHECK(has(text, "after charge, whatever the outcome, because of after, line 28\n"));
  CHECK(has(text, "this way if ${ $input.dry }\n"));
  CHECK(has(text, "this way if no other is taken\n"));
}

TEST_CASE("a plan as JSON is one object whose edges name steps by number") {
  Plan plan;
  std::string text = plan.out({"--format", "json"});
  CHECK(plan.out({"--json"}) == text);
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
  json whole = json::parse(text);
  CHECK(whole["name"] == "shop");
  CHECK(whole["file"] == plan.file());
  CHECK(whole["inputs"][0]["name"] == "id");
  CHECK(whole["inputs"][0]["required"] == true);
  CHECK(whole["inputs"][1]["required"] == false);
  std::map<std::string, json> steps;
  for (std::size_t i = 0; i < whole["steps"].size(); ++i) {
    CHECK(whole["steps"][i]["step"] == i);
    steps[whole["steps"][i]["name"]] = whole["steps"][i];
  }
  CHECK(steps["order"]["parent"].is_null());
  CHECK(steps["far"]["parent"] == steps["stock"]["step"]);
  CHECK(steps["far"]["what"] == "far --order ${ $steps.order.id }");
  CHECK(steps["stock"]["join"] == "quorum 50%");
  CHECK(steps["stock"]["edges"] == json::parse(R"([{"step": 0, "name": "order", "on": "success",
                                                     "because": "$steps.order.id", "line": 11}])"));
  CHECK(steps["mail"]["edges"].size() == 2);
  for (const json& edge : steps["mail"]["edges"]) CHECK(edge["on"] == "settled");
  CHECK(steps["parcels"]["concurrency"] == "4");
  CHECK(steps["charge.fallback"]["role"] == "fallback");
  CHECK(steps["report"]["edges"].size() == 2);
}

TEST_CASE("graphs for other tools escape what means something to them") {
  Plan plan(
      "flowrun: 1\nname: a-b\nsteps:\n"
      "  end: { shell: 'echo \"a\\b\" | tr -d ; # <x> & %% {y} [z]' }\n"
      "  g: { parallel: { x: { set: '${ $steps.end }' }, y: { shell: y } }, fallback: { set: 1 } }\n"
      "  z: { after: [g], shell: \"one\\ntwo\" }\n");
  std::string dot = plan.out({"--format", "dot"});
  INFO(dot);
  CHECK(has(dot, "digraph \"a-b\" {\n"));
  CHECK(has(dot, "  s0 [label=\"end\\nshell: echo \\\"a\\\\b\\\" | tr -d ; # <x> & %% {y} [z]\"];\n"));
  CHECK(has(dot,
            "  subgraph cluster_1 {\n    s1 [shape=plaintext, label=\"g\\nparallel\\njoin all, fail_fast drain\"];\n"));
  CHECK(has(dot, "    s2 [label=\"x\\nset: ${ $steps.end }\"];\n"));
  CHECK(has(dot, "  s0 -> s1 [label=\"$steps.end, line 5\", lhead=cluster_1];\n"));
  CHECK(has(dot, "  s1 -> s4 [label=\"has failed\", style=dashed, ltail=cluster_1];\n"));
  CHECK(has(dot, "  s1 -> s5 [label=\"after, line 6\", style=dashed, ltail=cluster_1];\n"));
  CHECK(has(dot, "shell: one ...\"];"));
  CHECK(std::count(dot.begin(), dot.end(), '{') >= std::count(dot.begin(), dot.end(), '}'));
  std::string mermaid = plan.out({"--format", "mermaid"});
  INFO(mermaid);
  CHECK(mermaid.rfind("flowchart TD\n", 0) == 0);
  CHECK(has(mermaid,
            "  s0[\"end<br/>shell: echo #34;a#92;b#34; #124; tr -d #59; #35; #60;x#62; #38; #37;#37; "
            "#123;y#125; #91;z#93;\"]\n"));
  CHECK(has(mermaid, "  subgraph s1[\"g<br/>parallel<br/>join all, fail#95;fast drain\"]\n"));
  CHECK(has(mermaid, "  s0 -->|\"$steps.end, line 5\"| s1\n"));
  CHECK(has(mermaid, "  s1 -.->|\"after, line 6\"| s5\n"));
}

TEST_CASE("inputs of a plan may be left out; those that are given are checked") {
  Plan plan;
  CHECK(plan({"-i", "dry=true"}).code == 0);
  Ran typo = plan({"-i", "idd=O-1"});
  CHECK(typo.code == 3);
  CHECK(has(typo.err, "did you mean `id`?"));
  CHECK(plan({"-i", "id=x"}).code == 3);
  CHECK(plan({"-i", "dry=perhaps"}).code == 3);
  CHECK(plan({"-i", "dry"}).code == 2);
}

TEST_CASE("what can not be planned is refused in the words of validate") {
  Ran invalid = Plan("flowrun: 1\nsteps: { a: { shel: make } }\n")();
  CHECK(invalid.code == 3);
  CHECK(invalid.out.empty());
  CHECK(has(invalid.err, "error[E103]"));
  CHECK(flowrun("", {"plan"}).code == 2);
  CHECK(flowrun("", {"plan", "/nowhere/w.yaml"}).code == 2);
  Ran format = Plan()({"--format", "svg"});
  CHECK(format.code == 2);
  CHECK(has(format.err, "mermaid"));
}

TEST_CASE("a dry run shows the plan with the inputs, and starts nothing") {
  Plan plan;
  Ran ran = flowrun("/nowhere/journal.db", {"run", plan.file(), "-i", "id=O-1", "--dry-run"});
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(has(ran.out, "shop would run with {\"dry\":false,\"id\":\"O-1\"}\n"));
  CHECK(has(ran.out, "after order because of $steps.order.total, line 17\n"));
  CHECK(has(ran.out, "nothing was started\n"));
}

}  // namespace flowrun::test::plan_test
