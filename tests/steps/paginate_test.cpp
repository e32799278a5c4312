// Answers that come in pages.
#include <fmt/format.h>

#include "engine/steps/link.h"
#include "engine/steps/url.h"
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::paginate_test {
namespace {

std::string page(const std::string& body, const std::string& link = "", const std::string& url = "http://x/list") {
  Json headers = Json::object();
  if (!link.empty()) headers["link"] = link;
  return fmt::format(R"({{"status":200,"headers":{},"url":"{}","attempt":1,"duration_ms":1,"body":{}}})",
                     headers.dump(), url, body);
}

const HttpRequest& request(const Scenario& s, const std::string& path = "rows") {
  return std::get<HttpRequest>(*s.task(path).work);
}

const char* kCursor = R"(
rows:
  http: http://x/list?limit=2
  headers: { X-Api-Key: k }
  paginate: { next: "${ .body.cursor }", query: cursor }
  output: ${ .body.items }
)";

std::string items(const std::string& list, const std::string& cursor) {
  return page(R"({"items":)" + list + R"(,"cursor":)" + cursor + "}");
}

std::string next_in(const std::string& header) {
  auto found = next_link(header);
  if (auto* failure = std::get_if<Failure>(&found)) return "failure " + failure->type;
  return std::get<std::optional<std::string>>(found).value_or("none");
}

}  // namespace

TEST_CASE("a cursor goes into its parameter until it is null, and the lists of the pages become one") {
  Scenario s(kCursor);
  CHECK(request(s).url == "http://x/list?limit=2");
  s.succeed("rows", items("[1,2]", R"("a b")"));
  CHECK(request(s).url == "http://x/list?limit=2&cursor=a%20b");
  s.succeed("rows", items("[]", "17"));
  CHECK(request(s).url == "http://x/list?limit=2&cursor=17");
  s.succeed("rows", items("[3]", "null"));
  CHECK(s.output("rows") == Json({1, 2, 3}));
  s.expect_success();
  // Each page is in the journal once, as its output, and the whole nowhere.
  for (const Entry& entry : s.entries()) {
    CHECK(entry.value.text().find("cursor") == std::string::npos);
    CHECK(entry.value.text() != "[1,2,3]");
  }
}

TEST_CASE("a link to the next page is followed from where the page was, and values that are no lists are collected") {
  Scenario s("rows: { http: http://x/list, query: { per: 9 }, paginate: { next: link } }");
  CHECK(request(s).url == "http://x/list?per=9");
  CHECK(request(s).origin_url.empty());
  s.succeed("rows",
            page("{\"n\":1}", "</first>; rel=first, <list?page=2>; rel=\"prefetch NEXT\"", "http://y/deep/list"));
  CHECK(request(s).url == "http://y/deep/list?page=2");
  CHECK(request(s).origin_url == "http://x/list");  // whose headers these are
  s.succeed("rows", page("null", "<http://x/list?page=3>; rel=next"));
  s.succeed("rows", page("[2,[3]]", "<http://x/list?page=1>; rel=first"));
  CHECK(s.output("rows") == Json::parse(R"([{"n":1},2,[3]])"));
  s.expect_success();
}

TEST_CASE("pages can be counted, and an empty text ends them like null") {
  Scenario s(
      "rows: { http: \"http://x/list?page=1\", paginate: { next: '${ .page + 1 }', query: page, max_pages: 9 } }");
  s.succeed("rows", page("[1]"));
  CHECK(request(s).url == "http://x/list?page=2");
  s.succeed("rows", page("[2]"));
  CHECK(request(s).url == "http://x/list?page=3");
  Scenario empty(kCursor);
  empty.succeed("rows", items("[1]", "\"\""));
  empty.expect_success();
  CHECK(empty.output("rows") == Json({1}));
}

TEST_CASE("a crash between two pages or within one goes on at the page that was reached") {
  Scenario s(kCursor);
  s.succeed("rows", items("[1]", "\"a\""));
  s.succeed("rows", items("[2]", "\"b\""));
  s.crash_and_resume();
  CHECK(request(s).url == "http://x/list?limit=2&cursor=b");
  CHECK(s.task("rows").rerun == 1);
  CHECK(s.task("rows").page == 3);
  s.succeed("rows", items("[3]", "\"c\""));
  CHECK(s.task("rows").rerun == 0);
  s.suspend();
  s.succeed("rows", items("[4]", "\"d\""));
  s.expect_suspended();
  s.crash_and_resume();
  CHECK(request(s).url == "http://x/list?limit=2&cursor=d");
  s.succeed("rows", items("[5]", "null"));
  CHECK(s.output("rows") == Json({1, 2, 3, 4, 5}));
  s.expect_success();
}

