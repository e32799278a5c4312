// memo and kill -9: at each moment in which something is half done, and two processes at once.
#include <signal.h>

#include <cctype>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <random>
#include <thread>

#include "tests/memo/memo_stage.h"
#include "tests/support/catch.h"

namespace flowrun::test::memo_crash_test {
namespace {

constexpr const char* kSteps = R"(
  a: { shell: 'printf "a" >>"$LOG"; cat in >x; echo 1 >>x; tr a-z A-Z <in >sub', memo: 1d, reads: in, writes: [x, sub] }
  b: { shell: 'printf "b" >>"$LOG"; cat x sub >y', memo: 1d, reads: [x, sub], writes: y, needs: a }
  each:
    for_each: [p, q, r]
    needs: b
    do: { shell: 'cat y; echo "$FLOWRUN_ITEM"', memo: 1d, reads: y }
output: ${ $steps.each }
)";

std::string wanted(const std::string& in) {
  std::string upper = in;
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  return in + "1\n" + upper;
}

/// Kills a run at the |n|th pass through |point|, and goes on. False: there were fewer passes.
bool killed_at(const MemoStage& stage, const std::string& point, int n, const std::string& id) {
  HowToRun fault;
  fault.env["FLOWRUN_FAULT"] = point + ":" + std::to_string(n);
  const Ran first =
      run({FLOWRUN_FAULTY_BINARY, "run", stage.dir.path("w.yaml"), "--id", id, "--journal", stage.journal}, fault);
  INFO(point << " " << n << " " << first.err);
  REQUIRE((first.code == 0 || first.code == 128 + SIGKILL));
  if (first.code == 0) return false;
  const Ran second = stage({"run", stage.dir.path("w.yaml"), "--id", id});
  INFO(second.err);
  REQUIRE(second.code == 0);
  return true;
}

void check_files(const MemoStage& stage, const std::string& in) {
  CHECK(stage.dir.read("y") == wanted(in));
  for (const auto& file : std::filesystem::directory_iterator(stage.dir.path()))
    CHECK_FALSE(file.path().filename().string().starts_with(".flowrun-"));
}

}  // namespace

TEST_CASE("killed wherever results are kept or files put back, runs go on and files are right", "[memo][slow]") {
  for (const char* point : {"memo_taken_in", "memo_keep", "memo_kept", "memo_put_back", "after_commit"}) {
    MemoStage stage;
    stage.write(kSteps);
    int killed = 0;
    for (int n = 1; n < 40; ++n) {
      const std::string in = "text" + std::to_string(n) + "\n", id = "r" + std::to_string(n);
      stage.dir.write("in", in);
      if (std::string(point) == "memo_put_back") {
        // First there has to be something to put back.
        REQUIRE(stage.start("first" + id).code == 0);
        for (const char* file : {"x", "y", "sub"}) std::filesystem::remove(stage.dir.path(file));
        stage.ran();
      }
      const bool was = killed_at(stage, point, n, id);
      check_files(stage, in);
      if (std::string(point) == "memo_put_back") CHECK(stage.ran().empty());
      // The next run has nothing to do.
      stage.ran();
      for (const char* file : {"x", "y", "sub"}) std::filesystem::remove(stage.dir.path(file));
      REQUIRE(stage.start("again" + id).code == 0);
      check_files(stage, in);
      if (!was) break;
      ++killed;
    }
    CHECK(killed >= 2);
    CHECK(stage({"journal", "verify", "--all"}).code == 0);
    CHECK(stage({"memo", "clear", "--all"}).code == 0);
    CHECK(stage.kept_files().empty());
  }
}

TEST_CASE("who is killed while a result is looked for has not begun what it is looked for", "[memo]") {
  const MemoStage stage;
  stage.write(R"(
  a: { shell: 'echo "$FLOWRUN_RERUN" >>"$LOG"', memo: 1d, reads: in, on_crash: fail }
)");
  stage.dir.write("in", "");
  std::filesystem::resize_file(stage.dir.path("in"), std::uintmax_t{1} << 40);  // to sum it takes minutes
  Background run({FLOWRUN_BINARY, "run", stage.dir.path("w.yaml"), "--id", "a", "--journal", stage.journal});
  REQUIRE(soon([&] { return has(stage({"show", "a"}).out, "  in line "); }));
  CHECK(has(stage({"show", "a"}).out, "waits for a look at the results of earlier runs"));
  CHECK(has(stage({"why", "a", "a"}).out, "it stands in line for a look at the results of earlier runs"));
  run.signal(SIGKILL);
  run.wait();
  CHECK(has(stage({"why", "a", "a"}).out, "it had not begun, and stood in line for a look at the results of earlier"));
  stage.dir.write("in", "");
  const Ran resumed = stage({"resume", "a"});
  INFO(resumed.err);
  CHECK(resumed.code == 0);
  CHECK(stage.ran() == "0\n");
  CHECK(stage({"journal", "verify", "a"}).code == 0);
}

TEST_CASE("who is killed before it is written that a result stands for a step has not begun it", "[memo]") {
  for (const char* point : {"memo_put_back", "before_commit"}) {
    MemoStage stage;
    stage.write(R"(
  a: { shell: 'echo x >x; echo ran >>"$LOG"', memo: 1d, writes: x, on_crash: fail }
  b: { shell: 'cat x >y; echo ran >>"$LOG"', memo: 1d, reads: x, writes: y, on_crash: fail, needs: a }
)");
    REQUIRE(stage.start("first").code == 0);
    stage.ran();
    int n = 1;
    while (killed_at(stage, point, n, "r" + std::to_string(n))) ++n;
    CHECK(n > 2);
    CHECK(stage.ran().empty());
    CHECK(stage({"journal", "verify", "--all"}).code == 0);
  }
}

TEST_CASE("two processes at once, killed at random, share a store and neither sees half a file", "[memo][slow]") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 chance(seed);
  MemoStage left;
  TempDir other;
  // Each has a folder of its own, so that only the store is shared: what is put back there belongs to one of them.
  const std::string steps =
      "flowrun: 1\ninput: { n: {} }\nsteps:\n"
      "  a: { shell: 'head -c 300000 /dev/zero | tr \"\\\\0\" \"$N\" >big', env: { N: \"${ $input.n }\" },"
      " memo: 1d, writes: big }\noutput: ${ $steps.a }\n";
  const std::string files[] = {left.dir.write("w.yaml", steps), other.write("w.yaml", steps)};
  for (int round = 0; round < 12; ++round) {
    const std::string n = std::to_string(chance() % 3);
    std::vector<std::unique_ptr<Background>> runs;
    for (const std::string& file : files)
      runs.push_back(std::make_unique<Background>(
          std::vector<std::string>{FLOWRUN_BINARY, "run", file, "-i", "n=" + n, "--journal", left.journal, "-q"}));
    const bool kill = round % 2 == 0;
    if (kill) {
      std::this_thread::sleep_for(std::chrono::milliseconds(chance() % 120));
      runs[0]->signal(SIGKILL);
    }
    for (int i = kill ? 1 : 0; i < 2; ++i) CHECK(runs[static_cast<std::size_t>(i)]->wait().code == 0);
    if (kill) runs[0]->wait();
    // In the other folder what a killed run has left behind may still write.
    CHECK(other.read("big") == std::string(300000, n[0]));
  }
  CHECK(left({"journal", "verify", "--all"}).code != 9);
  CHECK(left({"memo", "clear", "--all"}).code == 0);
}

}  // namespace flowrun::test::memo_crash_test
