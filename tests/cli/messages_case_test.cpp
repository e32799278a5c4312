// No message of the engine and of the commands is without a case in tests/goldens/messages.txt, but for those that
// tests/cli/messages_without_case.txt names, with a reason. Reads the sources for texts of three words and more.
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/catch.h"

namespace flowrun::test::messages_case_test {
namespace {

const std::string kSource = FLOWRUN_SOURCE_DIR;

std::string content_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

/// The texts in |code|, those beside each other as one; escapes but those of lines and tabs without their backslash.
std::vector<std::string> literals(std::string_view code) {
  std::vector<std::string> all;
  bool beside = false;  // only blanks since the last text
  for (std::size_t i = 0; i < code.size();) {
    const std::string_view left = code.substr(i);
    if (left.starts_with("//") || (left[0] == '#' && (i == 0 || code[i - 1] == '\n'))) {
      i = std::min(code.find('\n', i), code.size());
    } else if (left.starts_with("R\"")) {
      const std::size_t open = code.find('(', i);
      const std::string close = ")" + std::string(code.substr(i + 2, open - i - 2)) + "\"";
      i = std::min(code.find(close, open), code.size() - close.size()) + close.size();
      beside = false;
    } else if (left[0] == '\'' && (i == 0 || std::isalnum(static_cast<unsigned char>(code[i - 1])) == 0)) {
      for (++i; i < code.size() && code[i] != '\''; ++i) i += code[i] == '\\' ? 1 : 0;
      ++i;
      beside = false;
    } else if (left[0] == '"') {
      std::string text;
      for (++i; i < code.size() && code[i] != '"'; ++i) {
        if (code[i] != '\\') {
          text += code[i];
        } else {
          ++i;
          text += code[i] == 'n' ? '\n' : code[i] == 't' ? '\t' : code[i];
        }
      }
      ++i;
      if (beside) {
        all.back() += text;
      } else {
        all.push_back(text);
      }
      beside = true;
    } else {
      beside = beside && std::isspace(static_cast<unsigned char>(left[0])) != 0;
      ++i;
    }
  }
  return all;
}

/// |text| with each run of blanks and line breaks as one blank.
std::string flat(const std::string& text) {
  std::string all;
  for (const char c : text) {
    const bool blank = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (!blank || (!all.empty() && all.back() != ' ')) all += blank ? ' ' : c;
  }
  if (all.ends_with(' ')) all.pop_back();
  return all;
}

bool is_sentence(const std::string& text) {
  std::size_t words = 0, letters = 0;
  for (const char c : text + " ") {
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      ++letters;
    } else {
      words += letters > 1 ? 1 : 0;
      letters = 0;
    }
  }
  return words >= 3 && flat(text).find(' ') != std::string::npos;
}

/// Whether |text| is for SQLite, or for who reads XML or HTML, and not for people.
bool is_for_programs(const std::string& text) {
  static const char* const kBegins[] = {"SELECT ", "INSERT ", "UPDATE ", "DELETE ",
                                        "PRAGMA ", "CREATE ", "WHERE ",  "<"};
  return text.find("</") != std::string::npos || text.find("/>") != std::string::npos ||
         std::any_of(std::begin(kBegins), std::end(kBegins),
                     [begins = flat(text)](const char* word) { return begins.starts_with(word); });
}

/// The length of a place as printf has it, such as `%-5zu`, at the begin of |format|; 0: there is none.
std::size_t printf_place(std::string_view format) {
  if (format.empty() || format[0] != '%') return 0;
  std::size_t end = format.find_first_not_of("-.0123456789", 1);
  if (end < format.size() && (format[end] == 'l' || format[end] == 'z')) ++end;
  return end < format.size() && std::islower(static_cast<unsigned char>(format[end])) != 0 ? end + 1 : 0;
}

/// The longest piece of |format| between its places for values, with `{{` and `}}` as they are shown.
std::string longest_piece(const std::string& format) {
  std::vector<std::string> pieces{""};
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format.compare(i, 2, "{{") == 0 || format.compare(i, 2, "}}") == 0) {
      pieces.back() += format[i++];
    } else if (const std::size_t end = format.find('}', i); format[i] == '{' && end != std::string::npos) {
      pieces.emplace_back();
      i = end;
    } else if (const std::size_t place = printf_place(std::string_view(format).substr(i)); place > 0) {
      pieces.emplace_back();
      i += place - 1;
    } else if (format[i] == '\n') {
      pieces.emplace_back();
    } else {
      pieces.back() += format[i];
    }
  }
  std::string longest;
  for (const std::string& piece : pieces)
    if (const std::string one = flat(piece); one.size() > longest.size()) longest = one;
  return longest;
}

