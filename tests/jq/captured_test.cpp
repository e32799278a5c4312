// Whatever a process prints is a value or an error of a documented type, and so is what any expression makes of it.
#include <random>

#include "engine/executor/capture.h"
#include "engine/jq/jq.h"
#include "engine/language/template.h"
#include "engine/model/error.h"
#include "tests/support/catch.h"

namespace flowrun::test::captured_test {
namespace {

class Raw : public Scope {
 public:
  explicit Raw(Value value) : value_(std::move(value)) {}
  Fallible<Value> lookup(const Reference&) const override { return value_; }

 private:
  Value value_;
};

Expression expression(const std::string& code) {
  Diagnostics diagnostics({"EXPR", code});
  Expression compiled = Expression::compile(" " + code, Position{1, 1}, diagnostics);
  INFO(diagnostics.text());
  REQUIRE(diagnostics.ok());
  return compiled;
}

/// Text that is JSON, nearly JSON or neither.
std::string bytes(std::mt19937& random) {
  static const std::vector<std::string> kPieces{"{",
                                                "}",
                                                "[",
                                                "]",
                                                ",",
                                                ":",
                                                "\"",
                                                "\"a\"",
                                                "\"a\":",
                                                "1",
                                                "-1",
                                                "18446744073709551615",
                                                "18446744073709551616",
                                                "-9223372036854775808",
                                                "1e308",
                                                "1e400",
                                                "0.1",
                                                "null",
                                                "true",
                                                " ",
                                                "\n",
                                                "\r\n",
                                                "\t",
                                                std::string(1, '\0'),
                                                "\\u0000",
                                                "\\ud800",
                                                "\\",
                                                "\xff",
                                                "\xC3\xA9",
                                                "\xED\xA0\x80",
                                                "\xEF\xBB\xBF",
                                                "\x1b[31m",
                                                "9007199254740993",
                                                "{\"a\":[1,2]}",
                                                "[[]]",
                                                "text",
                                                "-0",
                                                "$secret",
                                                "{\"$secret\":\"k\"}"};
  std::string text;
  for (auto left = random() % 8; left > 0; --left)
    text += random() % 6 ? kPieces[random() % kPieces.size()] : std::string(1, static_cast<char>(random()));
  return text;
}

}  // namespace

TEST_CASE("captured bytes are values or errors, under every capture and expression", "[jq][capture]") {
  using Capture = Process::Capture;
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::unique_ptr<Jq> jq = make_jq();
  std::vector<Expression> expressions;
  for (const char* code :
       {".", ". == 1", ". | length", ".a // 2", "[., .]", ".[0]?", "tojson", "[.. | numbers]", "\"<\\(.)>\"", "keys?",
        ". as {a: $v} ?// $v | $v", "type", "[.] | sort | first", "tostring | explode | length"})
    expressions.push_back(expression(code));
  const TextTemplate text = [] {
    Diagnostics none({});
    Node node;
    node.kind = Node::Kind::String;
    node.text = "<${ . }>";
    return TextTemplate::compile(node, none);
  }();
  int values = 0, failures = 0;
  auto look = [&](const Evaluation& evaluation) {
    if (const auto* failure = std::get_if<Failure>(&evaluation)) {
      CHECK((failure->type == "expression" || failure->type == "parse"));
      CHECK_FALSE(failure->message.empty());
    } else {
      const std::string& answer = std::get<Value>(evaluation).text();
      REQUIRE(Json::accept(answer));
      CHECK_NOTHROW(std::get<Value>(evaluation).json());
    }
  };
  for (int round = 0; round < 300; ++round) {
    const std::string output = round == 0   ? std::string("123\0", 4)
                               : round == 1 ? std::string("123\0rest", 8)
                                            : bytes(random);
    INFO("bytes " << Json(std::vector<int>(output.begin(), output.end())));
    for (Capture capture : {Capture::None, Capture::Text, Capture::Json, Capture::Lines, Capture::Jsonl, Capture::File,
                            Capture::Base64}) {
      auto value = captured(capture, output, output);
      if (const auto* failure = std::get_if<Failure>(&value)) {
        ++failures;
        CHECK(failure->type == "parse");
        CHECK_NOTHROW(Json(failure->message).dump());
        continue;
      }
      ++values;
      REQUIRE(Json::accept(std::get<Value>(value).text()));
      CHECK_NOTHROW(std::get<Value>(value).json());
      const Raw scope(std::get<Value>(value));
      look(expressions[static_cast<std::size_t>(round) % expressions.size()].evaluate(scope, *jq));
      look(expressions[random() % expressions.size()].condition(scope, *jq));
      look(text.evaluate(scope, *jq));
    }
  }
  CHECK(values > 300);
  CHECK(failures > 100);
}

TEST_CASE("text of a value that is broken, as only a damaged journal has it, is told as that", "[jq][capture]") {
  std::unique_ptr<Jq> jq = make_jq();
  for (const char* broken : {"{", "[1", "1e400", "\"\xff\"", "nope"})
    for (const char* code : {".a", ". == 1", "[.]", ".[0]", "tojson"}) {
      INFO(broken << " under " << code);
      try {
        Evaluation evaluation = expression(code).evaluate(Raw(Value::from_text(broken)), *jq);
        REQUIRE(std::holds_alternative<Failure>(evaluation));
        CHECK(std::get<Failure>(evaluation).type == "expression");
      } catch (const Corruption&) {
        SUCCEED("the damage is told");
      }
    }
}

TEST_CASE("a long value is handed to jq as it is, or said to be too much for it", "[jq][expression]") {
  struct Long : Scope {
    Value value;
    Fallible<Value> lookup(const Reference& reference) const override {
      if (reference.variable == "steps" && reference.member == "a") return value;
      if (reference.variable == "steps") return Value::from_text("[7]");
      return Failure{"expression", "it is not known"};
    }
  } scope;
  const std::unique_ptr<Jq> jq = make_jq();
  const auto shown = [&](const std::string& code) {
    Diagnostics diagnostics({"EXPR", code});
    const Evaluation found = Expression::compile(code, Position{1, 1}, diagnostics).evaluate(scope, *jq);
    if (const auto* failure = std::get_if<Failure>(&found)) return failure->message;
    return std::get<Value>(found).text();
  };
  std::string list = "[";
  for (int i = 0; i < 50000; ++i) list += (i == 0 ? "" : ",") + std::to_string(i % 10);
  scope.value = Value::from_text(list + "]");
  CHECK(shown("($steps.a | add) + ($steps.b | add)") == "225007");
  CHECK(shown("[$steps.a, $steps.a, $steps.b] | flatten | length") == "100001");
  scope.value = Value::from_text(list + ",9007199254740993]");
  CHECK(shown("$steps.a | add").find("would lose precision at $steps.a[50000]") != std::string::npos);
  // Whatever its length, the members of an object come in the order of their names.
  for (const std::size_t length : {std::size_t{7}, std::size_t{70'000}})
    for (const char* written : {R"({"z":1,"b":[{"y":1,"x":2}],"a":"")", R"({"a":1,"b":{"z":1,"\u0061":2},"c":"")",
                                R"({"a":1,"a":2,"b":3,"c":"")", R"({"":1,"a":{},"b":[{"x":1,"y":2}],"c":"")"}) {
      std::string text(written);
      text.insert(text.rfind('"'), std::string(length, 'x'));
      scope.value = Value::from_text(text + "}");
      INFO(text.substr(0, 40) << length);
      CHECK(shown("[$steps.a | keys_unsorted] == [$steps.a | keys]") == "true");
      CHECK(shown("[$steps.a | .. | objects | keys_unsorted] == [$steps.a | .. | objects | keys]") == "true");
    }
  // Of two that jq keeps each has room of its own.
  std::string lists = "[[]";
  for (int i = 0; i < 450'000; ++i) lists += ",[]";
  struct Two : Scope {
    Value a, b;
    Fallible<Value> lookup(const Reference& reference) const override { return reference.member == "a" ? a : b; }
  } two;
  two.a = Value::from_text(lists + "]");
  two.b = Value::from_text(lists + ",\"" + std::string(6'500'000, 'x') + "\"]");
  {
    Diagnostics diagnostics({"EXPR", ""});
    const Evaluation found =
        Expression::compile("[($steps.a | add | length), ($steps.b | first | tostring)]", Position{1, 1}, diagnostics)
            .evaluate(two, *jq);
    const auto* failure = std::get_if<Failure>(&found);
    CHECK((failure ? failure->message : std::get<Value>(found).text()) == R"([0,"[]"])");
  }
  std::string objects = "[{}";
  for (int i = 0; i < 4'000'000; ++i) objects += ",{}";
  scope.value = Value::from_text(objects + "]");
  CHECK(shown("$steps.a | add").find("is given 11 MiB, for which jq needs about") != std::string::npos);
  CHECK(shown("$steps.a | length") == "4000001");
}

}  // namespace flowrun::test::captured_test
