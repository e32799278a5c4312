#include <sqlite3.h>

#include <map>

#include "engine/journal/journal.h"
#include "tests/journal/scratch.h"
#include "tests/support/catch.h"

namespace flowrun::test::failing_disk_test {
using namespace flowrun::scratch;

namespace {

/// While it lives, SQLite opens files whose fsync fails when told to.
class FailingDisk {
 public:
  FailingDisk() : real_(sqlite3_vfs_find(nullptr)), vfs_(*real_) {
    current_ = this;
    vfs_.zName = "failing";
    vfs_.xOpen = [](sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
      const int code = current_->real_->xOpen(current_->real_, name, file, flags, out);
      if (code == SQLITE_OK) {
        sqlite3_io_methods& methods = current_->methods_[file->pMethods];
        current_->original_sync_ = file->pMethods->xSync;
        methods = *file->pMethods;
        methods.xSync = sync;
        file->pMethods = &methods;
      }
      return code;
    };
    sqlite3_vfs_register(&vfs_, 1);
  }
  ~FailingDisk() {
    sqlite3_vfs_register(real_, 1);
    sqlite3_vfs_unregister(&vfs_);
  }
  FailingDisk(const FailingDisk&) = delete;
  FailingDisk& operator=(const FailingDisk&) = delete;

  bool failing = false;
  int failed = 0;  ///< how often

 private:
  static int sync(sqlite3_file* file, int flags) {
    if (!current_->failing) return current_->original_sync_(file, flags);
    ++current_->failed;
    return SQLITE_IOERR_FSYNC;
  }

  static inline FailingDisk* current_ = nullptr;
  sqlite3_vfs* real_;
  sqlite3_vfs vfs_;
  int (*original_sync_)(sqlite3_file*, int) = nullptr;
  std::map<const sqlite3_io_methods*, sqlite3_io_methods> methods_;
};

}  // namespace

TEST_CASE("after a failed fsync nothing more is written, and what was durable is read") {
  Folder folder;
  RunRecord run = record("order-1-aaaa");
  {
    FailingDisk disk;
    Journal journal(folder / "journal.db", Journal::Mode::Create);
    REQUIRE(journal.create(run, ""));
    journal.append(ended("a"));
    journal.commit({}, at());

    disk.failing = true;
    journal.append(ended("b"));
    const std::string message = refusal(Problem::Journal, [&] { journal.commit({}, at()); });
    INFO(message);
    REQUIRE(contains(message, "disk I/O error"));
    REQUIRE(disk.failed == 1);

    disk.failing = false;
    REQUIRE(contains(refusal(Problem::Journal, [&] { journal.commit({}, at()); }), "nothing more is written"));
    REQUIRE(contains(refusal(Problem::Journal, [&] { journal.beat(at()); }), "nothing more is written"));
    REQUIRE(journal.find("@last").last_seq == 1);
  }
  Journal journal(folder / "journal.db", Journal::Mode::Create);
  journal.lock(run);
  REQUIRE(journal.append(ended("b")) == 2);
  journal.commit({}, at());
  journal.check_sums(run);
}

}  // namespace flowrun::test::failing_disk_test
