// Where a worker keeps its files: one folder for each worker of a user, in it one for each run. Knows the marks of
// processes that a dead worker left behind; nothing of requests.
#pragma once

#include <ios>
#include <set>
#include <string>
#include <vector>

#include "engine/executor/leftovers.h"

namespace flowrun::restate {

/// A folder that no other worker uses, `STATE/N`. It is held until the process ends, however it ends.
class WorkerFolder {
 public:
  /// Takes the first that is free, and ends what dead workers have left running: processes of their steps.
  /// Throws Error(Journal) where there can be none.
  explicit WorkerFolder(const std::string& state);
  ~WorkerFolder();
  WorkerFolder(const WorkerFolder&) = delete;
  WorkerFolder& operator=(const WorkerFolder&) = delete;

  const std::string& path() const { return path_; }
  const std::vector<Leftover>& leftovers() const { return leftovers_; }

  /// Where the files of a run are; |key| names it. Not made yet.
  std::string run_dir(const std::string& key) const;
  /// Before a process of a run begins: they carry |token|. REQUIRES: the folder of the run is there.
  void note_token(const std::string& key, const std::string& token) const;
  /// The steps in flight whose processes are meant to stay behind when they have ended; other processes need no note.
  void note_staying(const std::string& key, const std::set<std::string>& steps) const;
  /// A run is not used any more: its folder goes when nothing is in it that a later step might read.
  void leave(const std::string& key) const;
  /// Folders of runs that nobody has used for |days| go, also those of dead workers.
  void tidy(int days) const;

  /// Whether |invocation| has begun, in any worker of this user on this machine, also one that was killed.
  bool has_begun(const std::string& invocation);
  void note_begun(const std::string& invocation);
  /// The run of |key| is in use: tidy() leaves its files alone.
  void keep(const std::string& key) const;

 private:
  void end_leftovers_of(const std::string& folder);
  void read_begun();
  void read_more_begun();

  std::string state_, path_;
  int lock_ = -1, begun_file_ = -1;
  std::vector<Leftover> leftovers_;
  std::set<std::string, std::less<>> begun_;
  std::streamoff begun_read_ = 0;  ///< of the file that all workers append to
  bool alone_ = true;              ///< no other worker lived when this one began
};

}  // namespace flowrun::restate
