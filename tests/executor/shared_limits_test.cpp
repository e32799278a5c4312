// Pools that drives share, as one executor has them: who is stopped on the way into the line neither begins nor is
// lost.
#include <filesystem>

#include "tests/executor/pool.h"

namespace flowrun::test::shared_limits_test {
namespace {

Task in_pool(Task task) {
  task.shared.emplace();
  task.shared->name = "crm";
  task.shared->max = 1;
  return task;
}

/// Leaves a file when it begins.
Task process(const Pool& pool, const std::string& path) {
  Task task = exec({"touch", "begun"}, path);
  process_of(task).cwd = pool.folder().path();
  return task;
}

Task request(const std::string& path) {
  Task task;
  task.path = path;
  HttpRequest request;
  request.url = "http://127.0.0.1:9/";  // nobody is there, and nobody is asked
  task.work = std::move(request);
  return task;
}

/// A pool whose one place is taken until there is a file `go`.
struct Full : Pool {
  Full() : Pool(4) {
    Task first = in_pool(shell("touch here; while [ ! -e go ]; do sleep 0.02; done", "first"));
    process_of(first).cwd = folder().path();
    executor().begin(first);
    REQUIRE(soon([&] { return std::filesystem::exists(folder().path("here")); }));
  }
};

}  // namespace

TEST_CASE("who is stopped just when it begins is told so, wherever it stands by then") {
  Full pool;
  for (int i = 0; i < 300; ++i) {
    const std::string path = "step" + std::to_string(i);
    pool.executor().begin(in_pool(i % 2 == 0 ? request(path) : process(pool, path)));
    // Now and then it is in the line by then.
    if (i % 5 == 0) std::this_thread::sleep_for(std::chrono::microseconds(i * 5));
    pool.executor().stop(path, 1);
    const auto ends = pool.ended(1);
    REQUIRE(ends.contains(path));
    REQUIRE(ends.at(path).failure);
    CHECK(ends.at(path).failure->type == "cancelled");
  }
  CHECK(pool.executor().in_shared_line().empty());
  CHECK_FALSE(std::filesystem::exists(pool.folder().path("begun")));
  pool.folder().write("go", "");
  CHECK(pool.ended(1).contains("first"));
}

TEST_CASE("all who are on their way into the line are stopped with the rest") {
  for (int round = 0; round < 20; ++round) {
    Full pool;
    for (int i = 0; i < 10; ++i) {
      const std::string path = "step" + std::to_string(i);
      pool.executor().begin(in_pool(i % 2 == 0 ? request(path) : process(pool, path)));
    }
    pool.executor().stop_all(Duration{1000});
    CHECK(pool.ended(11).size() == 11);
    CHECK(pool.executor().in_shared_line().empty());
  }
}

}  // namespace flowrun::test::shared_limits_test
