// memo in real runs: what is taken, what is not and why, and how that is told.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>

#include "engine/executor/open_file.h"
#include "engine/journal/sqlite.h"
#include "tests/memo/memo_stage.h"
#include "tests/support/catch.h"
#include "tests/support/shop.h"

namespace flowrun::test::memo_run_test {
namespace {

constexpr const char* kSteps = R"(
  one: { shell: 'printf "one " >>"$LOG"; echo "hello $WHO"', env: { WHO: "${ $input.who }" }, memo: 7d }
  two: { exec: [sh, -c, 'printf "two " >>"$LOG"; cat in | tr a-z A-Z >out; chmod 750 out'], memo: 1h, reads: in,
         writes: out, needs: one }
)";

/// Everything that is kept is so much older.
void age(const MemoStage& stage, const char* sql) {
  Database(stage.store() + "/index.db", SQLITE_OPEN_READWRITE, "index").execute(sql);
}

}  // namespace

TEST_CASE("what an earlier run has done is taken from it, files and all", "[memo]") {
  MemoStage stage;
  stage.write(kSteps + std::string("output: ${ $steps.one }\n"));
  stage.dir.write("in", "text");
  CHECK(stage.start("a").out == "hello ann\n");
  CHECK(stage.ran() == "one two ");
  CHECK(stage.miss("a", "one") == "no earlier run has a result of it");
  std::filesystem::remove(stage.dir.path("out"));
  const Ran again = stage.start("b");
  INFO(again.err);
  CHECK(again.code == 0);
  CHECK(again.out == "hello ann\n");
  CHECK(stage.ran().empty());
  CHECK(stage.dir.read("out") == "TEXT");
  CHECK((std::filesystem::status(stage.dir.path("out")).permissions() & std::filesystem::perms::all) ==
        std::filesystem::perms(0750));
  CHECK(has(again.err, "from run a (entry "));
  CHECK(stage.note("b", "two")["run"] == "a");
  CHECK(stage.note("b", "two")["seq"].get<int>() > 0);
  CHECK(has(stage({"show", "b"}).out, "from run a"));
  const Json shown = Json::parse(stage({"show", "b", "--json"}).out);
  CHECK(shown["steps"][0]["memo"]["run"] == "a");
  CHECK(has(stage({"why", "b", "one"}).out, "memo: it did not run; its result is that of run a (entry "));
  CHECK(has(stage({"why", "a", "one"}).out, "memo: no result was taken: no earlier run has a result of it"));
  // A third run takes it from where it was done, and a run that is gone is not needed.
  CHECK(stage({"prune", "a", "--yes"}).code == 0);
  CHECK(stage.start("c").code == 0);
  CHECK(stage.ran().empty());
  CHECK(stage.note("c", "one")["run"] == "a");
  CHECK(stage({"journal", "verify", "--all"}).code == 0);
}

TEST_CASE("another input, definition or file makes a step run, and it is said which", "[memo]") {
  MemoStage stage;
  stage.write(kSteps);
  stage.dir.write("in", "text");
  stage.start("a");
  stage.ran();
  stage.start("b", {"-i", "who=bob"});
  CHECK(stage.ran() == "one ");
  CHECK(stage.miss("b", "one") == "its input has changed since run a: `WHO` was \"ann\", is \"bob\"");
  stage.dir.write("in", "other");
  stage.start("c");
  CHECK(stage.ran() == "two ");
  CHECK(stage.miss("c", "two") == "`in` has changed since run a");
  CHECK(stage.dir.read("out") == "OTHER");
  std::filesystem::remove(stage.dir.path("in"));
  CHECK(stage.start("d").code == 0);
  CHECK(stage.miss("d", "two") == "`in` is gone since run c");
  std::string other = kSteps;
  other.replace(other.find("hello"), 5, "howdy");
  stage.write(other);
  stage.start("e");
  CHECK(stage.miss("e", "one") == "its definition has changed since run b");
  // How old, how often and when is no other definition.
  other = kSteps;
  other.replace(other.find("memo: 7d"), 8, "memo: 9d, retry: { attempts: 5 }, timeout: 1m");
  stage.write(other);
  stage.dir.write("in", "text");
  stage.ran();
  stage.start("f");
  CHECK(stage.ran().empty());
  CHECK(stage.dir.read("out") == "TEXT");
}

