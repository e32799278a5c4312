#include "engine/model/secret_text.h"

#include "tests/support/catch.h"

namespace flowrun::test::secret_text_test {
namespace {

SecretText bearer() {
  SecretText text{"Bearer "};
  text.append(SecretText::secret("token"));
  text.text += "!";
  return text;
}

std::string written(const SecretText& text) {
  std::string out;
  append_secret_text(out, text.text, text.placeholders);
  return out;
}

}  // namespace

TEST_CASE("a placeholder goes through a value and back") {
  auto back = secret_text_from(to_json(bearer()));
  REQUIRE(back);
  CHECK(back->text == "Bearer !");
  CHECK(back->placeholders == std::vector<Placeholder>{{7, "token", Placeholder::Form::Plain}});
}

TEST_CASE("data that looks like a placeholder is data") {
  for (const char* text : {R"({"$secret":"token"})", R"("***")", R"({"bytes":[130],"subtype":null})", "null"})
    CHECK_FALSE(secret_text_from(Json::parse(text)));
  Json data = Json::parse(R"({"a":{"$secret":"token"},"b":"${ $secrets.token }"})");
  SecretText text = json_text_with_placeholders(data);
  CHECK(text.text == data.dump());
  CHECK(text.placeholders.empty());
}

TEST_CASE("a JSON text has its placeholders inside its strings") {
  Json body{{"list", Json::array({1, to_json(SecretText::secret("a"))})}, {"text", to_json(bearer())}};
  SecretText text = json_text_with_placeholders(body);
  CHECK(text.text == R"({"list":[1,""],"text":"Bearer !"})");
  CHECK(text.placeholders ==
        std::vector<Placeholder>{{12, "a", Placeholder::Form::Json}, {30, "token", Placeholder::Form::Json}});
}

TEST_CASE("the journal names secrets, and people see stars") {
  CHECK(written({"plain"}) == R"("plain")");
  CHECK(written(SecretText::secret("a")) == R"({"$secret":"a"})");
  CHECK(written(bearer()) == R"({"$text":["Bearer ",{"$secret":"token"},"!"]})");
  for (const auto& [text, shown] :
       {std::pair{SecretText{"plain"}, "plain"}, {SecretText::secret("a"), "***"}, {bearer(), "Bearer ***!"}})
    CHECK(shown_secret_text(Json::parse(written(text))) == shown);
}

}  // namespace flowrun::test::secret_text_test
