// The rules of redirects, as a table.
#include "engine/executor/redirect.h"

#include <map>
#include <sstream>
#include <string>

#include "tests/support/catch.h"

namespace flowrun::test::redirect_test {

TEST_CASE("redirect: hosts are the same when scheme, name and port are") {
  CHECK(host_of("http://Example.ORG/a?b#c") == "http://example.org");
  CHECK(host_of("HTTP://example.org:80") == "http://example.org");
  CHECK(host_of("https://example.org:443/") == "https://example.org");
  CHECK(host_of("http://example.org:443/") == "http://example.org:443");
  CHECK(host_of("https://example.org:80/") == "https://example.org:80");
  CHECK(host_of("http://example.org:8080/") == "http://example.org:8080");
  CHECK(host_of("http://me:pass@example.org/") == "http://example.org");
  CHECK(host_of("http://a@b@example.org/") == "http://example.org");
  CHECK(host_of("http://example.org?x=@other.org") == "http://example.org");
  CHECK(host_of("http://[::1]:80/x") == "http://[::1]");
  CHECK(host_of("nonsense") == "nonsense");
}

TEST_CASE("redirect: which statuses are one, and which of them turn the request into a GET") {
  // By status: the methods that become GET, of those below.
  const std::string all = "GET HEAD POST PUT PATCH DELETE";
  const std::map<long, std::string> rules = {
      {301, "POST"}, {302, "POST"}, {303, "GET POST PUT PATCH DELETE"}, {307, ""}, {308, ""}};
  for (long status = 100; status < 600; ++status) {
    INFO(status);
    const auto rule = rules.find(status);
    CHECK(is_redirect(status) == (rule != rules.end()));
    std::string become_get;
    std::istringstream methods(all);
    for (std::string method; methods >> method;)
      if (becomes_get(status, method)) become_get += (become_get.empty() ? "" : " ") + method;
    CHECK(become_get == (rule == rules.end() ? "" : rule->second));
  }
}

TEST_CASE("redirect: only headers that tell nothing about who asks go to another host") {
  for (const char* name : {"accept", "user-agent", "idempotency-key", "content-type", "range"})
    CHECK(may_change_hosts(name));
  for (const char* name : {"authorization", "cookie", "x-api-key", "proxy-authorization", "x-anything", "referer", ""})
    CHECK_FALSE(may_change_hosts(name));
}

}  // namespace flowrun::test::redirect_test
