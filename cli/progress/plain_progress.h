// Progress as plain lines on standard error, one a change, columns that stay. Moves no cursor.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <utility>

#include "cli/questions.h"
#include "cli/render.h"
#include "engine/machine/machine.h"
#include "engine/model/entry.h"

namespace flowrun::cli {

class PlainProgress {
 public:
  /// |silent|: nothing is written. |journal|: for the commands that answer steps which wait.
  PlainProgress(bool silent, std::string journal) : silent_(silent), journal_(std::move(journal)) {}
  /// What these commands send along.
  void answers(AnswerData answers) { answers_ = std::move(answers); }
  /// Of a resumed run nothing tells its id.
  void run(const std::string& id) { run_ = id; }

  void entry(const Entry& entry);
  /// Says something of the run itself.
  void note(const std::string& text);
  /// To be called now and then: after 60 s of silence it says what runs, because CI systems end silent jobs.
  void heartbeat(Instant now, const Machine& machine);

 private:
  std::string answer_to(const std::pair<const std::string, std::string>& awaited) const;
  /// How long the attempt that |entry| ends waited for a place, when that is worth a word.
  std::string in_line(const Entry& entry) const;
  void line(Instant at, const std::string& what, const std::string& step, const std::string& detail);

  bool silent_;
  std::string journal_;
  AnswerData answers_;
  Instant last_{};
  Instant began_{};                                   ///< the first line
  std::unordered_map<std::string, Instant> running_;  ///< and when they were started
  std::string run_;                                   ///< its id
  std::map<std::string, std::string> awaited_;        ///< by the paths of the steps that wait: what they wait for
};

}  // namespace flowrun::cli
