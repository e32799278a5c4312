#include "tests/support/golden.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/catch.h"

namespace flowrun::test {

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
  CHECK(text == wanted);
}

}  // namespace flowrun::test