std::set<std::string> without_case(const std::string& code, const std::string& cases) {
  std::set<std::string> all;
  for (const std::string& text : literals(code))
    if (is_sentence(text) && !is_for_programs(text) && cases.find(longest_piece(text)) == std::string::npos)
      all.insert(flat(text));
  return all;
}

}  // namespace

TEST_CASE("every message has a case, or a reason why it has none", "[messages][house]") {
  const std::string cases = flat(content_of(kSource + "/tests/goldens/messages.txt"));
  std::set<std::string> found, listed;
  std::size_t files = 0;
  for (const char* room : {"engine/reader", "engine/lint", "engine/yaml", "engine/expression", "engine/language",
                           "engine/run", "engine/journal", "engine/executor", "engine/steps", "engine/machine",
                           "engine/jq", "engine/scenario", "engine/explore", "cli", "cli/progress", "cli/report"})
    for (const auto& entry : std::filesystem::directory_iterator(kSource + "/" + room)) {
      // What the table of keys and the schema say is for editors.
      const std::string name = entry.path().filename().string();
      if (entry.path().extension() != ".cpp" || name == "keys.cpp" || name == "language_schema.cpp") continue;
      ++files;
      found.merge(without_case(content_of(entry.path().string()), cases));
    }
  CHECK(files > 250);
  std::istringstream lines(content_of(kSource + "/tests/cli/messages_without_case.txt"));
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("  ")) listed.insert(flat(line));
  std::vector<std::string> neither, both;
  std::set_difference(found.begin(), found.end(), listed.begin(), listed.end(), std::back_inserter(neither));
  std::set_difference(listed.begin(), listed.end(), found.begin(), found.end(), std::back_inserter(both));
  INFO("Provoke them in tests/goldens/messages.txt, or say in tests/cli/messages_without_case.txt why not:");
  CHECK(neither == std::vector<std::string>{});
  INFO("These have a case by now, or are gone: take them out of tests/cli/messages_without_case.txt");
  CHECK(both == std::vector<std::string>{});
}

TEST_CASE("the check of messages sees one that has no case", "[messages][house]") {
  const auto missing = [](const char* code) { return without_case(code, "step a must be a map, not text"); };
  CHECK(missing(R"code(error("step `{}` can not be", 1);)code").size() == 1);
  CHECK(missing(R"code(error(fmt::format("must be a map, not {}", kind));)code").empty());
  CHECK(missing(R"code(error("must be a "  // a comment "with words in it"
                             "map, not {}"))code")
            .empty());
  CHECK(missing(R"code(error("two words"); char c = '"'; error("there is no such thing");)code") ==
        std::set<std::string>{"there is no such thing"});
  CHECK(missing(R"code(error(R"(raw words are not looked at)");)code").empty());
  CHECK(missing(R"code(run("SELECT id FROM runs WHERE id = ?"); write("<a href=\"{}\">look at it</a>");)code").empty());
  CHECK(missing(R"code(std::fprintf(stderr, "step %s must be a map, not %zu", a, b);)code").empty());
  CHECK(missing(R"code(std::fprintf(stderr, "%zu steps must be maps", n);)code").size() == 1);
}

}  // namespace flowrun::test::messages_case_test
