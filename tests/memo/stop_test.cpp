// What is long about memo, and who waits for it: whoever is stopped meanwhile is not held up by a huge file, and who
// looks for a result has a turn before the next whose files are taken in.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "engine/executor/open_file.h"
#include "engine/memo/memo_store.h"
#include "tests/memo/memo_stage.h"
#include "tests/support/catch.h"

namespace flowrun::test::memo_stop_test {
namespace {

constexpr off_t kHuge = off_t{1} << 40;  // without a block; to read it takes minutes

std::string huge(const std::string& path) {
  const OpenFile file(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(ftruncate(file.get(), kHuge) == 0);
  return path;
}

std::string given_up_soon(const auto& work) {
  IsGivenUp given_up = false;
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    given_up = true;
  });
  std::string what;
  try {
    work(given_up);
  } catch (const GivenUp& error) {
    what = error.what();
  }
  later.join();
  return what;
}

/// A run that ends soon; else it is killed, and -1.
int ends_soon(Background& run, const MemoStage& stage, const std::string& id) {
  if (!soon([&] { return !has(stage({"show", id}).out, "running"); })) run.signal(SIGKILL);
  return run.wait().code;
}

/// A race that the step |quick| wins while |slow|, which has `memo`, is at its files.
void check_lost_soon(const MemoStage& stage, const std::string& slow, const std::string& quick) {
  stage.write("  either:\n    race:\n      slow: " + slow + "\n      quick: " + quick + "\n");
  Background run({FLOWRUN_BINARY, "run", stage.dir.path("w.yaml"), "--id", "a", "--journal", stage.journal});
  CHECK(ends_soon(run, stage, "a") == 0);
}

}  // namespace

TEST_CASE("whatever is done with a huge file is left soon when it is given up", "[memo]") {
  TempDir dir;
  MemoStore store(dir.path("j.db"));
  const std::string path = huge(dir.path("huge")), sum(32, '0');
  CHECK(given_up_soon([&](auto& given_up) { store.sum_of(path, given_up); }) == "it was stopped meanwhile");
  CHECK(given_up_soon([&](auto& given_up) { store.take_in("huge", path, given_up); }) == "it was stopped meanwhile");
  huge(MemoStore::folder_of(dir.path("j.db")) + "/f-" + sum);
  CHECK(given_up_soon([&](auto& given_up) {
          store.put_back({"back", sum, kHuge, 0600}, dir.path("back"), given_up);
        }) == "it was stopped meanwhile");
  CHECK_FALSE(std::filesystem::exists(dir.path("back")));
}

TEST_CASE("a step that is stopped while its files are taken in is waited for no longer", "[memo]") {
  const MemoStage stage;
  check_lost_soon(stage, "{ shell: 'truncate -s 1T big', memo: 7d, reads: big }",
                  "{ shell: 'until [ -s big ]; do sleep 0.01; done; sleep 0.3' }");
}

TEST_CASE("a step that is stopped before it is looked for waits for no other that is", "[memo]") {
  const MemoStage stage;
  huge(stage.dir.path("huge"));
  stage.write(R"(
  long: { shell: "true", memo: 7d, reads: huge }
  either:
    race:
      quick: { shell: sleep 0.3 }
      slow: { shell: "echo slow >> \"$LOG\"", memo: 7d }
  after: { needs: either, shell: "echo after >> \"$LOG\"" }
)");
  Background run({FLOWRUN_BINARY, "run", stage.dir.path("w.yaml"), "--id", "a", "--journal", stage.journal});
  CHECK(soon([&] { return stage.dir.read("log") == "after\n"; }));
  CHECK(has(stage({"show", "a"}).out, "running"));
  for (int i = 0; i < 2; ++i) run.signal(SIGTERM);
  ends_soon(run, stage, "a");
  CHECK_FALSE(has(stage.dir.read("log"), "slow"));
}

TEST_CASE("who looks for a result comes before the next whose files are taken in", "[memo]") {
  const MemoStage stage;
  const std::string found = "  found: { needs: trigger, shell: 'true', memo: 7d }\n";
  stage.write("  trigger: { set: 1 }\n" + found);
  REQUIRE(stage.start("first").code == 0);
  const OpenFile lock(open((stage.store() + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(flock(lock.get(), LOCK_EX) == 0);
  stage.write(R"(
  one: { shell: "echo x > x; echo one >> \"$LOG\"", memo: 7d, writes: x }
  two: { shell: "until grep -q one \"$LOG\"; do sleep 0.01; done; sleep 0.2; echo y > y", memo: 7d, writes: y }
  trigger: { shell: "until [ -s y ]; do sleep 0.01; done; sleep 0.2" }
)" + found);
  Background run({FLOWRUN_BINARY, "run", stage.dir.path("w.yaml"), "--id", "a", "--journal", stage.journal});
  CHECK(soon([&] { return has(stage({"journal", "show", "a"}).out, "start      found"); }));
  REQUIRE(flock(lock.get(), LOCK_UN) == 0);
  CHECK(run.wait().code == 0);
  const std::string shown = stage({"journal", "show", "a"}).out;
  CAPTURE(shown);
  CHECK(shown.find("ok         one") < shown.find("ok         found"));
  CHECK(shown.find("ok         found") < shown.find("ok         two"));
  CHECK(stage.note("a", "found").value("run", "") == "first");
}

TEST_CASE("a step that is stopped while somebody sweeps the store is waited for no longer", "[memo]") {
  const MemoStage stage;
  stage.write("  a: { shell: 'true', memo: 7d }\n");
  REQUIRE(stage.start("first").code == 0);
  const OpenFile lock(open((stage.store() + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(flock(lock.get(), LOCK_EX) == 0);
  check_lost_soon(stage, "{ shell: 'echo x > out', memo: 7d, writes: out }",
                  "{ shell: 'until [ -s out ]; do sleep 0.01; done; sleep 0.3' }");
}

}  // namespace flowrun::test::memo_stop_test
