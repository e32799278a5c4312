// The cases of the bench. A new one is a few lines here; how it is measured and told is main.cpp's business.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/bench/bench.h"

namespace bench {

namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

std::string n(long number) { return std::to_string(number); }

/// One `for_each` over |count| numbers. What is wider than a run by itself is written at the top, too.
std::string for_each(int count, const std::string& step, int concurrency = 0) {
  return "flowrun: 1\nname: bench\n" + (concurrency > 64 ? "concurrency: " + n(concurrency) + "\n" : "") +
         "steps:\n  each:\n    for_each: " + n(count) +
         (concurrency > 0 ? "\n    concurrency: " + n(concurrency) : "") + "\n    do: { " + step + " }\n";
}

class Cases {
 public:
  Cases(Stage& stage, Size size) : stage_(stage), size_(size) {}

  std::vector<Case> all() {
    processes();
    http();
    machine();
    starts();
    order();
    validate();
    writers();
    return std::move(cases_);
  }

 private:
  using Goal = Case::Goal;

  void add(std::string name, std::string work, std::string reference, Goal goal, double target,
           std::function<double()> ours, std::function<double()> theirs) {
    cases_.push_back(
        {std::move(name), std::move(work), std::move(reference), goal, target, std::move(ours), std::move(theirs)});
  }

  /// `flowrun run` of |text| on a new journal.
  Took flow(const std::string& text, const Words& options = {}, int code = 0) const {
    Words argv{stage_.binary("flowrun"),
               "run",
               stage_.write("bench.yaml", text),
               "--journal",
               const_cast<Stage&>(stage_).fresh_journal(),
               "--progress",
               "none"};
    argv.insert(argv.end(), options.begin(), options.end());
    return stage_.run(argv, code);
  }

  double time(const Words& argv) const { return stage_.run(argv).seconds; }

  Words spawn_loop(int width, int count, const Words& program) const {
    Words argv{stage_.binary("bench_spawn_loop"), n(width), n(count)};
    argv.insert(argv.end(), program.begin(), program.end());
    return argv;
  }

  void processes() {
    const int count = size_.of(10000);
    const Words shell{"sh", "-c", "true"};
    const std::string wide = for_each(count, "exec: [sh, -c, 'true']", 128);
    const std::string narrow = for_each(count, "exec: [sh, -c, 'true']", 16);
    const std::string what = n(count) + " `sh -c true`, ";
    add(
        "spawn-64", what + "-j 64", "raw spawn loop", Goal::AtLeast, 0.95,
        [=, this] {
          return flow(wide, {"-j", "64"}).seconds;
        },
        [=, this] { return time(spawn_loop(64, count, shell)); });
    add(
        "spawn-8", what + "-j 8", "raw spawn loop", Goal::AtLeast, 0.9,
        [=, this] {
          return flow(narrow, {"-j", "8"}).seconds;
        },
        [=, this] { return time(spawn_loop(8, count, shell)); });

    std::string ninja = "rule r\n  command = true\n";
    for (int i = 0; i < count; ++i) ninja += "build t" + n(i) + ": r\n";
    const std::string file = stage_.write("bench.ninja", ninja);
    for (const auto& [width, target, workflow] : {std::tuple{8, 1.05, narrow}, {64, 1.2, wide}}) {
      const int jobs = width;  // clang before 16 takes no structured binding into a lambda
      const std::string text = workflow;
      add(
          "ninja-" + n(jobs), what + "-j " + n(jobs), "ninja -j" + n(jobs), Goal::AtLeast, target,
          [=, this] {
            return flow(text, {"-j", n(jobs)}).seconds;
          },
          [=, this] {
            return time({"ninja", "-f", file, "-j" + n(jobs)});
          });
    }

    std::string make = "all:";
    for (int i = 0; i < count; ++i) make += " t" + n(i);
    make += "\nt%:\n\t@sh -c true\n";
    const std::string makefile = stage_.write("bench.make", make);
    add(
        "make-8", what + "-j 8", "make -j8", Goal::Shown, 0,
        [=, this] {
          return flow(narrow, {"-j", "8"}).seconds;
        },
        [=, this] {
          return time({"make", "-f", makefile, "-j8"});
        });

    const std::string plain = for_each(count, "exec: ['true', '${ $item }']");  // with a word, as the others give it
    std::string numbers;
    for (int i = 0; i < count; ++i) numbers += n(i) + "\n";
    const std::string list = stage_.write("numbers", numbers);
    const std::string true_8 = n(count) + " `true N`, -j 8";
    add(
        "xargs", true_8, "xargs -P8 -n1", Goal::AtLeast, 1.5,
        [=, this] {
          return flow(plain, {"-j", "8"}).seconds;
        },
        [=, this] {
          return time({"xargs", "-a", list, "-P8", "-n1", "true"});
        });
    add(
        "each", true_8 + " by `each`", "the same for_each", Goal::AtLeast, 0.8,
        [=, this] {
          return time({"sh", "-c", "exec \"$0\" each -q -P8 --quiet-output --journal \"$1\" -- true < \"$2\"",
                       stage_.binary("flowrun"), stage_.fresh_journal(), list});
        },
        [=, this] {
          return flow(plain, {"-j", "8"}).seconds;
        });
    add(
        "parallel", true_8, "GNU parallel --joblog", Goal::AtLeast, 8,
        [=, this] {
          return flow(plain, {"-j", "8"}).seconds;
        },
        [=, this] {
          fs::remove(stage_.path("joblog"));
          return time({"parallel", "--will-cite", "-j8", "--joblog", stage_.path("joblog"), "-a", list, "true"});
        });

    const int links = size_.of(2000);
    std::string chain = "flowrun: 1\nname: bench\nsteps:\n";
    for (int i = 0; i < links; ++i) chain += "  - { id: s" + n(i) + ", exec: ['true'] }\n";
    add(
        "chain", "a list of " + n(links) + " `true`", "spawn loop one at a time + as many commits", Goal::AtLeast, 0.92,
        [=, this] { return flow(chain).seconds; },
        [=, this] {
          double spawns = time(spawn_loop(1, links, {"true"}));
          fs::remove(stage_.path("rows.db"));
          return spawns + time({stage_.binary("bench_rows"), "append", stage_.path("rows.db"), n(links), "1", "100"});
        });
  }

