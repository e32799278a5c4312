// Cases of answers as long as services give them: 7.7 kB of JSON, each of them a value in the journal.
#include <filesystem>
#include <memory>

#include "tests/bench/bench.h"

namespace bench {
namespace {

using Words = std::vector<std::string>;

constexpr int kRowsAtOnce = 64;  // of a commit: as many ends and starts as are under way together

class AnswerCases {
 public:
  AnswerCases(Stage& stage, Size size) : stage_(stage), count_(size.of(10000)) {}

  std::vector<Case> all() {
    const std::string what = std::to_string(count_) + " GETs of 7.7 kB JSON";
    at_most(
        "answers", what, "curl --parallel", 1.6, [this] { return get().seconds; }, [this] { return curl(); });
    at_most(
        "answers-rows", what, "curl, then as many rows, 64 a commit", 1.3, [this] { return get().seconds; },
        [this] { return curl() + rows(); });
    at_most(
        "answers-none", what + ", `response: none`", "curl --parallel", 0.8,
        [this] { return get(", response: none").seconds; }, [this] { return curl(); });
    at_most(
        "answers-memory", what + ", memory", "40 MB", 1, [this] { return get().memory; }, [] { return 40e6; });
    at_most(
        "answers-read", what + ", all in the output, memory", "the bytes of the values", 0.8,
        [this] { return get("", "output: ${ $steps.each }\n").memory; },
        [this] { return static_cast<double>(count_ * Stage::answer_bytes()); });
    return std::move(cases_);
  }

 private:
  void at_most(std::string name, std::string work, std::string reference, double most, std::function<double()> ours,
               std::function<double()> theirs) {
    cases_.push_back({std::move(name), std::move(work), std::move(reference), Case::Goal::AtMost, most, std::move(ours),
                      std::move(theirs)});
  }

  Took get(const std::string& more = "", const std::string& rest = "") {
    const std::string file =
        stage_.write("answers.yaml",
                     "flowrun: 1\nname: bench\nsteps:\n  each:\n    for_each: " + std::to_string(count_) +
                         "\n    concurrency: 64\n    do: { http: '" + stage_.long_page() + "'" + more + " }\n" + rest);
    return stage_.run(
        {stage_.binary("flowrun"), "run", file, "--journal", stage_.fresh_journal(), "--progress", "none"});
  }

  double curl() {
    return stage_
        .run({"curl", "-s", "--parallel", "--parallel-max", "64", "-o", "/dev/null",
              stage_.long_page() + "?[1-" + std::to_string(count_) + "]"})
        .seconds;
  }

  /// Of each answer a row that has it, and a short one: that it was asked for.
  double rows() {
    std::filesystem::remove(stage_.path("rows.db"));
    return stage_
        .run({stage_.binary("bench_rows"), "append", stage_.path("rows.db"), std::to_string(2 * count_),
              std::to_string(kRowsAtOnce), "100", std::to_string(Stage::answer_bytes())})
        .seconds;
  }

  Stage& stage_;
  const int count_;
  std::vector<Case> cases_;
};

}  // namespace

std::vector<Case> answer_cases(Stage& stage, Size size) {
  // The cases refer to it until the stage ends with the program.
  static std::vector<std::unique_ptr<AnswerCases>> kept;
  kept.push_back(std::make_unique<AnswerCases>(stage, size));
  return kept.back()->all();
}

}  // namespace bench
