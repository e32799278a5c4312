// What --on says.
#include "engine/restate/place.h"

#include "engine/model/error.h"
#include "tests/support/catch.h"

namespace flowrun::test::place_test {

TEST_CASE("a place is this machine or the two addresses of a server", "[restate]") {
  const auto text = [](const std::string& given) { return restate::to_text(restate::place_from(given, "--on")); };
  CHECK(text("here").empty());
  CHECK(text("restate=http://127.0.0.1:8080") == "restate=http://127.0.0.1:8080,admin=http://127.0.0.1:9070");
  CHECK(text("restate=https://r.example/") == "restate=https://r.example,admin=https://r.example:9070");
  CHECK(text("restate=http://[::1]:8080/in/,admin=http://[::1]:1/out//") ==
        "restate=http://[::1]:8080/in,admin=http://[::1]:1/out");
  CHECK(text("admin=http://a,restate=http://b") == "restate=http://b,admin=http://a");
  // What it writes it reads.
  for (const char* given : {"restate=http://h", "restate=http://h:1,admin=https://g:2/x"})
    CHECK(text(text(given)) == text(given));

  const auto refusal = [](const std::string& given) {
    try {
      restate::place_from(given, "--on");
    } catch (const Error& error) {
      CHECK(error.problem() == Problem::Usage);
      CHECK(std::string(error.what()).rfind("--on", 0) == 0);
      return std::string(error.what());
    }
    return std::string();
  };

  const std::vector<std::pair<std::string, std::string>> mistakes = {
      {"", "write restate=http://HOST:8080"},
      {"there", "did you mean `here`?"},
      {"http://h:8080", "did you mean restate=http://h:8080?"},
      {"restate=http://h,http://h:9070", "did you mean admin=http://h:9070?"},
      {"restat=http://h", "did you mean `restate`?"},
      {"slurm=http://h", "write restate="},
      {"restate=", "no http or https URL"},
      {"restate=h:8080", "no http or https URL"},
      {"restate=ftp://h", "no http or https URL"},
      {"restate=http://", "no http or https URL"},
      {"restate=http://:8080", "no http or https URL"},
      {"restate=http://h:", "no http or https URL"},
      {"restate=http://h:99999", "no http or https URL"},
      {"restate=http://h:x", "no http or https URL"},
      {"restate=http://h/?a=b", "no http or https URL"},
      {"restate=http://h/#x", "no http or https URL"},
      {"restate=http://h h", "no http or https URL"},
      {"restate=http://\xc3\xa4", "no http or https URL"},
      {"restate=http://u:p@h", "user or password"},
      {"restate=http://h,restate=http://g", "is there twice"},
      {"admin=http://h", "`restate` is missing"},
      {"restate=http://h,", "write restate="},
      {"here,restate=http://h", "did you mean `here`?"},
  };
  for (const auto& [given, part] : mistakes) {
    INFO(given);
    CHECK_THAT(refusal(given), ContainsSubstring(part));
  }
}

}  // namespace flowrun::test::place_test