  void http() {
    const int count = size_.of(20000);
    const std::string what = n(count) + " GETs, 64 at a time";
    auto get = [this](int times, int width, const std::string& url) {
      return flow(for_each(times, "http: '" + url + "'", width));
    };
    add(
        "curl", what, "curl --parallel", Goal::AtLeast, 1.2,
        [=, this] { return get(count, 64, stage_.page()).seconds; },
        [=, this] {
          return time({"curl", "-s", "--parallel", "--parallel-max", "64", "-o", "/dev/null",
                       stage_.page() + "?[1-" + n(count) + "]"});
        });
    add(
        "executor", what, "our executor, no journal", Goal::AtLeast, 0.75,
        [=, this] { return get(count, 64, stage_.page()).seconds; },
        [=, this] {
          return time({stage_.binary("bench_executor"), "64", n(count), stage_.page(), stage_.path("executor")});
        });

    add(
        "http-raw", what, "raw epoll sockets, nothing parsed", Goal::Shown, 0,
        [=, this] { return get(count, 64, stage_.page()).seconds; },
        [=, this] {
          return time({stage_.binary("bench_http_client"), "64", n(count), n(stage_.nginx_port()), "/item"});
        });
    add(
        "wrk", what, "wrk -t2 -c64 for a second, as many", Goal::Shown, 0,
        [=, this] { return get(count, 64, stage_.page()).seconds; },
        [=, this] {
          // Requests/sec:  142900.12
          const std::string said = stage_.output({"wrk", "-t2", "-c64", "-d1s", stage_.page()});
          const std::size_t at = said.find("Requests/sec:");
          if (at == said.npos) throw Broken{"wrk does not say its rate"};
          return count / std::stod(said.substr(at + 13));
        });

    const int width = size_.of(5000);
    auto slow = [this] {
      if (slow_port_.empty()) slow_port_ = stage_.background({stage_.binary("bench_slow_server"), "200"});
      return "http://127.0.0.1:" + slow_port_ + "/";
    };
    const std::string crowd = n(count) + " GETs of 200 ms, " + n(width) + " at a time";
    add(
        "crowd", crowd, "the floor: " + n(width) + " each 200 ms", Goal::AtLeast, 0.8,
        [=, this] { return get(count, width, slow()).seconds; }, [=] { return 0.2 * count / width; });
    add(
        "crowd-sockets", crowd + ", raw sockets", "the same floor", Goal::Shown, 0,
        [=, this] {
          slow();
          return time({stage_.binary("bench_http_client"), n(width), n(count), slow_port_, "/"});
        },
        [=] { return 0.2 * count / width; });
    add(
        "crowd-executor", crowd, "our executor, no journal", Goal::Shown, 0,
        [=, this] { return get(count, width, slow()).seconds; },
        [=, this] {
          return time({stage_.binary("bench_executor"), n(width), n(count), slow(), stage_.path("executor")});
        });
    // As many as are under way at a time: of more, what has ended would count as well.
    const auto memory_of_one = [=, this] {
      return (get(width, width, slow()).memory - get(50, 50, slow()).memory) / (width - 50);
    };
    add("crowd-memory", n(width) + " GETs of 200 ms at a time, memory of one", "12 kB", Goal::AtMost, 1.0,
        memory_of_one, [] { return 12000.0; });
    add("crowd-libcurl", n(width) + " GETs of 200 ms at a time, memory of one", "libcurl alone", Goal::Shown, 0,
        memory_of_one, [=, this] {
          const auto memory = [&](int at_a_time, int times) {
            return stage_.run({stage_.binary("bench_curl"), n(at_a_time), n(times), slow()}).memory;
          };
          return (memory(width, width) - memory(50, 50)) / (width - 50);
        });
  }

