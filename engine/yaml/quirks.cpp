#include "engine/yaml/quirks.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/expression/tokens.h"

namespace flowrun {
namespace {

// An expression in plain style that goes on over more lines than this is not looked for.
constexpr int kLinesOfExpression = 20;

std::string_view trimmed(std::string_view text) {
  std::size_t from = text.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1);
}

std::size_t start_of_line(std::string_view text, int number) {
  std::size_t at = 0;
  for (int line = 1; line < number && at < text.size(); ++line) at = std::min(text.find('\n', at), text.size() - 1) + 1;
  return at;
}

Position position_of(std::string_view text, std::size_t offset) {
  std::string_view before = text.substr(0, offset);
  std::size_t start = before.rfind('\n') + 1;  // npos + 1 is 0
  return {static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1, static_cast<int>(offset - start) + 1};
}

/// Offset behind the `}` of the expression whose `${` is at |offset|; or the end of that line, when it has no end.
std::size_t behind_expression(std::string_view text, std::size_t offset) {
  std::size_t line_end = std::min(text.find('\n', offset), text.size());
  std::size_t end = line_end;
  for (int lines = 0; lines < kLinesOfExpression; ++lines) {
    try {
      return expression_end(text.substr(0, end), offset + 2) + 1;
    } catch (const TokenError&) {
      if (end == text.size()) break;
      end = std::min(text.find('\n', end + 1), text.size());
    }
  }
  return line_end;
}

/// The parts of `  - key: value`.
struct Parts {
  std::string_view key;         ///< with its quotes; empty: none
  bool item = false;            ///< `- ` stands before it
  std::size_t value = 0;        ///< where the value begins
  std::size_t flow = 0;         ///< depth of brackets before |until|
  std::string_view inner;       ///< within brackets: the key right before |until|
  std::size_t inner_value = 0;  ///< and where its value begins, or the item
  bool in_quotes = false;       ///< |until| is inside quotes or behind ` #`
};

/// |line| up to column |until| from 0, read roughly as YAML does.
Parts parts_of(std::string_view line, std::size_t until) {
  Parts parts;
  std::size_t i = std::min(line.find_first_not_of(" \t"), line.size());
  while (i + 1 < line.size() && line[i] == '-' && line[i + 1] == ' ') {
    parts.item = true;
    i = std::min(line.find_first_not_of(" \t", i + 1), line.size());
  }
  parts.value = i;
  std::size_t word = i;  // where the scalar that is being read began
  bool begins = true;    // a quote here opens a quoted scalar
  for (; i < until && i < line.size(); ++i) {
    char c = line[i];
    if (begins && (c == '"' || c == '\'')) {
      std::size_t end = i + 1;
      while (end < line.size() && line[end] != c) end += c == '"' && line[end] == '\\' ? 2 : 1;
      if (end >= until) {
        parts.in_quotes = true;
        return parts;
      }
      i = end;
      begins = false;
    } else if (c == '#' && (i == 0 || line[i - 1] == ' ')) {
      parts.in_quotes = true;
      return parts;
    } else if (c == ':' && (i + 1 == line.size() || line[i + 1] == ' ')) {
      if (parts.flow > 0) {
        parts.inner = trimmed(line.substr(word, i - word));
      } else if (parts.key.empty()) {
        parts.key = trimmed(line.substr(word, i - word));
        parts.value = std::min(line.find_first_not_of(' ', i + 1), line.size());
      }
      begins = true;
      word = i + 1;
    } else if ((begins || parts.flow > 0) && (c == '{' || c == '[')) {
      ++parts.flow;
      parts.inner = {};
      begins = true;
      word = i + 1;
    } else if (parts.flow > 0 && (c == '}' || c == ']' || c == ',')) {
      if (c != ',') --parts.flow;
      parts.inner = {};
      begins = true;
      word = i + 1;
    } else if (c != ' ' && c != '\t') {
      begins = false;
    }
  }
  parts.inner_value = std::min(line.find_first_not_of(" \t", word), line.size());
  return parts;
}

/// Offset behind the value within { } or [ ] that goes on at |offset|.
std::size_t behind_flow_value(std::string_view text, std::size_t offset) {
  while (offset < text.size() && std::string_view(",]} \r\n").find(text[offset]) == std::string_view::npos)
    offset = text.substr(offset, 2) == "${" ? behind_expression(text, offset) : offset + 1;
  return offset;
}

/// `write it as a block:   set: >` and |value| below.
std::string block_form(const Parts& parts, std::string_view value, char style) {
  if (parts.key.empty() && !parts.item)
    return fmt::format("begin the value with `{}` and put it on lines of its own, indented", style);
  std::string head = "write it as a block:   ";
  std::string indent(head.size() + 2, ' ');
  head += parts.key.empty() ? fmt::format("- {}", style) : fmt::format("{}: {}", parts.key, style);
  std::string_view first = trimmed(value.substr(0, value.find('\n')));
  return fmt::format("{}\n{}{}{}", head, indent, first,
                     trimmed(value).find('\n') == std::string_view::npos ? "" : " ...");
}

/// True when line |number| is text of a block scalar (| or >), where YAML breaks nothing.
bool in_block_scalar(std::string_view text, int number) {
  std::string_view line = line_of(text, number);
  std::size_t indent = line.find_first_not_of(' ');
  if (indent == std::string_view::npos) return true;
  for (int above = number - 1; above > 0 && indent > 0; --above) {
    std::string_view parent = line_of(text, above);
    std::size_t own = parent.find_first_not_of(' ');
    if (own == std::string_view::npos || own >= indent) continue;
    indent = own;
    std::size_t header = parent.find_last_of("|>");
    if (header == std::string_view::npos || header == 0 || parent[header - 1] != ' ') continue;
    std::size_t rest = std::min(parent.find_first_not_of("+-0123456789", header + 1), parent.size());
    std::string_view before = trimmed(parent.substr(0, header));
    if ((trimmed(parent.substr(rest)).empty() || parent[rest] == ' ') &&
        (before.ends_with(':') || before.ends_with('-')))
      return true;
  }
  return false;
}

/// First `: ` in |text|, or `:` at the end of one of its lines.
std::size_t find_colon(std::string_view text) {
  for (std::size_t at = text.find(':'); at != std::string_view::npos; at = text.find(':', at + 1))
    if (at + 1 == text.size() || text[at + 1] == ' ' || text[at + 1] == '\n') return at;
  return std::string_view::npos;
}

/// Whether the `#` at |hash| in |line| was meant as part of the |script| before it. A shell has comments too, so only
/// an open quote or `#4` right behind a word tell it from a remark.
bool cuts_script(std::string_view script, std::string_view line, std::size_t hash) {
  char quote = 0;
  for (std::size_t i = 0; i < script.size(); ++i) {
    char c = script[i];
    if (c == '\\' && quote != '\'')
      ++i;
    else if (quote == 0 && (c == '"' || c == '\''))
      quote = c;
    else if (c == quote)
      quote = 0;
  }
  if (quote != 0) return true;
  bool one_blank = hash >= 2 && line[hash - 1] == ' ' && line[hash - 2] != ' ';
  return one_blank && hash + 1 < line.size() && line[hash + 1] != ' ' && line[hash + 1] != '#';
}

std::string_view value_text(std::string_view text, std::size_t from, std::size_t expression) {
  std::size_t end = std::max(behind_expression(text, expression), std::min(text.find('\n', expression), text.size()));
  return text.substr(from, end - from);
}

}  // namespace

