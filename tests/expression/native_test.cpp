// What is evaluated in place gives what jq gives: random expressions of the native subset over random JSON. What is
// jq's is given only what it looks at, and gives the same as of all.
#include <random>

#include "engine/expression/expression.h"
#include "engine/jq/jq.h"
#include "tests/support/catch.h"

namespace flowrun::test::native_test {
namespace {

class Dice {
 public:
  explicit Dice(unsigned seed) : random_(seed) {}
  int below(int most) { return static_cast<int>(random_() % static_cast<unsigned>(most)); }

  Json json(int depth) {
    switch (below(depth > 0 ? 9 : 7)) {
      case 0:
        return nullptr;
      case 1:
        return below(2) == 1;
      case 2:
      case 3:
        return below(7) - 3;
      case 4:
        return below(9) / 2.0;
      case 5:
      case 6:
        return std::string(static_cast<std::size_t>(below(3)), static_cast<char>('a' + below(3)));
      case 7: {
        Json list = Json::array();
        for (int i = below(4); i > 0; --i) list.push_back(json(depth - 1));
        return list;
      }
      default: {
        Json object = Json::object();
        for (int i = below(4); i > 0; --i) object[std::string(1, static_cast<char>('a' + below(3)))] = json(depth - 1);
        return object;
      }
    }
  }

  std::string path() {
    std::string text = "$input";
    for (int i = below(4); i > 0; --i) {
      std::string key(1, static_cast<char>('a' + below(3)));
      switch (below(4)) {
        case 0:
          text += "[" + std::to_string(below(4) - 1) + "]";
          break;
        case 1:
          text += "[\"" + key + "\"]";
          break;
        default:
          text += "." + key;
      }
    }
    return text;
  }

  std::string expression(int depth) {
    auto below_it = [&] { return "(" + expression(depth - 1) + ")"; };
    switch (below(depth > 0 ? 10 : 4)) {
      case 0:
        return json(0).dump();
      case 1:
      case 2:
      case 3:
        return path();
      case 4:
        return below_it() + " // " + below_it();
      case 5: {
        static const char* const kHow[] = {"==", "!=", "<", "<=", ">", ">="};
        return below_it() + " " + kHow[below(6)] + " " + below_it();
      }
      case 6:
        return below_it() + (below(2) == 1 ? " and " : " or ") + below_it();
      case 7:
        return below_it() + " | not";
      case 8:
        return below_it() + " | length";
      default:
        return below(2) == 1 ? "[" + expression(depth - 1) + ", " + expression(depth - 1) + "]"
                             : "{x: " + below_it() + "}";
    }
  }

  /// What goes through values, and may give any number of results; within a pipe also of `.`.
  std::string filter(int depth, bool piped = false) {
    auto f = [&](bool within) { return filter(depth - 1, within); };
    if (depth <= 0) {
      switch (below(piped ? 6 : 3)) {
        case 0:
          return json(0).dump();
        case 1:
          return path();
        case 2:
          return path() + "[]";
        case 3:
          return ".";
        case 4:
          return below(2) == 1 ? ".[]" : "{a}";
        default:
          return std::string(".") + static_cast<char>('a' + below(3)) + (below(3) == 0 ? "[]" : "");
      }
    }
    static const char* const kPlain[] = {"length", "not",   "keys",       "type",   "sort", "unique",
                                         "first",  "last",  "values",     "any",    "all",  "has(\"a\")",
                                         "has(1)", "empty", "first(.[])", "tojson", "add",  "tostring"};
    static const char* const kWith[] = {"select", "map",     "map",      "first",     "any",
                                        "all",    "sort_by", "group_by", "map_values"};
    switch (below(15)) {
      case 0:
      case 1:
      case 2:
        return f(piped) + " | " + f(true);
      case 3:
      case 4:
        return "(" + f(piped) + ", " + f(piped) + ")";
      case 5:
      case 6:
        return "[" + f(piped) + "]";
      case 7:
        return "{a: (" + f(piped) + "), b: (" + f(piped) + ")}";
      case 8:
        return "if " + f(piped) + " then " + f(piped) + " else " + f(piped) + " end";
      case 9:
        return "(" + f(piped) + ")" + (below(2) == 1 ? "[0]" : "[]") + (below(2) == 1 ? ".a" : "");
      case 10:
        return below(2) == 1 ? "(" + f(piped) + " | startswith(\"a\"))" : "\"x\\(" + f(piped) + ")\"";
      case 11:
        return "(" + expression(depth - 1) + ")";
      case 12:
        return "(" + f(piped) + ") + (" + f(piped) + ")";
      case 13:
        return f(piped) + " | " + kPlain[below(18)];
      default:
        return f(piped) + " | " + kWith[below(9)] + "(" + f(true) + ")";
    }
  }

 private:
  std::mt19937 random_;
};

class InputScope : public Scope {
 public:
  explicit InputScope(Json input) : input_(std::move(input)) {}
  Fallible<Value> lookup(const Reference&) const override { return input_; }

 private:
  Value input_;
};

std::string told(const std::string& text) { return text.substr(0, 300); }

/// Holds what expressions give against what jq gives that is handed everything. How many are native, and have failed.
struct Compared {
  int native = 0, failed = 0;

  void compare(Dice& dice, Jq& jq, const std::vector<Program>& programs, bool also_jqs) {
    jq.check(programs);
    for (const Program& program : programs) {
      Diagnostics diagnostics({"x", program.code});
      Expression expression = Expression::compile(program.code, {1, 1}, diagnostics);
      INFO(program.code << diagnostics.text());
      REQUIRE(diagnostics.ok());
      if (!expression.native() && !also_jqs) continue;
      if (expression.native()) ++native;
      for (int i = 0; i < 3; ++i) {
        Json input = dice.json(3);
        INFO("input " << input.dump());
        Evaluation ours = expression.evaluate(InputScope(input), jq);
        Answer theirs = jq.evaluate({program, {{"$input", Value(input)}}});
        const Value* value = std::get_if<Value>(&ours);
        INFO("ours " << told(value ? value->text() : std::get<Failure>(ours).message));
        INFO("jq's " << told(theirs.ok() ? theirs.value.text() : theirs.error));
        CHECK(theirs.ok() == (value != nullptr));
        if (theirs.ok() && value) CHECK(theirs.value == *value);
        failed += theirs.ok() ? 0 : 1;
      }
    }
  }
};

}  // namespace

TEST_CASE("native evaluation equals jq on random JSON") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  Dice dice(seed);
  std::unique_ptr<Jq> jq = make_jq();
  std::vector<Program> programs;
  for (int i = 0; i < 1024; ++i) programs.push_back({dice.expression(3)});
  Compared compared;
  compared.compare(dice, *jq, programs, false);
  // Else this would be a test of nothing.
  CHECK(compared.native > 500);
  CHECK(compared.failed > 100);
}

TEST_CASE("filters give what jq gives that sees everything") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  Dice dice(seed);
  std::unique_ptr<Jq> jq = make_jq();
  std::vector<Program> programs;
  for (int i = 0; i < 1024; ++i) programs.push_back({"[" + dice.filter(3) + "]"});
  for (int i = 0; i < 256; ++i) programs.push_back({dice.filter(2)});
  Compared compared;
  compared.compare(dice, *jq, programs, true);
  CHECK(compared.native > 300);
  CHECK(compared.native < 1200);
  CHECK(compared.failed > 100);
}

}  // namespace flowrun::test::native_test
