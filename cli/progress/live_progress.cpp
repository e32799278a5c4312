#include "cli/progress/live_progress.h"

#include <fmt/format.h>
#include <langinfo.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <utility>

#include "cli/progress/columns.h"
#include "cli/render.h"
#include "cli/terminal.h"

namespace flowrun::cli {
namespace {

constexpr Duration kFrame{100};

/// Terminals that are known to show OSC 9;4; others may print it.
bool shows_share() {
  const std::string program = variable("TERM_PROGRAM");
  return !variable("WT_SESSION").empty() || variable("ConEmuANSI") == "ON" || program == "WezTerm" ||
         program == "ghostty";
}

bool locale_is_utf8() {
  const locale_t locale = newlocale(LC_CTYPE_MASK, "", nullptr);
  if (!locale) return false;
  const bool utf8 = std::string(nl_langinfo_l(CODESET, locale)) == "UTF-8";
  freelocale(locale);
  return utf8;
}

}  // namespace

LiveStyle live_style(const std::string& color) {
  LiveStyle style;
  style.utf8 = locale_is_utf8();
  style.colors = color == "always" || (color == "auto" && variable("NO_COLOR").empty() && variable("TERM") != "dumb");
  return style;
}

bool LiveProgress::possible(int out) {
  const std::string term = variable("TERM");
  return isatty(out) == 1 && !term.empty() && term != "dumb";
}

LiveProgress::LiveProgress(int out, std::string journal, LiveStyle style, bool every)
    : style_(style), tree_(std::move(journal), every), screen_(out, shows_share()) {
  before_stderr([this] { screen_.erase(); });
}

LiveProgress::~LiveProgress() { before_stderr({}); }

void LiveProgress::plan(std::vector<OutlineRow> rows, AnswerData answers, const std::string& /*file*/) {
  for (const OutlineRow& row : rows)
    if (row.depth == 0) longest_name_ = std::max(longest_name_, columns_of(shown(row.path)));
  tree_.plan(std::move(rows), std::move(answers));
}

void LiveProgress::run(const std::string& id) {
  run_ = id;
  tree_.run(id);
}

void LiveProgress::earlier(const Entry& entry) { tree_.earlier(entry); }

void LiveProgress::entry(const Entry& entry) {
  if (began_ == Instant{}) began_ = entry.at;
  tree_.entry(entry);
}

void LiveProgress::note(const std::string& text) {
  scrolled_.push_back(line_of({LiveRow::Mark::Note, "", text, ""}, 0, screen_.size().columns, 0, style_));
}

std::vector<ScreenLine> LiveProgress::lines_of(const std::vector<LiveRow>& rows, std::size_t columns) {
  std::vector<ScreenLine> lines;
  const std::size_t names = name_columns(longest_name_, columns);
  lines.reserve(rows.size());
  for (const LiveRow& row : rows) lines.push_back(line_of(row, names, columns, frame_, style_));
  return lines;
}

void LiveProgress::cut_to_rows(std::vector<ScreenLine>& lines, const ScreenSize& size) const {
  const std::size_t most = size.rows > 3 ? size.rows - 3 : 0;
  std::size_t used = 0, kept = 0;
  while (kept < lines.size() && used + lines[kept].rows(size.columns) <= most) used += lines[kept++].rows(size.columns);
  if (kept == lines.size()) return;
  // The last row that fits says how many do not.
  while (kept > 0 && used + 1 > most) used -= lines[--kept].rows(size.columns);
  const std::size_t hidden = lines.size() - kept;
  lines.resize(kept);
  if (used < most)
    lines.push_back(
        line_of({LiveRow::Mark::Note, "", fmt::format("and {} more", hidden), ""}, 0, size.columns, 0, style_));
}

std::string LiveProgress::status(const Standing& standing) const {
  std::string text = fmt::format("{}  {} ok", run_, standing.ok);
  if (standing.failed > 0) text += fmt::format(", {} failed", standing.failed);
  if (!standing.machine) return text;
  if (const std::size_t running = standing.running(); running > 0) text += fmt::format(", {} running", running);
  return text + who_waits(*standing.machine, standing.in_line, standing.shared, standing.looked_for);
}

void LiveProgress::turned(Instant now, const Standing& standing) {
  if (now >= drawn_ && now - drawn_ < kFrame) return;
  if (!screen_.takes()) return;
  drawn_ = now;
  ++frame_;
  const ScreenSize size = screen_.size();
  // A terminal that was resized tells its size before it has wrapped what stands there anew.
  if (std::exchange(columns_, size.columns) != size.columns && frame_ > 1) return;
  for (ScreenLine& line : lines_of(tree_.ended(), size.columns)) scrolled_.push_back(std::move(line));
  std::vector<ScreenLine> lines = lines_of(tree_.running(now), size.columns);
  // One row is for the status, one for the cursor, and one for the line that is cut off at the top when all others are
  // taken.
  cut_to_rows(lines, size);
  lines.push_back(
      line_of({LiveRow::Mark::Note, "", status(standing), began_ == Instant{} ? "" : to_display(now - began_)}, 0,
              size.columns, frame_, style_));
  // Below it stands the cursor: there `^C` is written when that is typed, and what a shell says after SIGKILL.
  lines.emplace_back();
  screen_.draw(std::exchange(scrolled_, {}), lines, tree_.percent());
}

void LiveProgress::closed(Instant, const Closing& closing) {
  using Mark = LiveRow::Mark;
  const Mark mark = closing.state == RunState::Succeeded ? Mark::Ok
                    : closing.state == RunState::Failed  ? Mark::Failed
                                                         : Mark::Other;
  const LiveRow row{
      mark, "",
      fmt::format("{}  {}  {} ok, {} failed", closing.run, to_string(closing.state), closing.ok, closing.failed),
      to_display(closing.took)};
  screen_.draw({line_of(row, 0, screen_.size().columns, 0, style_)}, {}, -1);
}

void LiveProgress::over() {
  const std::size_t columns = screen_.size().columns;
  for (ScreenLine& line : lines_of(tree_.ended(), columns)) scrolled_.push_back(std::move(line));
  screen_.draw(std::exchange(scrolled_, {}), {}, -1);
  screen_.erase();
}

}  // namespace flowrun::cli
