// flowrun eval: expressions over nothing, over a file, and over what a run and its steps have seen.
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::eval_test {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

constexpr const char* kFlow = R"(flowrun: 1
name: eval
input: { who: { type: string }, times: 2 }
vars: { greeting: "hello ${ $input.who }", twice: "${ $input.times * 2 }" }
steps:
  order: { set: { id: O-1, lines: [{ sku: a, n: 2 }, { sku: b, n: 3 }] } }
  each:
    for_each: ${ $steps.order.lines }
    as: line
    key: ${ $line.sku }
    do: { exec: [echo, "${ $line.sku }-${ $line.n }"] }
  count:
    exec: [printf, "%s", "3 apples"]
    output: ${ .stdout | split(" ") | .[0] | tonumber }
  group:
    sequence:
      - { id: one, set: 1 }
      - { id: two, set: "${ $steps.one + 1 }" }
  bad: { shell: "echo oops >&2; exit 7", continue_on_error: true }
)";

class Desk {
 public:
  Desk() { file_ = dir_.write("w.yaml", kFlow); }
  Ran operator()(std::vector<std::string> args) const {
    args.insert(args.begin(), "eval");
    return flowrun(dir_.path("journal.db"), args);
  }
  void run() const {
    Ran ran = flowrun(dir_.path("journal.db"), {"run", file_, "--id", "r", "-i", "who=you"});
    INFO(ran.err);
    REQUIRE(ran.code == 0);
  }
  void gives(std::vector<std::string> args, const std::string& json) const {
    INFO(args.front());
    Ran ran = (*this)(std::move(args));
    INFO(ran.err);
    CHECK(ran.code == 0);
    CHECK(ran.out == json + "\n");
  }
  void refuses(std::vector<std::string> args, int code, const std::string& message) const {
    INFO(args.front());
    Ran ran = (*this)(std::move(args));
    INFO(ran.err);
    CHECK(ran.code == code);
    CHECK(ran.out.empty());
    CHECK(has(ran.err, message));
  }
  const std::string& file() const { return file_; }

 private:
  TempDir dir_;
  std::string file_;
};

}  // namespace

TEST_CASE("an expression over nothing is a calculator") {
  Desk desk;
  desk.gives({"1 + 1"}, "2");
  desk.gives({"${ 1 + 1 }"}, "2");
  desk.gives({"[\"b\", \"a\"] | sort | join(\"-\")"}, "\"a-b\"");
  desk.gives({"9007199254740993"}, "9007199254740993");
  desk.refuses({"$input.who"}, 1, "-f FILE or --run RUN");
  desk.refuses({"."}, 1, "single quotes");
}

TEST_CASE("what is wrong with an expression is said, and the exit code is that of a failure") {
  Desk desk;
  desk.refuses({"1 +"}, 1, "error");
  desk.refuses({"(1"}, 1, "EXPR:1:1: error[E201]");
  desk.refuses({"env"}, 1, "E212");
  desk.refuses({"\"a\" | tonumber"}, 1, "tonumber");
  desk.refuses({"1, 2"}, 1, "result");
}

TEST_CASE("mistakes on the command line are usage errors") {
  Desk desk;
  desk.refuses({""}, 2, "empty");
  desk.refuses({"1", "--step", "order"}, 2, "--run RUN");
  desk.refuses({"1", "-i", "who=me"}, 2, "-f FILE");
  desk.refuses({"1", "-f", desk.file(), "--run", "r"}, 2, "--run");
  desk.refuses({"1", "-f", "/nowhere/w.yaml"}, 2, "No such file");
  CHECK(flowrun("", {"eval"}).code == 2);
  desk.refuses({"1", "--run", "r"}, 8, "");
}

TEST_CASE("over a file an expression sees its inputs and vars, as far as they are given") {
  Desk desk;
  desk.gives({"$vars.greeting", "-f", desk.file(), "-i", "who=me"}, "\"hello me\"");
  desk.gives({"$vars.twice + $input.times", "-f", desk.file()}, "6");
  desk.refuses({"$input.who", "-f", desk.file()}, 1, "-i who=VALUE");
  desk.refuses({"$vars.greeting", "-f", desk.file()}, 1, "missing");
  desk.refuses({"$input.whom", "-f", desk.file()}, 1, "no $input.whom");
  desk.refuses({"$steps.order", "-f", desk.file()}, 1, "--run RUN");
  desk.refuses({"1", "-f", desk.file(), "-i", "times=x"}, 3, "times");
}

TEST_CASE("over a run an expression sees what the run has seen") {
  Desk desk;
  desk.run();
  desk.gives({"$steps.order.lines | length", "--run", "r"}, "2");
  desk.gives({"$steps.each", "--run", "@last"}, "[\"a-2\",\"b-3\"]");
  desk.gives({"$input.who + $vars.greeting", "--run", "r"}, "\"youhello you\"");
  desk.gives({"$run.name", "--run", "r"}, "\"eval\"");
  desk.gives({"$status.bad.error.type", "--run", "r"}, "\"exit.7\"");
  desk.gives({"$status.each.items | map(.key)", "--run", "r"}, "[\"a\",\"b\"]");
  desk.refuses({"$input.whom", "--run", "r"}, 1, "no $input.whom");
  desk.refuses({"$steps.odrer", "--run", "r"}, 1, "no step `odrer`");
  desk.refuses({"$steps.one", "--run", "r"}, 1, "--step PATH");
  desk.refuses({".", "--run", "r"}, 1, "--step PATH");
  desk.refuses({"1", "--run", "nobody"}, 8, "nobody");
}

TEST_CASE("with --step an expression sees what the step saw, and its result as .") {
  Desk desk;
  desk.run();
  desk.gives({".stdout", "--run", "r", "--step", "count"}, "\"3 apples\"");
  desk.gives({".stdout | split(\" \") | .[0] | tonumber", "--run", "r", "--step", "count"}, "3");
  desk.gives({"$line.n", "--run", "r", "--step", "each[b]"}, "3");
  desk.gives({"[$index, $key, .value]", "--run", "r", "--step", "each/b"}, "[1,\"b\",\"b-3\"]");
  desk.gives({".exit_code", "--run", "r", "--step", "bad"}, "7");
  desk.gives({".id", "--run", "r", "--step", "order"}, "\"O-1\"");
  desk.gives({"$steps.one", "--run", "r", "--step", "group/two"}, "1");
  desk.refuses({".", "--run", "r", "--step", "cuont"}, 8, "no step cuont");
}

}  // namespace flowrun::test::eval_test
