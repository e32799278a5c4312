// Who may write: the locks beside the journal, `JOURNAL-lock` and `JOURNAL-turn`. Knows numbers of runs, no SQL.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

namespace flowrun {

/// The file `JOURNAL-lock`. Byte n is locked by the driver of run n; byte 0 is shared by every process that writes
/// and held alone by the one that makes or changes the schema. The locks are POSIX record locks (fcntl F_SETLK): they
/// end with the process whatever its children do, and name its pid.
///
/// The price: they belong to the process, and closing any descriptor of the file ends them all. So a process has one
/// LockFile a file, shared by its journals, with one descriptor that is closed with the last of them; what this
/// process holds is kept here, since the kernel would grant it twice. Safe from several threads.
class LockFile {
 public:
  /// The one of this process for |path|; made or opened when it is the first. Without |make|, null when there is no
  /// file that we may open. Throws Error(Journal).
  static std::shared_ptr<LockFile> of(const std::string& path, bool make);
  ~LockFile();
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;

  /// Locks the byte of a run. False when somebody has it, this process included.
  bool lock_run(std::int64_t number);
  void unlock_run(std::int64_t number);
  /// Pid of who drives a run, 0 when nobody does, -1 when somebody of whom no pid is known here does.
  std::int64_t driver(std::int64_t number) const;

  /// Takes byte 0 as one of many; waits while somebody has it alone. Counted: see WriterShare.
  void join_writers();
  void leave_writers();
  /// REQUIRES: joined. Takes byte 0 alone, giving up the share of it in between; false when there are other writers,
  /// and nothing has changed then. At the end share_again().
  bool take_alone();
  void share_again();
  /// Pid of another process that writes, 0 if none or unknown.
  std::int64_t other_writer() const;

 private:
  LockFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::int64_t holder(std::int64_t byte) const;

  std::string path_;
  int fd_;
  std::set<std::int64_t> held_;  ///< runs that this process drives
  int writers_ = 0;              ///< journals of this process that joined
};

/// Being one of the processes that write, as long as it lives; its constructor waits while the schema is being made.
class WriterShare {
 public:
  explicit WriterShare(LockFile& locks) : locks_(locks) { locks_.join_writers(); }
  ~WriterShare() { locks_.leave_writers(); }
  WriterShare(const WriterShare&) = delete;
  WriterShare& operator=(const WriterShare&) = delete;

 private:
  LockFile& locks_;
};

/// The line in which writers wait, `JOURNAL-turn`. SQLite's own way of waiting lets one of several busy writers starve.
/// Open file description locks, so two journals of one process wait for each other too.
class WriterTurn {
 public:
  explicit WriterTurn(const std::string& path);
  ~WriterTurn();
  WriterTurn(const WriterTurn&) = delete;
  WriterTurn& operator=(const WriterTurn&) = delete;

  /// Has the turn as long as it lives; its constructor waits.
  class Hold {
   public:
    explicit Hold(const WriterTurn& turn);
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    const WriterTurn& turn_;
  };

 private:
  void lock(std::int64_t byte) const;
  void unlock(std::int64_t byte) const;

  std::string path_;
  int fd_;
};

}  // namespace flowrun
