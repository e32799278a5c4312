// `memo` of steps: a result of an earlier run of the journal stands for an attempt when what is asked is the same. The
// machine knows nothing of it: it decides a start as ever, and is told an end. Knows tasks, results and the store.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/memo/memo_store.h"
#include "engine/model/event.h"
#include "engine/model/secret.h"
#include "engine/model/task.h"

namespace flowrun {

/// Belongs to the drive of one run. It never fails a run: without a store nothing is taken and nothing is kept.
class Memo {
 public:
  struct Setting {
    std::string journal, run, workflow;
    bool takes = true;  ///< false: nothing is taken, results are kept all the same
    bool here = true;   ///< attempts are carried out on this machine, with its files
    /// Whether the step at a path was asked to run again: then nothing is taken.
    std::function<bool(const std::string& path)> anew;
    /// What tells the secrets of the run from others, by a salt.
    std::function<std::vector<SecretMark>(const std::string& salt)> marks;
  };
  explicit Memo(Setting setting) : setting_(std::move(setting)) {}

  /// The result that stands for |task|, its files put back. Nothing: it has to run.
  std::optional<Result> result_of(const Task& task, Instant now);
  /// An attempt at a step with `memo` that ran has ended: says what it had missed, takes its files in. A file of
  /// `writes` that is not there is a failure.
  void ended(TaskEnded& ended);
  /// That end is entry |seq| now, completed by its step. |late|: nobody waits for it.
  void written(const TaskEnded& ended, std::int64_t seq, Instant at, bool late);
  /// What its step has made of it: a result that is not |good| enough is not kept.
  void settled(const std::string& path, bool good);
  /// Keeps what was written and settled, now that it is durable.
  void keep();

 private:
  /// What an attempt asks.
  struct Asked {
    int attempt = 0;
    MemoRequest request;
    std::vector<std::string> sent;  ///< files of a request
    KeptResult kept;                ///< all but its result and when it came
    std::string miss, unkept;
  };
  Asked ask(const Task& task);
  void add_secrets(Asked& asked, const Task& task);
  void add_files(Asked& asked, const Task& task);
  /// Sums by name as JSON. Throws std::runtime_error.
  std::string sums_of(const Asked& asked);
  /// Why no result was found for it.
  std::string difference(const Asked& asked);
  std::optional<Result> take(Asked& asked, const Task& task, Instant now);
  /// Null, with |trouble_|.
  MemoStore* store();

  const Setting setting_;
  std::unique_ptr<MemoStore> store_;
  std::string trouble_;
  std::optional<std::vector<SecretMark>> marks_;
  std::map<std::string, Asked> asked_;  ///< by path: what runs
  std::optional<KeptResult> written_;   ///< of the end that is being taken in
  std::vector<KeptResult> fresh_;       ///< settled, not durable yet
  std::optional<MemoStore::Keeping> keeping_;
};

}  // namespace flowrun
