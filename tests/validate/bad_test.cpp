// Workflows with one mistake each, in tests/validate/bad/: the first line of a file is the code it must get.
#include <algorithm>
#include <filesystem>
#include <vector>

#include "engine/run/load.h"
#include "tests/support/catch.h"

namespace flowrun::test::bad_test {

TEST_CASE("every bad workflow is refused with its code, a place and a sentence", "[validate]") {
  const std::filesystem::path folder = std::string(FLOWRUN_SOURCE_DIR) + "/tests/validate/bad";
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  REQUIRE(files.size() > 50);
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& file : files) {
    std::string text = read_file(file.string());
    std::string code = text.substr(2, text.find('\n') - 2);
    Diagnostics diagnostics({file.filename().string(), text});
    CHECK_FALSE(load(file.string(), diagnostics, make_jq().get()));
    INFO(file.filename().string() << " must get " << code << " and got\n" << diagnostics.text());
    CHECK(diagnostics.errors() <= 2);
    bool told = false;
    for (const Diagnostic& finding : diagnostics.all())
      told = told || (finding.code == code && finding.at.line > 0 && finding.at.column > 0 && !finding.message.empty());
    CHECK(told);
  }
}

}  // namespace flowrun::test::bad_test
