// Progress as plain lines on standard error, one a change, columns that stay; of the items of a large for_each only
// failures, and how far it is. Moves no cursor.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <utility>

#include "cli/progress/item_groups.h"
#include "cli/progress/progress.h"
#include "cli/render.h"

namespace flowrun::cli {

class PlainProgress : public Progress {
 public:
  /// |journal|: for the commands that answer steps which wait. |every|: every item has its lines.
  PlainProgress(std::string journal, bool every) : journal_(std::move(journal)), every_(every), items_(false) {}

  void plan(std::vector<OutlineRow> rows, AnswerData answers, const std::string& file) override;
  void run(const std::string& id) override { run_ = id; }
  void still_waits(const Entry& entry) override { this->entry(entry); }
  void entry(const Entry& entry) override;
  void note(const std::string& text) override;
  /// Says how far the groups are that are not told item by item, and after 60 s of silence what runs, because CI
  /// systems end silent jobs.
  void turned(Instant now, const Standing& standing) override;
  void earlier(const Entry& entry) override;
  void over() override;
  void closed(Instant now, const Closing& closing) override;

 private:
  /// Whether |entry| is of a group that is told as a whole.
  bool folds(const Entry& entry, bool told);
  void tell_failed_items(Instant now);
  void tell_groups(Instant now);
  std::string answer_to(const std::pair<const std::string, std::string>& awaited) const;
  /// How long the attempt that |entry| ends waited for a place, when that is worth a word.
  std::string in_line(const Entry& entry) const;
  void line(Instant at, const std::string& what, const std::string& step, const std::string& detail);

  struct Told {
    std::size_t tenth = 0;  ///< of the items of a group that were over when it was told last
    Instant at{};
  };

  std::string journal_;
  const bool every_;
  ItemGroups items_;  ///< those that are large
  std::map<std::string, Told> told_;
  AnswerData answers_;
  Instant last_{};
  Instant began_{};                                   ///< the first line
  std::unordered_map<std::string, Instant> running_;  ///< and when they were started
  std::string run_;                                   ///< its id
  std::map<std::string, std::string> awaited_;        ///< by the paths of the steps that wait: what they wait for
};

}  // namespace flowrun::cli