TEST_CASE("a result that is too old is not taken, and pruned", "[memo]") {
  MemoStage stage;
  stage.write(kSteps);
  stage.dir.write("in", "text");
  stage.start("a");
  stage.ran();
  age(stage, "UPDATE results SET at = at - 7200000");
  stage.start("b");
  CHECK(stage.ran() == "two ");
  CHECK(has(stage.miss("b", "two"), "the result of run a is 2h"));
  age(stage, "UPDATE results SET at = at - 7200000");
  CHECK(has(stage({"memo", "list"}).out, "too old"));
  CHECK(has(stage({"prune", "b", "--yes"}).err, "1 result of `memo` was too old, and was removed"));
  CHECK(stage.kept_files().empty());
  CHECK(has(stage({"memo", "list"}).out, "one"));
}

TEST_CASE("--no-memo takes nothing and keeps what it does", "[memo]") {
  MemoStage stage;
  stage.write("  r: { shell: 'echo r >>\"$LOG\"; wc -l <\"$LOG\"', memo: 1d }\noutput: ${ $steps.r }\n");
  CHECK(stage.start("a").out == "1\n");
  CHECK(stage.start("b").out == "1\n");
  CHECK(stage.start("c", {"--no-memo"}).out == "2\n");
  CHECK(stage.miss("c", "r") == "--no-memo");
  CHECK(stage.start("d").out == "2\n");
  // Who asks for a step by name wants it done.
  CHECK(stage({"retry", "d", "r"}).out == "3\n");
  CHECK(stage.miss("d", "r") == "it was asked to run again");
  CHECK(stage({"fork", "d", "--from", "r"}).out == "4\n");
  CHECK(stage({"fork", "a", "--id", "g"}).out == "1\n");
  CHECK(stage.start("e").out == "4\n");
}

TEST_CASE("what failed, was refused or stood in for is not kept", "[memo]") {
  MemoStage stage;
  stage.write(R"yaml(
  f: { shell: 'printf "f " >>"$LOG"; exit 3', memo: 1d, continue_on_error: true }
  r: { shell: 'printf "r " >>"$LOG"; echo a', memo: 1d, returns: { type: integer }, retry: none, continue_on_error: true }
  s: { shell: 'printf "s " >>"$LOG"; echo a', memo: 1d, returns: { type: integer }, fallback: { set: 2 } }
  t: { shell: 'printf "t " >>"$LOG"; test "$(grep -o t "$LOG" | wc -l)" -gt 1', memo: 1d, retry: { on: [any], delay: 1ms } }
)yaml");
  stage.start("a", {"-j", "1"});
  stage.ran();
  stage.start("b", {"-j", "1"});
  CHECK(stage.ran() == "f r s ");
  CHECK(stage.note("b", "t")["run"] == "a");
  CHECK(stage({"journal", "verify", "--all"}).code == 0);
}

TEST_CASE("a file of writes that is not there, or is no file, is an error of the step", "[memo]") {
  MemoStage stage;
  stage.write("  w: { shell: 'true', memo: 1d, writes: [gone] }\n");
  Ran ran = stage.start("a");
  CHECK(ran.code == 1);
  CHECK(has(ran.err, "writes: `gone`, which `writes` names, is not there"));
  stage.write("  w: { shell: 'mkdir -p d', memo: 1d, writes: d }\n");
  ran = stage.start("b", {"--no-memo"});
  CHECK(has(ran.err, "`d`, which `writes` names, is a folder, no regular file"));
  stage.write("  w: { shell: 'ln -sf x l', memo: 1d, writes: l, fallback: { on: writes, set: 1 } }\n");
  CHECK(stage.start("c").code == 0);
  stage.write("  w: { shell: 'echo v', output: \"${ .value }\", memo: 1d, writes: gone }\n");
  CHECK(stage.start("d").code == 1);
  CHECK(stage({"journal", "verify", "--all"}).code == 0);
}

TEST_CASE("a result is not kept when what the step reads changed while it ran", "[memo]") {
  MemoStage stage;
  stage.dir.write("in", "1");
  stage.write("  w: { shell: 'printf w >>\"$LOG\"; echo 2 >in', memo: 1d, reads: in }\n");
  stage.start("a");
  CHECK(stage.note("a", "w")["unkept"] == "`in` has changed while it ran");
  stage.dir.write("in", "1");
  stage.start("b");
  CHECK(stage.ran() == "ww");
  CHECK(
      has(stage({"why", "b", "w"}).out, "memo: its result is not kept for later runs: `in` has changed while it ran"));
  // What it changes in place, and says so, comes back.
  stage.write("  w: { shell: 'printf w >>\"$LOG\"; tr 12 23 <in >o; mv o in', memo: 1d, reads: in, writes: in }\n");
  stage.dir.write("in", "1");
  stage.start("c");
  CHECK(stage.dir.read("in") == "2");
  stage.dir.write("in", "1");
  stage.start("d");
  CHECK(stage.ran() == "w");
  CHECK(stage.dir.read("in") == "2");
}

