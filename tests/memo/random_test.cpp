// After any changes of inputs and files, runs with memo put out the same and leave the same files as runs without.
#include <filesystem>
#include <map>
#include <random>

#include "tests/memo/memo_stage.h"
#include "tests/support/catch.h"

namespace flowrun::test::memo_random_test {
namespace {

constexpr const char* kSteps = R"yaml(
  lower: { shell: '{ cat src/*.txt 2>/dev/null || true; } | tr A-Z a-z >lower; wc -c <lower', memo: 1d, reads: "src/*.txt", writes: lower }
  mixed: { shell: 'cat lower "$EXTRA" >mixed 2>/dev/null || true; echo "$WORD" >>mixed', memo: 1d,
           env: { WORD: "${ $input.word }", EXTRA: "${ $input.extra }" }, reads: [lower, "${ $input.extra }"],
           writes: mixed, needs: lower }
  place: { shell: 'n=$(cat count 2>/dev/null || echo 0); echo "$(((n + 1) % 3))" >count', memo: 1d, reads: count, writes: count }
  each:
    for_each: ${ $input.items }
    needs: mixed
    do: { shell: 'echo "$FLOWRUN_ITEM:$(cat mixed | cksum)"; mkdir -p out; echo "$FLOWRUN_ITEM" >"out/$FLOWRUN_ITEM"',
          memo: 1d, reads: mixed, writes: ["out/${ $item }"] }
output: { lower: "${ $steps.lower }", each: "${ $steps.each }" }
)yaml";

/// What a run leaves.
std::map<std::string, std::string> files_below(const TempDir& dir) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.path())) {
    const std::string name = std::filesystem::relative(entry.path(), dir.path()).string();
    if (entry.is_regular_file() && !name.starts_with("j.db") && !name.starts_with("runs/"))
      files[name] = dir.read(name);
  }
  return files;
}

}  // namespace

TEST_CASE("with memo a run puts out the same, and leaves the same files, as without", "[memo][slow]") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 chance(seed);
  MemoStage with, without;
  const auto both = [&](const auto& work) {
    work(with);
    work(without);
  };
  both([](const MemoStage& stage) {
    std::filesystem::create_directories(stage.dir.path("src"));
    stage.write(kSteps, "input: { word: {}, extra: {}, items: { type: array } }\n");
  });
  int taken = 0;
  for (int round = 0; round < 30; ++round) {
    for (int change = 0; change < static_cast<int>(chance() % 3); ++change) {
      static const char* const kNames[] = {"src/a.txt", "src/b.txt", "src/c.md", "e1",   "e2",
                                           "lower",     "mixed",     "count",    "out/x"};
      const std::string name = kNames[chance() % std::size(kNames)];
      const std::string text = chance() % 2 == 0 ? "Some\n" : "Other\n";
      const bool remove = chance() % 3 == 0;
      both([&](const MemoStage& stage) {
        std::error_code ignored;
        std::filesystem::create_directories(stage.dir.path("out"), ignored);
        if (remove)
          std::filesystem::remove(stage.dir.path(name), ignored);
        else if (name != "count")
          stage.dir.write(name, text);
      });
    }
    const std::string id = "r" + std::to_string(round), word = chance() % 2 == 0 ? "one" : "two",
                      extra = chance() % 2 == 0 ? "e1" : "e2",
                      items = chance() % 2 == 0 ? "[\"x\",\"y\"]" : "[\"y\",\"z\"]";
    std::vector<std::string> more{"-i", "word=" + word, "-i", "extra=" + extra, "-i", "items=" + items};
    const Ran a = with.start(id, more);
    more.push_back("--no-memo");
    const Ran b = without.start(id, more);
    INFO("round " << round << "\n" << a.err << b.err);
    REQUIRE(a.code == 0);
    REQUIRE(b.code == 0);
    CHECK(a.out == b.out);
    auto left = files_below(with.dir), right = files_below(without.dir);
    left.erase("w.yaml"), right.erase("w.yaml");
    CHECK(left == right);
    taken += !with.note(id, "lower").value("run", "").empty();
  }
  CHECK(taken > 3);
}

}  // namespace flowrun::test::memo_random_test
