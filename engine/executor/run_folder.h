// The folder of a run's files. Whatever stands there is opened by way of it: scripts, answers, output of processes, the
// log. Knows no step and nothing of what is in the files.
#pragma once

#include <string>
#include <vector>

namespace flowrun {

/// `runs/ID` beside the journal. A journal may stand where others can write, and what they lay there under a name of
/// ours must not be written to, read as ours or executed. So the folder, and `runs` above it, have to be this user's
/// and writable by nobody else; files are opened relative to what was checked, never through a link, and new ones
/// replace what has their name. Any thread.
class RunFolder {
 public:
  /// Opens nothing yet.
  explicit RunFolder(std::string path) : path_(std::move(path)) {}
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::string& path() const { return path_; }

  /// Throws Error(Journal), with what to do, when there is one that may not be used. Makes nothing.
  void check() const;
  /// Opens it; made, 0700, when it is not there. Throws as check(). Costs nothing when it is open.
  void make();
  /// Opens the folder as it stands, whoever it belongs to, to read in it. False: there is none.
  bool look();

  // REQUIRES: it is open. All return a descriptor, or -1 with errno.
  /// A new file of mode 0600 for reading and writing, in place of what has its name.
  int create(const std::string& name) const;
  /// For reading and for writing behind what is there; made when missing. EPERM: it is not simply a file of this user.
  int append(const std::string& name) const;
  /// For reading; EPERM when it is not a regular file.
  int read(const std::string& name) const;

  void remove(const std::string& name) const;
  /// Those that begin with |prefix|, in no order.
  std::vector<std::string> names(const std::string& prefix) const;
  /// Takes away whose names begin with |prefix|.
  void remove_all(const std::string& prefix) const;

 private:
  int open(bool make) const;

  const std::string path_;
  int descriptor_ = -1;
};

}  // namespace flowrun
