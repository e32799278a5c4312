#include "engine/language/yaml_faults.h"

#include <fmt/format.h>

#include <algorithm>

namespace flowrun {

namespace {

/// Whether |where| follows, on its line, the quoted text at |last|.
bool behind_quoted(const YamlText& text, std::size_t last, std::size_t where) {
  char quote = text.at(last);
  return (quote == '"' || quote == '\'') && text.position(last).line == text.position(where).line;
}

}  // namespace

Refusal translated(const YamlText& text, const std::string& message, std::size_t where, std::size_t last) {
  auto is = [&](const char* theirs) { return message.find(theirs) != std::string::npos; };
  Position at = text.position(where);
  std::string_view line = text.line(at.line);
  std::string_view before = line.substr(0, std::min(line.size(), static_cast<std::size_t>(at.column - 1)));
  char c = text.at(where);
  if (is("illegal tab") || indented_by_tab(line))
    return {"E004", text.start(at.line), std::max(1, static_cast<int>(line.find_first_not_of(" \t"))),
            "this line is indented with a tab", "use blanks"};
  if (is("bad file")) return {"E008", where, 1, fmt::format("nested deeper than {} levels", kMaxYamlDepth)};
  if (is("illegal map value")) {
    if (before.find(": ") != std::string_view::npos)
      return {"E001", where, 1, "`: ` begins a second value on this line", "put the value in quotes"};
    return {"E001", text.start(at.line) + std::min(line.find_first_not_of(' '), line.size()),
            static_cast<int>(
                std::max<std::size_t>(1, before.size() - std::min(before.find_first_not_of(' '), before.size()))),
            "a key does not belong here", "check its indentation, and that the line above ends in a value or in `:`"};
  }
  const bool open_flow = is("end of map flow") || is("end of sequence flow");
  if (c == '?' && open_flow)
    return {"E001", where, 1, "`?` before a blank ends the text here", "put the text in quotes"};
  if (c == '?' && is("unknown token") && std::string_view(" \t{[,").find(text.at(where - 1)) == std::string_view::npos)
    return {"E001", where, 1, "`?` ends the text here, inside { } or [ ]", "put the text in quotes"};
  if (is("end of map flow")) return {"E001", where, 1, "`,` or `}` is missing here: a `{` was not closed"};
  if (is("end of sequence flow")) return {"E001", where, 1, "`,` or `]` is missing here: a `[` was not closed"};
  if ((is("end of map") || is("end of sequence")) && behind_quoted(text, last, where))
    return {"E001", where, 1, "text behind the closing quote",
            text.at(last) == '"' ? "put the whole in single quotes, or write `\\\"` within double ones"
                                 : "put the whole in double quotes, or write `''` within single ones"};
  if (is("end of map") || is("end of sequence"))
    return {"E001", where, 1, "this line fits no line above",
            "keys of one map and items of one list have the same indentation"};
  if (is("illegal block entry"))
    return {"E001", where, 1, "a list item can not begin here", "put `- ` on a line of its own"};
  if (is("illegal flow end"))
    return {"E001", where, 1, fmt::format("`{}` closes nothing", c), "put the value in quotes"};
  if (is("illegal EOF")) {
    // The opening quote is the first one behind what was read last.
    std::size_t quote = text.all().find_first_of("\"'", last);
    return {"E001", quote == std::string_view::npos ? where : quote, 1, "this quote is never closed"};
  }
  if (is("unknown escape"))
    return {"E001", where > 1 ? where - 2 : 0, 2, "no such escape in double quotes",
            "write `\\\\`, or use single quotes"};
  if (is("invalid unicode") || is("hex number")) return {"E001", where, 1, "not a Unicode character"};
  if (is("unknown token")) {
    if (c == '\t') return {"E004", where, 1, "a tab can not stand here", "use blanks"};
    return {"E001", where, 1, fmt::format("a value can not begin with `{}`", c), "put it in quotes"};
  }
  if (is("anchor is not defined"))
    return {"E001", where, 1, "`*` makes an alias, and no anchor `&` of this name is above",
            "put the value in quotes if it is text"};
  if (is("anchor") || is("alias"))
    return {"E001", where, 1, "`&` and `*` make anchors and aliases, which need a name",
            "put the value in quotes if it is text"};
  if (is("tag"))
    return {"E005", where, 1, "tags are not part of flowrun's YAML", "put the value in quotes if it is text"};
  if (is("document indicator")) return {"E001", where, 3, "`---` or `...` ends the document within a quoted text"};
  if (is("in block scalar")) return {"E001", where, 1, "behind `|` or `>` the text begins on the next line"};
  return {"E001", where, 1, "YAML: " + message};
}

std::size_t comment_in_flow(const YamlText& text, const std::string& message, std::size_t open, std::size_t where) {
  if (message.find("flow not found") == std::string::npos) return where;
  const std::string_view all = text.all().substr(0, where);
  for (std::size_t i = open; i < all.size(); ++i) {
    const bool begins = std::string_view(" \t\n[{,").find(text.at(i - 1)) != std::string_view::npos;
    if ((all[i] == '"' || all[i] == '\'') && begins) {
      i = std::min(all.find(all[i], i + 1), all.size());
    } else if (all[i] == '#' && begins) {
      const std::size_t end = std::min(all.find('\n', i), all.size());
      if (all.substr(i, end - i).find_first_of("}]") != std::string_view::npos) return i;
      i = end;
    }
  }
  return where;
}

std::optional<Quirk> broken_near(const YamlText& text, std::size_t where) {
  if (where > 0 && text.at(where) == '{' && text.at(where - 1) == '$') return broken_in_flow(text.all(), where - 1);
  int line = text.position(where).line;
  // The parser notices at the latest a few lines behind: where the value ends, or where the next key begins.
  for (int back = 0; back <= 3 && line - back > 0; ++back)
    if (auto quirk = broken_value(text.all(), line - back)) return quirk;
  return std::nullopt;
}

}  // namespace flowrun
