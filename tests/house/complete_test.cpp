// What must come along with a step kind or a workflow: reminds whoever adds one of its example, test and paragraph.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include "tests/support/catch.h"

namespace {

const std::filesystem::path kRoot = FLOWRUN_SOURCE_DIR;

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

/// All files below |folder| whose name ends in |end|, one after the other.
std::string contents_below(const std::string& folder, const std::string& end) {
  std::string all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kRoot / folder))
    if (entry.path().extension() == end) all += content_of(entry.path()) + "\n";
  return all;
}

/// The kinds of steps, from the rows of the table in engine/steps/kinds.cpp.
std::set<std::string> kinds() {
  static const std::regex row("\\{\"([a-z_]+)\", *read_");
  const std::string table = content_of(kRoot / "engine/steps/kinds.cpp");
  std::set<std::string> found;
  for (std::sregex_iterator it(table.begin(), table.end(), row), end; it != end; ++it) found.insert((*it)[1]);
  return found;
}

/// Whether |text| has a step of |kind|: the word as a key.
bool uses(const std::string& text, const std::string& kind) {
  return std::regex_search(text, std::regex("(^|[\\s{(\"])" + kind + ":\\s"));
}

}  // namespace

TEST_CASE("every step kind has an example, a test and a place in the manual", "[house]") {
  const std::string examples = contents_below("workflows", ".yaml"), tests = contents_below("tests", ".cpp");
  const std::string manual = content_of(kRoot / "man/flowrun-workflow.5");
  REQUIRE(kinds().size() >= 11);
  for (const std::string& kind : kinds()) {
    INFO("the kind " << kind);
    CHECK(uses(examples, kind));
    CHECK(uses(tests, kind));
    CHECK(std::regex_search(manual, std::regex("\\b" + kind + "\\b")));
  }
}

TEST_CASE("every example workflow is a stop of the tour and says how to run it", "[house]") {
  const std::string tour = content_of(kRoot / "workflows/README.md");
  for (const auto& entry : std::filesystem::directory_iterator(kRoot / "workflows")) {
    if (entry.path().extension() != ".yaml") continue;
    const std::string name = entry.path().filename().string();
    INFO(name);
    CHECK(tour.find("](" + name + ")") != std::string::npos);
    CHECK(content_of(entry.path()).find("flowrun run workflows/" + name) != std::string::npos);
  }
}
