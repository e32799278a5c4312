// Where findings stand, and what they advise.
#include "engine/run/load.h"
#include "tests/support/catch.h"

namespace flowrun::test::findings_test {
namespace {

/// The findings of a file, a line each: `4:11 E204 message -> suggestion`.
std::string findings(const std::string& text, bool with_jq = false) {
  Diagnostics diagnostics({"w.yaml", "flowrun: 1\n" + text});
  load("w.yaml", diagnostics, with_jq ? make_jq().get() : nullptr);
  std::string all;
  for (const Diagnostic& finding : diagnostics.all())
    all += std::to_string(finding.at.line) + ":" + std::to_string(finding.at.column) + "+" +
           std::to_string(finding.length) + " " + finding.code + " " + finding.message + " -> " + finding.suggestion +
           "\n";
  return all;
}

void finds(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK_THAT(findings(text), ContainsSubstring(part));
}

void finds_nothing(const std::string& text) {
  INFO(text);
  CHECK(findings(text).empty());
}

}  // namespace

TEST_CASE("a wrong name in an expression of several lines is underlined where it stands", "[validate]") {
  const std::string input = "input: { files: [], a: 1 }\nsteps:\n";
  finds(input + "  a:\n    set: >\n      ${ { total: ($input.files | length),\n           names: $input.fils } }\n",
        "7:19+11 E204 `$input` has no `fils`");
  finds(input + "  a:\n    set: |\n\n      ${ { total: ($input.files | length),\n           names: $input.fils } }\n",
        "8:19+11 E204");
  finds(input + "  a:\n    set: ${ $input.a\n      | map($inptu.b) }\n", "6:13+8 E204 `$inptu` is not known here");
  finds(input + "  a:\n    set: \"é\\t\\\"${ $input.a\n      | map($inptu.b) }\"\n", "6:13+8 E204");
  finds(input + "  a:\n    set: 'it''s ${ $input.a } ''${ $inptu.b }'\n", "5:36+8 E204");
  finds(input + "  a:\n    set: \"\\u00e9\\n${ \\\n      $inptu.b }\"\n", "6:7+8 E204");
  finds(input + "  a:\n    http: GET https://a.org/${ $input.files\n      | join($inptu.b) }\n", "6:14+8 E204");
}

TEST_CASE("each of two wrong names in one expression is found", "[validate]") {
  const std::string all = findings("steps: { a: { set: \"${ [$input.x, $steps.nobody, $input.x] }\" } }\n");
  CHECK_THAT(all,
             ContainsSubstring("2:25+8 E204") && ContainsSubstring("2:35+13 E203") && ContainsSubstring("2:50+8 E204"));
}

TEST_CASE("a function that jq does not know is underlined where it stands", "[validate]") {
  CHECK_THAT(findings("input: { a: [] }\nsteps:\n  a:\n    set: |\n      ${ $input.a\n         | maap(.) }\n", true),
             ContainsSubstring("7:12+4 E201 jq says: maap/1 is not defined"));
}

TEST_CASE("what `returns` says is held against `$steps`", "[validate]") {
  const std::string steps =
      "steps:\n"
      "  k:\n"
      "    exec: [ls]\n"
      "    capture: json\n"
      "    returns:\n"
      "      type: object\n"
      "      properties: { id: { type: string }, list: { type: array, items: { type: object, properties: { n: {} },\n"
      "        additionalProperties: false } } }\n"
      "      additionalProperties: false\n";
  finds(steps + "  l: { set: \"${ $steps.k.idd }\" }\n",
        "11:17+12 E209 `$steps.k` has no `idd` by its schema -> did you mean `id`?");
  finds(steps + "  l: { set: \"${ $steps.k.id.x }\" }\n", "E208 `$steps.k.id` is of type string; it has no `x`");
  finds(steps + "  l: { set: \"${ [$steps.k.list[].m] }\" }\n", "E209 `$steps.k.list[]` has no `m`");
  finds(steps + "  l: { for_each: \"${ $steps.k.id }\", do: { set: 1 } }\n", "E208 for_each needs");
  finds(steps + "  l: { if: \"${ $steps.k.id }\", set: 1 }\n", "E208 a condition must be true or false");
  finds_nothing(steps + "  l: { set: \"${ [$steps.k.id, $steps.k.list[0].n.x, $steps.k.idd?] }\" }\n");
  finds_nothing(steps + "    fallback: { set: { other: 1 } }\n  l: { set: \"${ $steps.k.other }\" }\n");
}

TEST_CASE("the types of inputs and of `$status` are held against what is done with them", "[validate]") {
  const std::string input =
      "input:\n  s: { type: string }\n  n: { type: number }\n  b: { type: boolean }\n  l: { type: array }\n"
      "  o: { type: object, properties: { k: { type: string }, d: { anyOf: [{ type: string }, {}] } } }\n"
      "  m: { type: [string, object] }\nsteps:\n  k: { exec: [ls] }\n";
  finds(input + "  x: { set: \"${ $input.o.k.z }\" }\n", "11:17+12 E208 `$input.o.k` is of type string; it has no `z`");
  finds(input + "  x: { set: \"${ $input.l.x }\" }\n", "E208 `$input.l` is of type array; it has no `x`");
  finds(input + "  x: { set: \"${ $input.n[0] }\" }\n", "E208 `$input.n` is of type number; it has no items");
  finds(input + "  x: { sleep: \"${ $input.b }\" }\n",
        "E208 `sleep` must be a duration such as 30s; `$input.b` is of type boolean");
  finds(input + "  x: { if: \"${ $input.s }\", set: 1 }\n", "-> compare it: ${ $input.s == \"...\" }");
  finds(input + "  x: { for_each: \"${ $status.k.state }\", do: { set: 1 } }\n", "E208 for_each needs");
  finds(input + "  x: { set: \"${ $status.k.foo }\" }\n", "E204 `$status.k` has no `foo`");
  finds_nothing(input + "  x: { set: \"${ [$input.o.d.e, $input.o.any.x, $input.m.x, $status.k.counts.total] }\" }\n");
  finds_nothing(input + "  x: { if: \"${ $status.k.ok }\", sleep: \"${ $input.s }\" }\n");
  finds_nothing(input +
                "  x: { for_each: \"${ $input.l }\", do: { if: \"${ $input.b }\", set: \"${ $input.l[0].x }\" } }\n");
}

TEST_CASE("advice names what is there, and does not guess at short words", "[validate]") {
  finds("steps: { fetch_user: { set: 1 }, a: { set: \"${ $steps.fetch-user.id }\" } }\n",
        "2:48+17 E203 no step `fetch` here: the hyphen is a minus in jq -> use $steps.fetch_user");
  finds("steps: { e: { set: 1 }, grp: { parallel: { one: { set: 1 } } }, b: { set: 2, needs: [one] } }\n",
        "E203 no step `one` beside this one -> it exists, but inside `grp`; name that");
  finds("steps: { a: { parallel: { b: { set: 1 } }, join: any } }\n", "use `first_success`");
  finds("steps: { a: { parallel: { b: { set: 1 } }, join: oak } }\n", "-> \n");
  finds("steps: { a: { http: FETCH http://localhost/ } }\n", "-> GET, HEAD");
  finds("steps: { a: { set: \"${ $y }\" } }\n", "-> there are `$input`, `$vars`");
}

TEST_CASE("what is bound elsewhere or later is said", "[validate]") {
  finds("steps: { a: { set: \"${ $error.type }\" } }\n",
        "-> it is bound in `fallback`, `undo`, `retry.if`, `on_failure`");
  finds("vars: { b: \"${ $vars.c }\", c: 1 }\nsteps: { a: { set: 1 } }\n",
        "E204 `$vars.c` is not known yet: it comes on line 2");
  CHECK(
      findings("input: { a: { default: \"${ $secrets.t }\" } }\nsecrets: { t: { env: T } }\nsteps: { s: { set: 1 } }\n")
          .find("E204") == std::string::npos);
}

TEST_CASE("functions of another tool get the rewrite", "[validate]") {
  for (const char* call : {"always()", "success()", "failure()", "cancelled()"}) {
    INFO(call);
    finds(std::string("steps: { a: { if: \"${ ") + call + " }\", set: 1 } }\n", "E202");
    finds(std::string("steps: { a: { if: ") + call + ", set: 1 } }\n", "-> what became of a step is $status");
  }
}

TEST_CASE("branches of a race that stand in for another, and users of a disabled step that say so, are right",
          "[validate]") {
  finds_nothing("steps: { r: { race: { a: { shell: one }, b: { shell: two, after: [a] } } } }\n");
  finds_nothing(
      "steps: { r: { race: { a: { if: \"${ $run.cpus > 4 }\", shell: one }, b: { shell: two, needs: [a] } } } }\n");
  const std::string a = "steps:\n  a: { if: false, set: 1 }\n";
  finds_nothing(a + "  b: { exec: [echo, \"${ $steps.a // 2 }\"] }\n");
  finds_nothing(a + "  b: { if: \"${ $steps.a != null }\", exec: [echo, \"${ $steps.a }\"] }\n");
  finds_nothing(a + "  b: { set: \"${ $steps.a }\" }\n");
}

TEST_CASE("a range of statuses that no status is in is refused", "[validate]") {
  finds("steps: { a: { http: GET http://localhost/, expect: 200-100 } }\n", "E102 `expect` does not know `200-100`");
}

TEST_CASE("headers and users that would not arrive as they are written are refused", "[validate]") {
  const std::string call = "steps: { a: { http: GET http://localhost/, ";
  finds(call + "headers: { content-length: 5 } } }\n", "2:55+14 E102 header `content-length` follows from the body");
  finds(call + "headers: { Transfer-Encoding: \"${ $run.id }\" } } }\n", "E102 header `Transfer-Encoding` follows");
  finds(call + "headers: { X Y: 5 } } }\n", "2:55+3 E102 `X Y` can not be the name of a header");
  finds(call + "headers: { X: \" 5\" } } }\n", "2:58+2 E102 header `X` has a blank at an end of its value");
  finds(call + "auth: { header: { X: \"5\\t\" } } } }\n", "E102 header `X` has a blank");
  finds(call + "auth: { header: { Content-Length: 1 } } } }\n", "E102 header `Content-Length` follows");
  finds(call + "auth: { basic: { user: \"a:b\", password: c } } } }\n", "2:67+3 E102 a `:` in the user");
  finds("defaults: { http: { headers: { Content-Length: 1 } } }\nsteps: { a: { http: GET http://localhost/ } }\n",
        "2:32+14 E102 header `Content-Length` follows");
  finds_nothing(call +
                "headers: { X: \"\", Y: \"a b\", Z: \"${ $run.id } \" }, auth: { basic: { user: \"\", password: "
                "\"a:b\" } } } }\n");
}

TEST_CASE("the fields of a raw result are known, where `.` surely is one", "[validate]") {
  const std::string http = "steps:\n  a: { http: https://a.example, ", exec = "steps:\n  a: { exec: [ls], ";
  finds(
      http + "output: \"${ .score }\" }\n",
      "3:45+6 E204 the raw result of http has no `score` -> what the server answered is `.body`: write `.body.score`");
  finds(http + "output: \"${ .items[0].id }\" }\n", "write `.body.items[0].id`");
  finds(http + "output: { n: \"${ [.status, .stats] }\" } }\n", "did you mean `.status`?");
  finds(http + "poll: { until: \"${ .done }\" } }\n", "write `.body.done`");
  finds(http + "expect: { if: \"${ .ok and .status == 200 }\" } }\n", "write `.body.ok`");
  finds(http + "paginate: { next: \"${ .next }\" } }\n", "write `.body.next`");
  finds(exec + "capture: json, output: \"${ .id }\" }\n", "write `.value.id`");
  finds("steps:\n  a: { wait: go, timeout: 1h, output: \"${ .comment }\" }\n", "write `.data.comment`");
  for (const char* fine :
       {"output: \"${ .body.score }\" }", "output: \"${ .body | .score }\" }", "output: \"${ [.body[] | .id] }\" }",
        "output: \"${ .score? }\" }", "output: \"${ map(.id) }\" }", "output: \"${ first(.body[]; .id) }\" }",
        "output: \"${ try .score catch 0 }\" }", "retry: { if: \"${ .stderr_tail == null }\" } }",
        "fallback: { set: \"${ $error.message }\" } }", "poll: { until: \"${ .polls > 3 or .elapsed_ms > 9 }\" } }",
        "paginate: { next: \"${ .page + 1 }\", query: page } }"})
    finds_nothing(http + fine + "\n");
  finds_nothing("steps:\n  a: { set: { score: 1 }, output: \"${ .score }\" }\n");
  finds_nothing("steps:\n  a: { for_each: [1], do: { set: { x: 1 } }, collect: \"${ .x }\" }\n");
}

TEST_CASE("a misspelled kind is named, and the rest of its step is checked", "[validate]") {
  const std::string all = findings("steps:\n  a: { shel: make, timout: 3s, env: { A: \"${ $steps.nope }\" } }\n");
  CHECK_THAT(all, ContainsSubstring("3:8+4 E103 step `a` has no kind: there is no `shel` -> did you mean `shell`?") &&
                      ContainsSubstring("E101 unknown key `timout`") && ContainsSubstring("E203 no step `nope`"));
  for (auto [wrong, right] : {std::pair("htpp", "http"),
                              {"for-each", "for_each"},
                              {"paralel", "parallel"},
                              {"sequense", "sequence"},
                              {"swich", "switch"},
                              {"workfow", "workflow"},
                              {"exex", "exec"}})
    finds(std::string("steps:\n  a: { ") + wrong + ": x }\n", std::string("did you mean `") + right + "`?");
  finds("steps:\n  a: { rollback: { set: 1 }, set: 2 }\n", "use `undo`");
  finds("steps:\n  a: { http: $input.url }\ninput: { url: x }\n", "-> an expression has braces: ${ $input.url }");
}

TEST_CASE("all values that YAML breaks are told at once", "[validate]") {
  const std::string all = findings(
      "steps:\n  a: { set: ${ .x } }\n  b:\n    set: ${ {a: 1} }\n  c:\n    set: |\n      ${ {a: 1} }\n  d: { set: ${ "
      ".y } }\n");
  CHECK_THAT(all,
             ContainsSubstring("3:13+2 E003") && ContainsSubstring("5:15+1 E003") && ContainsSubstring("9:13+2 E003"));
  CHECK(all.find("8:") == std::string::npos);
}

}  // namespace flowrun::test::findings_test
