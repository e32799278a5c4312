// Journals whose rows are not as flowrun writes them: whatever looks at a run, or goes on with it, is right or says
// that the journal is damaged, and nothing else happens.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "engine/run/fork.h"
#include "engine/run/history.h"
#include "engine/run/replay.h"
#include "engine/run/view.h"
#include "tests/journal/damage.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::rows_test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRuns[] = {"good", "bad", "waits", "forked"};

/// Answers nothing: what is asked is not in the journal.
class Silence : public Evaluator {
 public:
  Answer evaluate(const Question&) override { return {{}, "nobody answers"}; }
};

/// Runs of every kind of entry that a short workflow can have, as the program writes them.
void make_journal(const TempDir& dir, const std::string& journal) {
  dir.write("sub.yaml",
            "flowrun: 1\ninput: { n: 1 }\nsteps: { in: { set: \"${ $input.n }\" } }\noutput: ${ $steps.in }\n");
  const std::string good = dir.write("good.yaml", R"(flowrun: 1
input: { list: [a, b, c] }
steps:
  each:
    for_each: ${ $input.list }
    do:
      sequence:
        - { id: say, shell: 'printf %s "$X"', env: { X: "${ $item }" } }
        - { id: sum, set: "${ [range(3)] | map(. * 2) | add }" }
  nap: { sleep: 1ms }
  child: { workflow: sub.yaml, with: { n: 7 } }
  pair: { parallel: { x: { exec: ["true"] }, y: { set: 2 } } }
output: ${ $steps.each }
)");
  const std::string bad = dir.write("bad.yaml", R"(flowrun: 1
steps:
  - id: did
    exec: ["true"]
    undo: { exec: ["true"] }
  - id: fails
    shell: echo words >&2; exit 3
    retry: { attempts: 2, delay: 1ms, on: [exit] }
  - id: never
    set: 1
)");
  const std::string waits = dir.write("waits.yaml", R"(flowrun: 1
steps:
  work: { exec: [echo, x] }
  gate: { wait: go, timeout: 1h }
  after: { exec: [echo, "${ $steps.gate }"] }
)");
  CHECK(flowrun(journal, {"run", good, "--id", "good"}).code == 0);
  CHECK(flowrun(journal, {"run", bad, "--id", "bad"}).code == 1);
  flowrun(journal, {"undo", "bad"});
  flowrun(journal, {"retry", "bad"});
  CHECK(flowrun(journal, {"run", waits, "--id", "waits", "--no-wait"}).code == 4);
  CHECK(flowrun(journal, {"fork", "good", "--id", "forked"}).code == 0);
}

/// What looks at runs and goes on with them, short of acting; most of it for the run |chosen|. Throws what is not an
/// Error of a user or a journal.
void look(const std::string& path, const std::string& chosen) {
  const auto attempt = [](const auto& work) {
    try {
      work();
    } catch (const Error& error) {
      if (error.problem() == Problem::Internal) throw std::logic_error(error.what());
    }
  };
  attempt([&] {
    Journal journal(path, Journal::Mode::ReadWrite);
    std::vector<RunRecord> runs;
    attempt([&] { runs = journal.list({}); });
    for (const char* id : kRuns)
      attempt([&] {
        if (auto run = journal.find_exact(id)) runs.push_back(*run);
      });
    for (const RunRecord& run : runs) {
      History history;
      attempt([&] {
        std::size_t calls = 0;
        for (std::int64_t from = 1;; ++calls) {
          if (calls > 100) throw std::logic_error("the entries of a run do not end");
          std::vector<Entry> slice = journal.read(run.number, from);
          if (slice.empty()) break;
          for (const Entry& entry : slice) history.add(entry);
          from = slice.back().seq + 1;
        }
        history.counts();
      });
      attempt([&] { journal.check_sums(run); });
      attempt([&] { check_result(journal, run); });
      attempt([&] {
        journal.lock(run);
        journal.mail(0);
      });
      if (run.id != chosen) continue;
      attempt([&] {
        Silence nobody;
        Loaded loaded = own_copy(journal, run, true);
        attempt([&] { replay(journal, run, loaded.workflow, nobody); });
        attempt([&] { Reuse(journal, run, loaded.workflow, loaded.workflow, ""); });
        for (const char* step : {"", "each", "fails", "gate"})
          attempt([&] {
            RunView view(journal, run, loaded, history, nobody, step);
            for (const char* name : {"steps", "status", "run", "input", "."})
              view.lookup({name, name[0] == 's' ? "each" : "", {}});
          });
      });
    }
  });
}

