#include "engine/journal/typed_command.h"

#include <cctype>
#include <filesystem>
#include <system_error>

#include "engine/journal/journal.h"
#include "engine/model/error.h"

namespace flowrun {
namespace {

struct Copy {
  std::string journal;
  std::vector<std::string> words;
};
Copy& copy_of_run() {
  static Copy copy;
  return copy;
}

/// Whether a command without --journal finds the file at |journal|.
bool is_found(const std::string& journal) {
  namespace fs = std::filesystem;
  try {
    std::error_code error;
    const fs::path found = fs::weakly_canonical(journal_path(""), error);
    return !error && found == fs::weakly_canonical(journal, error) && !error;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

std::string shell_word(std::string_view word) {
  bool plain = !word.empty() && word[0] != '~';
  for (const char c : word)
    plain = plain && (std::isalnum(static_cast<unsigned char>(c)) ||
                      std::string_view("_@%+=:,./-~").find(c) != std::string_view::npos);
  if (plain) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

void tell_of_copy(const std::string& journal, const std::vector<std::string>& words) {
  copy_of_run() = {journal, words};
}

std::string typed_command(const std::vector<std::string>& words, const std::string& journal) {
  std::string text = "flowrun";
  for (const std::string& word : words) text += " " + shell_word(word);
  if (const Copy& copy = copy_of_run(); !journal.empty() && journal == copy.journal) {
    for (const std::string& word : copy.words) text += " " + shell_word(word);
    return text;
  }
  if (!journal.empty() && !is_found(journal)) text += " --journal " + shell_word(journal);
  return text;
}

}  // namespace flowrun
