#include "engine/yaml/faults.h"

#include <fmt/format.h>

#include <algorithm>

namespace flowrun {

namespace {

/// A complaint by a part of its words. Where nothing else is said it is told at the place that the parser names.
struct Fault {
  const char* theirs;
  const char* code;
  const char* message;
  const char* suggestion;
};

// The first that fits is taken.
constexpr Fault kFaults[] = {
    {"as a previous item", "E001", "a list item can not begin here", "put `- ` on a line of its own"},
    {"on the same line", "E001", "a list item can not begin here", "put `- ` on a line of its own"},
    {"block sequence entries not allowed", "E001", "a list item can not begin here", "put `- ` on a line of its own"},
    {"followed by ,[]{}", "E001", "this is no text in YAML, inside { } or [ ]", "put it in quotes"},
    {"missing comma in flow mapping", "E001", "`,` or `}` is missing here: a `{` was not closed", ""},
    {"missing comma in flow sequence", "E001", "`,` or `]` is missing here: a `[` was not closed", ""},
    {"invalid comment without whitespace", "E001", "a blank is missing before this `#`",
     "put the whole in quotes, if it is text"},
    {"after comma", "E001", "a blank is missing before this `#`", "put the whole in quotes, if it is text"},
    {"invalid comment after", "E001", "a blank is missing before this `#`", "put the whole in quotes, if it is text"},
    {"no linebreak found", "E001", "behind `|` or `>` the text begins on the next line", ""},
    {"indentation indicator", "E001", "behind `|` or `>` the indentation is 1 to 9", "leave it out"},
    {"invalid escape", "E001", "no such escape in double quotes", "write `\\\\`, or use single quotes"},
    {"hex escape", "E001", "not a Unicode character", ""},
    {"UTF8 escape", "E001", "not a Unicode character", ""},
    {"low surrogate", "E001", "not a Unicode character", ""},
    {"marker in", "E001", "`---` or `...` ends the document within a quoted text", ""},
    {"anchor", "E001", "`&` and `*` make anchors and aliases, which need a name",
     "put the value in quotes if it is text"},
    {"alias", "E001", "`&` and `*` make anchors and aliases, which need a name",
     "put the value in quotes if it is text"},
    {"tag", "E005", "tags are not part of flowrun's YAML", "put the value in quotes if it is text"},
    {"URI", "E005", "tags are not part of flowrun's YAML", "put the value in quotes if it is text"},
    {"expected node content", "E001", "a value is missing here", "write it, or `null`"},
    {"missing document start", "E001", "this line is no part of what is above it",
     "keys of one map and items of one list have the same indentation"},
    {"directive", "E001", "this `%` line is none that YAML knows", "leave it out"},
    {"invalid indentation in mapping", "E001", "this line fits no line above",
     "keys of one map and items of one list have the same indentation"},
    {"expected '-'", "E001", "this line fits no line above",
     "keys of one map and items of one list have the same indentation"},
    {"wrongly indented", "E001", "this line fits no line above",
     "keys of one map and items of one list have the same indentation"},
    {"did not find expected key", "E001", "this line fits no line above",
     "keys of one map and items of one list have the same indentation"},
    {"plain multiline", "E001", "this line fits no line above",
     "keys of one map and items of one list have the same indentation"},
    {"end of block sequence", "E001", "this line fits no line above",
     "keys of one map and items of one list have the same indentation"},
};

std::size_t text_of_line(const YamlText& text, int number) {
  const std::string_view line = text.line(number);
  return text.start(number) + std::min(line.find_first_not_of(" \t"), line.size());
}

/// The closing quote that what stands at |where| is behind, on the same line; else NUL.
char quote_before(const YamlText& text, std::size_t where) {
  std::size_t i = where;
  while (i > 0 && text.at(i - 1) == ' ') --i;
  const char before = i > 0 ? text.at(i - 1) : '\0';
  const bool opening = i < 2 || std::string_view(" \t\n[{,:").find(text.at(i - 2)) != std::string_view::npos;
  return (before == '"' || before == '\'') && !opening ? before : '\0';
}

/// Where a text is to be indented by 0, which the parser refuses without a word.
std::optional<std::size_t> zero_indentation(const YamlText& text) {
  const std::string_view all = text.all();
  for (std::size_t i = all.find('0'); i != std::string_view::npos; i = all.find('0', i + 1)) {
    std::size_t before = i;
    if (before > 0 && (all[before - 1] == '-' || all[before - 1] == '+')) --before;
    if (before > 0 && (all[before - 1] == '|' || all[before - 1] == '>') &&
        (i + 1 == all.size() || std::string_view("+- \r\n").find(all[i + 1]) != std::string_view::npos))
      return before - 1;
  }
  return std::nullopt;
}

/// The line within |error| that has a key which does not belong there.
Refusal misplaced_key(const YamlText& text, const YamlError& error) {
  const int first = text.position(error.begin).line;
  int line = text.position(std::max(error.begin, error.end)).line;
  while (line > first && text.line(line).find(':') == std::string_view::npos) --line;
  const std::size_t begin = text_of_line(text, line);
  const std::string_view rest = text.line(line).substr(begin - text.start(line));
  return {"E001", begin,
          static_cast<int>(std::clamp<std::size_t>(rest.find(':'), 1, std::max<std::size_t>(rest.size(), 1))),
          "a key does not belong here", "check its indentation, and that the line above ends in a value or in `:`"};
}

}  // namespace

Refusal translated(const YamlText& text, const YamlError& error, std::size_t bracket) {
  auto is = [&](const char* theirs) { return error.message.find(theirs) != std::string::npos; };
  const std::size_t where = error.begin;
  const Position at = text.position(where);
  const std::string_view line = text.line(at.line);
  if (is(" tab") || is("tabs") || indented_by_tab(line)) {
    if (!indented_by_tab(line)) return {"E004", where, 1, "a tab can not stand here", "use blanks"};
    return {"E004", text.start(at.line), std::max(1, static_cast<int>(line.find_first_not_of(" \t"))),
            "this line is indented with a tab", "use blanks"};
  }
  if (bracket != std::string_view::npos && text.all().find_first_not_of(" \t\r\n", where) == std::string_view::npos)
    return {"E001", bracket, 1, fmt::format("this `{}` is never closed", text.at(bracket))};
  if (is("nested block mapping on the same line"))
    return {"E001", where, 1, "`: ` begins a second value on this line", "put the value in quotes"};
  if (is("multiline plain key") || is("used as key") || is("multiline flow")) return misplaced_key(text, error);
  if (is("invalid value after mapping") || is("missing mapping value") || is("expected ':'"))
    return {"E001", where, static_cast<int>(std::max<std::size_t>(error.end - where, 1)),
            "this line is neither a key nor part of the value above",
            "a key ends in `:`; text that goes on is indented"};
  if (is("without closing quote")) return {"E001", where > 0 ? where - 1 : 0, 1, "this quote is never closed"};
  // A quote or a bracket that follows begins a value of its own.
  const bool word =
      where < text.all().size() && std::string_view("\"'[{").find(text.at(where)) == std::string_view::npos;
  const char quote = word && is("missing comma in flow") ? quote_before(text, where) : '\0';
  if (is("trailing content after") || quote != '\0') {
    const bool doubled = is("double") || quote == '"';
    return {"E001", where, 1, "text behind the closing quote",
            doubled ? "put the whole in single quotes, or write `\\\"` within double ones"
                    : "put the whole in double quotes, or write `''` within single ones"};
  }
  if (is("wrongly indented") && line.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return {"E001", where, static_cast<int>(std::clamp<std::size_t>(error.end - where, 1, 2)),
            "this line of blanks is deeper than the text that it is in front of", "take the blanks away"};
  if (is("extra closing") || is("mismatched flow"))
    return {"E001", where, 1, fmt::format("`{}` closes nothing", text.at(where)), "put the value in quotes"};
  if (error.message.empty())
    if (const std::optional<std::size_t> zero = zero_indentation(text))
      return {"E001", *zero, 2, "behind `|` or `>` the indentation is 1 to 9", "leave it out"};
  for (const Fault& fault : kFaults)
    if (is(fault.theirs))
      return {fault.code, where, static_cast<int>(std::clamp<std::size_t>(error.end - where, 1, 2)), fault.message,
              fault.suggestion};
  if (is("plain scalar cannot start"))
    return {"E001", where, 1, fmt::format("a value can not begin with `{}`", text.at(where)), "put it in quotes"};
  return {"E001", where, 1, "YAML: " + (error.message.empty() ? "it can not be read" : error.message)};
}

std::size_t comment_in_flow(const YamlText& text, const YamlError& error, std::size_t open) {
  if (error.message.find("flow ") == std::string::npos || open == std::string_view::npos) return error.begin;
  const std::string_view all = text.all().substr(0, error.begin);
  for (std::size_t i = open; i < all.size(); ++i) {
    const bool begins = i > 0 && std::string_view(" \t\n[{,").find(text.at(i - 1)) != std::string_view::npos;
    if ((all[i] == '"' || all[i] == '\'') && begins) {
      i = std::min(all.find(all[i], i + 1), all.size());
    } else if (all[i] == '#' && begins) {
      const std::size_t end = std::min(all.find('\n', i), all.size());
      if (all.substr(i, end - i).find_first_of("}]") != std::string_view::npos) return i;
      i = end;
    }
  }
  return error.begin;
}

bool is_broken_near(const YamlText& text, const YamlError& error) {
  // The parser notices at the latest a few lines behind: where the value ends, or where the next key begins.
  const int first = text.position(error.begin).line - 3, last = text.position(std::max(error.begin, error.end)).line;
  for (int line = last; line >= std::max(first, 1); --line)
    if (broken_value(text, line)) return true;
  return false;
}

std::optional<Quirk> broken_at(const YamlText& text, const YamlError& error) {
  const std::size_t where = error.begin;
  if (where == 0 || text.at(where) != '{' || text.at(where - 1) != '$') return std::nullopt;
  return broken_in_flow(text, where - 1);
}

}  // namespace flowrun
