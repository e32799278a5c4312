// An expression is given only what it names. Whatever jq takes, it then answers as if it were given all.
#include <random>

#include "engine/expression/expression.h"
#include "engine/jq/jq.h"
#include "tests/support/catch.h"

namespace flowrun::test::named_test {
namespace {

constexpr const char* kDot =
    R"({"a": {"a": 1, "b": [1, 2, {"a": 5}]}, "b": [{"a": 3}, {"a": null}], "c": "t", "d": null})";
constexpr const char* kInput = R"({"a": {"a": 7}, "b": 2})";

class Given : public Scope {
 public:
  Fallible<Value> lookup(const Reference& reference) const override {
    if (reference.variable == ".") return Value::from_text(kDot);
    if (reference.variable == "input") return Value::from_text(kInput);
    return Failure{"expression", "$" + reference.variable + " is not known"};
  }
};

/// Both answers; an error is an error, whatever it says.
void same(Jq& jq, const std::string& code) {
  INFO(code);
  Diagnostics diagnostics({"EXPR", code});
  // A blank in front, as `${keys}` is taken for the shell's.
  Expression expression = Expression::compile(" " + code, Position{1, 1}, diagnostics);
  INFO(diagnostics.text());
  REQUIRE(diagnostics.ok());
  Evaluation ours = expression.evaluate(Given(), jq);
  const decltype(Question::bindings) bindings{{".", Value::from_text(kDot)}, {"$input", Value::from_text(kInput)}};
  Answer whole = jq.evaluate({{code, false}, bindings});
  INFO("jq: " << (whole.ok() ? whole.value.text() : whole.error));
  if (const auto* failure = std::get_if<Failure>(&ours)) {
    INFO(failure->message);
    CHECK_FALSE(whole.ok());
  } else {
    REQUIRE(whole.ok());
    // What `break` is caught as has a number that depends on what jq compiled before. Mostly it shows as such; where
    // only its digits are left, more labels move it.
    if (whole.value.text().find("__jq") != std::string::npos) return;
    std::string more = code;
    for (int labels = 1; labels <= 3; ++labels) {
      more = "(label $moved | 0) as $moved | " + more;
      const Answer moved = jq.evaluate({{more, false}, bindings});
      if (moved.ok() && !(moved.value == whole.value)) return;
    }
    CHECK(std::get<Value>(ours).json() == whole.value.json());
  }
}

/// Random programs that jq compiles.
class Writer {
 public:
  explicit Writer(unsigned seed) : random_(seed) {}

  std::string expression(int depth) {
    const std::string v = "$v" + std::to_string(names_.size());
    auto e = [&] { return expression(depth - 1); };
    auto with = [&](const std::string& name, auto write) {
      names_.push_back(name);
      std::string text = write();
      names_.pop_back();
      return text;
    };
    if (depth <= 0) {
      static const std::vector<std::string> kAtoms{".",          ".a",
                                                   ".a.b",       ".b[0].a",
                                                   ".a?",        ".[\"a\"]",
                                                   "keys",       "length",
                                                   "1",          "\"x\"",
                                                   "$input",     "$input.a",
                                                   "..",         ".b[]",
                                                   "tojson",     "@json",
                                                   "{a}",        "{a, \"b\"}",
                                                   "null",       "[.[]?]",
                                                   "type",       "@base64 \"x\\(.c)\"",
                                                   "empty",      "not",
                                                   "to_entries", "{a: .b, b: .a}",
                                                   "has(\"a\")", "-1"};
      if (!names_.empty() && pick(3) == 0) return names_[pick(names_.size())];
      return kAtoms[pick(kAtoms.size())];
    }
    switch (pick(24)) {
      case 0:
        return e() + " | " + e();
      case 1:
        return "(" + e() + ", " + e() + ")";
      case 2:
        return "[" + e() + "]";
      case 3:
        return "{a: (" + e() + "), b: (" + e() + ")}";
      case 4:
        return "(" + e() + ") as " + v + " | " + with(v, e);
      case 5:
        return "(" + e() + ") as {a: " + v + "} | " + with(v, e);
      case 6:
        return "(" + e() + ") as {(\"a\"): [" + v + "]} | " + with(v, e);
      case 7:
        return "(" + e() + ") as [" + v + "] ?// " + v + " | " + with(v, e);
      case 8:
        return "if " + e() + " then " + e() + " else " + e() + " end";
      case 9:
        return "(reduce (" + e() + ") as " + v + " (" + e() + "; " + with(v, e) + "))";
      case 10:
        return "(foreach (" + e() + ") as " + v + " (" + e() + "; " + with(v, e) + "; " + with(v, e) + "))";
      case 11:
        return "def f: " + e() + "; " + with("f", e);
      case 12:
        return "def f(g; " + v + "): " + with(v, [&] { return with("g", e); }) + "; f(" + e() + "; " + e() + ")";
      case 13:
        return "map(" + e() + ")";
      case 14:
        return "first(" + e() + ")";
      case 15:
        return "any(" + e() + "; " + e() + ")";
      case 16:
        return "(try (" + e() + ") catch (" + e() + "))";
      case 17:
        return "((" + e() + ") // (" + e() + "))";
      case 18:
        return "(.a = (" + e() + "))";
      case 19:
        return "(.a |= (" + e() + "))";
      case 20:
        return "\"n\\(" + e() + ")\"";
      case 21:
        return "label $o | (" + e() + ", break $o)";
      case 22:
        return "(" + e() + ") | select(" + e() + ")";
      default:
        return "[limit(3; " + e() + ")]";
    }
  }

