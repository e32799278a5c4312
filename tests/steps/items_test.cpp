// What a for_each runs over, by itself: lists, maps, counts, batches and the keys that values give.
#include "engine/steps/items.h"
#include "tests/support/catch.h"

namespace flowrun::test::items_test {
namespace {

Fallible<Items> items(const char* json, std::optional<std::int64_t> batch = {}, bool empty_keys = true) {
  return Items::of(Value::from_text(json), batch, empty_keys);
}

std::string texts(const Items& items) {
  std::string all;
  for (std::size_t i = 0; i < items.size(); ++i) all += items.name(i) + "=" + items.value(i).text() + " ";
  return all;
}

}  // namespace

TEST_CASE("items are those of a list, of a map with their keys, or numbers from 0") {
  CHECK(texts(*items("[1, \"a\", null]")) == "0=1 1=\"a\" 2=null ");
  CHECK(texts(*items(" [ 1.10 ,{\"z\":1, \"a\":[ ]}]")) == "0=1.1 1={\"a\":[],\"z\":1} ");
  CHECK(texts(*items("3")) == "0=0 1=1 2=2 ");
  CHECK(items("0")->empty());
  CHECK(items("[]")->empty());
  CHECK(items("{}")->empty());
  CHECK(texts(*items(R"({"x": 1, "": 2})")) == R"(={"key":"","value":2} x={"key":"x","value":1} )");
  // To older programs an empty key was none.
  CHECK(texts(*items(R"({"": 2})", {}, false)) == R"(0={"key":"","value":2} )");
}

TEST_CASE("a batch is an item that is a list, and no key of a map is its key") {
  CHECK(texts(*items("[1, 2, 3]", 2)) == "0=[1,2] 1=[3] ");
  CHECK(texts(*items("[1, 2]", 2)) == "0=[1,2] ");
  CHECK(texts(*items("3", 2)) == "0=[0,1] 1=[2] ");
  CHECK(texts(*items(R"({"x": 1})", 5)) == R"(0=[{"key":"x","value":1}] )");
  CHECK(items("[]", 5)->empty());
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
    auto all = items(json, {}, empty_keys);
    all->name_by_value(empty_keys);
    return texts(*all);
  };
  CHECK(named("[\"a\", 2, true]") == "a=\"a\" 2=2 true=true ");
  CHECK(named("[1, \"1\"]") == "0=1 1=\"1\" ");
  CHECK(named("[1.10, 2]") == "1.1=1.1 2=2 ");
  CHECK(named("[1, null]") == "0=1 1=null ");
  CHECK(named("[1, [2]]") == "0=1 1=[2] ");
  CHECK(named("[\"\", 1]") == "=\"\" 1=1 ");
  CHECK(named("[\"\", 7]", false) == "0=\"\" 1=7 ");
  CHECK(named("3") == "0=0 1=1 2=2 ");
  CHECK(named(R"({"x": 1})") == R"(x={"key":"x","value":1} )");
}

}  // namespace flowrun::test::items_test
