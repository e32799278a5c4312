// How findings are shown: as text with the source line and carets, as JSON, as GitHub annotations. Does not know what
// the findings are about.
#include "engine/model/diagnostics.h"

#include <fmt/format.h>

#include <algorithm>

namespace flowrun {
namespace {

// A longer source line (a JSON file on one line, say) is shown around the column only.
constexpr std::size_t kShownLine = 160;

const char* name_of(Diagnostic::Severity severity) {
  switch (severity) {
    case Diagnostic::Severity::Error:
      return "error";
    case Diagnostic::Severity::Warning:
      return "warning";
    case Diagnostic::Severity::Hint:
      return "hint";
  }
  return "error";
}

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// Where the lines of a text begin, so that many findings do not each count lines again.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
    for (std::size_t at = 0; at != std::string_view::npos;) {
      starts_.push_back(at);
      at = text_.find('\n', at);
      if (at != std::string_view::npos) ++at;
    }
  }
  /// Line |number| from 1, without its end; empty when there is none.
  std::string_view operator[](int number) const {
    if (number < 1 || static_cast<std::size_t>(number) > starts_.size()) return {};
    std::size_t from = starts_[static_cast<std::size_t>(number) - 1];
    std::string_view line = text_.substr(from, text_.find('\n', from) - from);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }
  /// The column of |at| in characters.
  int column(Position at) const {
    std::string_view before = (*this)[at.line].substr(0, static_cast<std::size_t>(std::max(at.column - 1, 0)));
    return at.column - static_cast<int>(std::count_if(before.begin(), before.end(), continues_character));
  }

 private:
  std::string_view text_;
  std::vector<std::size_t> starts_;
};

/// A source line cut to what fits, and the column in it.
struct Excerpt {
  std::string_view before;
  std::string_view line;
  std::string_view after;
  std::size_t column;  ///< from 0, in |line|
};

Excerpt excerpt(std::string_view line, std::size_t column) {
  column = std::min(column, line.size());
  if (line.size() <= kShownLine) return {"", line, "", column};
  std::size_t from = column > kShownLine / 2 ? column - kShownLine / 2 : 0;
  while (from > 0 && continues_character(line[from])) --from;
  std::size_t to = std::min(line.size(), from + kShownLine);
  while (to < line.size() && continues_character(line[to])) ++to;
  return {from > 0 ? "..." : "", line.substr(from, to - from), to < line.size() ? "..." : "", column - from};
}

/// |text| as it may go to a terminal: no control character but the tab, nothing that is not UTF-8.
std::string printable(std::string_view text) {
  std::string out(text);
  for (std::size_t i = 0; i < out.size(); ++i) {
    auto c = static_cast<unsigned char>(out[i]);
    std::size_t tail = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC0 ? 1 : 0;
    bool whole = c < 0x80 || (tail > 0 && i + tail < out.size());
    for (std::size_t k = 1; whole && k <= tail; ++k) whole = continues_character(out[i + k]);
    if (!whole || (c < 0x20 && c != '\t') || c == 0x7F)
      out[i] = '?';
    else
      i += tail;
  }
  return out;
}

/// Blanks as wide as |text|: one for a character, a tab for a tab.
std::string blanks(std::string_view text) {
  std::string out;
  for (char c : text)
    if (!continues_character(c)) out += c == '\t' ? '\t' : ' ';
  return out;
}

void append_source(std::string& out, const Diagnostic& finding, std::string_view source_line) {
  if (finding.at.column < 1) {
    out += fmt::format("{:5} | {}\n", finding.at.line, printable(excerpt(source_line, 0).line));
    return;
  }
  Excerpt shown = excerpt(source_line, static_cast<std::size_t>(finding.at.column - 1));
  out += fmt::format("{:5} | {}{}{}\n", finding.at.line, shown.before, printable(shown.line), shown.after);
  std::string_view marked = shown.line.substr(shown.column, static_cast<std::size_t>(std::max(finding.length, 1)));
  std::size_t carets =
      std::max<std::size_t>(1, static_cast<std::size_t>(std::count_if(marked.begin(), marked.end(),
                                                                      [](char c) { return !continues_character(c); })));
  std::string indent = std::string(shown.before.size(), ' ') + blanks(shown.line.substr(0, shown.column));
  out += fmt::format("      | {}{}", indent, std::string(carets, '^'));
  // Further lines of a suggestion stand below its first.
  std::string_view rest = finding.suggestion;
  for (bool first = true; !rest.empty(); first = false) {
    std::size_t end = std::min(rest.find('\n'), rest.size());
    if (first)
      out += fmt::format(" {}", rest.substr(0, end));
    else
      out += fmt::format("\n      | {}{} {}", indent, std::string(carets, ' '), rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  out += '\n';
}

std::string github_escaped(std::string_view text, bool property) {
  std::string out;
  for (char c : text) {
    if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ',')))
      out += fmt::format("%{:02X}", static_cast<unsigned>(c));
    else
      out += c;
  }
  return out;
}