TEST_CASE("output that was cut because nobody reads it is taken until somebody does", "[memo]") {
  MemoStage stage;
  const std::string step =
      "  w: { shell: 'printf w >>\"$LOG\"; head -c 5000 /dev/zero | tr \"\\0\" x', memo: 1d, max_output: 1kB }\n";
  stage.write(step);
  CHECK(stage.start("a").code == 0);
  CHECK(stage.start("b").code == 0);
  CHECK(stage.ran() == "w");
  stage.write(step + "  r: { set: \"${ $steps.w | length }\", continue_on_error: true }\n");
  CHECK(stage.start("c").code == 1);
  CHECK(stage.ran() == "w");
  CHECK(stage.miss("c", "w") == "its output in run a was cut, and now it is read");
}

TEST_CASE("each item has a key of its own, wherever it stands in its list", "[memo]") {
  MemoStage stage;
  const std::string steps = R"(
  each:
    for_each: ${ $input.all }
    do: { shell: 'echo "$FLOWRUN_ITEM" >>"$LOG"; echo "<$FLOWRUN_ITEM>"', memo: 1d, on_crash: ask }
output: ${ $steps.each }
)";
  stage.write(steps, "input: { all: { type: array, default: [a, b] } }\n");
  CHECK(stage.start("a").out == "[\"<a>\",\"<b>\"]\n");
  stage.ran();
  const Ran more = stage.start("b", {"-i", "all=[\"x\",\"b\",\"a\"]", "-j", "1"});
  INFO(more.err);
  CHECK(more.out == "[\"<x>\",\"<b>\",\"<a>\"]\n");
  CHECK(stage.ran() == "x\n");
  CHECK(has(stage({"memo", "list"}).out, "each[x]"));
  CHECK(has(stage({"memo", "clear", "each[a]"}).err, "1 result removed"));
  CHECK(has(stage({"memo", "clear", "each*"}).err, "2 results removed"));
  CHECK(has(stage({"memo", "list"}).err, "no results are kept"));
}

TEST_CASE("a GET is taken from an earlier run, whatever its tries, and a POST only when that is meant", "[memo]") {
  Shop shop;
  MemoStage stage;
  stage.write(
      "  g: { http: \"GET ${ $input.api }/items/3\", memo: 1d }\n"
      "  p: { http: \"POST ${ $input.api }/effect/p\", json: { a: 1 }, memo: 1d, memo_unsafe: true }\n"
      "output: ${ $steps.g }\n",
      "input: { api: {} }\n");
  const Ran first = stage.start("a", {"-i", "api=" + shop.url()});
  CHECK(first.code == 0);
  const Ran second = stage.start("b", {"-i", "api=" + shop.url()});
  CHECK(second.out == first.out);
  CHECK(shop.stats()["calls"]["items"] == 1);
  CHECK(stage.note("b", "p")["run"] == "a");
}

TEST_CASE("a secret tells results apart, and is nowhere to be read", "[memo]") {
  MemoStage stage;
  const std::string secret = "correct-horse-battery", other = "another-horse-battery";
  stage.write("  s: { shell: 'printf s >>\"$LOG\"; echo done', env: { TOKEN: \"${ $secrets.token }\" }, memo: 1d }\n",
              "secrets: { token: { env: THE_TOKEN } }\n");
  HowToRun how;
  const auto start = [&](const std::string& id, const std::string& token) {
    how.env["THE_TOKEN"] = token;
    return stage({"run", stage.dir.path("w.yaml"), "--id", id}, how).code;
  };
  CHECK(start("a", secret) == 0);
  CHECK(start("b", secret) == 0);
  CHECK(stage.ran() == "s");
  CHECK(start("c", other) == 0);
  CHECK(stage.ran() == "s");
  CHECK(stage.miss("c", "s") == "secret token is another since run a");
  CHECK(start("d", "short") == 0);
  CHECK(stage.miss("d", "s") == "secret token is too short to be told from another");
  CHECK(start("e", "short") == 0);
  CHECK(stage.ran() == "ss");
  for (const auto& file : std::filesystem::directory_iterator(stage.store()))
    CHECK_FALSE(has(stage.dir.read(std::filesystem::relative(file.path(), stage.dir.path()).string()), secret));
}

