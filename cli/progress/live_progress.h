// --progress tty: the live view at a terminal, ten frames a second at most.
#pragma once

#include <string>
#include <vector>

#include "cli/progress/live_layout.h"
#include "cli/progress/progress.h"

namespace flowrun::cli {

class LiveProgress : public Progress {
 public:
  /// |out|: the terminal behind standard error. |every|: each item gets a row when it is over.
  LiveProgress(int out, std::string journal, LiveStyle style, bool every);
  ~LiveProgress() override;

  void plan(std::vector<OutlineRow> rows, AnswerData answers, const std::string& file) override;
  void run(const std::string& id) override;
  void earlier(const Entry& entry) override;
  void entry(const Entry& entry) override;
  void note(const std::string& text) override;
  void turned(Instant now, const Standing& standing) override;
  Duration patience() const override { return Duration{100}; }
  void over() override;
  void closed(Instant now, const Closing& closing) override;

  /// Whether the live view may be drawn on descriptor |out|: a terminal that moves its cursor.
  static bool possible(int out);

 private:
  std::string status(const Standing& standing) const;
  /// Leaves so many that they and the status fit on the screen.
  void cut_to_rows(std::vector<ScreenLine>& lines, const ScreenSize& size) const;
  std::vector<ScreenLine> lines_of(const std::vector<LiveRow>& rows, std::size_t columns);

  const LiveStyle style_;
  LiveTree tree_;
  LiveScreen screen_;
  std::string run_;
  Instant began_{};
  Instant drawn_{};
  std::size_t frame_ = 0;
  std::size_t columns_ = 0;  ///< of the frame before
  std::size_t longest_name_ = 0;
  std::vector<ScreenLine> scrolled_;  ///< not written yet
};

/// How the terminal behind standard error may be written to: by the locale, and by |color|, the word of --color.
LiveStyle live_style(const std::string& color);

}  // namespace flowrun::cli
