#include "engine/yaml/quirks.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/expression/advice.h"
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
  char quote = 0;               ///< of the quotes around |until|
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
        parts.quote = c;
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

/// True when a block scalar (| or >) begins below |line|.
bool opens_block_scalar(std::string_view line) {
  std::size_t header = line.find_last_of("|>");
  if (header == std::string_view::npos || header == 0 || line[header - 1] != ' ') return false;
  std::size_t rest = std::min(line.find_first_not_of("+-0123456789", header + 1), line.size());
  std::string_view before = trimmed(line.substr(0, header));
  return (trimmed(line.substr(rest)).empty() || line[rest] == ' ') && (before.ends_with(':') || before.ends_with('-'));
}

/// True when line |number| is text of a block scalar, where YAML breaks nothing.
bool in_block_scalar(const YamlText& text, int number) {
  std::string_view line = text.line(number);
  std::size_t indent = line.find_first_not_of(' ');
  if (indent == std::string_view::npos) return true;
  for (int above = number - 1; above > 0 && indent > 0; --above) {
    std::string_view parent = text.line(above);
    std::size_t own = parent.find_first_not_of(' ');
    if (own == std::string_view::npos || own >= indent) continue;
    indent = own;
    if (opens_block_scalar(parent)) return true;
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

/// The end of |text| without the brackets that stand there behind |from|.
std::size_t without_brackets(std::string_view text, std::size_t from) {
  std::size_t end = text.size();
  while (end > from && std::string_view("}] \r").find(text[end - 1]) != std::string_view::npos) --end;
  return end;
}

std::string_view value_text(std::string_view text, std::size_t from, std::size_t expression) {
  std::size_t end = std::max(behind_expression(text, expression), std::min(text.find('\n', expression), text.size()));
  return text.substr(from, end - from);
}

/// The expressions and the script on line |number| that YAML breaks; the line is no text of a block scalar.
std::vector<Quirk> broken_on_line(const YamlText& text, int number) {
  std::vector<Quirk> found;
  const std::string_view line = text.line(number), all = text.all();
  const std::size_t start = text.start(number);
  if (auto foreign = foreign_braces(text, start + parts_of(line, line.size()).value)) return {std::move(*foreign)};
  for (std::size_t column = line.find("${"); column != std::string_view::npos;) {
    Parts parts = parts_of(line, column);
    std::size_t begin = start + column;
    std::size_t end = behind_expression(all, begin);
    if (parts.flow > 0 && !parts.in_quotes) {
      found.push_back(broken_in_flow(text, begin));
    } else if (!parts.in_quotes) {
      std::string_view expression = all.substr(begin, end - begin);
      std::size_t colon = find_colon(expression);
      std::size_t hash = expression.find(" #");
      std::size_t value = start + std::min(parts.value, column);
      // Nothing else on this line is read as it was meant.
      if (colon < hash)
        return {Quirk{"E003", text.position(begin + colon), 1, "YAML reads `: ` inside this expression as a key",
                      block_form(parts, value_text(all, value, begin), '>')}};
      if (hash != std::string_view::npos)
        return {Quirk{"E003", text.position(begin + hash + 1), 1, "YAML reads ` #` inside this expression as a comment",
                      block_form(parts, value_text(all, value, begin), '>')}};
    }
    column = end - start < line.size() ? line.find("${", end - start) : std::string_view::npos;
  }
  if (!found.empty()) return found;
  // A script that goes on behind its comment is not understood either.
  for (std::size_t hash = line.find(" #"); hash != std::string_view::npos; hash = line.find(" #", hash + 1)) {
    Parts parts = parts_of(line, hash + 1);
    if (parts.in_quotes) continue;
    std::size_t end = line.size();
    if (parts.flow > 0) {
      parts.key = parts.inner;
      parts.item = parts.inner.empty();
      parts.value = parts.inner_value;
      end = without_brackets(line, hash);
    }
    const bool plain =
        parts.value < hash && std::string_view("\"'|>{[").find(line[parts.value]) == std::string_view::npos;
    if (parts.key == "shell" && plain && cuts_script(line.substr(parts.value, hash - parts.value), line, hash + 1))
      found.push_back({"E003",
                       {number, static_cast<int>(hash) + 2},
                       1,
                       "YAML reads ` #` in this script as a comment",
                       block_form(parts, line.substr(parts.value, end - parts.value), '|')});
    break;  // the rest of the line is a comment
  }
  return found;
}

/// The line behind the |quote| that is open where |line| begins; npos: it is open where |line| ends, too.
std::size_t behind_quote(std::string_view line, char quote) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (quote == '"' && line[i] == '\\')
      ++i;
    else if (line[i] == quote && line.substr(i, 2) == "''")
      ++i;
    else if (line[i] == quote)
      return i + 1;
  }
  return std::string_view::npos;
}

}  // namespace

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

