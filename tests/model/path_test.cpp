#include "engine/model/path.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/support/catch.h"

namespace flowrun::test::path_test {

TEST_CASE("paths join the names of steps and the keys of items") {
  REQUIRE(child_path("", "order") == "order");
  REQUIRE(child_path("book", "hotel") == "book/hotel");
  REQUIRE(child_path(item_path("enrich", "C-1042"), "profile") == "enrich[C-1042]/profile");
}

TEST_CASE("a key can not pretend to be a piece of a path") {
  REQUIRE(item_path("x", "a/b") == "x[a%2Fb]");
  REQUIRE(item_path("x", "a]/y[b") == "x[a%5D%2Fy%5Bb]");
  REQUIRE(item_path("x", "100%") == "x[100%25]");
  REQUIRE(item_path("x", "a%2Fb") != item_path("x", "a/b"));
  REQUIRE(item_path("x", std::string("\x1b[31m\x7f\n\0", 8)) == "x[%1B%5B31m%7F%0A%00]");
  REQUIRE(item_path("x", "caf\xc3\xa9 1") == "x[caf\xc3\xa9 1]");
  REQUIRE(item_path("x", "\xc2\x9b") == "x[%C2%9B]");
  REQUIRE(item_path("x", "") == "x[]");
}

TEST_CASE("the longest path that steps can have may be one, and what is longer or deeper may not") {
  std::string path;
  for (int level = 0; level < 16 * 32; ++level) {
    path = item_path(child_path(path, std::string(64, 'n')), std::string(80, 'k'));
    if (level % 32 == 0) path += ".fallback";
  }
  CHECK(may_be_path(path));
  CHECK(may_be_path(""));
  CHECK_FALSE(may_be_path(std::string(1501, '[')));
  CHECK_FALSE(may_be_path(std::string(3000, '/')));
  CHECK_FALSE(may_be_path(std::string(200000, '.')));
}

TEST_CASE("long keys are cut and still differ") {
  const std::string whole(80, 'k');
  REQUIRE(item_path("x", whole) == "x[" + whole + "]");

  const std::string cut = item_path("x", whole + "1");
  REQUIRE(cut.size() < 100);
  REQUIRE(cut.substr(0, 54) == "x[" + std::string(52, 'k'));
  REQUIRE(cut[54] == '~');
  REQUIRE(cut == item_path("x", whole + "1"));
  REQUIRE(cut != item_path("x", whole + "2"));

  SECTION("also from a key that is written as a cut one") {
    const std::string key = cut.substr(2, cut.size() - 3);
    REQUIRE(item_path("x", key) != cut);
  }
  SECTION("and neither a character nor an escape is split") {
    for (std::size_t lead = 40; lead < 60; ++lead) {
      std::string key(lead, 'k');
      for (int i = 0; i < 30; ++i) key += "\xf0\x9f\x90\xa2";
      std::string path = item_path("x", key);
      const std::size_t kept = path.find('~') - 2;
      REQUIRE((kept < lead || (kept - lead) % 4 == 0));
      REQUIRE(path.size() > 2 + 80 + 1);

      path = item_path("x", std::string(lead, 'k') + std::string(40, '/'));
      const std::string text = path.substr(2, path.find('~') - 2);
      REQUIRE((text.size() <= lead || (text.size() - lead) % 3 == 0));
      REQUIRE(path.size() > 2 + 80 + 1);
    }
  }
}

TEST_CASE("whatever the keys are, no two have the same path, and none looks like another step") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const std::string pieces[] = {"",
                                "0",
                                "1",
                                "[",
                                "]",
                                "/",
                                "%",
                                "%5D",
                                "%2F",
                                ".",
                                ".undo",
                                ".fallback",
                                "~",
                                "'",
                                "\"",
                                "\\",
                                "\t",
                                "\n",
                                std::string(1, '\0'),
                                "\x7f",
                                "\xc2\x9b",
                                "\xc3\xa9",
                                "\xf0\x9f\x90\xa2",
                                "$x",
                                " ",
                                std::string(60, 'k'),
                                std::string(81, '/')};
  std::map<std::string, std::string> keys;  // by path
  for (int i = 0; i < 20000; ++i) {
    std::string key;
    for (unsigned n = random() % 5; n > 0; --n) key += pieces[random() % std::size(pieces)];
    const std::string path = item_path("x", key);
    const auto [known, fresh] = keys.emplace(path, key);
    REQUIRE((fresh || known->second == key));
    REQUIRE((path.starts_with("x[") && path.ends_with("]")));
    REQUIRE(path.size() < 100);
    const std::string inside = path.substr(2, path.size() - 3);
    REQUIRE(inside.find_first_of("[]/") == std::string::npos);
    REQUIRE(std::none_of(inside.begin(), inside.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
    REQUIRE(is_below(path, "x"));
    REQUIRE(is_below(child_path(path, "y"), path));
    for (const auto& [other, of] : {*keys.begin(), *keys.rbegin()}) {
      REQUIRE(is_below(other, path) == (of == key));
      REQUIRE(is_below(child_path(other, "y"), path) == (of == key));
    }
  }
  CHECK(keys.count("x[]") == 1);
}

}  // namespace flowrun::test::path_test