TEST_CASE("each page has its own tries and its own idempotency key") {
  Scenario s(R"(
rows:
  http: POST http://x/search
  paginate: { next: "${ .body.cursor }", query: cursor }
  retry: { attempts: 2, delay: 1s, jitter: none }
  output: ${ .body.items }
)");
  std::string key = s.task("rows").idempotency_key;
  s.fail("rows", "http.503");
  s.advance(1s);
  CHECK(s.task("rows").idempotency_key == key);
  s.succeed("rows", items("[1]", "\"a\""));
  std::string second = s.task("rows").idempotency_key;
  CHECK(second != key);
  s.fail("rows", "http.503");
  s.advance(1s);
  CHECK(s.task("rows").idempotency_key == second);
  s.fail("rows", "http.503");
  s.expect_failure("http.503", "rows");
}

TEST_CASE("after a failure a retry goes on at the page that failed") {
  Scenario s(kCursor);
  s.succeed("rows", items("[1]", "\"a\""));
  s.fail("rows", "http.404");
  s.expect_failure("http.404", "rows");
  s.retry();
  CHECK(request(s).url == "http://x/list?limit=2&cursor=a");
  s.crash_and_resume();
  s.succeed("rows", items("[2]", "null"));
  CHECK(s.output("rows") == Json({1, 2}));
  s.expect_success();
}

TEST_CASE("pages of a step that has been undone come again from the first") {
  Scenario s(R"(
rows:
  http: POST http://x/claim
  paginate: { next: "${ .body.cursor }", query: cursor }
  undo: { exec: [release] }
  undo_on: started
)");
  std::string key = s.task("rows").idempotency_key;
  s.succeed("rows", items("[1]", "\"a\""));
  s.fail("rows", "http.404");
  s.succeed("rows.undo");
  s.expect_failure("http.404", "rows");
  s.retry();
  CHECK(request(s).url == "http://x/claim");
  CHECK(s.task("rows").idempotency_key != key);
  s.succeed("rows", items("[1]", "null"));
  s.expect_success();
}

TEST_CASE("more pages than allowed are a failure, and a retry goes on with as many more") {
  Scenario s(R"(rows: { http: http://x/list, paginate: { next: "${ .body.cursor }", query: c, max_pages: 2 } })");
  s.succeed("rows", items("[1]", "\"a\""));
  s.succeed("rows", items("[2]", "\"b\""));
  s.expect_failure("expect", "rows");
  CHECK(s.machine().outcome().failure->message.find("`max_pages` allows, 2") != std::string::npos);
  s.retry();
  s.succeed("rows", items("[3]", "\"c\""));
  s.expect_running();
  s.succeed("rows", items("[4]", "null"));
  CHECK(s.output("rows").size() == 4);
  s.expect_success();
}

TEST_CASE("a page that is followed by itself, or by what is no page, fails") {
  auto fails = [](const std::string& answer, const char* type, const char* paginate) {
    INFO(answer);
    Scenario s(std::string("rows: { http: http://x/list, paginate: ") + paginate + " }");
    s.succeed("rows", answer);
    s.expect_failure(type, "rows");
  };
  const char* link = "{ next: link }";
  const char* body = "{ next: '${ .body.next }' }";
  fails(page("[]", "<list>; rel=next"), "expect", link);
  fails(page("[]", "<#more>; rel=next"), "expect", link);
  fails(page("[]", "<file:///etc/passwd>; rel=next"), "expect", link);
  fails(page("[]", "<http://x/a b>; rel=next"), "expect", link);
  fails(page("[]", "http://x/2; rel=next"), "parse", link);
  fails(page(R"({"next":true})"), "expression", body);
  fails(page(R"({"next":{"href":"/2"}})"), "expression", body);
  fails(page("3"), "expression", body);
  Scenario again(kCursor);
  again.succeed("rows", items("[1]", "\"a\""));
  again.succeed("rows", items("[1]", "\"a\""));
  again.expect_failure("expect", "rows");
}

TEST_CASE("expect and output are asked of each page, returns of the whole") {
  Scenario s(R"(
rows:
  http: http://x/list
  expect: { if: "${ .body.ok }" }
  paginate: { next: "${ .body.cursor }", query: cursor }
  retry: { on: [expect], if: "${ .body.later }", delay: 1s, jitter: none }
  output: ${ .body.items | map(. * 2) }
  returns: { type: array, maxItems: 2 }
)");
  s.succeed("rows", page(R"({"ok":false,"later":true})"));
  s.advance(1s);
  s.succeed("rows", page(R"({"ok":true,"items":[1,2],"cursor":"a"})"));
  s.succeed("rows", page(R"({"ok":true,"items":[3],"cursor":null})"));
  s.expect_failure("returns", "rows");
  // What was wrong with the whole is not mended by its last page.
  s.retry();
  CHECK(request(s).url == "http://x/list");
  s.succeed("rows", page(R"({"ok":true,"items":[1],"cursor":null})"));
  CHECK(s.output("rows") == Json({2}));
  s.expect_success();
}

