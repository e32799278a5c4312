// Real sizes, real counts: a run of a million items, values of many megabytes, a journal of many runs. Rows of memory
// are peaks of the resident set.
#include <filesystem>
#include <fstream>

#include "tests/bench/bench.h"

namespace bench {

namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;
using Goal = Case::Goal;

std::string n(long number) { return std::to_string(number); }

class SizeCases {
 public:
  SizeCases(Stage& stage, Size size) : stage_(stage), size_(size) {}

  std::vector<Case> all() {
    status();
    large_value();
    million();
    runs();
    return std::move(cases_);
  }

 private:
  /// Both of what |ours| takes: the time under |name|, and the memory under |name|-memory.
  void add(const std::string& name, const std::string& work, std::function<Took()> ours, const std::string& reference,
           double target, std::function<double()> theirs, double bytes) {
    cases_.push_back(
        {name, work, reference, Goal::AtMost, target, [ours] { return ours().seconds; }, std::move(theirs)});
    cases_.push_back({name + "-memory", work + ", memory", n(static_cast<long>(bytes / 1e6)) + " MB", Goal::AtMost, 1,
                      [ours] { return ours().memory; }, [bytes] { return bytes; }});
  }

  Words flow(const std::string& file, const std::string& journal, const std::string& id) const {
    return {stage_.binary("flowrun"), "run", file, "--journal", journal, "--id", id, "--progress", "none"};
  }
  double time(const Words& argv) const { return stage_.run(argv).seconds; }

  /// What an expression takes that looks at how 10,000 items of 8 kB came out.
  void status() {
    const int count = size_.of(10000);
    const std::string each = "flowrun: 1\nname: bench\nsteps:\n  get:\n    for_each: " + n(count) +
                             "\n    do: { set: { n: '${ $item }', text: " + std::string(8000, 'x') + " } }\n";
    const std::string without = stage_.write("items.yaml", each);
    const std::string look = "  bad: { after: [get], set: '${ [$status.get.items[] | select(.ok | not) | .key]";
    const auto more = [this, without](const std::string& with) {
      const Took before = stage_.run(flow(without, stage_.fresh_journal(), "a"));
      const Took after = stage_.run(flow(with, stage_.fresh_journal(), "a"));
      return Took{after.seconds - before.seconds, after.memory - before.memory};
    };
    const std::string what = n(count) + " items of 8 kB: keys of those that failed, more than without";
    const std::string native = stage_.write("status.yaml", each + look + " }' }\n");
    const std::string jq = stage_.write("status_jq.yaml", each + look + " | join(\" \") }' }\n");
    add(
        "status", what, [=] { return more(native); }, "0.3 s", 1, [] { return 0.3; }, 50e6);
    add(
        "status-jq", what + ", by jq", [=] { return more(jq); }, "0.5 s", 1, [] { return 0.5; }, 50e6);
  }

  /// What jq takes for a value of 50 MB: a run that has it looked at as a whole, beside one that only fetches it. The
  /// memory is that of the larger of the two processes, flowrun and its jq.
  void large_value() {
    const int count = size_.of(180000);
    const std::string data = stage_.path("data.json");
    const auto file = [this, data, count](const std::string& name, const std::string& more) {
      if (!fs::exists(data)) {
        std::ofstream out(data);
        const std::string text(200, 'y');
        for (int i = 0; i < count; ++i)
          out << (i == 0 ? "[" : ",") << R"({"id":)" << i << R"(,"name":"name)" << i << R"(","tags":["a","b"],"text":")"
              << text << "\"}";
        out << "]\n";
      }
      return stage_.write(name, "flowrun: 1\nname: bench\nsteps:\n  get: { shell: 'cat \"$DATA\"', env: { DATA: " +
                                    data + " }, capture: json, max_output: 64MiB }\n" + more);
    };
    const auto run = [this](const std::string& workflow) {
      return stage_.run(flow(workflow, stage_.fresh_journal(), "a"));
    };
    add(
        "jq-large", "jq over a value of " + n(count / 3600) + " MB",
        [=] { return run(file("jq.yaml", "  all: { set: '${ $steps.get | add | length }' }\n")); },
        "2 s more than without", 1, [=] { return run(file("get.yaml", "")).seconds + 2; }, 6.0 * count * 285);
    add(
        "filter-large", "a filter over the same",
        [=] {
          return run(file("filter.yaml", "  ids: { set: '${ [$steps.get[] | select(.id > 100) | .id] | length }' }\n"));
        },
        "2 s more than without", 1, [=] { return run(file("get.yaml", "")).seconds + 2; }, 6.0 * count * 285);
  }