  void machine() {
    const int count = size_.of(100000);
    const std::string sets = for_each(count, "set: 1");
    add(
        "set", n(count) + " items of `set`", "as many rows x 2, 1000 a commit", Goal::AtLeast, 0.25,
        [=, this] { return flow(sets).seconds; },
        [=, this] {
          fs::remove(stage_.path("rows.db"));
          return time({stage_.binary("bench_rows"), "append", stage_.path("rows.db"), n(2 * count), "1000", "100"});
        });

    // A run that lacks only its last step, which ends flowrun itself the first time.
    auto crashed = [=, this] {
      if (crashed_.empty()) {
        const std::string text = "flowrun: 1\nname: bench\nsteps:\n  - id: each\n    for_each: " + n(count) +
                                 "\n    concurrency: 64\n    do: { http: '" + stage_.page() +
                                 "' }\n  - { id: last, shell: 'test -e on || { touch on; kill -9 $PPID; }' }\n";
        fs::remove(stage_.path("on"));
        flow(text, {"--id", "crashed"}, -9);
        crashed_ = stage_.path("crashed");
        fs::remove_all(crashed_);
        fs::copy(stage_.path("journal"), crashed_, fs::copy_options::recursive);
      }
      stage_.fresh_journal();
      fs::copy(crashed_, stage_.path("journal"), fs::copy_options::recursive);
      return stage_.path("journal") + "/journal.db";
    };
    auto replay = [=, this] {
      const std::string journal = crashed();
      return time({stage_.binary("flowrun"), "resume", "crashed", "--journal", journal, "--progress", "none"});
    };
    const std::string what = "resume " + n(count) + " finished steps";
    add("replay", what, "reading the entries with sqlite3's C API", Goal::AtMost, 20, replay, [=, this] {
      return time({stage_.binary("bench_rows"), "read", crashed()});
    });
    add("replay-rate", what + ", 2 entries each", "250,000 entries/s", Goal::AtLeast, 1.0, replay,
        [=] { return 2.0 * count / 250000; });

    const int few = count / 100;
    auto cost = [this](int items, double Took::*what_of) {
      const std::string step = "http: '" + stage_.page() + "'";
      const double alone = flow(for_each(1, step, 64)).*what_of;
      return (flow(for_each(items, step, 64)).*what_of - alone) / items;
    };
    const std::string growth = "a step among " + n(count), small = "a step among " + n(few);
    add(
        "growth", growth + ", time", small, Goal::AtMost, 1.15, [=] { return cost(count, &Took::seconds); },
        [=] { return cost(few, &Took::seconds); });
    add(
        "growth-memory", growth + ", memory", small, Goal::AtMost, 1.15, [=] { return cost(count, &Took::memory); },
        [=] { return cost(few, &Took::memory); });
  }

