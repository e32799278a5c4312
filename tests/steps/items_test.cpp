// What a for_each runs over, by itself: lists, maps, counts, batches and the keys that values give.
#include "engine/steps/items.h"
#include "tests/support/catch.h"

namespace flowrun::test::items_test {
namespace {

Fallible<Items> items(const char* json, std::optional<std::int64_t> batch = {}, bool empty_keys = true) {
  return items_of(Value::from_text(json), batch, empty_keys);
}

std::string texts(const std::vector<Item>& list) {
  std::string all;
  for (const Item& item : list) all += item.value.text() + (item.key ? ":" + *item.key : "") + " ";
  return all;
}

}  // namespace

TEST_CASE("items are those of a list, of a map with their keys, or numbers from 0") {
  CHECK(texts(items("[1, \"a\", null]")->list) == "1 \"a\" null ");
  CHECK(texts(items("3")->list) == "0 1 2 ");
  CHECK(items("0")->list.empty());
  auto map = items(R"({"x": 1, "": 2})");
  CHECK(map->keyed);
  CHECK(texts(map->list) == R"({"key":"","value":2}: {"key":"x","value":1}:x )");
  // To older programs an empty key was none.
  CHECK(texts(items(R"({"": 2})", {}, false)->list) == R"({"key":"","value":2} )");
}

TEST_CASE("a batch is an item that is a list, and no key of a map is its key") {
  CHECK(texts(items("[1, 2, 3]", 2)->list) == "[1,2] [3] ");
  auto map = items(R"({"x": 1})", 5);
  CHECK_FALSE(map->keyed);
  CHECK(texts(map->list) == R"([{"key":"x","value":1}] )");
}

TEST_CASE("what is no list, map or count is refused, and so is a batch of nothing") {
  for (const char* wrong : {"\"a\"", "true", "null", "-1", "1.5", "1000001"}) {
    INFO(wrong);
    auto refused = items(wrong);
    REQUIRE_FALSE(refused);
    CHECK(refused.failure().type == "expression");
  }
  CHECK_FALSE(items("[1]", 0));
  CHECK_FALSE(items("[1]", -1));
}

TEST_CASE("values name their items when all are scalars that read differently") {
  auto named = [](const char* json, bool empty_keys = true) {
    auto all = items(json);
    name_by_value(all->list, empty_keys);
    return texts(all->list);
  };
  CHECK(named("[\"a\", 2, true]") == "\"a\":a 2:2 true:true ");
  CHECK(named("[1, \"1\"]") == "1 \"1\" ");
  CHECK(named("[1, null]") == "1 null ");
  CHECK(named("[1, [2]]") == "1 [2] ");
  CHECK(named("[\"\", 1]") == "\"\": 1:1 ");
  CHECK(named("[\"\", 1]", false) == "\"\" 1 ");
}

}  // namespace flowrun::test::items_test
