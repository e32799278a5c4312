// Expressions that mean harm, through the real binary: refused where that can be seen, stopped where it can not.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::expression_test {
namespace {

namespace fs = std::filesystem;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string workflow(const std::string& code) {
  return fmt::format(
      "flowrun: 1\nsteps:\n  a:\n    set: |-\n      ${{ {} }}\n  b: {{ needs: [a], exec: [echo, done] }}\n"
      "output: ${{ $steps.b }}\n",
      code);
}

/// Whether some process was started with |word| among its arguments and is still there.
bool still_running(const std::string& word) {
  for (const auto& process : fs::directory_iterator("/proc")) {
    std::ifstream in(process.path() / "cmdline", std::ios::binary);
    const std::string arguments(std::istreambuf_iterator<char>(in), {});
    if (has(arguments, word)) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("an expression that never ends or eats memory fails its step, and nothing is left of it", "[slow]") {
  const auto [code, why] = GENERATE(table<const char*, const char*>({
      {"def f: f; f", "takes longer than 2 s"},
      {"last(repeat(1))", "takes longer than 2 s"},
      {"reduce range(1e12) as $i (0; . + 1)", "takes longer than 2 s"},
      {"[range(1e12)] | length", ""},  // whichever limit this machine meets first
      {"reduce range(40) as $i (\"x\"; . + .) | length", "needs more than 256 MiB of memory"},
      {"def f($n): [f($n + 1)]; f(0)", "needs more than 256 MiB of memory"},
      {"reduce range(60) as $i (\"x\"; . + .)", ""},
  }));
  INFO(code);
  TempDir dir;
  const std::string journal = dir.path("journal.db");
  const std::string file = dir.write("w.yaml", workflow(code));
  Ran ran = flowrun(journal, {"run", file, "--id", "it"});
  INFO(ran.err);
  CHECK(ran.code == 1);
  CHECK(has(ran.err, "error: step a failed: expression"));
  CHECK(has(ran.err, why));
  CHECK(has(ran.err, "w.yaml:4"));
  CHECK_FALSE(still_running(journal));
  // It fails again, and the same run goes on when the expression has been mended.
  CHECK(flowrun(journal, {"retry", "it"}).code == 1);
  dir.write("w.yaml", workflow("1"));
  Ran mended = flowrun(journal, {"fork", "it"});
  INFO(mended.err);
  CHECK(mended.code == 0);
  CHECK(mended.out == "done\n");
  CHECK(flowrun(journal, {"journal", "verify", "--all"}).code == 0);
  CHECK_FALSE(still_running(journal));
}

TEST_CASE("what an expression may not ask for is refused before anything starts") {
  TempDir dir;
  for (const char* code : {"input",
                           "[inputs]",
                           "debug",
                           "stderr",
                           "input_filename",
                           "input_line_number",
                           "env",
                           "env.HOME",
                           "$ENV",
                           "$ENV.HOME",
                           "halt",
                           "\"x\" | halt_error",
                           "halt_error(1)",
                           "import \"a\" as a; 1",
                           "include \"a\"; 1",
                           "\"a\" | modulemeta",
                           "get_search_list",
                           "$__loc__",
                           "$__prog_args",
                           "$now | localtime",
                           "$now | strflocaltime(\"%H\")",
                           "if true then env else 1 end",
                           "\"\\(env.HOME)\"",
                           "def f: input; f"}) {
    INFO(code);
    Ran ran = flowrun(dir.path("journal.db"), {"run", dir.write("w.yaml", workflow(code))});
    INFO(ran.err);
    CHECK(ran.code == 3);
    CHECK(has(ran.err, "w.yaml:5:"));
    CHECK(has(ran.err, "error[E212]"));
  }
  CHECK_FALSE(fs::exists(dir.path("journal.db")));
}

}  // namespace flowrun::test::expression_test
