#include "engine/explore/choice.h"

#include <fmt/format.h>

#include <algorithm>

namespace flowrun {
namespace {

/// |path| without what would end a word or part it.
std::string as_word(const std::string& path) {
  std::string word;
  for (const char c : path) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '=' || c == '@' || c == ':')
      word += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    else
      word += c;
  }
  return word;
}

}  // namespace

std::string word_of(const Choice& choice) {
  switch (choice.kind) {
    case Choice::Kind::Ends:
      return as_word(choice.path) + (choice.how.empty() ? "" : "=" + as_word(choice.how));
    case Choice::Kind::Fires:
      return fmt::format("{}@{}", as_word(choice.path), to_string(choice.timer));
    case Choice::Kind::Says:
      return as_word(choice.path) + "=" + (choice.how.empty() ? "yes" : choice.how);
    case Choice::Kind::Dies:
      return fmt::format(":crash@{}{}{}", choice.entries, choice.done ? ":done" : "",
                         choice.on_crash == OnCrash::Fail    ? ":fail"
                         : choice.on_crash == OnCrash::Rerun ? ":rerun"
                                                             : "");
    default:
      return ":cancel";
  }
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t from = text.find_first_not_of(" \t\r\n", at);
    if (from == std::string_view::npos) break;
    at = std::min(text.find_first_of(" \t\r\n", from), text.size());
    words.emplace_back(text.substr(from, at - from));
  }
  return words;
}

}  // namespace flowrun
