// What must come along with a step kind or a workflow: reminds whoever adds one of its example, test and paragraph.
#include <algorithm>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "engine/language/keys.h"
#include "engine/scenario/scenario_keys.h"
#include "tests/house/tree.h"
#include "tests/support/catch.h"

namespace flowrun::test::complete_test {
namespace {

/// All files below |folder| whose name ends in |end|, one after the other.
std::string contents_below(const std::string& folder, const std::string& end) {
  std::string all;
  for (const std::string& file : house_files())
    if (file.rfind(folder + "/", 0) == 0 && file.ends_with(end)) all += content_of(file) + "\n";
  return all;
}

/// Whether |text| has a step of |kind|: the word as a key.
bool uses(const std::string& text, const std::string& kind) {
  return std::regex_search(text, std::regex("(^|[\\s{(\"])" + kind + ":\\s"));
}

/// The words that the manual sets apart as names of keys: in headings and tags, or anywhere by a macro or an example.
std::set<std::string> words_of(const std::string& manual, const char* lines) {
  static const std::regex word("[a-z_]+");
  const std::regex wanted(lines);
  std::set<std::string> words;
  std::istringstream in(manual);
  for (std::string line; std::getline(in, line);)
    if (std::regex_search(line, wanted))
      for (std::sregex_iterator it(line.begin(), line.end(), word), end; it != end; ++it) words.insert(it->str());
  return words;
}

}  // namespace

TEST_CASE("every key of the language has its place in the manual", "[house]") {
  const std::string manual = content_of("man/flowrun-workflow.5");
  const std::set<std::string> explained = words_of(manual, "^\\.(It Ic|Ss) ");
  const std::set<std::string> named = words_of(manual, "^\\.(It|Ss|Ic|Cm|Ql|Op|Bq) |^ *[a-z_]+: ");
  for (const auto* keys : {&flowrun::step_keys(), &flowrun::top_keys()})
    for (const flowrun::Key& key : *keys) {
      INFO("the key " << key.name);
      CHECK(explained.count(key.name) == 1);
    }
  for (const flowrun::InnerKey& key : flowrun::inner_keys()) {
    INFO("the key " << key.name << " within " << key.within);
    CHECK(named.count(key.name) == 1);
  }
}

TEST_CASE("every step kind has an example, a test and a place in the manual", "[house]") {
  const std::string examples = contents_below("workflows", ".yaml"), tests = contents_below("tests", ".cpp");
  const std::string manual = content_of("man/flowrun-workflow.5");
  for (const std::string& kind : flowrun::all_kinds()) {
    INFO("the kind " << kind);
    CHECK(uses(examples, kind));
    CHECK(uses(tests, kind));
    CHECK(std::regex_search(manual, std::regex("\\b" + kind + "\\b")));
  }
}

TEST_CASE("every example workflow is a stop of the tour and says how to run it", "[house]") {
  const std::string tour = content_of("workflows/README.md");
  for (const std::string& file : house_files()) {
    static const std::regex example("workflows/([^/]+\\.yaml)");
    std::smatch found;
    if (!std::regex_match(file, found, example) || file.ends_with(".test.yaml")) continue;
    const std::string name = found[1];
    INFO(name);
    CHECK(tour.find("](" + name + ")") != std::string::npos);
    CHECK(content_of(file).find("flowrun run " + file) != std::string::npos);
  }
}

TEST_CASE("every example workflow has its scenarios beside it, which say how to play them", "[house]") {
  const std::vector<std::string> files = house_files();
  std::size_t read = 0;
  for (const std::string& file : files) {
    static const std::regex example("(workflows/[^/.]+)\\.yaml");
    std::smatch found;
    if (!std::regex_match(file, found, example)) continue;
    ++read;
    INFO(file);
    const std::string scenarios = found[1].str() + ".test.yaml";
    REQUIRE(std::find(files.begin(), files.end(), scenarios) != files.end());
    CHECK(content_of(scenarios).find("flowrun test " + scenarios) != std::string::npos);
  }
  CHECK(read > 10);
}

TEST_CASE("every key of scenarios has its place in the manual", "[house]") {
  const std::set<std::string> named = words_of(content_of("man/flowrun-test.1"), "^\\.(It|Ic|Ql|Pq) |^ *[a-z_]+: ");
  for (const flowrun::ScenarioKey& key : flowrun::scenario_keys()) {
    INFO("the key " << key.name << " within " << key.within);
    CHECK(named.count(key.name) == 1);
  }
}

}  // namespace flowrun::test::complete_test
