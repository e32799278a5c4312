#include "engine/language/keys.h"
#include "engine/language/other_words.h"

#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace flowrun::test::keys_test {

TEST_CASE("every key stands once in its table and says what it takes and means", "[keys]") {
  for (const auto* table : {&step_keys(), &top_keys()}) {
    std::set<std::string> names;
    for (const Key& key : *table) {
      INFO(key.name);
      CHECK(names.insert(key.name).second);
      CHECK(std::string(key.type) != "");
      CHECK(std::string(key.doc) != "");
    }
  }
  std::set<std::string> inner;
  for (const InnerKey& key : inner_keys()) {
    INFO(key.within << "." << key.name);
    CHECK(inner.insert(std::string(key.within) + "." + key.name).second);
    CHECK(std::string(key.doc) != "");
  }
}

TEST_CASE("every key of a step belongs to a kind, and every kind is a key", "[keys]") {
  std::uint32_t kinds = 0;
  for (const Key& key : step_keys()) {
    INFO(key.name);
    CHECK(key.kinds != 0);
    CHECK(find_key(key.name) == &key);
    kinds |= kind_bit(key.name);
    if (std::uint32_t bit = kind_bit(key.name)) CHECK(key.kinds == bit);
  }
  CHECK(kinds == kEvery);
  CHECK(kind_names(kProcess) == "shell, exec");
}

TEST_CASE("every type of error in the manual can be caught", "[keys]") {
  std::ifstream manual(FLOWRUN_SOURCE_DIR "/man/flowrun-workflow.5");
  std::string line;
  while (std::getline(manual, line) && line != ".Sh ERROR TYPES") continue;
  std::vector<std::string> types;
  while (std::getline(manual, line) && line.rfind(".Sh ", 0) != 0)
    if (line.rfind(".It Cm ", 0) == 0) types.push_back(line.substr(7));
  REQUIRE(types.size() > 20);
  for (std::string type : types) {
    type = type.substr(0, type.find(' '));
    INFO(type);
    CHECK(is_own_error(type));
  }
}

TEST_CASE("words kept for later are no keys yet", "[keys]") {
  for (const char* word : {"schedule", "container", "matrix", "uses", "labels", "files", "stop_when"}) {
    INFO(word);
    CHECK(is_reserved(word));
    CHECK(find_key(word) == nullptr);
    CHECK(find_top_key(word) == nullptr);
  }
  CHECK_FALSE(is_reserved("shell"));
}

TEST_CASE("words of other tools lead to ours", "[keys]") {
  auto says = [](const char* word, const char* ours, std::uint32_t kind = 0) {
    INFO(word);
    CHECK(advice_for(word, kind).find(ours) != std::string::npos);
  };
  says("run", "`shell`");
  says("script", "`exec`");
  says("depends_on", "`needs`");
  says("when", "`if`");
  says("with_items", "`for_each`");
  says("matrix", "`for_each`");
  says("working-directory", "`cwd`");
  says("continue-on-error", "`continue_on_error`");
  says("max-parallel", "`concurrency`");
  says("timeout-minutes", "`timeout`");
  says("rescue", "`fallback`");
  says("uses", "`workflow`");
  says("retries", "attempts");
  says("body", "`json`", kHttp);
  says("body", "`stdin`", kShell);
  says("env", "`headers`", kHttp);
  says("pagination", "`paginate`");
  CHECK(advice_within("paginate", "cursor").find("`query: cursor`") != std::string::npos);
  CHECK(advice_within("paginate", "link").find("`next: link`") != std::string::npos);
  CHECK(advice_within("retry", "link").empty());
  says("data", "`stdin`", kExec);
  says("workers", "`limit`", kHttp);
  says("workers", "`concurrency`", kForEach);
  CHECK(advice_for("nonsense", 0).empty());
  CHECK(advice_at_top("jobs").find("`steps`") != std::string::npos);
  CHECK(advice_at_top("inputs").find("`input`") != std::string::npos);
}

}  // namespace flowrun::test::keys_test
