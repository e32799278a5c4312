// The dates of a rate that drives share: no span has more starts than it may, by times that the test gives; and what a
// file from elsewhere, of another boot or damaged, can not do.
#include <algorithm>
#include <random>
#include <vector>

#include "engine/shared/shared_rate.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::shared_rate_test {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
const Duration kPer{1000};

/// Starts as soon as it may, from |at| on; when that was.
std::int64_t start(SharedRate& rate, std::int64_t many, std::int64_t at) {
  const auto opens = rate.opens(many, kPer);
  REQUIRE(opens);
  at = std::max(at, *opens);
  REQUIRE(rate.start(many, kPer, at));
  return at;
}

}  // namespace

TEST_CASE("two that start by turns keep one rate, in any span of it", "[shared]") {
  const std::int64_t many = GENERATE(1, 7, 50, 1024, 1025, 3000);
  CAPTURE(many);
  TempDir dir;
  SharedFile one(dir.path("s")), other(dir.path("s"));
  SharedRate a(one, "crm"), b(other, "crm");
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::vector<std::int64_t> starts;
  std::int64_t now = SharedRate::now() - 600 * kSecond;  // so that all of it is past
  for (std::int64_t i = 0; i < 3 * many + 20; ++i) {
    now = start(random() % 2 ? a : b, many, now);
    starts.push_back(now);
    // Now and then it comes late, by less than what may be made up for.
    if (random() % 10 == 0)
      now += static_cast<std::int64_t>(random() % 20) * kSecond / (10 * std::max<std::int64_t>(many, 40));
  }
  const auto most = static_cast<std::size_t>(many);
  for (std::size_t i = most; i < starts.size(); ++i) REQUIRE(starts[i] - starts[i - most] >= kSecond - 1000);
  // And it is a rate: not much slower than it may be.
  const double took = static_cast<double>(starts.back() - starts.front()) / kSecond;
  CHECK(took < 1.5 * static_cast<double>(starts.size()) / static_cast<double>(many) + 1);
}

TEST_CASE("pools have dates of their own", "[shared]") {
  TempDir dir;
  SharedFile file(dir.path("s"));
  SharedRate a(file, "a"), b(file, "b");
  const std::int64_t now = SharedRate::now();
  start(a, 1, now);
  CHECK(*a.opens(1, kPer) > now);
  CHECK(*b.opens(1, kPer) <= now);
  // Of more pools than there are records the one that rested longest is forgotten.
  for (int i = 0; i < 300; ++i) {
    SharedRate one(file, "more" + std::to_string(i));
    start(one, 1, now + i);
  }
  SharedRate again(file, "more299");
  CHECK(*again.opens(1, kPer) > now);
  CHECK(dir.read("s").size() < 3'000'000);
}

TEST_CASE("what the file has of another boot, or of nobody, holds nobody up", "[shared]") {
  TempDir dir;
  const std::int64_t now = SharedRate::now();
  {
    SharedFile file(dir.path("s"));
    SharedRate rate(file, "crm");
    for (int i = 0; i < 5; ++i) start(rate, 2, now + i * kSecond);
  }
  std::string text = dir.read("s");
  SECTION("another boot") { text[8] = static_cast<char>(text[8] + 1); }
  SECTION("dates of a time to come") {
    for (std::size_t i = 16; i < text.size(); ++i)
      if (i < 24 || i >= 64) text[i] = '\x7f';
  }
  SECTION("cut off") { text.resize(20); }
  SECTION("noise") {
    std::mt19937 random(std::random_device{}());
    for (char& c : text) c = static_cast<char>(random());
  }
  dir.write("s", text);
  SharedFile file(dir.path("s"));
  SharedRate rate(file, "crm");
  REQUIRE(rate.opens(2, kPer));
  CHECK(*rate.opens(2, kPer) <= SharedRate::now());
  CHECK(rate.start(2, kPer, SharedRate::now()));
}

}  // namespace flowrun::test::shared_rate_test