std::vector<Diagnostic> by_position(std::vector<Diagnostic> all) {
  std::stable_sort(all.begin(), all.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::pair(a.at.line, a.at.column) < std::pair(b.at.line, b.at.column);
  });
  return all;
}

/// Changes that make |a| into |b|: a character inserted, dropped, replaced, or two neighbours swapped.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> older(b.size() + 1), old(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) old[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({old[j] + 1, row[j - 1] + 1, old[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], older[j - 2] + 1);
    }
    std::swap(older, old);
    std::swap(old, row);
  }
  return old[b.size()];
}

}  // namespace

void Diagnostics::error(std::string code, Position at, int length, std::string message, std::string suggestion) {
  add({Diagnostic::Severity::Error, std::move(code), source_.name, at, length, std::move(message),
       std::move(suggestion)});
}

void Diagnostics::warning(std::string code, Position at, int length, std::string message, std::string suggestion) {
  auto severity = code.starts_with('I') ? Diagnostic::Severity::Hint : Diagnostic::Severity::Warning;
  add({severity, std::move(code), source_.name, at, length, std::move(message), std::move(suggestion)});
}

void Diagnostics::add(Diagnostic finding) {
  if (told_.insert(fmt::format("{}:{}:{}{}", finding.at.line, finding.at.column, finding.code, finding.message)).second)
    all_.push_back(std::move(finding));
}

std::size_t Diagnostics::count(Diagnostic::Severity severity) const {
  return static_cast<std::size_t>(
      std::count_if(all_.begin(), all_.end(), [&](const Diagnostic& d) { return d.severity == severity; }));
}

std::size_t Diagnostics::errors() const { return count(Diagnostic::Severity::Error); }
std::size_t Diagnostics::warnings() const { return count(Diagnostic::Severity::Warning); }
std::size_t Diagnostics::hints() const { return count(Diagnostic::Severity::Hint); }

std::string Diagnostics::summary() const {
  auto counted = [](std::size_t number, const char* what) {
    return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
  };
  std::string text = counted(errors(), "error") + ", " + counted(warnings(), "warning");
  return hints() == 0 ? text : text + ", " + counted(hints(), "hint");
}

std::string Diagnostics::text() const {
  Lines lines(source_.text);
  std::string out;
  for (const Diagnostics& other : included_) out += other.text();
  for (const Diagnostic& finding : by_position(all_)) {
    out += finding.file;
    if (finding.at.line > 0) out += fmt::format(":{}", finding.at.line);
    if (finding.at.line > 0 && finding.at.column > 0) out += fmt::format(":{}", lines.column(finding.at));
    out += fmt::format(": {}[{}]: {}\n", name_of(finding.severity), finding.code, finding.message);
    bool shown = finding.at.line > 0 && !lines[finding.at.line].empty();
    if (shown) append_source(out, finding, lines[finding.at.line]);
    // Without a place for the carets the suggestion is a line of its own.
    if (!finding.suggestion.empty() && (!shown || finding.at.column < 1))
      out += fmt::format("      {}\n", finding.suggestion);
  }
  return out;
}

Json Diagnostics::json() const {
  Lines lines(source_.text);
  Json list = Json::array();
  for (const Diagnostics& other : included_)
    for (Json& finding : other.json()) list.push_back(std::move(finding));
  for (const Diagnostic& finding : by_position(all_))
    list.push_back({{"severity", name_of(finding.severity)},
                    {"code", finding.code},
                    {"file", finding.file},
                    {"line", finding.at.line},
                    {"column", lines.column(finding.at)},
                    {"message", finding.message},
                    {"suggestion", finding.suggestion}});
  return list;
}

std::string Diagnostics::github() const {
  Lines lines(source_.text);
  std::string out;
  for (const Diagnostics& other : included_) out += other.github();
  for (const Diagnostic& finding : by_position(all_)) {
    bool hint = finding.severity == Diagnostic::Severity::Hint;
    out += fmt::format("::{} file={}", hint ? "notice" : name_of(finding.severity), github_escaped(finding.file, true));
    if (finding.at.line > 0) out += fmt::format(",line={}", finding.at.line);
    if (finding.at.column > 0) out += fmt::format(",col={}", lines.column(finding.at));
    out += fmt::format(",title={}::{}", github_escaped(finding.code, true), github_escaped(finding.message, false));
    if (!finding.suggestion.empty()) out += github_escaped("\n" + finding.suggestion, false);
    out += '\n';
  }
  return out;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string_view best;
  std::size_t best_distance = word.size();
  for (const std::string& candidate : candidates) {
    const std::size_t longer = std::max(word.size(), candidate.size());
    if (longer - std::min(word.size(), candidate.size()) >= best_distance) continue;
    std::size_t d = distance(word, candidate);
    // Short words are within two changes of each other by chance: `any` and `all`, FETCH and PATCH.
    if (d < best_distance && d <= std::max<std::size_t>(1, longer / 3) && d < longer) {
      best = candidate;
      best_distance = d;
    }
  }
  return std::string(best);
}

}  // namespace flowrun
