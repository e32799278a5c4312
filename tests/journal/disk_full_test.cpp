#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <fstream>

#include "engine/journal/journal.h"
#include "tests/journal/scratch.h"
#include "tests/support/catch.h"

namespace flowrun::test::disk_full_test {
using namespace flowrun::scratch;

namespace {

/// Fills a journal until the disk is full, makes room by |make_room| and goes on. 0 when all went as promised.
int fill_and_go_on(const std::string& path, const std::function<void()>& make_room) {
  Journal journal(path, Journal::Mode::Create);
  RunRecord run = record("order-1-aaaa");
  if (!journal.create(run, "")) return 1;
  std::int64_t appended = 0;
  const auto fill = [&] {
    while (appended < 100'000) {
      for (int i = 0; i < 10; ++i) appended = journal.append(ended("a", Value::string(std::string(3000, 'v'))));
      journal.commit({}, at());
    }
  };
  try {
    fill();
    return 2;
  } catch (const DiskFull&) {
  }
  if (journal.pending().entries != 10) return 3;
  const std::int64_t durable = journal.find("@last").last_seq;
  if (durable != appended - 10) return 4;
  try {
    journal.commit({}, at());
    return 5;
  } catch (const DiskFull&) {
  }
  try {
    journal.beat(at());  // perhaps there is room for so little, perhaps not
  } catch (const DiskFull&) {
  }
  make_room();
  journal.commit({}, at());
  if (journal.pending().entries != 0 || journal.find("@last").last_seq != appended) return 6;
  journal.append(ended("last"));
  journal.commit({}, at());
  journal.check_sums(journal.find("@last"));
  return journal.check_file().empty() ? 0 : 7;
}

}  // namespace

TEST_CASE("a file that may grow no further is a full disk, and the batch is written when it may") {
  Folder folder;
  Child child([&](Child&) {
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit {};
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 300'000;
    setrlimit(RLIMIT_FSIZE, &limit);
    return fill_and_go_on(folder / "journal.db", [&] {
      limit.rlim_cur = limit.rlim_max;
      setrlimit(RLIMIT_FSIZE, &limit);
    });
  });
  REQUIRE(child.exit_code() == 0);
}

TEST_CASE("a full disk keeps the batch, and it is written when there is room") {
  Folder folder;
  Child child([&](Child&) {
    // A small file system of its own; the mount ends with this process.
    const std::string disk = folder / "";
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=2m,mode=0700") != 0)
      return 77;
    std::ofstream(folder / "ballast") << std::string(1'000'000, 'x');
    return fill_and_go_on(folder / "journal.db", [&] { std::filesystem::remove(folder / "ballast"); });
  });
  const int code = child.exit_code();
  if (code == 77) WARN("can not mount here");
  REQUIRE((code == 0 || code == 77));
}

TEST_CASE("a run that found no room to begin can begin when there is some") {
  Folder folder;
  Child child([&](Child&) {
    Journal journal(folder / "journal.db", Journal::Mode::Create);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit {};
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 100'000;
    setrlimit(RLIMIT_FSIZE, &limit);
    RunRecord run = record("order-1-aaaa");
    run.input = Value::string(std::string(1'000'000, 'i'));
    try {
      journal.create(run, "");
      return 1;
    } catch (const DiskFull&) {
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
    if (!journal.create(run, "")) return 2;
    return journal.find("@last").input.text() == run.input.text() ? 0 : 3;
  });
  REQUIRE(child.exit_code() == 0);
}

}  // namespace flowrun::test::disk_full_test
