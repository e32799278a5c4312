// flowrun schema prints the schema that is tested in tests/language/language_schema_test.cpp.
#include "engine/language/language_schema.h"

#include "tests/support/catch.h"
#include "tests/support/program.h"

namespace flowrun::test::schema_test {

TEST_CASE("flowrun schema prints the schema of the language as one JSON object") {
  Ran ran = flowrun("/nowhere/journal.db", {"schema"});
  CHECK(ran.code == 0);
  CHECK(ran.err.empty());
  CHECK(nlohmann::json::parse(ran.out) == language_schema());
  CHECK(flowrun("", {"schema", "extra"}).code == 2);
}

}  // namespace flowrun::test::schema_test