  void starts() {
    const int times = size_.of(100);
    const std::string file = stage_.write("one.yaml", "flowrun: 1\nname: one\nsteps: { a: { exec: ['true'] } }\n");
    add(
        "one-step", "a run of one `true`", "an empty program, 4 commits", Goal::AtMost, 1.5,
        [=, this] {
          const std::string journal = stage_.fresh_journal();
          const Words argv{stage_.binary("flowrun"), "run", file, "--journal", journal, "--progress", "none"};
          time(argv);
          double began = now();
          for (int i = 0; i < times; ++i) time(argv);
          return (now() - began) / times;
        },
        [=, this] {
          fs::remove(stage_.path("linked.db"));
          double began = now();
          for (int i = 0; i < times; ++i) time({stage_.binary("bench_linked"), stage_.path("linked.db"), "4"});
          return (now() - began) / times;
        });
    auto repeated = [this, times](const Words& argv) {
      double began = now();
      for (int i = 0; i < 5 * times; ++i) time(argv);
      return (now() - began) / (5 * times);
    };
    add(
        "version", "flowrun version", "an empty program", Goal::AtMost, 3,
        [=, this] {
          return repeated({stage_.binary("flowrun"), "version"});
        },
        [=, this] { return repeated({stage_.binary("bench_empty")}); });
  }

  void order() {
    auto engine_time = [this] {
      const std::string journal = stage_.fresh_journal();
      time({stage_.binary("flowrun"), "run", FLOWRUN_SOURCE_DIR "/workflows/order.yaml", "-i", "api=" + stage_.shop(),
            "--journal", journal, "--progress", "none"});
      return std::stod(stage_.output({stage_.binary("bench_rows"), "span", journal})) / 1000;
    };
    const std::string what = "the order workflow, first to last entry";
    add("order", what, "its slowest chain: 20 + 200 + 150 + 50 ms", Goal::AtMost, 1.02, engine_time,
        [] { return 0.420; });
    add("order-curl", what, "the same calls by curl, one after the other", Goal::AtMost, 1.01, engine_time,
        [this] { return stage_.order_by_curl(); });
  }

  void validate() {
    const int steps = size_.of(10000);
    std::string text = "flowrun: 1\nname: bench\ninput: { host: localhost }\nsteps:\n";
    for (int i = 0; i < steps; ++i) {
      text += "  step" + n(i) + ":\n    http: POST http://${ $input.host }/items/" + n(i);
      if (i > 0) text += "\n    json: { before: \"${ $steps.step" + n(i - 1) + ".id }\" }";
      text += "\n    timeout: 30s\n";
    }
    const std::string file = stage_.write("long.yaml", text);
    add(
        "validate", "validate " + n(steps) + " steps", "libfyaml loading the file", Goal::Shown, 0,
        [=, this] {
          return time({stage_.binary("flowrun"), "validate", file});
        },
        [=, this] {
          return time({stage_.binary("bench_yaml_load"), file});
        });
    add(
        "validate-time", "validate " + n(steps) + " steps", "0.25 s", Goal::AtMost, 1,
        [=, this] {
          return time({stage_.binary("flowrun"), "validate", file});
        },
        [] { return 0.25; });
    add(
        "validate-memory", "validate " + n(steps) + " steps, memory", "150 MB", Goal::AtMost, 1,
        [=, this] {
          return stage_.run({stage_.binary("flowrun"), "validate", file}).memory;
        },
        [] { return 150e6; });
  }

  void writers() {
    const int count = size_.of(10000);
    add(
        "writers", "4 x " + n(count / 4) + " `true` on one journal", "one process doing " + n(count), Goal::AtLeast,
        0.8,
        [=, this] {
          const std::string file = stage_.write("quarter.yaml", for_each(count / 4, "exec: ['true']"));
          const std::string journal = stage_.fresh_journal();
          return stage_.together(std::vector<Words>(
              4, {stage_.binary("flowrun"), "run", file, "--journal", journal, "--progress", "none"}));
        },
        [=, this] { return flow(for_each(count, "exec: ['true']")).seconds; });
  }

  Stage& stage_;
  Size size_;
  std::vector<Case> cases_;
  std::string slow_port_, crashed_;
};

}  // namespace

std::vector<Case> all_cases(Stage& stage, Size size) {
  // The cases refer to it until the stage ends with the program.
  static std::vector<std::unique_ptr<Cases>> kept;
  kept.push_back(std::make_unique<Cases>(stage, size));
  return kept.back()->all();
}

}  // namespace bench
