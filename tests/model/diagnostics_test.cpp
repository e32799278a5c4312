#include "engine/model/diagnostics.h"

#include "tests/support/catch.h"

namespace flowrun::test::diagnostics_test {
namespace {

Diagnostics of(const std::string& text) { return Diagnostics({"order.yaml", text}); }

}  // namespace

TEST_CASE("a finding shows its place, the source line, carets and what to do") {
  Diagnostics diagnostics = of("flowrun: 1\nsteps:\n  a:\n    retires: { attempts: 5 }\n");
  diagnostics.error("E101", {4, 5}, 7, "unknown key `retires` in an http step", "did you mean `retry`?");
  CHECK(diagnostics.text() ==
        "order.yaml:4:5: error[E101]: unknown key `retires` in an http step\n"
        "    4 |     retires: { attempts: 5 }\n"
        "      |     ^^^^^^^ did you mean `retry`?\n");
}

TEST_CASE("findings stand in the order of their places, however they were found") {
  Diagnostics diagnostics = of("a\nb\nc\n");
  diagnostics.warning("W301", {3, 1}, 1, "third");
  diagnostics.error("E101", {1, 1}, 1, "second");
  diagnostics.error("E100", {}, 1, "first");
  diagnostics.warning("I401", {3, 1}, 1, "fourth");
  std::string text = diagnostics.text();
  CHECK(text.find("order.yaml: error[E100]: first\n") == 0);
  CHECK(text.find("second") < text.find("warning[W301]: third"));
  CHECK(text.find("third") < text.find("hint[I401]: fourth"));
  CHECK(diagnostics.all()[0].message == "third");
  CHECK(diagnostics.errors() == 2);
  CHECK(diagnostics.warnings() == 1);
  CHECK_FALSE(diagnostics.ok());
}

TEST_CASE("further lines of a suggestion stand below its first") {
  Diagnostics diagnostics = of("set: ${ {a: 1} }\n");
  diagnostics.error("E003", {1, 11}, 1, "broken", "write   set: >\n          ${ {a: 1} }");
  CHECK(diagnostics.text() ==
        "order.yaml:1:11: error[E003]: broken\n"
        "    1 | set: ${ {a: 1} }\n"
        "      |           ^ write   set: >\n"
        "      |                       ${ {a: 1} }\n");
}

TEST_CASE("carets stand below the right characters behind umlauts and tabs") {
  Diagnostics diagnostics = of("\t\"\xC3\xBC\": x\xC3\xB6y\n");
  diagnostics.error("E102", {1, 8}, 4, "wrong");
  CHECK(diagnostics.text() ==
        "order.yaml:1:7: error[E102]: wrong\n"
        "    1 | \t\"\xC3\xBC\": x\xC3\xB6y\n"
        "      | \t     ^^^\n");
}

TEST_CASE("a finding beyond the text is shown without a source line") {
  Diagnostics diagnostics = of("a: 1\n");
  diagnostics.error("E110", {9, 9}, 3, "gone", "look elsewhere");
  CHECK(diagnostics.text() == "order.yaml:9:9: error[E110]: gone\n      look elsewhere\n");
  Diagnostics late = of("a: 1\n");
  late.error("E110", {1, 40}, 30, "behind the end");
  CHECK(late.text() == "order.yaml:1:40: error[E110]: behind the end\n    1 | a: 1\n      |     ^\n");
}

TEST_CASE("a very long line is shown around its column, and control characters not at all") {
  Diagnostics diagnostics = of(std::string(5000, 'x') + "\x1b[31m!" + std::string(5000, 'y'));
  diagnostics.error("E102", {1, 5001}, 1, "wrong");
  std::string text = diagnostics.text();
  CHECK(text.size() < 600);
  CHECK(text.find("x?[31m!y") != std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
}

TEST_CASE("a column counts characters, not the bytes of Japanese") {
  Diagnostics diagnostics = of("set: 日本語 ${ $input.b }\n");
  diagnostics.error("E204", {1, 19}, 8, "no `b`");
  CHECK(diagnostics.text() ==
        "order.yaml:1:13: error[E204]: no `b`\n"
        "    1 | set: 日本語 ${ $input.b }\n"
        "      |             ^^^^^^^^\n");
  CHECK(diagnostics.json()[0]["column"] == 13);
  CHECK(diagnostics.github().find("col=13,") != std::string::npos);
}

TEST_CASE("what is told of one place is told once, however many steps inherit it") {
  Diagnostics diagnostics = of("env: { A: x }\n");
  for (int step = 0; step < 13; ++step) diagnostics.error("E202", {1, 11}, 1, "of another tool");
  diagnostics.error("E201", {1, 11}, 1, "of another tool");
  diagnostics.error("E202", {1, 12}, 1, "of another tool");
  CHECK(diagnostics.errors() == 3);
}

TEST_CASE("the summary counts errors and warnings, and hints where there are any") {
  Diagnostics diagnostics = of("a: 1\n");
  diagnostics.error("E101", {1, 1}, 1, "no");
  CHECK(diagnostics.summary() == "1 error, 0 warnings");
  diagnostics.warning("W110", {1, 1}, 1, "hm");
  diagnostics.warning("W111", {1, 1}, 1, "hm");
  diagnostics.warning("I115", {1, 1}, 1, "by the way");
  CHECK(diagnostics.summary() == "1 error, 2 warnings, 1 hint");
  CHECK(diagnostics.hints() == 1);
}

TEST_CASE("as JSON each finding is one object") {
  Diagnostics diagnostics = of("a: 1\n");
  diagnostics.warning("W321", {1, 1}, 1, "hm", "do");
  CHECK(diagnostics.json() == Json::parse(R"([{"severity": "warning", "code": "W321", "file": "order.yaml", "line": 1,
                                              "column": 1, "message": "hm", "suggestion": "do"}])"));
  CHECK(of("").json() == Json::array());
}

TEST_CASE("GitHub annotations keep to one line, their separators escaped") {
  Diagnostics diagnostics({"a,b:c.yaml", "x\n"});
  diagnostics.error("E101", {1, 1}, 1, "100% wrong: no\nsuch", "try y");
  diagnostics.warning("I402", {}, 1, "by the way");
  CHECK(diagnostics.github() ==
        "::notice file=a%2Cb%3Ac.yaml,title=I402::by the way\n"
        "::error file=a%2Cb%3Ac.yaml,line=1,col=1,title=E101::100%25 wrong: no%0Asuch%0Atry y\n");
}

TEST_CASE("the nearest word is one that a slip of the finger explains") {
  std::vector<std::string> words = {"retry", "timeout", "needs", "if", "continue_on_error"};
  CHECK(nearest("retires", words).empty());
  CHECK(nearest("rerty", words) == "retry");
  CHECK(nearest("timeuot", words) == "timeout");
  CHECK(nearest("need", words) == "needs");
  CHECK(nearest("fi", words) == "if");
  CHECK(nearest("xy", words).empty());
  CHECK(nearest("continue-onerror", words) == "continue_on_error");
  CHECK(nearest("completely", words).empty());
  CHECK(nearest("", words).empty());
  CHECK(nearest("any", {"all"}).empty());
  CHECK(nearest("FETCH", {"PATCH"}).empty());
  CHECK(nearest("y", {"key"}).empty());
  CHECK(nearest("needs", {}).empty());
}

}  // namespace flowrun::test::diagnostics_test
