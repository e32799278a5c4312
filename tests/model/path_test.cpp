#include "engine/model/path.h"

#include <set>

#include "tests/support/catch.h"

using namespace flowrun;

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
