// --logs: what processes say, on standard error while a run is driven. Knows the entries that end them; not how the
// steps themselves are shown.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/progress/progress.h"
#include "engine/model/entry.h"
#include "engine/run/log_tail.h"

namespace flowrun::cli {

class StepLogs {
 public:
  enum class Mode {
    Stream,  ///< each line as it is said
    Group,   ///< the end of what an attempt has said, once it is over
    Fail     ///< the same of those that fail
  };

  static constexpr Duration kLook{200};  ///< what is said is shown within so long

  /// |folder|: of the run. |folds|: nothing is shown of the items of a large for_each.
  StepLogs(std::string folder, Mode mode, bool folds) : tail_(std::move(folder)), mode_(mode), folds_(folds) {}

  /// An entry of an earlier drive.
  void earlier(const Entry& entry);
  /// Before |entry| is told.
  void before(const Entry& entry);
  /// After it was told.
  void after(const Entry& entry);
  /// After each turn of the drive.
  void turned() { look(); }

 private:
  // Of an attempt that is over.
  static constexpr std::size_t kMostLines = 100;
  static constexpr std::size_t kMostBytes = 64 << 10;
  struct Said {
    std::deque<std::string> lines;  ///< the last ones
    std::size_t bytes = 0, left_out = 0;
  };

  void look();
  /// What an attempt has said, which |entry| ends.
  void tell(const Entry& entry);
  void print();
  void take(const LogLine& line);
  bool is_folded(const std::string& step) const;

  LogTail tail_;
  const Mode mode_;
  const bool folds_;
  std::string text_;                                  ///< not written yet
  std::unordered_set<std::string> processes_;         ///< paths of those that run
  bool ended_ = false;                                ///< the newest entry ends one of them
  std::vector<std::string> folded_;                   ///< paths of groups
  std::map<std::pair<std::string, int>, Said> said_;  ///< step and attempt
};

void add_logs_option(Command& command, std::string& word);

/// What |word| of --logs means beside |kind|; null: nothing is shown. |folder|: of the run.
std::unique_ptr<StepLogs> make_step_logs(const Context& context, const std::string& word, ProgressKind kind,
                                         std::string folder);

}  // namespace flowrun::cli
