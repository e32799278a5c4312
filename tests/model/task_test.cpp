#include "engine/model/task.h"

#include "tests/support/catch.h"

namespace flowrun::test::task_test {

TEST_CASE("the input of a request is what the other side gets") {
  Task task;
  HttpRequest request;
  request.url = "https://api.example/orders";
  task.work = request;
  REQUIRE(to_json_text(task) == R"({"method":"GET","url":"https://api.example/orders"})");

  request.method = "POST";
  request.headers = {{"Accept", "text/plain"}, {"X-Tag", "a"}, {"X-Tag", "b\n"}};
  request.body = R"({"a":1})";
  task.work = request;
  REQUIRE(Json::parse(to_json_text(task)) == Json::parse(R"({"method":"POST","url":"https://api.example/orders",
                          "headers":{"Accept":"text/plain","X-Tag":["a","b\n"]},"body":"{\"a\":1}"})"));
}

TEST_CASE("the input of a process is what it is started with") {
  Task task;
  Process process;
  process.argv = {"bash", "-c", "echo \"$A\""};
  task.work = process;
  REQUIRE(to_json_text(task) == R"({"argv":["bash","-c","echo \"$A\""]})");

  process.env = {{"A", "1"}, {"B", std::nullopt}};
  process.stdin_text = "in";
  process.cwd = "/somewhere";
  task.work = process;
  REQUIRE(Json::parse(to_json_text(task)) ==
          Json::parse(R"({"argv":["bash","-c","echo \"$A\""],"env":{"A":"1","B":null},"stdin":"in"})"));
}

}  // namespace flowrun::test::task_test
