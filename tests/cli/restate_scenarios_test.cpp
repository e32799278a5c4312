// The same workflows at home and on a Restate server with two workers behind nginx: output, exit code, states, the
// entries of the journal and the effects have to be the same.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/executor/http_server.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/restate.h"
#include "tests/support/shop.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::restate_scenarios_test {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

struct Played {
  const char* name;
  const char* text;  ///< of the workflow; $input.log is a file for effects, $input.api the shop
  int code = 0;
  bool ordered = true;  ///< which entry follows which is no chance
  Words more = {};
  std::function<void(const std::function<Ran(Words)>&)> then = {};  ///< told after the run
};

/// What is behind `input:` in each of them.
const char* kHead = "flowrun: 1\nname: w\ninput: { log: {}, api: {} }\nenv: { LOG: \"${ $input.log }\" }\n";

const char* kPart = R"(flowrun: 1
input: { log: {}, n: {} }
env: { LOG: "${ $input.log }" }
steps: { a: { shell: 'echo "part $N" >> "$LOG"; echo $((N * 2))', env: { N: "${ $input.n }" }, capture: json } }
output: ${ $steps.a }
)";

const std::vector<Played>& scenarios() {
  static const std::vector<Played> all{
      {"a chain of processes and requests", R"(
steps:
  - { id: a, shell: 'echo a >> "$LOG"; echo 1' }
  - { id: b, exec: [echo, "x${ $steps.a }"] }
  - { id: c, http: "POST ${ $input.api }/effect/c", json: { b: "${ $steps.b }" } }
  - { id: d, http: "${ $input.api }/orders/O-1001", output: "${ .body.id }" }
  - { id: e, set: "${ [$steps.b, $steps.d] }" }
output: ${ $steps.e }
)"},
      {"a race has one winner, and its losers are stopped", R"(
steps:
  first:
    race:
      quick: { shell: 'sleep 0.4; echo quick >> "$LOG"; echo q' }
      slow: { shell: 'trap "echo told >> $LOG; exit 1" TERM; sleep 20 & wait; echo slow >> "$LOG"' }
      request: { http: "${ $input.api }/delay/20000" }
output: ${ [$steps.first, $status.first.winner] }
)",
       0, false},
      {"a timeout stops a process and its children, and is an error", R"(
steps:
  slow: { shell: '(sleep 30; echo never >> "$LOG") & sleep 30; echo never >> "$LOG"', timeout: 300ms,
          fallback: { set: "${ $error.type }" } }
  get: { http: "${ $input.api }/delay/20000", timeout: 300ms, continue_on_error: true }
output: ${ [$steps.slow, $status.get.error.type] }
)",
       0, false},
      {"a quorum ends when enough agree", R"(
steps:
  q:
    for_each: [10, 20, 30, 20000, 20000]
    as: ms
    join: { quorum: 3 }
    do: { http: "${ $input.api }/delay/${ $ms }" }
output: ${ [$status.q.items[].state] }
)",
       0, false},
      {"the first that completes ends a group, whatever it is", R"(
steps:
  g:
    parallel:
      bad: { shell: 'sleep 0.2; exit 3' }
      slow: { shell: sleep 20 }
    join: first_completed
    continue_on_error: true
output: ${ $status.g.error.type }
)",
       0, false},
      {"tries, with waits between them", R"(
steps:
  flaky:
    shell: 'echo "try $FLOWRUN_ATTEMPT $FLOWRUN_RERUN" >> "$LOG"; [ "$FLOWRUN_ATTEMPT" -ge 3 ]'
    retry: { attempts: 4, delay: 20ms, jitter: none }
  hopeless: { exec: ["false"], retry: { attempts: 2, delay: 10ms }, fallback: { set: plan b }, needs: [flaky] }
output: ${ [$status.flaky.attempts, $steps.hopeless] }
)"},
      {"a failure blocks what needs it, and handlers run", R"(
steps:
  a: { shell: 'echo out; echo err >&2; exit 7' }
  b: { shell: 'echo never >> "$LOG"', needs: [a] }
on_failure: { tell: { shell: 'echo "$WHAT" >> "$LOG"', env: { WHAT: "${ $error.type }" } } }
finally: { tidy: { shell: 'echo tidy >> "$LOG"' } }
output: ${ $steps.a }
)",
       1},
      {"what was done is undone, the last first", R"(
steps:
  trip:
    atomic: true
    sequence:
      - { id: a, shell: 'echo a >> "$LOG"; echo A', undo: { shell: 'echo "undo $X" >> "$LOG"', env: { X: "${ $steps.a }" } } }
      - { id: b, shell: 'echo b >> "$LOG"; echo B', undo: { shell: 'echo "undo $X" >> "$LOG"', env: { X: "${ $steps.b }" } } }
      - { id: c, fail: no }
    fallback: { exec: [echo, instead] }
output: ${ $steps.trip }
)"},
      {"a run is undone afterwards",
       R"(
steps:
  - { id: a, shell: 'echo a >> "$LOG"', undo: { shell: 'echo undo a >> "$LOG"' } }
  - { id: b, shell: 'echo b >> "$LOG"', undo: { shell: 'echo undo b >> "$LOG"' } }
)",
       0,
       true,
       {},
       [](const auto& flow) {
         const Ran undone = flow({"undo", "w"});
         INFO(undone.err);
         CHECK(undone.code == 0);
       }},
      {"many items, some fail", R"(
steps:
  many:
    for_each: 60
    concurrency: 8
    join: { tolerate: 20 }
    do: { shell: 'echo $FLOWRUN_INDEX >> "$LOG"; [ $((FLOWRUN_INDEX % 7)) != 3 ]; echo $((FLOWRUN_INDEX * 2))', capture: json }
output: ${ [$steps.many, $status.many.counts.failed] }
)",
       0, false},
      {"items walk through stages by themselves", R"(
steps:
  many:
    for_each: [a, b, c, d, e]
    do:
      - { id: one, shell: 'echo "1$FLOWRUN_ITEM" >> "$LOG"; echo $FLOWRUN_ITEM' }
      - { id: two, http: "POST ${ $input.api }/effect/${ $steps.one }" }
      - { set: "${ $steps.one }!" }
output: ${ $steps.many }
)",
       0, false},
      {"limits and rates are the client's", R"(
limits: { l: { max: 2, rate: 20/s } }
steps:
  many: { for_each: 8, do: { http: "${ $input.api }/items/${ $index }", limit: l } }
output: ${ $steps.many | length }
)",
       0, false},
      {"a word is waited for, and given between two drives",
       R"(
steps:
  - { id: a, shell: 'echo a >> "$LOG"' }
  - { id: w, wait: go }
  - { id: b, shell: 'echo "b $X" >> "$LOG"', env: { X: "${ $steps.w.x }" } }
output: ${ $steps.w.x }
)",
       4,
       true,
       {"--no-wait"},
       [](const auto& flow) {
         CHECK(flow({"signal", "w", "go", "--data", R"({"x":5})"}).code == 0);
         const Ran resumed = flow({"resume", "w"});
         INFO(resumed.err);
         CHECK(resumed.code == 0);
         CHECK(resumed.out == "5\n");
       }},
      {"a failed run is tried again",
       R"(
steps:
  - { id: a, shell: 'echo a >> "$LOG"' }
  - { id: b, shell: 'echo b >> "$LOG"; [ $(grep -c b "$LOG") -ge 2 ]' }
  - { id: c, shell: 'echo c >> "$LOG"' }
)",
       1,
       true,
       {},
       [](const auto& flow) {
         const Ran again = flow({"retry", "w"});
         INFO(again.err);
         CHECK(again.code == 0);
       }},
      {"a request carries its key in every try, and asks again when it may", R"(
steps:
  pay: { http: "POST ${ $input.api }/effect/pay", json: {} }
  gone: { http: "${ $input.api }/nowhere", continue_on_error: true }
  refused: { http: "http://127.0.0.1:1/", continue_on_error: true, retry: none }
output: ${ [$status.gone.error.type, $status.refused.error.type] }
)",
       0, false},
      {"standard input, variables, exit codes, signals", R"(
steps:
  in: { shell: 'cat; printf %s "$A"', stdin: "in\nput", env: { A: "it's $HOME *" } }
  code: { shell: exit 7, success_codes: [7] }
  killed: { shell: 'kill -9 $$', continue_on_error: true }
  none: { exec: [no-such-program-here], continue_on_error: true }
  json: { shell: 'printf "{\"a\":[1,2.50,\"x\"]}"', capture: json }
  lines: { shell: 'printf "a\nb\n"', capture: lines }
  named: { shell: 'echo "{\"v\": 1}" > "$FLOWRUN_OUTPUT"; echo noise', capture: file }
  bytes: { shell: 'printf "\377\000x"' }
  empty: { shell: ':' }
output:
  all: ${ [$steps.in, $steps.code, $steps.json, $steps.lines, $steps.named, $steps.bytes, $steps.empty] }
  errors: ${ [$status.killed.error.type, $status.none.error.type] }
)",
       0, false},
      {"an output of a megabyte", R"(
steps:
  big: { shell: 'head -c 1000000 /dev/zero | tr "\0" "é" | tr "\251" x', max_output: 4MiB }
  rest: { shell: 'wc -c', stdin: "${ $steps.big }", capture: json }
output: ${ [$steps.rest, ($steps.big | length)] }
)"},
      {"what is too much is an error", R"(
steps:
  big: { shell: 'head -c 3000000 /dev/zero | tr "\0" x', continue_on_error: true }
  many: { http: "${ $input.api }/items/1", max_response: 1B, continue_on_error: true }
output: ${ [$status.big.error.type, $status.many.error.type, ($steps.big | tostring | length)] }
)",
       0, false},
      {"a poll asks until it holds", R"(
steps:
  p: { shell: 'echo p >> "$LOG"; wc -l < "$LOG"', capture: json, poll: { until: "${ .value >= 3 }", every: 20ms }, deadline: 10s }
output: ${ $steps.p }
)"},
      {"a file as a step of another", R"(
steps:
  sub: { workflow: part.yaml, with: { log: "${ $input.log }", n: 3 } }
  each: { for_each: [1, 2], do: { workflow: part.yaml, with: { log: "${ $input.log }", n: "${ $item }" } } }
output: ${ [$steps.sub, $steps.each] }
)",
       0, false},
      {"groups in groups, switches and skips", R"(
steps:
  g:
    parallel:
      a: { sequence: [{ shell: 'echo a1 >> "$LOG"' }, { shell: 'echo a2 >> "$LOG"; echo A' }] }
      b: { switch: [{ if: false, do: { fail: no } }, { else: { shell: echo B } }] }
      c: { if: false, shell: 'echo never >> "$LOG"' }
  nap: { sleep: 30ms, needs: [g] }
output: ${ $steps.g }
)",
       0, false},
      {"a deadline bounds all tries", R"(
steps:
  a: { shell: 'sleep 0.2; exit 1', retry: { attempts: 100, delay: 50ms, jitter: none }, deadline: 700ms, continue_on_error: true }
output: ${ $status.a.error.type }
)",
       0, false},
      {"a timeout of the run cancels what runs", R"(
timeout: 500ms
steps:
  a: { shell: 'sleep 30; echo never >> "$LOG"' }
  b: { http: "${ $input.api }/delay/20000" }
)",
       1, false},
      {"fail_fast cancels the others", R"(
fail_fast: true
steps:
  a: { shell: 'sleep 0.3; exit 1' }
  b: { shell: 'sleep 30; echo never >> "$LOG"' }
)",
       1, false},
  };
  return all;
}