std::uint64_t seed() {
  const char* given = std::getenv("FLOWRUN_SEED");
  return given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

/// Bounds the address space of this process and those that it starts to so much more than it has, as long as it lives:
/// rows that make a reader take all memory are told with their seed.
class MemoryBound {
 public:
  MemoryBound() {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    REQUIRE(getrlimit(RLIMIT_AS, &before_) == 0);
    rlimit bound = before_;
    bound.rlim_cur = std::min<rlim_t>(before_.rlim_cur, pages * static_cast<rlim_t>(getpagesize()) + kMore);
    REQUIRE(setrlimit(RLIMIT_AS, &bound) == 0);
  }
  ~MemoryBound() { setrlimit(RLIMIT_AS, &before_); }
  MemoryBound(const MemoryBound&) = delete;
  MemoryBound& operator=(const MemoryBound&) = delete;

 private:
  static constexpr rlim_t kMore = 2ULL << 30;
  rlimit before_{};
};

/// As long as it may take; more by hand.
std::chrono::seconds seconds() {
  const char* given = std::getenv("FLOWRUN_TEST_SECONDS");
  return std::chrono::seconds(given ? std::atoi(given) : 5);
}

}  // namespace

TEST_CASE("whatever the rows of a journal hold, it is read or refused as a journal") {
  TempDir dir;
  const std::string good = dir.path("good.db");
  make_journal(dir, good);
  const MemoryBound bound;
  const std::uint64_t first = seed();
  const auto until = std::chrono::steady_clock::now() + seconds();
  int rounds = 0;
  for (std::uint64_t now = first; rounds < 10 || std::chrono::steady_clock::now() < until; ++now, ++rounds) {
    std::mt19937_64 chance(now);
    const std::string bad = dir.path("bad.db");
    fs::copy_file(good, bad, fs::copy_options::overwrite_existing);
    const bool mended = chance() % 4 > 0;
    std::string what;
    for (std::size_t times = 1 + chance() % 3; times > 0; --times) what += damage(bad, chance, mended) + "\n";
    INFO("FLOWRUN_SEED=" << now << (mended ? " mended " : " ") << what);
    const auto began = std::chrono::steady_clock::now();
    CHECK_NOTHROW(look(bad, kRuns[chance() % 4]));
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(20));
  }
}

TEST_CASE("every command is right about a damaged journal or calls it one") {
  TempDir dir;
  const std::string good = dir.path("good.db");
  make_journal(dir, good);
  const MemoryBound bound;
  const std::string sub = dir.path("good.yaml");
  const std::vector<std::vector<std::string>> commands = {{"list"},
                                                          {"list", "--json"},
                                                          {"show", "RUN"},
                                                          {"show", "RUN", "--json"},
                                                          {"show", "RUN", "--at", "3"},
                                                          {"journal", "show", "RUN"},
                                                          {"journal", "show", "RUN", "--full"},
                                                          {"journal", "show", "RUN", "--json"},
                                                          {"journal", "verify", "RUN"},
                                                          {"journal", "verify", "--all"},
                                                          {"output", "RUN"},
                                                          {"output", "RUN", "--step", "each"},
                                                          {"logs", "RUN"},
                                                          {"logs", "RUN", "--json"},
                                                          {"eval", "$steps", "--run", "RUN"},
                                                          {"eval", ".", "--run", "RUN", "--step", "fails"},
                                                          {"plan", "--run", "RUN"},
                                                          {"__complete", "show", ""},
                                                          {"__complete", "retry", "RUN", ""},
                                                          {"approve", "RUN"},
                                                          {"run", sub, "--id", "RUN", "--no-wait"},
                                                          {"fork", "RUN", "--no-wait"},
                                                          {"retry", "RUN", "--no-wait"},
                                                          {"undo", "RUN", "--no-wait"},
                                                          {"resume", "RUN", "--no-wait"},
                                                          {"cancel", "RUN", "--no-wait"}};
  const std::uint64_t first = seed();
  const auto until = std::chrono::steady_clock::now() + 2 * seconds();
  std::uint64_t now = first;
  int rounds = 0;
  for (; rounds < 5 || std::chrono::steady_clock::now() < until; ++now, ++rounds) {
    std::mt19937_64 chance(now);
    const std::string bad = dir.path("bad.db");
    fs::copy_file(good, bad, fs::copy_options::overwrite_existing);
    for (const char* end : {"-wal", "-shm"}) fs::remove(bad + end);
    const bool mended = chance() % 4 > 0;
    std::string what;
    for (std::size_t times = 1 + chance() % 3; times > 0; --times) what += damage(bad, chance, mended) + "\n";
    const std::string run = kRuns[chance() % 4];
    for (int i = 0; i < 3; ++i) {
      std::vector<std::string> words = commands[chance() % commands.size()];
      for (std::string& word : words)
        if (word == "RUN") word = run;
      Background drive([&] {
        std::vector<std::string> argv{FLOWRUN_BINARY};
        argv.insert(argv.end(), words.begin(), words.end());
        if (words[0] != "__complete") argv.insert(argv.end(), {"--journal", bad});
        return argv;
      }());
      std::string typed;
      for (const std::string& word : words) typed += word + " ";
      INFO("FLOWRUN_SEED=" << now << (mended ? " mended " : " ") << what << typed << run);
      const Ran ran = drive.wait(std::chrono::seconds(60));
      INFO(ran.err);
      CHECK(ran.code < 70);
      CHECK(ran.err.find("internal:") == ran.err.npos);
      CHECK(ran.err.find("json.exception") == ran.err.npos);
    }
  }
}

}  // namespace flowrun::test::rows_test
