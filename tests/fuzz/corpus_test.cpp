// The seeds of the fuzzers, and the workflows of the tour, through the targets.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/fuzz/targets.h"
#include "tests/support/catch.h"

namespace flowrun::test::corpus_test {
namespace {

namespace fs = std::filesystem;

int replay(const fs::path& folder, void (*target)(const std::uint8_t*, std::size_t)) {
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(in), {});
    INFO(entry.path().string());
    CHECK_NOTHROW(target(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
    // Cut off anywhere it is another text.
    for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 16)
      CHECK_NOTHROW(target(reinterpret_cast<const std::uint8_t*>(bytes.data()), size));
    ++files;
  }
  return files;
}

}  // namespace

TEST_CASE("what the fuzzers begin with keeps every promise") {
  const fs::path root = FLOWRUN_SOURCE_DIR, corpus = root / "tests/fuzz/corpus";
  CHECK(replay(corpus / "reader", fuzz_reader) >= 20);
  CHECK(replay(root / "workflows", fuzz_reader) >= 15);
  CHECK(replay(root / "tests/validate/bad", fuzz_reader) >= 50);
  CHECK(replay(corpus / "expression", fuzz_expression) >= 20);
  CHECK(replay(corpus / "machine", fuzz_machine) >= 20);
  CHECK(replay(corpus / "answer", fuzz_answer) >= 20);
  CHECK(replay(corpus / "rows", fuzz_rows) >= 20);
  CHECK(replay(corpus / "schema", fuzz_schema) >= 20);
  CHECK(replay(corpus / "request", fuzz_request) >= 20);
  CHECK(replay(corpus / "json", fuzz_json) >= 20);
}

TEST_CASE("the runs that the fuzzer of rows begins with are good, and each part of a row counts") {
  const fs::path corpus = fs::path(FLOWRUN_SOURCE_DIR) / "tests/fuzz/corpus/rows";
  int runs = 0;
  for (const auto& entry : fs::directory_iterator(corpus)) {
    if (entry.path().filename().string().starts_with("found_")) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::string bytes(std::istreambuf_iterator<char>(in), {});
    INFO(entry.path().string());
    const auto taken = [](const std::string& text) {
      return rows_are_taken(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    };
    CHECK(taken(bytes));
    CHECK_FALSE(taken("-" + bytes.substr(1)));                                                 // no checksum
    CHECK_FALSE(taken(bytes.substr(0, bytes.rfind('\n')) + "\n\t1\tended\tnobody\t1\t{}\t"));  // another end
    ++runs;
  }
  CHECK(runs >= 20);
}

TEST_CASE("strings within strings are refused where they are too deep, however many there are") {
  std::string text = "${ ", end;
  for (int i = 0; i < 200'000; ++i) {
    text += "\"\\(";
    end += ")\"";
  }
  text += "1" + end + " }";
  CHECK_NOTHROW(fuzz_expression(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

}  // namespace flowrun::test::corpus_test
