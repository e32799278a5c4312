#include "tests/support/golden.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

#include "tests/support/catch.h"

namespace flowrun::test {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Where two texts part, with a few lines of each.
std::string parting(const std::string& is, const std::string& wanted) {
  constexpr std::size_t kBefore = 3, kShown = 8;
  const std::vector<std::string> ours = lines_of(is), theirs = lines_of(wanted);
  std::size_t at = 0;
  while (at < ours.size() && at < theirs.size() && ours[at] == theirs[at]) ++at;
  std::string shown = "they part at line " + std::to_string(at + 1) + "\n";
  for (std::size_t i = at - std::min(at, kBefore); i < at; ++i) shown += "  " + ours[i] + "\n";
  for (std::size_t i = at; i < std::min(ours.size(), at + kShown); ++i) shown += "is:     " + ours[i] + "\n";
  for (std::size_t i = at; i < std::min(theirs.size(), at + kShown); ++i) shown += "wanted: " + theirs[i] + "\n";
  return shown;
}

}  // namespace

void check_golden(const std::string& name, const std::string& text) {
  std::string file = std::string(FLOWRUN_SOURCE_DIR) + "/tests/goldens/" + name;
  if (const char* accept = std::getenv("FLOWRUN_ACCEPT"); accept && std::string(accept) == "1") {
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }
  std::ifstream in(file, std::ios::binary);
  INFO("golden " << name << "; ./dev accept rewrites it");
  REQUIRE(in);
  std::string wanted(std::istreambuf_iterator<char>(in), {});
  INFO(parting(text, wanted));
  // The texts themselves may have ten thousand lines.
  const bool same = text == wanted;
  CHECK(same);
}

}  // namespace flowrun::test