TEST_CASE("a deadline bounds all pages, and a group that drains lets them all come") {
  Scenario s(R"(rows: { http: http://x/list, paginate: { next: "${ .body.cursor }", query: c }, deadline: 10s })");
  s.succeed("rows", items("[1]", "\"a\""));
  s.advance(10s);
  s.expect_stopped({"rows"});
  Result stopped;
  stopped.failure = Failure{"cancelled", "stopped"};
  s.end("rows", stopped);
  s.expect_failure("deadline", "rows");

  Scenario drained(R"(flowrun: 1
concurrency: 1
steps:
  all:
    parallel:
      rows: { http: http://x/list, paginate: { next: "${ .body.cursor }", query: c } }
      other: { fail: no, delay: 1s }
)");
  drained.succeed("all/rows", items("[1]", "\"a\""));
  drained.advance(1s);
  drained.succeed("all/rows", items("[2]", "null"));
  drained.expect_state("all/rows", State::Succeeded);
}

TEST_CASE("pages in a for_each keep to themselves") {
  Scenario s(R"(
all:
  for_each: [a, b]
  concurrency: 2
  do:
    http: http://x/${ $item }
    paginate: { next: "${ .body.cursor }", query: c }
    output: ${ .body.items }
)");
  s.succeed("all[a]", items("[1]", "\"x\""));
  s.succeed("all[b]", items("[9]", "\"y\""));
  s.crash_and_resume();
  CHECK(request(s, "all[b]").url == "http://x/b?c=y");
  s.succeed("all[b]", items("[8]", "null"));
  s.succeed("all[a]", items("[2]", "null"));
  CHECK(s.output("all") == Json::parse("[[1,2],[9,8]]"));
  s.expect_success();
}

TEST_CASE("the header Link is read as RFC 8288 has it") {
  CHECK(next_in("") == "none");
  CHECK(next_in("<a>; rel=\"next\"") == "a");
  CHECK(next_in("<a>;REL=Next;title=x") == "a");
  CHECK(next_in("<p>; rel=prev , , <a?x=1,2;3>; title=\"a, \\\"b\\\"; rel=prev\"; rel=next") == "a?x=1,2;3");
  CHECK(next_in("<p>; rel=prev; rel=next") == "none");  // the first one counts
  CHECK(next_in("<p>; rel=\"nextish prev\", <a> ; rel = \"start next\" ;") == "a");
  CHECK(next_in("<p>; anchor=\"#x\"; rel=next, <a>; rel=next; crossorigin") == "a");
  CHECK(next_in("<>; rel=next") == "");
  CHECK(next_in("<a>; rel=\"next") == "failure parse");
  CHECK(next_in("a; rel=next") == "failure parse");
  CHECK(next_in("<a") == "failure parse");
}

TEST_CASE("references become URLs as RFC 3986 has it") {
  auto from = [](const char* reference) { return resolve_reference("http://a/b/c/d?q", reference); };
  // Section 5.4, those that a page may be found by.
  CHECK(from("g") == "http://a/b/c/g");
  CHECK(from("./g/") == "http://a/b/c/g/");
  CHECK(from("/g") == "http://a/g");
  CHECK(from("//g") == "http://g");
  CHECK(from("?y") == "http://a/b/c/d?y");
  CHECK(from("g?y/../x") == "http://a/b/c/g?y/../x");
  CHECK(from("") == "http://a/b/c/d?q");
  CHECK(from("#s") == "http://a/b/c/d?q");
  CHECK(from("..") == "http://a/b/");
  CHECK(from("../../../g") == "http://a/g");
  CHECK(from("g/./h/../i") == "http://a/b/c/g/i");
  CHECK(from("HTTPS://g/x#y") == "https://g/x");
  CHECK(from("mailto:me") == "mailto:me");
  CHECK(resolve_reference("http://a", "g") == "http://a/g");
  CHECK(resolve_reference("http://a?x=/y", "?z") == "http://a?z");
}

TEST_CASE("a parameter takes the place of those of its name") {
  auto with = [](const char* url, const char* name, const char* value) {
    return with_parameter({url}, name, value).text;
  };
  CHECK(with("http://a/b", "c", "d&e") == "http://a/b?c=d%26e");
  CHECK(with("http://a/b?c=1&x=2&c=3", "c", "4") == "http://a/b?x=2&c=4");
  CHECK(with("http://a/b?page%5Bafter%5D=1", "page[after]", "2") == "http://a/b?page%5Bafter%5D=2");
  CHECK(with("http://a/b?", "c", "") == "http://a/b?c=");
  SecretText placed = with_parameter({"http://a/?c=1&k=&x=2", {{16, "s"}}}, "c", "4");
  CHECK(placed.text == "http://a/?k=&x=2&c=4");
  CHECK(placed.placeholders == std::vector<Placeholder>{{12, "s"}});
}

}  // namespace flowrun::test::paginate_test