Quirk broken_in_flow(const YamlText& text, std::size_t offset) {
  const std::string_view all = text.all();
  Position at = text.position(offset);
  std::size_t start = text.start(at.line);
  Parts parts = parts_of(text.line(at.line), offset - start);
  std::size_t end = behind_expression(all, offset);
  std::string_view expression = all.substr(offset, end - offset);
  Quirk quirk{"E003", at, 2, "YAML takes the braces of this expression as its own, inside { } or [ ]", ""};
  Parts inner;
  inner.key = parts.flow > 0 ? parts.inner : parts.key;
  inner.item = inner.key.empty();
  if (find_colon(expression) != std::string_view::npos || expression.find(" #") != std::string_view::npos)
    quirk.suggestion = block_form(inner, expression, '>');
  else
    quirk.suggestion =
        fmt::format("give it a line of its own:   {} {}", inner.item ? std::string("-") : std::string(inner.key) + ":",
                    all.substr(start + parts.inner_value, behind_flow_value(all, end) - start - parts.inner_value));
  return quirk;
}

std::optional<Quirk> foreign_braces(const YamlText& text, std::size_t offset) {
  const std::string_view all = text.all();
  if (all.substr(offset, 2) != "{{") return std::nullopt;
  const std::string_view line = all.substr(offset, all.find('\n', offset) - offset);
  const std::size_t close = line.find("}}");
  if (close == std::string_view::npos) return std::nullopt;
  const std::string_view written = line.substr(0, close + 2);
  return Quirk{"E202", text.position(offset), static_cast<int>(written.size()), "`{{ }}` is the syntax of another tool",
               advice_on_braces(written)};
}

std::optional<Quirk> broken_value(const YamlText& text, int number) {
  if (in_block_scalar(text, number)) return std::nullopt;
  std::vector<Quirk> found = broken_on_line(text, number);
  return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

std::vector<Quirk> broken_values(const YamlText& text) {
  std::vector<Quirk> found;
  std::size_t block = std::string_view::npos;  // indentation of the line below which a block scalar stands
  char quote = 0;                              // that is open where the line begins
  for (int number = 1; number <= text.lines(); ++number) {
    const std::string_view line = text.line(number);
    const std::size_t indent = line.find_first_not_of(' ');
    if (quote != 0) {
      if (behind_quote(line, quote) != std::string_view::npos) quote = 0;
      continue;
    }
    if (indent == std::string_view::npos || (block != std::string_view::npos && indent > block)) continue;
    block = opens_block_scalar(line) ? indent : std::string_view::npos;
    for (Quirk& quirk : broken_on_line(text, number)) found.push_back(std::move(quirk));
    quote = parts_of(line, line.size()).quote;
  }
  return found;
}

std::optional<Quirk> cut_by_comment(const YamlText& file, std::size_t offset, std::string_view decoded,
                                    bool is_script) {
  std::size_t open = decoded.rfind("${");
  const std::string_view text = file.all();
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
  Position at = file.position(hash);
  if (!cut && !cuts_script(decoded, file.line(at.line), static_cast<std::size_t>(at.column - 1))) return std::nullopt;
  Position begin = file.position(offset);
  std::string_view first_line = file.line(begin.line);
  Parts parts = parts_of(first_line, static_cast<std::size_t>(begin.column - 1));
  std::size_t end = std::min(text.find('\n', hash), text.size());
  if (parts.flow > 0) {
    // The brackets around it are no part of it, and a block can not stand in them.
    parts.key = parts.inner;
    parts.item = parts.inner.empty();
    end = without_brackets(text.substr(0, end), hash);
  }
  return Quirk{
      "E003", at, 1,
      cut ? "YAML reads ` #` inside this expression as a comment" : "YAML reads ` #` in this script as a comment",
      block_form(parts, text.substr(offset, end - offset), cut ? '>' : '|')};
}

}  // namespace flowrun
