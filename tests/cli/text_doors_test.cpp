// Text at every door is UTF-8 and JSON as it is, or refused alike: never an end of the program, never another value.
#include <cstdlib>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::text_doors_test {
namespace {

using nlohmann::json;

/// A run with one wait and one input, by every way in.
class House {
 public:
  House() {
    dir_.write("s.yaml",
               "flowrun: 1\ninput: { x: { type: string, env: DOOR_X } }\n"
               "steps: { a: { set: \"${ $input.x }\" } }\noutput: ${ $steps.a }\n");
    dir_.write("n.yaml",
               "flowrun: 1\ninput: { x: { env: DOOR_X } }\n"
               "steps: { a: { set: \"${ $input.x }\" } }\noutput: ${ $steps.a }\n");
    dir_.write("i.yaml",
               "flowrun: 1\ninput: { x: { type: [integer, number, array, object], env: DOOR_X } }\n"
               "steps: { a: { set: \"${ $input.x }\" } }\noutput: ${ $steps.a }\n");
    dir_.write("w.yaml", "flowrun: 1\nsteps: { a: { wait: go } }\noutput: ${ $steps.a }\n");
    dir_.write(
        "k.yaml",
        "flowrun: 1\nsecrets: { k: { file: given } }\nsteps: { a: { exec: [cat], stdin: \"${ $secrets.k }\" } }\n");
    dir_.write(
        "e.yaml",
        "flowrun: 1\nsecrets: { k: { env: DOOR_X } }\nsteps: { a: { exec: [cat], stdin: \"${ $secrets.k }\" } }\n");
  }
  Ran run(const std::string& file, const std::vector<std::string>& more) {
    std::vector<std::string> args{"run", dir_.path(file), "-q"};
    args.insert(args.end(), more.begin(), more.end());
    return flowrun(dir_.path("j.db"), args);
  }
  Ran signal(const std::string& data) {
    const std::string id = "w" + std::to_string(++waits_);
    CHECK(flowrun(dir_.path("j.db"), {"run", dir_.path("w.yaml"), "-q", "--id", id, "--no-wait"}).code >= 0);
    return flowrun(dir_.path("j.db"), {"signal", id, "go", "--data", data});
  }
  std::string given(const std::string& bytes) { return dir_.write("given", bytes); }
  const TempDir& dir() const { return dir_; }

 private:
  TempDir dir_;
  int waits_ = 0;
};

/// Deeper than a recursion may go.
const std::string kDeep = std::string(20'000, '[') + std::string(20'000, ']');

bool refused(const Ran& ran) { return ran.code == 2 || ran.code == 3; }

}  // namespace

TEST_CASE("bytes that are no UTF-8 are refused at every door", "[doors]") {
  House house;
  for (const std::string bad : {"\xff", "a\xC3", "\xED\xA0\x80", "\xF8\x88\x80\x80\x80", "\xC0\xAF"}) {
    house.given(bad);
    const std::string file = house.dir().path("given");
    INFO("bytes " << json(std::vector<int>(bad.begin(), bad.end())));
    setenv("DOOR_X", bad.c_str(), 1);
    for (const char* workflow : {"s.yaml", "n.yaml", "i.yaml"}) {
      INFO(workflow);
      for (const std::string& given : {"x=" + bad, "x=@" + file, "x=@lines:" + file}) {
        Ran ran = house.run(workflow, {"-i", given});
        INFO(given.substr(0, 9) << ": " << ran.err);
        CHECK(refused(ran));
        CHECK(ran.err.find("UTF-8") != std::string::npos);
      }
      CHECK(refused(house.run(workflow, {})));  // by the environment
      house.given("x: \"" + bad + "\"\n");
      CHECK(refused(house.run(workflow, {"--inputs", file})));
      house.given(bad);
    }
    for (const char* workflow : {"k.yaml", "e.yaml"}) {
      Ran ran = house.run(workflow, {});
      INFO(ran.err);
      CHECK(refused(ran));
      CHECK(ran.err.find("UTF-8") != std::string::npos);
    }
    unsetenv("DOOR_X");
  }
}

TEST_CASE("numbers that can not be kept, NULs and what follows a value are refused at every door", "[doors]") {
  House house;
  for (const std::string& bad :
       {std::string("18446744073709551616"), std::string("-9223372036854775809"), std::string("[1e400]"),
        std::string("{\"a\":123456789012345678901234567890}"), std::string("1\0", 2), std::string("12\0rest", 7),
        std::string("[1] 2"), std::string("{\"a\":\"\\ud800\"}"), kDeep}) {
    INFO(json(bad));
    house.given(bad);
    const std::string file = house.dir().path("given");
    CHECK(refused(house.run("i.yaml", {"-i", "x=@" + file})));
    if (bad.find('\0') == std::string::npos) {
      CHECK(refused(house.run("i.yaml", {"-i", "x=" + bad})));
      setenv("DOOR_X", bad.c_str(), 1);
      CHECK(refused(house.run("i.yaml", {})));
      unsetenv("DOOR_X");
    }
    // By the exit of a process.
    house.dir().write("c.yaml",
                      "flowrun: 1\nsteps: { a: { exec: [cat, '" + file + "'], capture: json, output: \"${ . }\" } }\n");
    Ran ran = house.run("c.yaml", {});
    INFO(ran.err);
    CHECK(ran.code == 1);
    CHECK(ran.err.find("parse") != std::string::npos);
  }
  CHECK(house.run("i.yaml", {"-i", "x=18446744073709551615"}).out == "18446744073709551615\n");
  CHECK(house.run("i.yaml", {"-i", "x=-9223372036854775808"}).out == "-9223372036854775808\n");
}

TEST_CASE("the data of a signal is JSON as it is, or refused", "[doors]") {
  House house;
  for (const std::string& bad : {std::string("18446744073709551616"), std::string("[1e400]"), std::string("\"\xff\""),
                                 std::string("1 2"), std::string("{'a':1}"), kDeep}) {
    Ran ran = house.signal(bad);
    INFO(bad << ": " << ran.err);
    CHECK(refused(ran));
  }
  house.given(std::string("1\0rest", 6));
  CHECK(refused(house.signal("@" + house.dir().path("given"))));
  house.given("\xEF\xBB\xBF{\"a\":1}");
  CHECK(house.signal("@" + house.dir().path("given")).code == 0);
}

TEST_CASE("lines end with LF or CR LF, and a byte order mark is no part of the first", "[doors]") {
  House house;
  house.given(
      "\xEF\xBB\xBF"
      "a\r\nb\n\nc\rd\r\ne");
  CHECK(house.run("n.yaml", {"-i", "x=@lines:" + house.dir().path("given")}).out ==
        "[\"a\",\"b\",\"\",\"c\\rd\",\"e\"]\n");
  house.dir().write("c.yaml", "flowrun: 1\nsteps: { a: { exec: [cat, '" + house.dir().path("given") +
                                  "'], capture: lines } }\noutput: ${ $steps.a }\n");
  CHECK(house.run("c.yaml", {}).out == "[\"a\",\"b\",\"\",\"c\\rd\",\"e\"]\n");
}

}  // namespace flowrun::test::text_doors_test