 private:
  std::size_t pick(std::size_t most) { return random_() % most; }
  std::mt19937 random_;
  std::vector<std::string> names_;
};

}  // namespace

TEST_CASE("what jq takes is taken, and answered alike", "[jq][expression]") {
  std::unique_ptr<Jq> jq = make_jq();
  for (const char* code : {". as {(\"c\"): $v} | $v",
                           "def a: 0; . | a",
                           "def a: 1; .a.a + a",
                           "keys",
                           "length",
                           "has(\"a\")",
                           "to_entries",
                           ".a as $x | .c as $y | [$x, $y, .d]",
                           "map_values(.a?)",
                           ".a.a = 3",
                           ".a.a |= . + 1",
                           "del(.a)",
                           "[paths]",
                           "{a, c}",
                           "{\"a\"}",
                           "{$input}",
                           "reduce .b[] as {a: $i} (.a.a; . + $i)",
                           "[foreach .b[] as $i (.a.a; . + 1)]",
                           "[.b[] as {a: $x} ?// [$x] | $x]",
                           "label $out | .a.a, break $out",
                           "[label $f | .b[] | ., break $f]",
                           "\"a\\(.a.a | \"n\\(.)\")b\"",
                           "@base64 \"x\\(.a.a)\"",
                           ".[\"a\"]?",
                           "[..|numbers]",
                           ".a.a # a comment }",
                           "try (.a|error) catch .a",
                           "def f($a; g): $a + g; f(1; .a.a)",
                           "def f(x): x; f(.a)",
                           "def f: def g: 3; g; f",
                           "def f: .a.a; def f(x): x; f(f)",
                           "def f: 1; def f(x): .a.a; [f, f(2)]",
                           "def f(x): 1; def f($a; b): b; f(2; .a.a)",
                           "[.b[].a] as [$p, $q] | [$q, $p]",
                           "$input.a as $input | $input.a + .a.a",
                           "[$input.a as $input | $input] + [$input]",
                           "def f($steps): $steps; f(1)",
                           "[.a.b[:2][], .a.a]",
                           "if .a then .c else .d end",
                           "first(.b[])",
                           "[limit(1; .b[])]",
                           "any(.b[]; .a == 3)",
                           "{(.a|keys[0]): 1}",
                           "{a: .a, b: .b | length}",
                           ".a? // \"d\"",
                           "{and: 1}.and",
                           ".a.if?",
                           "[splits(\"a\")]?",
                           "ltrimstr(\"a\")",
                           "with_entries(.value |= type)",
                           "walk(.)",
                           "[recurse] | length",
                           ". as {a: {a: $one}} | . as {c: $two} | [$one, $two]",
                           "[range(.a.a; 3)]",
                           "try error(\"x\") catch .",
                           ".b | map(select(.a == 3)) | length"})
    same(*jq, code);
}

TEST_CASE("random expressions are answered as if they were given all", "[jq][expression]") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  Writer writer(seed);
  std::unique_ptr<Jq> jq = make_jq();
  for (int round = 0; round < 200; ++round) same(*jq, "[" + writer.expression(3) + "]");
}

}  // namespace flowrun::test::named_test
