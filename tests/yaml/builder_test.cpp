#include "engine/yaml/node.h"

#include <algorithm>
#include <string_view>

#include "engine/expression/advice.h"
#include "tests/support/catch.h"

namespace flowrun::test::builder_test {
namespace {

/// Reads |text|, which must be without fault.
Node good(const std::string& text) {
  Diagnostics diagnostics({"x.yaml", text});
  std::optional<Node> node = read_yaml(diagnostics);
  INFO(text << "\n" << diagnostics.text());
  REQUIRE(node);
  CHECK(diagnostics.all().empty());
  return *node;
}

Json json(const std::string& text) { return good(text).json(); }

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// `E003 5:17` for each finding in |text|.
std::string found(const std::string& text) {
  Diagnostics diagnostics({"x.yaml", text});
  std::optional<Node> node = read_yaml(diagnostics);
  CHECK((node || !diagnostics.ok()));
  std::string out;
  for (const Diagnostic& each : diagnostics.all())
    out += (out.empty() ? "" : ", ") + each.code + " " + std::to_string(each.at.line) + ":" +
           std::to_string(each.at.column);
  return out;
}

std::string told(const std::string& text) {
  Diagnostics diagnostics({"x.yaml", text});
  read_yaml(diagnostics);
  return diagnostics.text();
}

std::string times(const std::string& text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

std::string at(Position position) { return std::to_string(position.line) + ":" + std::to_string(position.column); }

}  // namespace

TEST_CASE("plain scalars have the types of YAML 1.2, not of YAML 1.1") {
  CHECK(json("[true, True, FALSE]") == Json::parse("[true, true, false]"));
  CHECK(json("[yes, no, on, off, y, tRue]") == Json::parse(R"(["yes", "no", "on", "off", "y", "tRue"])"));
  CHECK(json("[null, ~, Null, NULL]") == Json::parse("[null, null, null, null]"));
  CHECK(json("a:\nb: ''\n") == Json::parse(R"({"a": null, "b": ""})"));
  CHECK(json("[017, 0o17, 0x1F, -3, +4]") == Json::parse("[17, 15, 31, -3, 4]"));
  CHECK(json("[1.5, .5, 5., 1e3, -1.5E-2]") == Json::parse("[1.5, 0.5, 5.0, 1000.0, -0.015]"));
  CHECK(json("[1_000, 12:30, 1.2.3, 0b1, 1e, ., 3m, 0x]") ==
        Json::parse(R"(["1_000", "12:30", "1.2.3", "0b1", "1e", ".", "3m", "0x"])"));
  CHECK(json("[9223372036854775807, -9223372036854775808, 18446744073709551615]").dump() ==
        "[9223372036854775807,-9223372036854775808,18446744073709551615]");
  CHECK(json("['1', \"true\", \"\", 'null']") == Json::parse(R"(["1", "true", "", "null"])"));
  CHECK(json("a: |\n  12\n") == Json::parse(R"({"a": "12\n"})"));
}

TEST_CASE("keys keep the order of the file and are always text") {
  Node node = good("b: 1\na: 2\n1: x\ntrue: y\nnull: z\n");
  REQUIRE(node.members.size() == 5);
  CHECK(node.members[0].key == "b");
  CHECK(node.members[2].key == "1");
  CHECK(node.members[3].key == "true");
  CHECK(node.members[4].key == "null");
  CHECK(node.find("a")->text == "2");
  CHECK(node.find("c") == nullptr);
  CHECK(node.member("b")->at.line == 1);
}

TEST_CASE("keys and values know where they stand") {
  Node node = good(
      "a: x\n"
      "\xC3\xBC: \"y\"\n"
      "c: &q\n"
      "  - 'z'\n"
      "  - &p {k: v}\n"
      "d: |\n"
      "\n"
      "    text\n"
      "e: *p\n"
      "f:\n"
      "g: !  plain\n");
  CHECK(at(node.member("a")->at) == "1:1");
  CHECK(at(node.find("a")->at) == "1:4");
  CHECK(at(node.find("\xC3\xBC")->at) == "2:5");
  CHECK(at(node.find("c")->at) == "4:3");
  CHECK(at(node.find("c")->items[0].at) == "4:5");
  CHECK(at(node.find("c")->items[1].at) == "5:8");
  CHECK(at(node.find("c")->items[1].members[0].at) == "5:9");
  CHECK(at(node.find("d")->at) == "7:5");
  CHECK(node.find("d")->block);
  CHECK(at(node.find("e")->members[0].value.at) == "5:12");
  CHECK(at(node.find("f")->at) == "10:1");
  CHECK(node.find("a")->plain);
  CHECK_FALSE(node.find("\xC3\xBC")->plain);
  CHECK_FALSE(node.find("d")->plain);
}

TEST_CASE("positions hold in files with a byte order mark and with carriage returns") {
  Node node = good(
      "\xEF\xBB\xBF"
      "a: 1\r\nb:\r\n  - x\r\n");
  CHECK(at(node.find("a")->at) == "1:4");
  CHECK(at(node.find("b")->items[0].at) == "3:5");
  CHECK(node.find("b")->items[0].text == "x");
}

TEST_CASE("JSON is YAML, with tabs and characters beyond the basic plane") {
  CHECK(json("{\n\t\"a\": 1,\n\t\"b\": [\n\t\t{\"c\": null}\n\t]\n}\n") ==
        Json::parse(R"({"a": 1, "b": [{"c": null}]})"));
  CHECK(json(R"({"a": "\ud83d\ude00 \/ \u00e4 \\ud83d"})") == Json::parse(R"({"a": "\ud83d\ude00 / \u00e4 \\ud83d"})"));
}

TEST_CASE("aliases repeat a value, also one that is still part of an open list") {
  CHECK(json("a: &x [1, {b: 2}]\nc: *x\nd: [*x]\n") ==
        Json::parse(R"({"a": [1, {"b": 2}], "c": [1, {"b": 2}], "d": [[1, {"b": 2}]]})"));
  CHECK(json("- &x 1\n- [&y {k: *x}, *y]\n- *y\n") == Json::parse(R"([1, [{"k": 1}, {"k": 1}], {"k": 1}])"));
  CHECK(found("a: &x [1, *x]\n") == "E001 1:11");
}

TEST_CASE("a key that stands twice shows both lines") {
  CHECK(found("steps:\n  a: { set: 1 }\n  a: { set: 2 }\n") == "E002 3:3");
  CHECK(told("steps:\n  a: { set: 1 }\n  a: { set: 2 }\n").find("first on line 2: a: { set: 1 }") != std::string::npos);
  CHECK(found("{a: 1, \"a\": 2, b: {a: 3}}") == "E002 1:8");
}

TEST_CASE("expressions that YAML leaves whole are read as they are") {
  Node node = good(
      "a: ${ .x }\n"
      "b: ${ .x } # a remark\n"
      "c: \"${ {x: 1} } # no remark\"\n"
      "d: |\n"
      "  ${ {x: 1} } # no remark\n"
      "e: >\n"
      "  ${ {x:\n"
      "     1} }\n"
      "f: ${ .x\n"
      "  | .y }\n"
      "g: [\"${ .x }\", '${ {y: 1} }']\n"
      "h: ${{ x }}\n"
      "i: ${ .x[1:2] }\n"
      "j: $${ a # b\n"
      "shell: echo \"$A\"  # says A\n");
  CHECK(node.find("a")->text == "${ .x }");
  CHECK(node.find("b")->text == "${ .x }");
  CHECK(node.find("c")->text == "${ {x: 1} } # no remark");
  CHECK(node.find("f")->text == "${ .x | .y }");
}

TEST_CASE("an expression or script that YAML breaks is found, with the block form") {
  struct Case {
    const char* text;
    const char* finding;
    const char* help;
  };
  const Case cases[] = {
      {"steps:\n  a:\n    set: ${ {sku: 1} }\n", "E003 3:17", "set: >"},
      {"- ${ {sku: 1} }\n- b\n", "E003 1:10", "- >"},
      {"a:\n  ${ {b: 1} }\n", "E003 2:8", "`>`"},
      {"a: ${ if .x then \"a: b\" else 1 end }\n", "E003 1:20", "a: >"},
      {"if: ${ .a\n  | {b: 1} }\n", "E003 2:7", "if: >"},
      {"a: { set: ${ .x } }\n", "E003 1:11", "set: ${ .x }"},
      {"a: { set: ${ {b: 1} } }\n", "E003 1:11", "set: >"},
      {"a: [${ .x }, 2]\nb: 1\n", "E003 1:5", "- ${ .x }"},
      {"a: [\"${ .x }\", ${ .y }]\n", "E003 1:16", "- ${ .y }"},
      {"a: {\n  b: ${ .x },\n  c: 1\n}\n", "E003 2:6", "b: ${ .x }"},
      {"if: ${ \"x #y\" | test(\"#\") }\nset: 1\n", "E003 1:11", "if: >"},
      {"set: ${ .a # note\n  | .b }\n", "E003 1:12", "set: >"},
      {"- ${ .a #b }\n", "E003 1:9", "- >"},
      {"shell: echo issue #4\n", "E003 1:19", "shell: |"},
      {"shell: echo \"a # b\"\n", "E003 1:16", "shell: |"},
  };
  for (const Case& each : cases) {
    INFO(told(each.text));
    CHECK(found(each.text) == each.finding);
    CHECK(told(each.text).find(each.help) != std::string::npos);
  }
}

namespace {

/// A step with a fault, and its finding in a file of its own: `E003 2:17` by the step's lines.
struct FaultyStep {
  const char* text;
  const char* code;
  int line, column;
  bool ends_reading;
};

// What YAML breaks is told wherever it stands; of what else is wrong in YAML, all that the parser can read past.
const FaultyStep kFaultySteps[] = {
    {"{ shell: echo issue #4 }", "E003", 1, 26, true},
    {"\n    shell: echo issue #4", "E003", 2, 23, false},
    {"\n    set: ${ {sku: 1} }", "E003", 2, 17, true},
    {"\n    set: ${ .x # y }", "E003", 2, 16, false},
    {"{ set: ${ .x } }", "E003", 1, 13, true},
    {"[1, ${ .x }]", "E003", 1, 10, true},
    {"{{ name }}", "E202", 1, 6, true},
    {"*none", "E001", 1, 6, false},
    {"{ set: 1e999 }", "E001", 1, 13, false},
    {"{ set: 99999999999999999999 }", "E001", 1, 13, false},
    {"!foo x", "E005", 1, 6, false},
    {"{ a: 1, a: 2 }", "E002", 1, 14, false},
    {"foo: bar", "E001", 1, 9, true},
    {"@foo", "E001", 1, 6, true},
    {"\"x\" y", "E001", 1, 10, true},
};

}  // namespace

TEST_CASE("no fault of YAML hides a value that YAML breaks, above it or below") {
  for (const FaultyStep& first : kFaultySteps)
    for (const FaultyStep& second : kFaultySteps) {
      const std::string above = std::string("steps:\n  a: ") + first.text + "\n";
      const std::string text = above + "  b: \"one\n    line\"\n  c: |\n    ${ {x: 1} }\n  d: " + second.text + "\n";
      auto finding = [](const FaultyStep& step, int line) {
        return std::string(step.code) + " " + std::to_string(line + step.line) + ":" + std::to_string(step.column);
      };
      const std::string all = found(text);
      INFO(text << all);
      CHECK(has(all + ",", finding(first, 1) + ","));
      const bool told = std::string_view(second.code) == "E003" || std::string_view(second.code) == "E202";
      if (told || !first.ends_reading)
        CHECK(
            has(all + ",", finding(second, static_cast<int>(std::count(above.begin(), above.end(), '\n')) + 4) + ","));
      // Nothing is said of the quotes and the block between them.
      CHECK(std::count(all.begin(), all.end(), ',') <= 1);
    }
}

TEST_CASE("all that YAML breaks on one line within brackets is told") {
  CHECK(found("a: [${ .x }, ${ .y }]\n") == "E003 1:5, E003 1:14");
  CHECK(found("a: { b: ${ .x }, c: \"${ .y }\", d: ${ .z } }\n") == "E003 1:9, E003 1:35");
  CHECK(found("a: { b: ${ .x } }  # ${ .y }\n") == "E003 1:9");
}

TEST_CASE("a file of many lines that YAML breaks is looked through once") {
  const std::string broken = "a:\n  set: ${ {x: 1} }\n";
  // A second and more for each, when lines are counted from the top again and again.
  CHECK(found(broken + times("b: \"${ .y }\"\n", 100000)) == "E003 2:13");
  CHECK(found(broken + "b: |\n" + times("  ${ {x: 1} }\n", 100000)) == "E003 2:13");
}

TEST_CASE("a mistake elsewhere is not blamed on an expression in a block or in quotes") {
  CHECK(found("a: |\n  ${ {x: 1} }\nb: @foo\n") == "E001 3:4");
  CHECK(found("a: \"${ {x: 1} }\"\nb: @foo\n") == "E001 2:4");
  CHECK(found("a: ${ .x }\nb: @foo\n") == "E001 2:4");
}

TEST_CASE("faults of YAML are told in words, where they are") {
  struct Case {
    const char* text;
    const char* finding;
    const char* words;
  };
  const Case cases[] = {
      {"", "E001 1:1", "empty"},
      {"# nothing\n", "E001 1:1", "empty"},
      {"a: foo: bar\n", "E001 1:7", "quotes"},
      {"a: @foo\n", "E001 1:4", "can not begin with `@`"},
      {"a: *.txt\n", "E001 1:4", "alias"},
      {"a: 1\nb: \"x\nc: 2\n", "E001 2:4", "never closed"},
      {"a: [1\nb: 2\n", "E001 1:4", "never closed"},
      {"a: [{b: 1]\n", "E001 1:10", "closes nothing"},
      {"a: {b: 1 {c: 2}}\n", "E001 1:10", "is missing here"},
      {"b: ]\n", "E001 1:4", "closes nothing"},
      {"a: 1\n b: 2\n", "E001 2:2", "indentation"},
      {"a:\n  b: 1\n c: 2\n", "E001 3:2", "indentation"},
      {"a: - b\n", "E001 1:4", "line of its own"},
      {"a: 1\nb\nc: 2\n", "E001 2:1", "neither a key"},
      {"a: \"x\\q\"\n", "E001 1:6", "escape"},
      {"? [a]\n: 3\n", "E001 1:3", "a key must be text"},
      {"a: 'it''s\nb: c\n", "E001 1:4", "never closed"},
      {"a: 1e999\n", "E001 1:4", "JSON"},
      {"a: .inf\n", "E001 1:4", "JSON"},
      {"a: {{ x }}\n", "E202 1:4", "${ $input.x }"},
      {"a:\n\tb: 1\n", "E004 2:1", "tab"},
      {"a:\n  b: 1\n\tc: 2\n", "E004 3:1", "tab"},
      {"a: !foo 1\n", "E005 1:4", "`!foo`"},
      {"a: !!str 5\n", "E005 1:4", "`!!str`"},
      {"x: &b {c: 1}\na: { <<: *b, d: 2 }\n", "E005 2:6", "merge"},
      {"a: 1\n---\nb: 2\n", "E006 2:1", "second document"},
  };
  for (const Case& each : cases) {
    INFO(told(each.text));
    CHECK(found(each.text) == each.finding);
    CHECK(told(each.text).find(each.words) != std::string::npos);
  }
  CHECK(found("--- \na: 1\n...\n").empty());
  CHECK(found("\"<<\": 1\n").empty());
}

TEST_CASE("what is no UTF-8 text is refused with its place") {
  CHECK(found("a: 1\nb: \xE4\n") == "E007 2:4");
  CHECK(found("a: \xC0\xAF\n") == "E007 1:4");
  CHECK(found("a: \xED\xA0\x80\n") == "E007 1:4");
  CHECK(found("a: \xE2\x82") == "E007 1:4");
  CHECK(found(std::string("a: x\0y\n", 7)) == "E007 1:5");
  CHECK(told(std::string("\xFF\xFE"
                         "a\0",
                         4))
            .find("UTF-16") != std::string::npos);
}

TEST_CASE("limits stop what is too large, too deep or grows by aliases") {
  CHECK(found("a: " + std::string(4 << 20, 'x')) == "E008 1:1");
  CHECK(found("a: " + times("[", 63) + times("]", 63)).empty());
  CHECK(found("a: " + times("[", 64) + times("]", 64)) == "E008 1:67");
  CHECK(found(times("[", 100000)) == "E008 1:65");
  CHECK(found(times("- ", 100000) + "x") == "E008 1:129");
  CHECK(found("[" + times("1,", 250'000) + "1]").substr(0, 4) == "E008");

  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c <= 'z'; ++c) {
    std::string alias = std::string("*") + static_cast<char>(c - 1);
    bomb += std::string(1, c) + ": &" + c + " [" + times(alias + ",", 9) + alias + "]\n";
  }
  CHECK(found(bomb).substr(0, 4) == "E008");
  std::string text = "a: &a \"" + std::string(1 << 20, 'x') + "\"\nb: [" + times("*a,", 1000) + "*a]\n";
  CHECK(found(text).substr(0, 4) == "E008");
  std::string nested = "a0: &a0 [x]\n";
  for (int i = 1; i < 100; ++i)
    nested += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
  CHECK(found(nested).substr(0, 4) == "E008");
}

TEST_CASE("an empty item of a list is blamed where its dash stands") {
  Diagnostics diagnostics({"x.yaml", "a:\n  - b\n  -  # nothing\nc:\n  -\n  - d\n"});
  Node node = read_yaml(diagnostics).value();
  CHECK(at(node.find("a")->items[1].at) == "3:3");
  CHECK(at(node.find("c")->items[0].at) == "5:3");
}

TEST_CASE("a comment that hides a bracket is told of where it begins") {
  CHECK(found("a: { b: go, c: Merge PR #4? }\n") == "E001 1:25");
  CHECK(found("a: { b: [gh, #4] }\nc: { d: e }\n") == "E001 1:14");
  CHECK(found("a: { b: \"x #1 }\", c: d\n") == "E001 1:4");
  CHECK(found("a: { shell: echo issue #4 }\n") == "E003 1:24");
  CHECK(has(told("a: { shell: echo issue #4 }\n"), "shell: |\n"));
}

TEST_CASE("text behind a closing quote is a fault of quoting, not of indentation") {
  CHECK(has(told("shell: \"echo\" hello\n"), "1:15: error[E001]: text behind the closing quote"));
  CHECK(has(told("shell: 'it's me'\n"), "or write `''` within single ones"));
}

TEST_CASE("a question mark within braces is text") {
  CHECK(json("{ http: https://x.example/search?q=x }\n") == Json::parse(R"({"http": "https://x.example/search?q=x"})"));
  CHECK(json("{ prompt: Go now?, timeout: 1h }\n") == Json::parse(R"({"prompt": "Go now?", "timeout": "1h"})"));
}

TEST_CASE("an expression in braces takes its whole value along to a line of its own") {
  CHECK(has(told("{ http: https://x.example/${ $input.x }/y, retry: 1 }\n"),
            "http: https://x.example/${ $input.x }/y\n"));
}

TEST_CASE("braces of other tools are rewritten when there is a sure rewrite, and else not") {
  for (auto [theirs, ours] : std::vector<std::pair<const char*, const char*>>{
           {"${{ secrets.T }}", "write `${ $secrets.t }`"},
           {"${{ steps.b1.outputs.y }}", "write `${ $steps.b1.y }`"},
           {"${{ inputs.x }}", "write `${ $input.x }`"},
           {"${{ github.event.inputs.x }}", "write `${ $input.x }`"},
           {"${{ matrix.os }}", "write `${ $item.os }` within a for_each"},
           {"${{ fromJSON(inputs.x) }}", "an expression is written `${ jq }`"},
           {"${{a: 1}}", "an object of jq needs a blank: `${ {a: 1} }`"},
           {"${{ x", "write `${ $input.x }`"}})
    CHECK(advice_on_braces(theirs) == ours);
  CHECK(has(advice_on_braces("${{ env.X }}"), "`env:` of an input"));
  CHECK(has(advice_on_braces("${{ !always() }}"), "$status.STEP.ok"));
  CHECK(advice_on_braces("{{json .}}") ==
        "an expression is written `${ jq }`\nfor text with these braces write `${ \"{{json .}}\" }`");
}

TEST_CASE("all duplicate keys and tags of a file are told, not just the first") {
  CHECK(found("a: !x 1\na: 2\nb: {c: 1, c: 2}\n") == "E005 1:4, E002 2:1, E002 3:11");
}

}  // namespace flowrun::test::builder_test
