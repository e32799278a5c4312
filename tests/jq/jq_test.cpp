// The child process is this test binary, called as `__jq FD PID`.
#include "engine/jq/jq.h"

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "tests/support/catch.h"

namespace flowrun::test::jq_test {
namespace {

using Bindings = std::vector<std::pair<std::string, Value>>;

Value value(const std::string& json) { return Value::from_text(json); }

/// One jq process for a test.
struct Asker {
  std::unique_ptr<Jq> jq = make_jq();

  Answer answer(const std::string& program, Bindings bindings = {}) {
    return jq->evaluate({{program, false}, bindings});
  }
  /// The result as JSON, or `error: ...`.
  std::string operator()(const std::string& program, Bindings bindings = {}) {
    return shown(answer(program, std::move(bindings)));
  }
  std::string strict(const std::string& program, Bindings bindings = {}) {
    return shown(jq->evaluate({{program, true}, std::move(bindings)}));
  }
  static std::string shown(const Answer& answer) {
    return answer.ok() ? answer.value.text() : "error: " + answer.error;
  }
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// The jq processes that this one has started.
std::vector<pid_t> children() {
  std::vector<pid_t> found;
  DIR* directory = opendir("/proc");
  REQUIRE(directory);
  while (dirent* entry = readdir(directory)) {
    std::string folder = "/proc/" + std::string(entry->d_name);
    std::string line, command;
    std::ifstream stat(folder + "/stat"), arguments(folder + "/cmdline");
    if (!std::getline(stat, line) || !std::getline(arguments, command)) continue;
    // Behind the name in brackets: state, parent.
    std::istringstream rest(line.substr(line.rfind(')') + 1));
    char state = 0;
    pid_t parent = 0;
    rest >> state >> parent;
    if (parent == getpid() && state != 'Z' && contains(command, "__jq"))
      found.push_back(static_cast<pid_t>(std::atoi(entry->d_name)));
  }
  closedir(directory);
  return found;
}

}  // namespace

TEST_CASE("an expression sees the variables and the dot that are bound, and gives JSON") {
  Asker ask;
  CHECK(ask("1 + 1") == "2");
  CHECK(ask(".a + 1", {{".", value(R"({"a": 41})")}}) == "42");
  CHECK(ask("$input.sku | ascii_upcase", {{"$input", value(R"({"sku": "ab"})")}}) == R"("AB")");
  CHECK(ask("[$steps.a.n, $item, .]", {{"$steps", value(R"({"a": {"n": 1}})")}, {"$item", value("true")}}) ==
        "[1,true,null]");
  CHECK(ask("{b: 1, a: $my_thing}", {{"$my_thing", value("\"x\"")}}) == R"({"a":"x","b":1})");
  CHECK(ask("\"\\($input) is $input\"", {{"$input", value("3")}}) == R"("3 is $input")");
  CHECK(ask(". as {a: $x} | $x # the end", {{".", value(R"({"a": 7})")}}) == "7");
  CHECK(ask("\"\xC3\xBC\\u0000\"") == "\"\xC3\xBC\\u0000\"");
}

TEST_CASE("an expression gives exactly one result") {
  Asker ask;
  CHECK(contains(ask("empty"), "error: gives no result"));
  CHECK(contains(ask("empty"), "// null"));
  CHECK(ask("1, 2") == "error: gives several results; wrap it in [ ] for a list, or use first(...)");
  CHECK(ask("[1, 2]") == "[1,2]");
  CHECK(ask("first(1, 2)") == "1");
  CHECK(contains(ask("1, error(\"late\")"), "late"));
}

TEST_CASE("what an expression says with `error` is the error") {
  Asker ask;
  CHECK(ask("error(\"no stock\")") == "error: no stock");
  CHECK(ask("error({code: 7})") == R"(error: {"code":7})");
  CHECK(contains(ask("{} | .[0]"), "Cannot index object with number"));
  CHECK(ask("try error(\"x\") catch .") == R"("x")");
  CHECK(contains(ask("\"x\" | tonumber"), "error: "));
  CHECK(contains(ask("\"{\" | fromjson"), "error: "));
  CHECK(ask("1") == "1");
}

TEST_CASE("compact, chunks and required are there") {
  Asker ask;
  CHECK(ask("[1, null, false] | compact") == "[1,false]");
  CHECK(ask("{a: null, b: 1} | compact") == R"({"b":1})");
  CHECK(ask("[range(5)] | chunks(2)") == "[[0,1],[2,3],[4]]");
  CHECK(ask("[] | chunks(2)") == "[]");
  CHECK(contains(ask("[1] | chunks(0)"), "size of at least 1"));
  CHECK(contains(ask("\"ab\" | chunks(1)"), "a list, not string"));
  CHECK(ask(".a | required(\"a is missing\")", {{".", value("{}")}}) == "error: a is missing");
  CHECK(ask(".a | required(\"a is missing\")", {{".", value(R"({"a": false})")}}) == "false");
  CHECK(ask("def compact: 7; compact") == "7");
}

TEST_CASE("the clock is $now, and the time zone is UTC") {
  Asker ask;
  CHECK(ask("now", {{"$now", value("12.5")}}) == "12.5");
  CHECK(ask("$now | todate", {{"$now", value("0")}}) == R"("1970-01-01T00:00:00Z")");
  CHECK(ask("0 | strftime(\"%H %Z\")") == R"("00 UTC")");
  CHECK(contains(ask("now"), "write $now"));
}

TEST_CASE("in a condition values of different types have no order") {
  Asker ask;
  // Not written as literals: jq 1.7 compares those while it compiles.
  auto strict = [&](const std::string& program, const std::string& dot) {
    return ask.strict(program, {{".", value(dot)}});
  };
  CHECK(ask(".[0] < .[1]", {{".", value("[null, 1]")}}) == "true");
  CHECK(strict(".[0] < .[1]", "[null, 1]") ==
        "error: `<` compares null with a number: different types have no order here");
  CHECK(contains(strict(".[0] > .[1]", R"(["0", 0])"), "`>` compares text with a number"));
  CHECK(contains(strict(".[0] <= .[1]", "[[], {}]"), "`<=` compares a list with an object"));
  CHECK(contains(strict(".[0] >= .[1]", "[true, 1]"), "`>=` compares true or false with a number"));
  CHECK(strict(".a < .b and .b <= .b and \"b\" > .c and [.b] >= [.a] and (.f < .t)",
               R"({"a": 1, "b": 2, "c": "a", "f": false, "t": true})") == "true");
  CHECK(strict(".[0] == 1 or .[0] != 1", "[null]") == "true");
  CHECK(contains(strict("any(. > 0.5 | not)", "[1, null]"), "compares null"));
  CHECK(strict("sort | length < 4", R"([3, null, "a"])") == "true");
  CHECK(strict(".n > 1", R"({"n": 2})") == "true");
}

TEST_CASE("what reaches outside or ends jq is an error, and the next question is answered") {
  Asker ask;
  for (const char* program : {"input",
                              "[inputs]",
                              "debug",
                              "stderr",
                              "env",
                              "env.PATH",
                              "$ENV",
                              "$ENV.PATH",
                              "halt",
                              "halt_error",
                              "\"x\" | halt_error(1)",
                              "import \"a\" as a; 1",
                              "include \"a\"; 1",
                              "{} | modulemeta",
                              "get_search_list",
                              "0 | localtime",
                              "0 | strflocaltime(\"%H\")",
                              "input_filename",
                              "input_line_number",
                              "$__loc__",
                              "$__prog_args",
                              "\"\\($ENV)\""}) {
    INFO(program);
    CHECK_FALSE(ask.answer(program).ok());
    CHECK(ask("1") == "1");
  }
  CHECK(contains(ask("env"), "`env` is no part of flowrun's expressions"));
  CHECK(ask("\"$ENV\"") == R"("$ENV")");
}

TEST_CASE("text that is no jq is an error, and leaves its batch alone") {
  std::vector<std::string> programs;
  for (int i = 0; i < 150; ++i)
    programs.push_back("." + std::string(1, static_cast<char>('a' + i % 26)) + " + " + std::to_string(i));
  programs[70] = "1 +";
  programs[71] = "1) elif true then (2";
  programs[90] = "no_such_function(1)";
  std::vector<Program> known;
  for (const std::string& program : programs) known.push_back({program});
  Asker ask{make_jq(known)};
  for (int i : {0, 63, 64, 69, 72, 89, 91, 127, 128, 149})
    CHECK(ask(programs[static_cast<std::size_t>(i)], {{".", value("{}")}}) == std::to_string(i));
  CHECK(ask(programs[70]) == "error: syntax error, it ends too early");
  CHECK(contains(ask(programs[71]), "do not close"));
  CHECK(contains(ask(programs[90]), "no_such_function/1 is not defined"));
  for (const char* program : {"(", ")", "\"", "\"\\(\"", "1 2", "if true then 1", "|", "{a:", "]", "}{", "%", ""}) {
    INFO(program);
    CHECK_FALSE(ask.answer(program).ok());
  }
  CHECK(ask("1") == "1");
}

TEST_CASE("an endless program is stopped, and the next question is answered") {
  Asker ask;
  CHECK(contains(ask("def f: f; f"), "longer than 2 s"));
  CHECK(ask("1") == "1");
}

TEST_CASE("a program that eats memory is stopped, and the next question is answered") {
  Asker ask;
  std::string answer = ask("reduce range(40) as $i (\"x\"; . + .) | length");
  CHECK(contains(answer, "error: "));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // whose allocators end the process first
  CHECK(contains(answer, "256 MiB"));
#endif
  CHECK(ask("1") == "1");
}

TEST_CASE("a result may be large, but not larger than 16 MiB nor deeper than jq reads", "[timing]") {
  Asker ask;
  CHECK(ask.answer("\"x\" * 15000000").value.text().size() == 15000002);
  CHECK(contains(ask("\"x\" * 17000000"), "16 MiB"));
  CHECK(ask.answer("reduce range(200) as $i (1; [.])").ok());
  CHECK(contains(ask("reduce range(300) as $i (1; [.])"), "deeper"));
  // Freeing this kills jq 1.6 after it has answered, which is not the next program's fault.
  CHECK(contains(ask("reduce range(1000000) as $i (1; [.])"), "deeper"));
  CHECK(ask("1") == "1");
}

TEST_CASE("a crash of jq is one answer's error, and one between questions is none") {
  Asker ask;
  CHECK(children().empty());
  CHECK(ask("1") == "1");
  std::vector<pid_t> first = children();
  REQUIRE(first.size() == 1);
  kill(first[0], SIGKILL);
  CHECK(ask("2") == "2");
  std::vector<pid_t> second = children();
  REQUIRE(second.size() == 1);
  CHECK(second != first);
  ask.jq.reset();
  CHECK(children().empty());
}

TEST_CASE("an interrupt from the terminal does not reach jq") {
  Asker ask;
  CHECK(ask("1") == "1");
  REQUIRE(children().size() == 1);
  CHECK(getpgid(children()[0]) != getpgid(0));
}

TEST_CASE("large values are kept by jq and come back right, however many there are") {
  Asker ask;
  auto list = [](int first) {
    std::string text = "[";
    for (int i = 0; i < 200000; ++i) text += std::to_string(first + i) + ",";
    return value(text + "0]");
  };
  std::vector<Value> values;
  for (int i = 0; i < 14; ++i) values.push_back(list(i * 1000000));
  for (int round = 0; round < 2; ++round)
    for (std::size_t i = 0; i < values.size(); ++i)
      CHECK(ask("$input[1]", {{"$input", values[i]}}) == std::to_string(i * 1000000 + 1));
  CHECK(ask("[$input[1], $item[1], .[1]]", {{"$input", values[3]}, {"$item", values[3]}, {".", values[5]}}) ==
        "[3000001,3000001,5000001]");
}

TEST_CASE("a value that is too deep for jq is an error") {
  Asker ask;
  std::string deep = std::string(600, '[') + std::string(600, ']');
  CHECK(contains(ask("1", {{"$input", value(deep)}}), "$input is nested deeper"));
  CHECK(ask("1") == "1");
}

TEST_CASE("syntax errors are told for many programs at once, and the good ones can be asked at once") {
  Asker ask;
  std::vector<std::string> errors = ask.jq->check(
      {{".a"}, {"1 +"}, {"$any.thing + $other", true}, {"nothing_such"}, {"{a: 1}"}, {"1 # end"}, {"input"}});
  REQUIRE(errors.size() == 7);
  CHECK(errors[0].empty());
  CHECK(contains(errors[1], "ends too early"));
  CHECK(errors[2].empty());
  CHECK(errors[3] == "nothing_such/0 is not defined");
  CHECK(errors[4].empty());
  CHECK(errors[5].empty());
  CHECK(ask.jq->check({{".a | .b"}}).front().empty());
  CHECK(contains(ask.jq->check({{".a | | .b"}}).front(), "syntax error, unexpected '|'"));
  CHECK(ask.jq->check({}).empty());
  CHECK(ask("{a: 1}") == R"({"a":1})");
  CHECK(ask(".a", {{".", value(R"({"a":3})")}}) == "3");
}

TEST_CASE("a program compares strictly or not, whatever stands beside it in its batch") {
  Asker ask;
  ask.jq->check({{".n < \"a\""}, {".n < \"a\"", true}, {"[1, 3] | any(. < 2)", true}});
  Bindings one{{".", value(R"({"n":1})")}};
  CHECK(ask(".n < \"a\"", one) == "true");
  CHECK(contains(ask.strict(".n < \"a\"", one), "different types have no order"));
  CHECK(ask.strict("[1, 3] | any(. < 2)") == "true");
  CHECK(ask("[(1, 3) < (2, 4)]") == ask.strict("[(1, 3) < (2, 4)]"));
}

}  // namespace flowrun::test::jq_test
