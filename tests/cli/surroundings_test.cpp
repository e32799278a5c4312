// What a process that the real binary starts finds around it: the limits and variables that flowrun was started with.
#include <cstdlib>
#include <set>
#include <sstream>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::surroundings_test {
namespace {

constexpr const char* kSurroundings[] = {"GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "NO_COLOR",
                                         "LC_ALL",         "TERM_PROGRAM",        "FLOWRUN_PROGRESS",
                                         "FLOWRUN_JOBS",   "FLOWRUN_LOGS",        "MAKEFLAGS",
                                         "TRACEPARENT",    "OTEL_SDK_DISABLED",   "OTEL_EXPORTER_OTLP_ENDPOINT"};

}  // namespace

TEST_CASE("a process may have as many descriptors as flowrun was given, not as many as it took") {
  TempDir dir;
  std::string file = dir.write("w.yaml", "flowrun: 1\nsteps: { a: { shell: ulimit -Sn } }\noutput: ${ $steps.a }\n");
  Ran ran = run({"/bin/sh", "-c", "ulimit -Sn 100; exec \"$0\" \"$@\"", FLOWRUN_BINARY, "run", file, "--journal",
                 dir.path("journal.db")});
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(ran.out == "100\n");
}

TEST_CASE("who ignores the end of children may start flowrun all the same") {
  TempDir dir;
  std::string file =
      dir.write("w.yaml",
                "flowrun: 1\nsecrets: { s: { command: [sh, -c, \"grep SigIgn /proc/self/status\"] } }\n"
                // Whatever else is ignored around the tests: SIGCHLD, 17, is not.
                "steps: { a: { shell: 'read -r _ ignored <<<\"$S\"; [ $((0x$ignored & 0x10000)) = 0 ] && "
                "exit 3', env: { S: \"${ $secrets.s }\" } } }\n");
  Ran ran =
      run({"/usr/bin/env", "--ignore-signal=CHLD", FLOWRUN_BINARY, "run", file, "--journal", dir.path("journal.db")});
  INFO(ran.err);
  CHECK(ran.code == 1);
  CHECK(ran.err.find("exited with 3") != std::string::npos);
}

TEST_CASE("a process sees the variables of flowrun itself, so that a flowrun inside a flowrun obeys them") {
  TempDir dir;
  HowToRun how;
  how.env["FLOWRUN_PROGRESS"] = "none";
  how.env["FLOWRUN_STEP"] = "outer";
  std::string file = dir.write(
      "w.yaml", "flowrun: 1\nsteps: { a: { shell: echo $FLOWRUN_PROGRESS $FLOWRUN_STEP } }\noutput: ${ $steps.a }\n");
  Ran ran = run({FLOWRUN_BINARY, "run", file, "--journal", dir.path("journal.db")}, how);
  INFO(ran.err);
  CHECK(ran.out == "none a\n");
}

TEST_CASE("what is set around the tests", "[.surroundings]") {
  for (const char* name : kSurroundings) CHECK(std::getenv(name) == nullptr);
}

TEST_CASE("tests see nothing of the job, the language and the terminal that they are started in") {
  HowToRun how;
  for (const char* name : kSurroundings) how.env[name] = "true";
  const Ran ran = run({"/proc/self/exe", "[.surroundings]"}, how);
  INFO(ran.out);
  CHECK(ran.code == 0);
}

TEST_CASE("a run of processes loads the libraries of its start, and none of servers and requests") {
  TempDir dir;
  const Ran ran =
      flowrun(dir.path("j.db"),
              {"run", dir.write("w.yaml",
                                "flowrun: 1\n"
                                "steps: { a: { shell: \"grep -o '/[^ ]*[.]so[^ ]*' /proc/$PPID/maps | sort -u\", "
                                "capture: lines } }\noutput: ${ $steps.a | join(\"\\n\") }\n")});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  HowToRun trace;
  trace.env["LD_TRACE_LOADED_OBJECTS"] = "1";
  const Ran version = run({FLOWRUN_BINARY, "version"}, trace);
  std::set<std::string> loaded;
  std::istringstream lines(ran.out + version.out);
  for (std::string word; lines >> word;) {
    const std::string name = word.substr(word.rfind('/') + 1);
    const std::size_t end = name.find(".so");
    if (end != name.npos) loaded.insert(name.substr(0, end));
  }
  for (const char* known : {"libc", "libm", "libstdc++", "libgcc_s", "libfyaml", "libsqlite3", "libsimdjson", "libfmt",
                            "libxxhash", "libuuid", "linux-vdso", "ld-linux-x86-64", "ld-linux-aarch64", "libasan",
                            "libubsan", "libtsan", "libdl", "libpthread"})
    loaded.erase(known);
  CHECK(loaded == std::set<std::string>());
}

}  // namespace flowrun::test::surroundings_test