  /// A journal with one run of a million items, which is made once.
  std::string large() {
    const std::string journal = stage_.path("large") + "/journal.db";
    if (!fs::exists(journal)) {
      fs::create_directories(stage_.path("large"));
      const std::string file =
          stage_.write("large.yaml", "flowrun: 1\nname: bench\nsteps:\n  x: { for_each: " + n(size_.of(1000000)) +
                                         ", do: { set: '${ $item }' } }\n");
      stage_.run(flow(file, journal, "large"));
    }
    return journal;
  }

  void million() {
    const std::string items = n(size_.of(1000000)) + " items of `set`";
    const auto reads = [this] { return time({stage_.binary("bench_rows"), "read", large()}); };
    const std::string reading = "reading their entries with sqlite3's C API";
    const auto ask = [this](Words words) {
      return [this, words] {
        Words argv{stage_.binary("flowrun")};
        argv.insert(argv.end(), words.begin(), words.end());
        argv.insert(argv.end(), {"--journal", large()});
        return stage_.run(argv);
      };
    };
    add("show", "show of " + items, ask({"show", "large"}), reading, 0.7, reads, 50e6);
    add("output", "output --step of one of " + items, ask({"output", "large", "--step", "x[17]"}), reading, 1, reads,
        50e6);
    add("verify", "verify of " + items, ask({"journal", "verify", "large"}), reading, 12, reads, 150e6);
    add(
        "million", items,
        [this] {
          large();
          return stage_.run(flow(stage_.path("large.yaml"), stage_.fresh_journal(), "a"));
        },
        "as many rows, 1000 a commit", 8,
        [this] {
          fs::remove(stage_.path("rows.db"));
          return time(
              {stage_.binary("bench_rows"), "append", stage_.path("rows.db"), n(size_.of(1000000)), "1000", "40"});
        },
        150e6);
  }

  /// A journal with many runs of one step.
  std::string many() {
    const std::string journal = stage_.path("many") + "/journal.db";
    if (!fs::exists(journal)) {
      fs::create_directories(stage_.path("many"));
      time(flow(one(), journal, "one"));
      time({stage_.binary("bench_rows"), "multiply", journal, n(runs_count())});
    }
    return journal;
  }
  int runs_count() const { return size_.of(20000); }
  std::string one() const { return stage_.write("one_set.yaml", "flowrun: 1\nname: one\nsteps: { a: { set: 1 } }\n"); }

  void runs() {
    const std::string among = " in a journal of " + n(runs_count()) + " runs";
    const auto repeated = [this](const Words& argv) {
      const int times = size_.of(100);
      const double began = now();
      for (int i = 0; i < times; ++i) time(argv);
      return (now() - began) / times;
    };
    cases_.push_back({"list-many", "list" + among, "30 ms", Goal::AtMost, 1,
                      [=, this] {
                        return repeated({stage_.binary("flowrun"), "list", "--journal", many()});
                      },
                      [] { return 0.03; }});
    const auto start = [=, this](const std::string& journal) {
      return repeated({stage_.binary("flowrun"), "run", one(), "--journal", journal, "--progress", "none"});
    };
    cases_.push_back({"start-many", "a run of one `set`" + among, "the same in a new journal", Goal::AtMost, 1.2,
                      [=, this] { return start(many()); }, [=, this] { return start(stage_.fresh_journal()); }});
    cases_.push_back(
        {"prune-many", "prune of " + n(runs_count()) + " runs", "1,000 runs a second", Goal::AtLeast, 1,
         [=, this] {
           const std::string journal = stage_.fresh_journal();
           fs::copy(fs::path(many()).parent_path(), fs::path(journal).parent_path(),
                    fs::copy_options::recursive | fs::copy_options::overwrite_existing);
           return time({stage_.binary("flowrun"), "prune", "--older-than", "0s", "--yes", "--journal", journal});
         },
         [=, this] { return runs_count() / 1000.0; }});
  }

  Stage& stage_;
  Size size_;
  std::vector<Case> cases_;
};

}  // namespace

std::vector<Case> size_cases(Stage& stage, Size size) {
  // The cases refer to it until the stage ends with the program.
  static std::vector<std::unique_ptr<SizeCases>> kept;
  kept.push_back(std::make_unique<SizeCases>(stage, size));
  return kept.back()->all();
}

}  // namespace bench
