// What the retries of a run ask for: the newest, which is at work, and all that its journal tells of. Knows no frame.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "engine/model/event.h"

namespace flowrun {

/// Which steps retries are about. A machine that is told of it before its first fact keeps the frames that they need;
/// what it decides up to a retry does not depend on it.
struct Foresight {
  std::set<std::string> paths;
  bool failed = false;  ///< all that has failed
  std::string stream;   ///< the for_each that gets more items

  void add(const RunReopened& reopened);
  bool nothing() const { return paths.empty() && !failed && stream.empty(); }
  /// Whether a retry is about the step at |path| or one below.
  bool concerns(std::string_view path) const;
};

/// The newest retry.
class RetryRequest {
 public:
  RetryRequest() = default;
  explicit RetryRequest(const RunReopened& reopened);

  /// False: nobody has retried the run, or a flowrun has that reopened more than what was asked for.
  bool exact() const { return exact_; }
  /// Also what has failed and was tolerated.
  bool failed() const { return failed_; }
  /// Whether all that is unfinished at |path| and below is meant.
  bool covers(std::string_view path) const;
  /// Whether just the step at |path| is named.
  bool names(const std::string& path) const { return targets_.count(path) > 0; }
  /// Whether that step or one below it is named, or gets more items.
  bool leads_to(std::string_view path) const;
  /// Whether the for_each at |path| gets more items of its stream.
  bool streams(const std::string& path) const { return !stream_.empty() && stream_ == path; }
  /// Takes out what was said of the step at |path|.
  std::optional<Mark> take_mark(const std::string& path);

 private:
  bool exact_ = false, failed_ = false, everywhere_ = false;
  std::set<std::string> targets_;
  std::map<std::string, Mark> marks_;
  std::string stream_;
};

}  // namespace flowrun
