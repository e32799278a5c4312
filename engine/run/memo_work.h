// The long half of `memo`: finds the result that stands for an attempt, sums what it reads, takes in and puts back what
// it writes. Knows tasks, results and the store; no machine and no drive.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/memo/memo_store.h"
#include "engine/model/event.h"
#include "engine/model/secret.h"
#include "engine/model/task.h"

namespace flowrun {

struct MemoSetting {
  std::string journal, run, workflow;
  bool takes = true;  ///< false: nothing is taken, results are kept all the same
  bool here = true;   ///< attempts are carried out on this machine, with its files
  /// What tells the secrets of the run from others, by a salt. Any thread.
  std::function<std::vector<SecretMark>(const std::string& salt)> marks;
};

/// What an attempt asks.
struct MemoAsked {
  MemoRequest request;
  std::vector<std::string> sent;  ///< files of a request
  KeptResult kept;                ///< all but its result and when it came
  std::string miss, unkept;
  std::shared_ptr<MemoStore::Keeping> keeping;  ///< from when its files are in the store until a result names them
};

/// One thread. It never fails a run: without a store nothing is taken and nothing is kept. What is |given_up|, also in
/// the middle of a file, is left.
class MemoWork {
 public:
  explicit MemoWork(MemoSetting setting) : setting_(std::move(setting)) {}

  /// The result that stands for |task|, its files put back; nothing: it has to run, and |asked| says why. |anew|: it
  /// was asked to.
  std::optional<Result> look(const Task& task, bool anew, Instant now, MemoAsked& asked, const IsGivenUp& given_up);
  /// An attempt that ran has brought |result|, a good one: takes its files in, says what it had missed. A file of
  /// `writes` that is not there is a failure.
  void take_in(Result& result, MemoAsked& asked, const IsGivenUp& given_up);
  /// As take_in() does it with what is given up. Any thread.
  void leave(Result& result, MemoAsked& asked) const;
  void keep(const std::vector<KeptResult>& results);

 private:
  MemoAsked ask(const Task& task, const IsGivenUp& given_up);
  void add_secrets(MemoAsked& asked, const Task& task);
  void add_files(MemoAsked& asked, const Task& task, const IsGivenUp& given_up);
  /// Sums by name as JSON. Throws std::runtime_error.
  std::string sums_of(const MemoAsked& asked, const IsGivenUp& given_up);
  /// A file of `writes` that is not there is a failure. How large they are.
  std::int64_t check_written(Result& result, const MemoAsked& asked) const;
  /// Why no result was found for it.
  std::string difference(const MemoAsked& asked);
  std::optional<Result> take(MemoAsked& asked, const Task& task, Instant now, const IsGivenUp& given_up);
  std::shared_ptr<MemoStore::Keeping> keeping(const IsGivenUp& given_up);
  /// Null, with |trouble_|.
  MemoStore* store();

  const MemoSetting setting_;
  std::unique_ptr<MemoStore> store_;
  std::string trouble_;
  std::optional<std::vector<SecretMark>> marks_;
  std::weak_ptr<MemoStore::Keeping> keeping_;
};

}  // namespace flowrun
