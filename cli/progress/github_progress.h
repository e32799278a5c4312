// --progress github: plain lines folded into a group of the log of GitHub Actions, and annotations for what has failed.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "cli/progress/plain_progress.h"

namespace flowrun::cli {

class GithubProgress : public PlainProgress {
 public:
  using PlainProgress::PlainProgress;

  void plan(std::vector<OutlineRow> rows, AnswerData answers, const std::string& file) override;
  void entry(const Entry& entry) override;
  void over() override;
  void closed(Instant now, const Closing& closing) override;

 private:
  void annotate(const std::string& path, const std::string& text, bool failed) const;

  std::string file_;  ///< of the workflow
  std::vector<OutlineRow> rows_;
  std::map<std::string, std::string> failed_;  ///< paths of steps, and what was wrong
  bool open_ = false;                          ///< the group in the log
};

/// `::error file=F,line=3::text`, with what those words may not hold written as the runner reads it.
std::string workflow_command(std::string_view name, const std::vector<std::pair<std::string, std::string>>& properties,
                             std::string_view text);

}  // namespace flowrun::cli