/// A folder for each of the two ways: journal and effects.
class Way {
 public:
  Way(const TempDir& dir, const std::string& name, const std::string& shop, const std::string& on = "")
      : folder_(dir.path(name)), shop_(shop) {
    std::filesystem::create_directories(folder_);
    if (!on.empty()) how_.env["FLOWRUN_ON"] = on;
    how_.cwd = folder_;
  }
  Ran call(Words words) const { return flowrun(folder_ + "/j.db", std::move(words), how_); }
  Ran play(const Played& played) const {
    const std::string file = folder_ + "/w.yaml";
    std::ofstream(file) << kHead << played.text;
    std::ofstream(folder_ + "/part.yaml") << kPart;
    Words words{"run", file, "--id", "w", "-i", "log=" + folder_ + "/log", "-i", "api=" + shop_};
    words.insert(words.end(), played.more.begin(), played.more.end());
    Ran ran = call(words);
    if (played.then) played.then([this](Words more) { return call(std::move(more)); });
    return ran;
  }
  std::vector<std::string> effects() const {
    std::ifstream in(folder_ + "/log");
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }
  /// Kinds and paths of the entries, with the outcome where there is one.
  std::vector<std::string> entries() const {
    const Ran shown = call({"journal", "show", "w", "--json"});
    std::vector<std::string> all;
    std::istringstream lines(shown.out);
    for (std::string line; std::getline(lines, line);) {
      const json entry = json::parse(line);
      // How often a rate is waited for depends on how fast the answers come.
      if (entry.value("path", std::string()).starts_with("limits.")) continue;
      std::string one = entry.at("kind").get<std::string>() + " " + entry.value("path", std::string());
      if (entry.contains("data") && entry["data"].is_object() && entry["data"].contains("state"))
        one += " " + entry["data"]["state"].dump();
      all.push_back(one);
    }
    return all;
  }
  std::string states() const {
    return call({"show", "w", "--jq",
                 "[.steps[]? | {path, state, output, attempts, error: .error.type}] | sort_by(.path)"})
        .out;
  }

