// What validate and run make of warnings and hints: the real binary.
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::warnings_test {
namespace {

constexpr int kInvalid = 3;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a warning is shown with its line, and makes a file bad only with --strict", "[lint]") {
  TempDir dir;
  std::string file = dir.write("w.yaml", "flowrun: 1\nsteps:\n  deploy: { exec: [\"true\"] }\n");
  Ran plain = flowrun(dir.path("j.db"), {"validate", file});
  CHECK(plain.code == 0);
  CHECK(has(plain.out, "w.yaml:3:13: warning[W223]: "));
  CHECK(has(plain.out, "    3 |   deploy: { exec: [\"true\"] }\n      |             ^^^^ "));
  CHECK(has(plain.out, "w.yaml: 0 errors, 1 warning\n"));
  CHECK(flowrun(dir.path("j.db"), {"validate", "--strict", file}).code == kInvalid);
  CHECK(has(flowrun(dir.path("j.db"), {"validate", "--format", "github", file}).out, "::warning file="));
  Ran ran = flowrun(dir.path("j.db"), {"run", file});
  CHECK(ran.code == 0);
  CHECK(has(ran.err, "1 warning: flowrun validate "));
  CHECK_FALSE(has(flowrun(dir.path("j.db"), {"-q", "run", file}).err, "warning"));
}

TEST_CASE("a hint never makes a file bad", "[lint]") {
  TempDir dir;
  std::string file = dir.write("h.yaml", "flowrun: 1\nsteps: [{ set: 1 }, { set: 2 }]\n");
  Ran strict = flowrun(dir.path("j.db"), {"validate", "--strict", file});
  CHECK(strict.code == 0);
  CHECK(has(strict.out, "h.yaml:2:11: hint[I115]: "));
  CHECK(has(strict.out, "h.yaml: 0 errors, 0 warnings, 1 hint\n"));
  CHECK(has(flowrun(dir.path("j.db"), {"validate", "--json", file}).out, "\"severity\":\"hint\""));
  CHECK(has(flowrun(dir.path("j.db"), {"validate", "--format", "github", file}).out, "::notice file="));
  CHECK_FALSE(has(flowrun(dir.path("j.db"), {"run", file}).err, "validate"));
}

TEST_CASE("what the file ignores is not shown", "[lint]") {
  TempDir dir;
  std::string file = dir.write("i.yaml", "flowrun: 1\nlint_ignore: [W223]\nsteps:\n  deploy: { exec: [\"true\"] }\n");
  Ran plain = flowrun(dir.path("j.db"), {"validate", "--strict", file});
  CHECK(plain.code == 0);
  CHECK(has(plain.out, "i.yaml: good\n"));
}

}  // namespace flowrun::test::warnings_test