TEST_CASE("who waits for the store holds no other step up", "[memo]") {
  const MemoStage stage;
  stage.write(R"(
  kept: { shell: "echo x > out; echo kept >> \"$LOG\"", memo: 7d, writes: [out] }
  a: { shell: "until grep -q kept \"$LOG\"; do sleep 0.01; done; sleep 0.1" }
  b: { needs: [a], shell: "echo b >> \"$LOG\"" }
)");
  REQUIRE(stage.start("first", {"--no-memo"}).code == 0);
  stage.ran();
  // As `memo clear` has it while it sweeps.
  const OpenFile lock(open((stage.store() + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(flock(lock.get(), LOCK_EX) == 0);
  stage.write(R"(
  kept: { shell: "echo y > out; echo kept >> \"$LOG\"", memo: 7d, writes: [out] }
  a: { shell: "until grep -q kept \"$LOG\"; do sleep 0.01; done; sleep 0.1" }
  b: { needs: [a], shell: "echo b >> \"$LOG\"" }
)");
  stage.dir.write("log", "");
  Background run({FLOWRUN_BINARY, "run", stage.dir.path("w.yaml"), "--id", "second", "--journal", stage.journal});
  CHECK(soon([&] { return stage.dir.read("log") == "kept\nb\n"; }));
  CHECK(has(stage({"show", "second"}).out, "running"));
  REQUIRE(flock(lock.get(), LOCK_UN) == 0);
  CHECK(run.wait().code == 0);
  CHECK(stage.start("third").code == 0);
  CHECK(stage.note("third", "kept").value("run", "") == "second");
}

TEST_CASE("what is looked for when nobody wants it any more does not begin", "[memo]") {
  const MemoStage stage;
  stage.write("  first: { shell: 'true', memo: 7d }\n");
  REQUIRE(stage.start("first").code == 0);
  const std::string index = stage.store() + "/index.db";
  Database busy(index, SQLITE_OPEN_READWRITE, index);
  busy.execute("PRAGMA locking_mode = EXCLUSIVE");
  busy.execute("BEGIN EXCLUSIVE");
  stage.write(R"(
  either:
    race:
      quick: { shell: sleep 0.2 }
      slow: { shell: "echo slow >> \"$LOG\"", memo: 7d }
)");
  Background run({FLOWRUN_BINARY, "run", stage.dir.path("w.yaml"), "--id", "second", "--journal", stage.journal});
  REQUIRE(soon([&] { return has(stage({"journal", "show", "second"}).out, "ok         either/quick"); }));
  CHECK(run.wait().code == 0);
  CHECK(stage.ran().empty());
  CHECK(has(stage({"journal", "show", "second"}).out, "cancelled"));
  CHECK(stage({"journal", "verify", "second"}).code == 0);
}

TEST_CASE("a store that can not be used fails no run", "[memo]") {
  MemoStage stage;
  stage.write(kSteps);
  stage.dir.write("in", "text");
  stage.start("a");
  stage.ran();
  for (const auto& file : stage.kept_files()) std::filesystem::remove(file);
  std::filesystem::remove(stage.dir.path("out"));
  CHECK(stage.start("b").code == 0);
  CHECK(stage.ran() == "two ");
  CHECK(stage.miss("b", "two") == "out: its content is not in the store any more");
  std::filesystem::remove_all(stage.journal + "-memo");
  stage.dir.write("j.db-memo", "a file where the folder should be");
  const Ran ran = stage.start("c");
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(stage.ran() == "one two ");
  CHECK_FALSE(stage.miss("c", "one").empty());
}

TEST_CASE("memo clear wants to be told which, and list has JSON", "[memo]") {
  MemoStage stage;
  stage.write(kSteps);
  stage.dir.write("in", "text");
  stage.start("a");
  CHECK(has(stage({"memo", "clear"}).err, "which results? name steps, or say --older 7d or --all"));
  CHECK(stage({"memo", "clear"}).code == 2);
  CHECK(stage({"memo", "clear", "one", "--all"}).code == 2);
  CHECK(has(stage({"memo", "clear", "--older", "1h"}).err, "0 results removed"));
  const std::string listed = stage({"memo", "list", "--json"}).out;
  const Json two = Json::parse(listed.substr(0, listed.find('\n')));
  CHECK(two["step"] == "two");
  CHECK(two["run"] == "a");
  CHECK(two["writes"][0]["name"] == "out");
  CHECK(two["memo_ms"] == 3600000);
  CHECK(has(stage({"memo", "clear", "--all"}).err, "2 results removed, and 4 bytes of files"));
  CHECK(stage.kept_files().empty());
}

}  // namespace flowrun::test::memo_run_test
