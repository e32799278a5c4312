#include "tests/house/tree.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace flowrun::test {
namespace {

namespace fs = std::filesystem;

/// Where the text or letter that opens at |at| is over; a raw text ends as its prefix says.
std::size_t end_of_literal(const std::string& text, std::size_t at) {
  if (text[at] == '"' && at > 0 && text[at - 1] == 'R') {
    const std::size_t open = text.find('(', at);
    const std::string close = ")" + text.substr(at + 1, open - at - 1) + "\"";
    return std::min(text.find(close, open), text.size() - close.size()) + close.size();
  }
  std::size_t end = at + 1;
  while (end < text.size() && text[end] != text[at] && text[end] != '\n') end += text[end] == '\\' ? 2 : 1;
  return std::min(end + 1, text.size());
}

bool is_left_behind(const std::string& name) {
  return name.rfind("build", 0) == 0 || name == ".git" || name == ".flowrun" || name == "compile_commands.json";
}

}  // namespace

std::string house_root() {
  const char* given = std::getenv("FLOWRUN_HOUSE");
  return given && *given ? given : FLOWRUN_SOURCE_DIR;
}

std::vector<std::string> house_files() {
  std::vector<std::string> files;
  const fs::path root = house_root();
  for (const auto& top : fs::directory_iterator(root)) {
    if (is_left_behind(top.path().filename())) continue;
    if (top.is_regular_file()) files.push_back(top.path().filename());
    if (!top.is_directory()) continue;
    for (const auto& entry : fs::recursive_directory_iterator(top))
      if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), root));
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string content_of(const std::string& file) {
  std::ifstream in(house_root() + "/" + file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

SourceText take_apart(const std::string& text) {
  SourceText parts;
  int line = 1;
  auto comment = [&](std::size_t from, std::size_t to) {
    for (const std::string& one : lines_of(text.substr(from, to - from))) parts.comments.push_back({line++, one});
    --line;  // the break behind the last line is still to come
  };
  for (std::size_t at = 0; at < text.size();) {
    const bool digit_mark = text[at] == '\'' && at > 0 && std::isxdigit(static_cast<unsigned char>(text[at - 1]));
    if (text.compare(at, 2, "//") == 0) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      comment(at, end);
      at = end;
    } else if (text.compare(at, 2, "/*") == 0) {
      const std::size_t end = std::min(text.find("*/", at), text.size() - 2) + 2;
      comment(at, end);
      at = end;
    } else if (text[at] == '"' || (text[at] == '\'' && !digit_mark)) {
      const std::size_t end = end_of_literal(text, at);
      line += static_cast<int>(std::count(text.begin() + static_cast<std::ptrdiff_t>(at),
                                          text.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
      at = end;
      parts.code += "\"\"";
    } else {
      line += text[at] == '\n';
      parts.code += text[at++];
    }
  }
  return parts;
}

std::size_t columns(const std::string& line) {
  return static_cast<std::size_t>(
      std::count_if(line.begin(), line.end(), [](unsigned char byte) { return (byte & 0xc0) != 0x80; }));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace flowrun::test