std::string_view line_of(std::string_view text, int number) {
  std::size_t from = start_of_line(text, number);
  std::string_view line = text.substr(from, text.find('\n', from) - from);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool has_open_expression(std::string_view text) {
  for (std::size_t at = text.find("${"); at != std::string_view::npos; at = text.find("${", at)) {
    if (at > 0 && text[at - 1] == '$') {
      at += 2;
      continue;
    }
    try {
      at = expression_end(text, at + 2);
    } catch (const TokenError&) {
      return true;
    }
  }
  return false;
}

Quirk broken_in_flow(std::string_view text, std::size_t offset) {
  Position at = position_of(text, offset);
  std::size_t start = offset - static_cast<std::size_t>(at.column - 1);
  Parts parts = parts_of(line_of(text, at.line), offset - start);
  std::size_t end = behind_expression(text, offset);
  std::string_view expression = text.substr(offset, end - offset);
  Quirk quirk{at, 2, "YAML takes the braces of this expression as its own, inside { } or [ ]", ""};
  Parts inner;
  inner.key = parts.flow > 0 ? parts.inner : parts.key;
  inner.item = inner.key.empty();
  if (find_colon(expression) != std::string_view::npos || expression.find(" #") != std::string_view::npos)
    quirk.suggestion = block_form(inner, expression, '>');
  else
    quirk.suggestion =
        fmt::format("give it a line of its own:   {} {}", inner.item ? std::string("-") : std::string(inner.key) + ":",
                    text.substr(start + parts.inner_value, behind_flow_value(text, end) - start - parts.inner_value));
  return quirk;
}

std::optional<Quirk> broken_value(std::string_view text, int number) {
  std::string_view line = line_of(text, number);
  std::size_t start = start_of_line(text, number);
  if (in_block_scalar(text, number)) return std::nullopt;
  for (std::size_t column = line.find("${"); column != std::string_view::npos;) {
    Parts parts = parts_of(line, column);
    std::size_t begin = start + column;
    std::size_t end = behind_expression(text, begin);
    if (!parts.in_quotes) {
      if (parts.flow > 0) return broken_in_flow(text, begin);
      std::string_view expression = text.substr(begin, end - begin);
      std::size_t colon = find_colon(expression);
      std::size_t hash = expression.find(" #");
      std::size_t value = start + std::min(parts.value, column);
      if (colon < hash)
        return Quirk{position_of(text, begin + colon), 1, "YAML reads `: ` inside this expression as a key",
                     block_form(parts, value_text(text, value, begin), '>')};
      if (hash != std::string_view::npos)
        return Quirk{position_of(text, begin + hash + 1), 1, "YAML reads ` #` inside this expression as a comment",
                     block_form(parts, value_text(text, value, begin), '>')};
    }
    column = end - start < line.size() ? line.find("${", end - start) : std::string_view::npos;
  }
  // A script that goes on behind its comment is not understood either.
  Parts parts = parts_of(line, line.size());
  std::size_t hash = line.find(" #", parts.value);
  if (parts.key == "shell" && hash != std::string_view::npos && parts.value < hash &&
      cuts_script(line.substr(parts.value, hash - parts.value), line, hash + 1) &&
      std::string_view("\"'|>{[").find(line[parts.value]) == std::string_view::npos)
    return Quirk{{number, static_cast<int>(hash) + 2},
                 1,
                 "YAML reads ` #` in this script as a comment",
                 block_form(parts, line.substr(parts.value), '|')};
  return std::nullopt;
}

std::optional<Quirk> cut_by_comment(std::string_view text, std::size_t offset, std::string_view decoded,
                                    bool is_script) {
  std::size_t open = decoded.rfind("${");
  bool cut = open != std::string_view::npos && has_open_expression(decoded);
  if (!cut && !is_script) return std::nullopt;
  // Words follow each other in the file as in the scalar; only the blanks between them were folded.
  std::size_t i = offset;
  for (char c : decoded) {
    if (c == ' ' || c == '\n') continue;
    while (i < text.size() && text[i] != c) ++i;
    ++i;
  }
  if (i >= text.size()) return std::nullopt;
  std::size_t hash = text.find_first_not_of(" \t", i);
  if (hash == std::string_view::npos || text[hash] != '#' || hash == i) return std::nullopt;
  Position at = position_of(text, hash);
  if (!cut && !cuts_script(decoded, line_of(text, at.line), static_cast<std::size_t>(at.column - 1)))
    return std::nullopt;
  Position begin = position_of(text, offset);
  std::string_view first_line = line_of(text, begin.line);
  Parts parts = parts_of(first_line, static_cast<std::size_t>(begin.column - 1));
  std::size_t end = std::min(text.find('\n', hash), text.size());
  if (parts.flow > 0) {
    // The brackets around it are no part of it, and a block can not stand in them.
    parts.key = parts.inner;
    parts.item = parts.inner.empty();
    while (end > hash && std::string_view("}] \r").find(text[end - 1]) != std::string_view::npos) --end;
  }
  return Quirk{
      at, 1,
      cut ? "YAML reads ` #` inside this expression as a comment" : "YAML reads ` #` in this script as a comment",
      block_form(parts, text.substr(offset, end - offset), cut ? '>' : '|')};
}

}  // namespace flowrun
