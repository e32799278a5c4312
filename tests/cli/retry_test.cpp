// retry of real runs: just what was asked for runs, and what can not be done is refused before anything is written.
#include <fstream>
#include <iterator>
#include <map>

#include "engine/model/value.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::retry_test {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// What ran is written to a file, a word each.
class Runs {
 public:
  std::string write(const std::string& steps) const {
    return dir_.write(
        "w.yaml", "flowrun: 1\nenv: { LOG: " + dir_.path("log") + ", DIR: " + dir_.path("") + " }\nsteps:\n" + steps);
  }
  std::string ran() {
    std::ifstream in(dir_.path("log"));
    std::string all(std::istreambuf_iterator<char>(in), {});
    std::string fresh = all.substr(seen_);
    seen_ = all.size();
    return fresh;
  }
  Ran operator()(std::vector<std::string> args) const { return flowrun(dir_.path("journal.db"), std::move(args)); }
  void make(const std::string& name) const { dir_.write(name, ""); }

 private:
  TempDir dir_;
  std::size_t seen_ = 0;
};

// Item 7 is good once there is a file.
constexpr const char* kMail = R"(
  mail:
    for_each: [5, 6, 7]
    join: { tolerate: 1 }
    do: { send: { shell: 'printf "$FLOWRUN_ITEM " >>"$LOG"; [ $FLOWRUN_ITEM != 7 -o -e "$DIR/good" ]' } }
  after: { shell: 'printf "after " >>"$LOG"', needs: [mail] }
  apart: { shell: 'printf "apart " >>"$LOG"' }
)";

}  // namespace

TEST_CASE("retry of one item of a group that succeeded runs it and what depends on the group") {
  Runs runs;
  CHECK(runs({"run", runs.write(kMail), "--id", "m"}).code == 0);
  runs.ran();
  CHECK(runs({"retry", "m", "mail[6]"}).code == 0);
  CHECK(runs.ran() == "6 after ");
  CHECK(runs({"retry", "m", "mail/5/send", "-j", "1"}).code == 0);
  CHECK(runs.ran() == "5 after ");
  CHECK(runs({"retry", "m", "apart"}).code == 0);
  CHECK(runs.ran() == "apart ");
  CHECK(runs({"journal", "verify", "m"}).code == 0);
}

TEST_CASE("retry offers what has failed and was tolerated, and --failed runs it") {
  Runs runs;
  CHECK(runs({"run", runs.write(kMail), "--id", "m"}).code == 0);
  runs.ran();
  Ran plain = runs({"retry", "m"});
  CHECK(plain.code == 0);
  CHECK(has(plain.err, "1 step failed and was tolerated: mail[7]/send"));
  CHECK(has(plain.err, "flowrun retry m --failed"));
  CHECK(runs.ran().empty());
  runs.make("good");
  CHECK(runs({"retry", "m", "--failed"}).code == 0);
  CHECK(runs.ran() == "7 after ");
  Ran none = runs({"retry", "m", "--failed"});
  CHECK(none.code == 8);
  CHECK(has(none.err, "nothing has failed in run m"));
  CHECK(runs({"retry", "m", "mail", "--failed"}).code == 2);
  CHECK(runs.ran().empty());
}

TEST_CASE("a retry that can not be done is refused with what would do it, and nothing is written") {
  Runs runs;
  CHECK(runs({"run", runs.write(R"(
  a: { shell: 'exit 3', fallback: { shell: 'exit 4' }, undo: { shell: 'true' } }
  bee: { shell: 'true', needs: [a] }
  sw: { switch: [ { if: false, do: { x: { shell: 'true' } } } ] }
  g: { for_each: [k1, k2], do: { y: { shell: 'true' } } }
finally: { bye: { shell: 'true' } }
)"),
              "--id", "r"})
            .code == 1);
  const std::string before = runs({"journal", "show", "r"}).out;
  const std::pair<const char*, const char*> refused[] = {
      {"be", "did you mean `bee`?"},  {"bee", "bee needs a, which has failed; flowrun retry r a"},
      {"g[k3]", "did you mean `g[k"}, {"g[k1]/x", "did you mean `g[k"},
      {"sw/x", "flowrun retry r sw"}, {"finally/bye", "`finally`, which runs again"},
      {"a.undo", "flowrun undo r"},   {"a.fallback", "flowrun retry r a"},
  };
  for (const auto& [step, why] : refused) {
    Ran ran = runs({"retry", "r", step});
    INFO(step << ": " << ran.err);
    CHECK(ran.code == 8);
    CHECK(has(ran.err, why));
  }
  CHECK(runs({"journal", "show", "r"}).out == before);
  CHECK(has(runs({"show", "r"}).out, "failed"));
}

