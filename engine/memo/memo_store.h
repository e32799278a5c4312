// What earlier runs of a journal have brought, by the hash of what was asked: results in an index, files by their
// content. Knows texts and files; neither what a key is made of nor a step.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/executor/open_file.h"
#include "engine/memo/kept_files.h"
#include "engine/model/time.h"

namespace flowrun {

/// A file that belongs to a result.
struct KeptFile {
  std::string name;  ///< as `writes` of the step says it
  std::string sum;   ///< content_sum of it
  std::int64_t size = 0;
  int mode = 0;  ///< permission bits
};

/// A result, and what it was asked with.
struct KeptResult {
  std::string key;
  std::string workflow, step;  ///< name of the run's workflow, path
  std::string run;
  std::int64_t seq = 0;
  Instant at{};
  Duration at_most{0};  ///< what the step said then
  std::string definition, input, folder;
  std::string secrets;  ///< object: marks by name
  std::string reads;    ///< object: sums of files by name, null for what is not there
  std::vector<KeptFile> writes;
  std::string result;  ///< ended_text
};

/// The folder JOURNAL-memo beside a journal. One thread; any number of processes at once. Whoever is killed leaves it
/// whole: a result is there with all its files or not at all. What is lost is done again. What is done with a file ends
/// soon, by GivenUp, once it is given up.
class MemoStore {
 public:
  /// The folder of the journal |journal|.
  static std::string folder_of(const std::string& journal);
  /// Whether the journal |journal| has one.
  static bool is_there(const std::string& journal);
  /// Opens it, or makes it. Throws Error(Journal) for one that is not ours, damaged, or not accessible.
  explicit MemoStore(const std::string& journal);
  ~MemoStore();

  /// A text that no other store has.
  const std::string& salt() const { return salt_; }

  /// The result under |key|; a damaged one is none.
  std::optional<KeptResult> find(const std::string& key);
  /// The newest one of a step.
  std::optional<KeptResult> newest(const std::string& workflow, const std::string& step);
  /// All, newest first, without their results.
  std::vector<KeptResult> list();
  /// Puts |results| in place of those with their keys, all or none of them.
  void keep(const std::vector<KeptResult>& results);
  /// Takes out the results of these keys. How many there were.
  std::size_t remove(const std::vector<std::string>& keys);
  /// Takes away files that no result names, unless another process keeps some just now. By how many bytes.
  std::int64_t sweep();

  /// The sum of the content of the regular file |path|, followed through links; from memory when it is as it was.
  /// Throws std::runtime_error with the reason when it can not be read.
  std::string sum_of(const std::string& path, const IsGivenUp& given_up = kNeverGivenUp);

  /// While it lives nobody sweeps. Waits for who does. Throws std::runtime_error where the lock can not be had.
  class Keeping {
   public:
    explicit Keeping(const MemoStore& store, const IsGivenUp& given_up = kNeverGivenUp);

   private:
    OpenFile lock_;
  };
  /// Copies the file |path| into the store. Throws std::runtime_error with the reason. REQUIRES: Keeping, until keep().
  KeptFile take_in(const std::string& name, const std::string& path, const IsGivenUp& given_up = kNeverGivenUp);
  /// Makes |path| what |file| was, in one step, with the folders around it; one that is as it was stays. Throws
  /// std::runtime_error with the reason.
  void put_back(const KeptFile& file, const std::string& path, const IsGivenUp& given_up = kNeverGivenUp);

 private:
  int open_lock() const;

  struct Open;
  std::unique_ptr<Open> open_;
  std::string path_, salt_;
};

}  // namespace flowrun
