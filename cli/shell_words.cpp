#include "cli/shell_words.h"

#include <algorithm>
#include <cctype>

namespace flowrun::cli {
namespace {

// What bash takes for the end of a word that is completed, beside blanks: its default COMP_WORDBREAKS.
constexpr std::string_view kBreaks = "\"'@><=;|&(:";

/// Calls |plain| with each character and whether it stands for itself, and not for the shell.
template <typename Each>
void walk(std::string_view raw, Each each) {
  char quote = 0;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const char c = raw[i];
    if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
      each(c, false);
    } else if (c == quote) {
      quote = 0;
      each(c, false);
    } else if (c == '\\' && quote != '\'' && i + 1 < raw.size()) {
      each(c, false);
      each(raw[++i], true);
    } else {
      each(c, quote != 0 || !std::isspace(static_cast<unsigned char>(c)));
    }
  }
}

}  // namespace

std::vector<std::string> raw_words(std::string_view line) {
  std::vector<std::string> words(1);
  walk(line, [&](char c, bool itself) {
    if (itself || !std::isspace(static_cast<unsigned char>(c)))
      words.back() += c;
    else if (!words.back().empty())
      words.emplace_back();
  });
  return words;
}

std::string unquoted(std::string_view raw) {
  std::string word;
  walk(raw, [&](char c, bool itself) {
    if (itself || std::isspace(static_cast<unsigned char>(c))) word += c;
  });
  return word;
}

std::string for_bash(const std::string& text, std::string_view raw, std::string_view current) {
  if (!raw.empty() && (raw[0] == '\'' || raw[0] == '"')) return text;  // bash puts the quote back itself
  if (current.find_first_not_of(kBreaks) == std::string_view::npos) current = {};
  std::string rest = text;
  if (raw.ends_with(current)) rest.erase(0, unquoted(raw.substr(0, raw.size() - current.size())).size());
  std::string word;
  for (const char c : rest) {
    if (!std::isalnum(static_cast<unsigned char>(c)) &&
        std::string_view("_@%+=:,./-").find(c) == std::string_view::npos && static_cast<unsigned char>(c) < 0x80)
      word += '\\';
    word += c;
  }
  return word;
}

}  // namespace flowrun::cli