TEST_CASE("every command that looks for a step refuses a name that there is not, with the nearest") {
  Runs runs;
  CHECK(runs({"run", runs.write(kMail), "--id", "m"}).code == 0);
  const std::vector<std::string> commands[] = {
      {"logs", "m", "--step", "aftr"}, {"journal", "show", "m", "--step", "aftr"}, {"output", "m", "--step", "aftr"},
      {"retry", "m", "aftr"},          {"retry", "m", "--mark", "aftr=done"},      {"fork", "m", "--from", "aftr"}};
  for (const auto& command : commands) {
    Ran ran = runs(command);
    INFO(command[0] << ": " << ran.err);
    CHECK(ran.code == 8);
    CHECK(has(ran.err, "did you mean `after`?"));
    CHECK(ran.out.empty());
  }
  CHECK(runs({"journal", "show", "m", "--step", "mail/6"}).code == 0);
  CHECK(runs({"logs", "m", "--step", "after"}).code == 0);
}

TEST_CASE("a mark of a retry says how a step came out, and it does not run") {
  Runs runs;
  CHECK(runs({"run", runs.write(R"(
  a: { shell: 'printf "a " >>"$LOG"; exit 3' }
  b: { shell: 'printf "b$A " >>"$LOG"', env: { A: "${ $steps.a.n }" } }
)"),
              "--id", "r"})
            .code == 1);
  CHECK(runs.ran() == "a ");
  Ran done = runs({"retry", "r", "--mark", R"(a=done:{"n": 7})"});
  INFO(done.err);
  CHECK(done.code == 0);
  CHECK(runs.ran() == "b7 ");
  CHECK(runs({"retry", "r", "--mark", "b=rerun"}).code == 0);
  CHECK(runs.ran() == "b7 ");
  CHECK(runs({"retry", "r", "--mark", "b=failed"}).code == 1);
  CHECK(runs.ran().empty());
  CHECK(runs({"journal", "verify", "r"}).code == 0);
}

TEST_CASE("a run that has failed is retried, not resumed, whoever offers it") {
  Runs runs;
  const std::string file = runs.write("  a: { shell: 'exit 3' }\n");
  CHECK(runs({"run", file, "--id", "r"}).code == 1);
  runs.write("  a: { shell: 'exit 4' }\n");
  Ran other = runs({"run", file, "--id", "r"});
  CHECK(other.code == 8);
  CHECK(has(other.err, "flowrun retry r"));
  CHECK_FALSE(has(other.err, "flowrun resume"));
}

TEST_CASE("what a step says of how it came to its last end is gone when it runs again") {
  Runs runs;
  const std::string file = runs.write(R"(
  bad: { shell: '[ -e "$DIR/good" ]' }
  needs: { shell: "true", needs: bad }
  other: { parallel: { stopped: { shell: '[ -e "$DIR/good" ] || sleep 9' }, fails: { shell: '[ -e "$DIR/good" ]' } }, fail_fast: true }
  nap: { sleep: 1ms, needs: bad }
  deep: { for_each: [1], key: '${ $item }', do: { p: { shell: "true" } }, needs: bad }
)");
  CHECK(runs({"run", file, "--id", "r", "-k"}).code == 1);
  const auto reasons = [&] {
    std::map<std::string, std::string> found;
    const Json steps = Json::parse(runs({"show", "r", "--json"}).out)["steps"];
    for (const Json& step : steps)
      if (step.contains("reason")) found[step["path"]] = step["reason"];
    return found;
  };
  CHECK(reasons().count("needs") == 1);
  CHECK(reasons().count("nap") == 1);
  runs.make("good");
  CHECK(runs({"retry", "r"}).code == 0);
  CHECK(reasons() == std::map<std::string, std::string>{});
}

}  // namespace flowrun::test::retry_test
