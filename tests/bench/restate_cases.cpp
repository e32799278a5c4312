// Cases of a run whose steps are carried out on a Restate server, by two workers behind nginx. Only there where such a
// server is; `./dev bench restate` fetches one.
#include <memory>

#include "tests/bench/bench.h"
#include "tests/support/restate.h"

namespace bench {
namespace {

using Words = std::vector<std::string>;

class RestateCases {
 public:
  RestateCases(Stage& stage, Size size) : stage_(stage), size_(size) {}

  std::vector<Case> all() {
    const std::string order = "the order workflow, two workers, first to last entry";
    add(
        "restate-order", order, "its slowest chain by curl, and 25 ms", 1, [this] { return order_time(); },
        [this] { return stage_.order_by_curl() + 0.025; });
    const int many = size_.of(1000), more = 10 * many;
    const std::string what = std::to_string(many) + " GETs on the server";
    add(
        "restate-steps", what, "0.9 s for 1,000", 1, [=, this] { return run(many, true); },
        [=] { return 0.9 * many / 1000; });
    add(
        "restate-growth", std::to_string(more) + " GETs on the server", "12 times " + what, 1,
        [=, this] { return run(more, true); }, [=, this] { return 12 * run(many, true); });
    beside(
        "restate-home", what, "the same at home", [=, this] { return run(many, true); },
        [=, this] { return run(many, false); });
    beside(
        "restate-raw", what, "raw calls of its ingress by curl", [=, this] { return run(many, true); },
        [=, this] { return raw(many); });
    beside(
        "restate-raw10", std::to_string(more) + " GETs on the server", "raw calls of its ingress by curl",
        [=, this] { return run(more, true); }, [=, this] { return raw(more); });
    return std::move(cases_);
  }

 private:
  void add(std::string name, std::string work, std::string reference, double most, std::function<double()> ours,
           std::function<double()> theirs) {
    cases_.push_back({std::move(name), std::move(work), std::move(reference), Case::Goal::AtMost, most, std::move(ours),
                      std::move(theirs)});
  }
  void beside(std::string name, std::string work, std::string reference, std::function<double()> ours,
              std::function<double()> theirs) {
    cases_.push_back({std::move(name), std::move(work), std::move(reference), Case::Goal::Shown, 0, std::move(ours),
                      std::move(theirs)});
  }

  /// Everything is warm when it is measured: the first call waits until the server has settled who leads.
  const flowrun::test::Fleet& fleet() {
    if (!fleet_) {
      fleet_ = std::make_unique<flowrun::test::Fleet>();
      run(200, true);
    }
    return *fleet_;
  }

  Words flow(const std::string& journal, bool there, Words more) {
    Words argv{stage_.binary("flowrun"), "run", "--journal", journal, "--progress", "none"};
    if (there) argv.insert(argv.end(), {"--on", fleet().server.on()});
    argv.insert(argv.end(), more.begin(), more.end());
    return argv;
  }

  double run(int count, bool there) {
    const std::string file = stage_.write(
        "steps.yaml",
        "flowrun: 1\nname: bench\nconcurrency: 128\nsteps:\n  each:\n    for_each: " + std::to_string(count) +
            "\n    concurrency: 128\n    do: { http: '" + stage_.page() + "' }\n");
    return stage_.run(flow(stage_.fresh_journal(), there, {file})).seconds;
  }

  double raw(int count) {
    const std::string body = stage_.write("call", stage_.output({stage_.binary("bench_step_call"), stage_.page()}));
    return stage_
        .run({"curl", "-sf", "--parallel", "--parallel-max", "128", "--data-binary", "@" + body, "-H",
              "content-type: application/json", "-o", "/dev/null",
              fleet().server.ingress() + "/restate/call/flowrun/step?[1-" + std::to_string(count) + "]"})
        .seconds;
  }

  double order_time() {
    const std::string journal = stage_.fresh_journal();
    stage_.run(flow(journal, true, {FLOWRUN_SOURCE_DIR "/workflows/order.yaml", "-i", "api=" + stage_.shop()}));
    return std::stod(stage_.output({stage_.binary("bench_rows"), "span", journal})) / 1000;
  }

  Stage& stage_;
  Size size_;
  std::vector<Case> cases_;
  std::unique_ptr<flowrun::test::Fleet> fleet_;
};

}  // namespace

std::vector<Case> restate_cases(Stage& stage, Size size) {
  if (!flowrun::test::why_no_restate().empty()) return {};
  // The cases refer to it until the program ends, and so does its server.
  static std::vector<std::unique_ptr<RestateCases>> kept;
  kept.push_back(std::make_unique<RestateCases>(stage, size));
  return kept.back()->all();
}

}  // namespace bench
