#include "engine/model/secret_text.h"

#include "tests/support/catch.h"

using namespace flowrun;

namespace {

HoledText bearer() {
  HoledText text{"Bearer "};
  text.append(HoledText::secret("token"));
  text.text += "!";
  return text;
}

std::string written(const HoledText& text) {
  std::string out;
  append_holed_text(out, text.text, text.holes);
  return out;
}

}  // namespace

TEST_CASE("a hole goes through a value and back") {
  auto back = holed_text_from(to_json(bearer()));
  REQUIRE(back);
  CHECK(back->text == "Bearer !");
  CHECK(back->holes == std::vector<Hole>{{7, "token", Hole::Form::Plain}});
}

TEST_CASE("data that looks like a hole is data") {
  for (const char* text : {R"({"$secret":"token"})", R"("***")", R"({"bytes":[130],"subtype":null})", "null"})
    CHECK_FALSE(holed_text_from(Json::parse(text)));
  Json data = Json::parse(R"({"a":{"$secret":"token"},"b":"${ $secrets.token }"})");
  HoledText text = json_text_with_holes(data);
  CHECK(text.text == data.dump());
  CHECK(text.holes.empty());
}

TEST_CASE("a JSON text has its holes inside its strings") {
  Json body{{"list", Json::array({1, to_json(HoledText::secret("a"))})}, {"text", to_json(bearer())}};
  HoledText text = json_text_with_holes(body);
  CHECK(text.text == R"({"list":[1,""],"text":"Bearer !"})");
  CHECK(text.holes == std::vector<Hole>{{12, "a", Hole::Form::Json}, {30, "token", Hole::Form::Json}});
}

TEST_CASE("the journal names secrets, and people see stars") {
  CHECK(written({"plain"}) == R"("plain")");
  CHECK(written(HoledText::secret("a")) == R"({"$secret":"a"})");
  CHECK(written(bearer()) == R"({"$text":["Bearer ",{"$secret":"token"},"!"]})");
  for (const auto& [text, shown] :
       {std::pair{HoledText{"plain"}, "plain"}, {HoledText::secret("a"), "***"}, {bearer(), "Bearer ***!"}})
    CHECK(shown_holed_text(Json::parse(written(text))) == shown);
}
