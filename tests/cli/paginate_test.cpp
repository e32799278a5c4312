// Pages over real connections: the real binary follows them, is killed between any two, and goes on.
#include <signal.h>

#include <map>
#include <mutex>

#include "tests/executor/http_server.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::paginate_test {
namespace {

using nlohmann::json;

/// Three rows a page, in four pages, by links that are relative, among others, and in two headers.
class Pages {
 public:
  Pages() {
    server_.Get("/rows", [this](const httplib::Request& request, httplib::Response& response) {
      int page = request.has_param("page") ? std::stoi(request.get_param_value("page")) : 1;
      {
        std::lock_guard lock(mutex_);
        ++calls_[page];
        if (page == broken_) {
          response.status = 404;
          return;
        }
      }
      json rows = json::array();
      for (int i = 0; i < 3; ++i) rows.push_back(page * 10 + i);
      response.set_content(rows.dump(), "application/json");
      response.headers.emplace("Link", "</rows?page=1>; rel=\"first\"");
      if (page < 4) response.headers.emplace("Link", "<rows?page=" + std::to_string(page + 1) + ">; rel=\"last next\"");
    });
    server_.start();
  }
  std::string url() const { return server_.url(""); }
  std::map<int, int> calls() {
    std::lock_guard lock(mutex_);
    return std::exchange(calls_, {});
  }
  void break_page(int page) {
    std::lock_guard lock(mutex_);
    broken_ = page;
  }

 private:
  HttpServer server_;
  std::mutex mutex_;
  std::map<int, int> calls_;
  int broken_ = 0;
};

const char* kRows = R"(flowrun: 1
input: { api: {} }
steps: { rows: { http: "${ $input.api }/rows", paginate: { next: link } } }
output: ${ $steps.rows }
)";

const json kAll{10, 11, 12, 20, 21, 22, 30, 31, 32, 40, 41, 42};

std::size_t count_of(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at) ++count;
  return count;
}

}  // namespace

TEST_CASE("pages are followed over real connections, shown one a line, and put out as a whole") {
  Pages pages;
  TempDir dir;
  std::string journal = dir.path("journal.db"), workflow = dir.write("rows.yaml", kRows);
  Ran ran = flowrun(journal, {"run", workflow, "-i", "api=" + pages.url(), "--id", "r"});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK(json::parse(ran.out) == kAll);
  CHECK(ran.err.find("page 4  3 items") != std::string::npos);
  CHECK(ran.err.find("1 ok, 0 failed") != std::string::npos);
  CHECK(json::parse(flowrun(journal, {"output", "r", "--step", "rows"}).out) == kAll);
  std::string shown = flowrun(journal, {"journal", "show", "r"}).out;
  CHECK(count_of(shown, "  3 items") == 4);
  CHECK(count_of(shown, "[10,") == 1);  // the end of the run
  CHECK(flowrun(journal, {"journal", "verify", "r"}).code == 0);
}

TEST_CASE("killed at any commit, pages go on at the one that was reached") {
  Pages pages;
  for (const char* point : {"before_commit", "after_commit"}) {
    int killed = 0;
    for (int n = 1;; ++n) {
      INFO(point << " " << n);
      TempDir dir;
      std::string journal = dir.path("journal.db"), workflow = dir.write("rows.yaml", kRows);
      std::vector<std::string> args{"run", workflow, "-i", "api=" + pages.url(), "--id", "r"};
      HowToRun fault;
      fault.env["FLOWRUN_FAULT"] = std::string(point) + ":" + std::to_string(n);
      std::vector<std::string> faulty{FLOWRUN_FAULTY_BINARY, "--journal", journal};
      faulty.insert(faulty.end(), args.begin(), args.end());
      pages.calls();
      Ran first = run(faulty, fault);
      if (first.code == 0) break;
      INFO(first.err);
      REQUIRE(first.code == 128 + SIGKILL);
      ++killed;
      Ran second = flowrun(journal, args);
      INFO(second.err);
      REQUIRE(second.code == 0);
      CHECK(json::parse(second.out) == kAll);
      // Only the page whose answer the journal did not have yet is asked for again.
      int again = 0;
      for (const auto& [page, count] : pages.calls()) {
        CHECK(count <= 2);
        again += count - 1;
      }
      CHECK(again <= (std::string(point) == "before_commit" ? 1 : 0));
    }
    CHECK(killed >= 5);
  }
}

TEST_CASE("a retry asks for the page that failed and those behind it") {
  Pages pages;
  TempDir dir;
  std::string journal = dir.path("journal.db"), workflow = dir.write("rows.yaml", kRows);
  pages.break_page(3);
  Ran failed = flowrun(journal, {"run", workflow, "-i", "api=" + pages.url(), "--id", "r"});
  CHECK(failed.code == 1);
  CHECK(failed.err.find("step rows failed at page 3") != std::string::npos);
  CHECK(pages.calls() == std::map<int, int>{{1, 1}, {2, 1}, {3, 1}});
  pages.break_page(0);
  Ran retried = flowrun(journal, {"retry", "r"});
  INFO(retried.err);
  REQUIRE(retried.code == 0);
  CHECK(json::parse(retried.out) == kAll);
  CHECK(pages.calls() == std::map<int, int>{{3, 1}, {4, 1}});
}

TEST_CASE("a page on another host is asked for without credentials") {
  HttpServer first, other;
  std::mutex mutex;
  std::map<std::string, std::string> seen;
  auto note = [&](const char* who, const httplib::Request& request) {
    std::lock_guard lock(mutex);
    seen[who] = request.get_header_value("Authorization") + "|" + request.get_header_value("X-Key") + "|" +
                request.get_header_value("Accept");
  };
  other.Get("/2", [&](const httplib::Request& request, httplib::Response& response) {
    note("other", request);
    response.set_content("[2]", "application/json");
    response.set_header("Link", "<" + first.url("/3") + ">; rel=next");
  });
  first.Get("/1", [&](const httplib::Request&, httplib::Response& response) {
    response.set_content("[1]", "application/json");
    response.set_header("Link", "<" + other.url("/2") + ">; rel=next");
  });
  first.Get("/3", [&](const httplib::Request& request, httplib::Response& response) {
    note("first", request);
    response.set_content("[3]", "application/json");
  });
  other.start();
  first.start();
  TempDir dir;
  std::string workflow = dir.write("rows.yaml", R"(flowrun: 1
input: { api: {} }
steps:
  rows:
    http: ${ $input.api }/1
    auth: { bearer: token }
    headers: { X-Key: key, Accept: text/x-rows }
    paginate: { next: link }
output: ${ $steps.rows }
)");
  Ran ran = flowrun(dir.path("journal.db"), {"run", workflow, "-i", "api=" + first.url("")});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK(json::parse(ran.out) == json{1, 2, 3});
  std::lock_guard lock(mutex);
  CHECK(seen["other"] == "||text/x-rows");
  CHECK(seen["first"] == "Bearer token|key|text/x-rows");
}

}  // namespace flowrun::test::paginate_test