 private:
  std::string folder_, shop_;
  HowToRun how_;
};

std::vector<std::string> sorted(std::vector<std::string> lines) {
  std::sort(lines.begin(), lines.end());
  return lines;
}

json effects_between(const json& before, const json& after) {
  json all = json::object();
  for (const auto& [name, count] : after["effects"].items())
    if (const int more = count.get<int>() - before["effects"].value(name, 0)) all[name] = more;
  return all;
}

/// Processes that know of the file |log|: those of steps.
std::vector<std::string> left(const std::string& log) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream in(entry.path() / "environ", std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(in), {});
    if (text.find("LOG=" + log) != text.npos) found.push_back(entry.path().filename());
  }
  return found;
}

}  // namespace

TEST_CASE("workflows do on a Restate server what they do at home", "[restate]") {
  if (const std::string why = why_no_restate(); !why.empty()) {
    WARN("skipped: " << why);
    return;
  }
  Shop shop;
  TempDir workers;
  HowToRun how;
  how.cwd = workers.path();
  Fleet fleet({}, how);
  for (const Played& played : scenarios()) {
    INFO(played.name);
    TempDir dir;
    const Way home(dir, "home", shop.url()), there(dir, "there", shop.url(), fleet.server.on());
    const json before = shop.stats();
    const Ran one = home.play(played);
    const json between = shop.stats();
    const Ran two = there.play(played);
    INFO(one.err << "\non the server:\n" << two.err);
    CHECK(one.code == played.code);
    CHECK(two.code == played.code);
    CHECK(two.out == one.out);
    CHECK(there.states() == home.states());
    const auto in_order = [&](std::vector<std::string> lines) {
      return played.ordered ? std::move(lines) : sorted(std::move(lines));
    };
    CHECK(in_order(there.entries()) == in_order(home.entries()));
    CHECK(in_order(there.effects()) == in_order(home.effects()));
    CHECK(effects_between(between, shop.stats()) == effects_between(before, between));
    CHECK(there.call({"journal", "verify", "w"}).code == 0);
    CHECK(left(dir.path("there/log")).empty());
  }
  CHECK(fleet.server.query("SELECT id FROM sys_invocation WHERE status != 'completed'").empty());
}

TEST_CASE("five thousand items at once on a Restate server, each with its own effect", "[restate][slow]") {
  if (const std::string why = why_no_restate(); !why.empty()) {
    WARN("skipped: " << why);
    return;
  }
  Shop shop;
  TempDir dir;
  Fleet fleet;
  const Way there(dir, "there", shop.url(), fleet.server.on());
  const Ran ran = there.play({"", R"(
concurrency: 512
steps:
  many: { for_each: 5000, concurrency: 512, do: { http: "POST ${ $input.api }/effect/${ $run.id }-${ $index }" } }
output: ${ $steps.many | length }
)"});
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(ran.out == "5000\n");
  const json stats = shop.stats();
  int effects = 0;
  for (int i = 0; i < 5000; ++i) effects += stats["effects"].value(fmt::format("effect/w-{}", i), 0);
  CHECK(effects == 5000);
  CHECK(there.call({"journal", "verify", "w"}).code == 0);
}

}  // namespace flowrun::test::restate_scenarios_test
