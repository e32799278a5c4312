#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "engine/journal/journal.h"
#include "engine/journal/run_lock.h"
#include "tests/journal/scratch.h"
#include "tests/support/catch.h"

namespace flowrun::test::locks_test {
using namespace flowrun::scratch;

TEST_CASE("a run has one driver, whose pid is said, and the next when that one is gone") {
  Folder folder;
  const std::string path = folder / "journal.db";
  Child driver([&](Child& parent) {
    Journal journal(path, Journal::Mode::Create);
    RunRecord run = record("order-1-aaaa");
    journal.create(run, "");
    journal.append(ended("a"));
    journal.commit({}, at());
    parent.tell();
    parent.hear();
    return 0;
  });
  driver.hear();

  Journal journal(path, Journal::Mode::Create);
  const RunRecord run = journal.find("@last");
  REQUIRE(run.driver_pid == driver.pid());
  REQUIRE(journal.list({})[0].driver_pid == driver.pid());
  REQUIRE(Journal(path, Journal::Mode::ReadOnly).find("@last").driver_pid == driver.pid());
  REQUIRE(refusal(Problem::Busy, [&] { journal.lock(run); }) ==
          "run order-1-aaaa is already driven by process " + std::to_string(driver.pid()) +
              "; `flowrun watch` shows it, `flowrun cancel` ends it");

  driver.kill();
  REQUIRE(journal.find("@last").driver_pid == 0);
  journal.lock(run);
  REQUIRE(journal.find("@last").driver_pid == getpid());
  REQUIRE(journal.append(ended("b")) == 2);
  journal.commit({}, at());
  journal.check_sums(run);
}

TEST_CASE("the lock is there before anybody can see the run") {
  Folder folder;
  const std::string path = folder / "journal.db";
  constexpr int kRuns = 60;
  Child looker([&](Child& parent) {
    parent.hear();
    const Journal journal(path, Journal::Mode::ReadOnly);
    std::size_t seen = 0;
    while (seen < kRuns) {
      const std::vector<RunRecord> runs = journal.list({{}, "", kRuns});
      for (const RunRecord& run : runs)
        if (run.driver_pid != getppid()) return 1;
      seen = runs.size();
    }
    return 0;
  });
  std::vector<Journal> drivers;
  for (int i = 0; i < kRuns; ++i) {
    drivers.emplace_back(path, Journal::Mode::Create);
    RunRecord run = record("run-" + std::to_string(i));
    REQUIRE(drivers.back().create(run, ""));
    if (i == 0) looker.tell();
  }
  REQUIRE(looker.exit_code() == 0);
}

TEST_CASE("two journals of one process do not end each other's locks") {
  Folder folder;
  const std::string path = folder / "journal.db";
  Child other([&](Child& parent) {
    parent.hear();
    Journal journal(path, Journal::Mode::Create);
    const std::int64_t first = journal.find("first-1").driver_pid, second = journal.find("second-1").driver_pid;
    return first == getppid() && second == 0 ? 0 : 1;
  });
  Journal driver(path, Journal::Mode::Create);
  RunRecord first = record("first-1"), second = record("second-1");
  REQUIRE(driver.create(first, ""));
  {
    Journal looker(path, Journal::Mode::ReadOnly);
    REQUIRE(looker.find("first-1").driver_pid == getpid());
    Journal writer(path, Journal::Mode::Create);
    REQUIRE(contains(refusal(Problem::Busy, [&] { writer.lock(first); }), std::to_string(getpid())));
    REQUIRE(writer.create(second, ""));
  }
  other.tell();
  REQUIRE(other.exit_code() == 0);
  driver.append(ended("a"));
  driver.commit({}, at());
}

TEST_CASE("a journal that goes to another run lets the first one go") {
  Folder folder;
  Journal journal(folder / "journal.db", Journal::Mode::Create);
  RunRecord first = record("first-1"), second = record("second-1");
  REQUIRE(journal.create(first, ""));
  REQUIRE(journal.create(second, ""));
  Journal other(folder / "journal.db", Journal::Mode::Create);
  other.lock(first);
  REQUIRE_THROWS_AS(other.lock(second), Error);
  REQUIRE(other.append(ended("a")) == 1);
  other.commit({}, at());
}

TEST_CASE("changing the schema waits for other writers, and they for it") {
  Folder folder;
  const std::string path = folder / "x-lock";
  Child other([&](Child& parent) {
    auto locks = LockFile::of(path, true);
    {
      WriterShare share(*locks);
      parent.tell();
      parent.hear();
    }
    parent.tell();
    parent.hear();
    WriterShare share(*locks);  // waits for the parent's share_again
    parent.tell();
    parent.hear();
    return 0;
  });
  other.hear();
  auto locks = LockFile::of(path, true);
  WriterShare share(*locks);
  REQUIRE_FALSE(locks->take_alone());
  REQUIRE(locks->other_writer() == other.pid());
  other.tell();
  other.hear();
  REQUIRE(locks->take_alone());
  locks->share_again();
  other.tell();
  other.hear();
  REQUIRE_FALSE(locks->take_alone());
  other.tell();
  REQUIRE(other.exit_code() == 0);
}

TEST_CASE("four processes that write all the time all get on") {
  Folder folder;
  const std::string path = folder / "journal.db";
  constexpr int kWriters = 4, kEnough = 200;
  struct Shared {
    std::atomic<int> ready, commits[kWriters];
  };
  auto* shared =
      static_cast<Shared*>(mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  REQUIRE(shared != MAP_FAILED);

  std::vector<std::unique_ptr<Child>> writers;
  for (int i = 0; i < kWriters; ++i)
    writers.push_back(std::make_unique<Child>([&, i](Child&) {
      Journal journal(path, Journal::Mode::Create);
      RunRecord run = record("run-" + std::to_string(i));
      if (!journal.create(run, "")) return 1;
      for (++shared->ready; shared->ready < kWriters;) usleep(100);
      // Where a commit costs nothing, 200 are done before a busy machine has let each of them run once.
      const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
      const auto done = [&] {
        if (std::chrono::steady_clock::now() < until) return false;
        return std::any_of(std::begin(shared->commits), std::end(shared->commits),
                           [](const auto& commits) { return commits >= kEnough; });
      };
      while (!done()) {
        for (const char* step : {"a", "b", "c"}) journal.append(ended(step));
        journal.commit({}, at());
        ++shared->commits[i];
      }
      return 0;
    }));
  for (auto& writer : writers) REQUIRE(writer->exit_code() == 0);

  const Journal journal(path, Journal::Mode::ReadOnly);
  const int most = *std::max_element(std::begin(shared->commits), std::end(shared->commits));
  REQUIRE(most >= kEnough);
  for (int i = 0; i < kWriters; ++i) {
    const RunRecord run = journal.find("run-" + std::to_string(i));
    REQUIRE(run.last_seq == 3 * shared->commits[i]);
    journal.check_sums(run);
    // Without a line to wait in, one of them has a commit or two by now.
    REQUIRE(shared->commits[i] > most / 2);
  }
  REQUIRE(journal.check_file().empty());
  munmap(shared, sizeof(Shared));
}

TEST_CASE("readers see whole turns of a process that writes, and keep no transaction open") {
  Folder folder;
  const std::string path = folder / "journal.db";
  Child writer([&](Child& parent) {
    Journal journal(path, Journal::Mode::Create);
    RunRecord run = record("order-1-aaaa");
    journal.create(run, "");
    const auto write = [&] {
      for (int turn = 0; turn < 600; ++turn) {
        for (int row = 0; row < 5; ++row) journal.append(ended("a", Value::string(std::string(2000, 'v'))));
        journal.commit({}, at(turn));
      }
    };
    parent.tell();
    write();
    parent.hear();
    write();
    parent.tell();
    parent.hear();
    return 0;
  });
  writer.hear();
  const Journal journal(path, Journal::Mode::ReadOnly);
  std::int64_t next = 1;
  while (next <= 3000) {
    const std::vector<Entry> entries = journal.read(1, next);
    REQUIRE(entries.size() % 5 == 0);
    for (const Entry& entry : entries) REQUIRE(entry.seq == next++);
    const RunRecord run = journal.find("@last");
    REQUIRE(run.last_seq >= next - 1);
    if (next % 500 == 1) journal.check_sums(run);
  }
  // 6 MB more go through the log; had one of the reads stayed open, it could never begin again at its start.
  const auto before = std::filesystem::file_size(path + "-wal");
  writer.tell();
  writer.hear();
  REQUIRE(std::filesystem::file_size(path + "-wal") < before + 1'000'000);
  writer.tell();
  REQUIRE(writer.exit_code() == 0);
}

}  // namespace flowrun::test::locks_test
