#include "engine/model/sight.h"

#include "tests/support/catch.h"

namespace flowrun::test::sight_test {

TEST_CASE("of what is not looked into, its type and what an error quotes are left") {
  Sight sight;
  sight.fields["a"].fields["b"] = {};
  const Json json{{"a", {{"b", "Ada"}, {"c", "gone"}}}, {"d", "gone"}};
  CHECK(seen(json, sight) == Json{{"a", {{"b", "Ada"}}}});
  CHECK(seen(Json(7), Sight{}) == Json(7));
  CHECK(seen(Json{1, 2}, Sight{}) == Json::array());
  CHECK(seen(json, Sight::all()) == json);
}

TEST_CASE("a long text that is not looked into is cut between two characters") {
  for (std::size_t ahead = 0; ahead < 8; ++ahead) {
    std::string text(ahead, 'x');
    for (int i = 0; i < 50; ++i) text += i % 2 ? "é" : "𝄞";
    const Json cut = seen(Json(text), Sight{});
    INFO(ahead);
    const auto beginning = cut.get<std::string>();
    CHECK(text.starts_with(beginning));
    CHECK(beginning.size() <= 64);
    CHECK(beginning.size() > 60);
    CHECK(is_utf8(beginning));
    Sight members;
    members.members = true;
    CHECK(seen(Json(text), members) == Json(text));
  }
}

}  // namespace flowrun::test::sight_test
