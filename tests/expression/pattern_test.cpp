#include "engine/expression/pattern.h"

#include <chrono>
#include <random>
#include <regex>

#include "tests/support/catch.h"

namespace flowrun::test::pattern_test {
namespace {

/// Where it is refused; -1 when it is taken.
int refused_at(const std::string& pattern) {
  try {
    Pattern compiled(pattern);
    return -1;
  } catch (const PatternError& error) {
    CHECK_FALSE(error.message.empty());
    return static_cast<int>(error.offset);
  }
}

bool found(const std::string& pattern, const std::string& text) {
  INFO(pattern << " in " << text);
  return Pattern(pattern).found_in(text);
}

}  // namespace

TEST_CASE("a pattern is matched in linear time", "[pattern][timing]") {
  const auto before = std::chrono::steady_clock::now();
  const std::string text(64 << 10, 'a');
  for (const char* pattern : {"^([a-z0-9]+[-.]?)+@[a-z]+$", "^(a+)+$b", "(a|a)*c", "(.*)(.*)(.*)(.*)x", "(a*)*b",
                              "a.{800}b", "(x+x+)+y", "(.*a.{200}){3}b"})
    CHECK_FALSE(found(pattern, text));
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(20));
}

TEST_CASE("a pattern that needs much memory is refused", "[pattern]") {
  CHECK(refused_at("(a{1000}){1000}") >= 0);
  CHECK(refused_at("((a{100}){100}){100}") >= 0);
  CHECK(refused_at("(((((((((a{9}){9}){9}){9}){9}){9}){9}){9}){9})") >= 0);
  CHECK(refused_at("a{1001}") == 1);
  CHECK(refused_at("a{99999999999999999999}") == 1);
  CHECK(refused_at("x{1000}") == -1);
  CHECK_NOTHROW(refused_at(std::string(100'000, '(') + std::string(100'000, ')')));
}

TEST_CASE("the syntax of ECMA-262 is taken, but for what can not be linear", "[pattern]") {
  CHECK(found(R"(^\d{3}-\w+$)", "123-ab_9"));
  CHECK_FALSE(found(R"(^\d$)", "٣"));
  CHECK_FALSE(found(R"(^\w$)", "é"));
  CHECK(found(R"(^\s+$)", "\t\n\v\f\r \xC2\xA0\xEF\xBB\xBF\xE2\x80\xA8"));
  CHECK(found(R"(^[^\S]$)", "\xC2\xA0"));
  CHECK_FALSE(found(R"(\S)", "\xE3\x80\x80"));
  CHECK(found(R"(^\cC$)", "\x03"));
  CHECK(found(R"(^\u00e9\u{1F600}\ud83d\ude00\xe9$)", "é😀😀é"));
  CHECK(found(R"(^\p{Letter}\p{L}\p{Script=Greek}\P{Lu}[\p{Nd}]$)", "éaαa1"));
  CHECK(found(R"(^(?<year>\d{4})-(?:x|y)$)", "2026-x"));
  CHECK(found(R"(^[\w-.]+[a\]b]+[]?x$)", "a-.]x"));
  CHECK(found(R"(^[^]x$)", "\nx"));
  CHECK_FALSE(found(R"(^.$)", "\n"));
  CHECK_FALSE(found(R"(^.$)", "\xE2\x80\xA9"));
  CHECK_FALSE(found("^abc$", "abc\n"));
  CHECK(found(R"(a{x}b{)", "a{x}b{"));
  CHECK(found(R"(\/\-\_\.\[\}])", "/-_.[}]"));
  CHECK(found(R"([\b])", "\b"));
  CHECK(found("^[[:alpha:]]$", "a]"));  // no class of POSIX
  CHECK(found("a\\0b", std::string("a\0b", 3)));
  CHECK(found("é+$", "éé"));
  CHECK(refused_at("ab(?=c)") == 2);
  CHECK(refused_at("ab(?!c)") == 2);
  CHECK(refused_at("(?<=a)b") == 0);
  CHECK(refused_at("(?<!a)b") == 0);
  CHECK(refused_at(R"((a)\1)") == 3);
  CHECK(refused_at(R"((?<n>a)\k<n>)") == 7);
  CHECK(refused_at("a(?i)b") == 1);
  CHECK(refused_at("(?P<n>a)") == 0);
  for (const char* bad : {R"(\a)",
                          R"(\A)",
                          R"(\z)",
                          R"(\Q)",
                          R"(\C)",
                          R"(\pN)",
                          R"(\p{No_Such})",
                          R"(\p{Any})",
                          R"(\x1)",
                          R"(\u12)",
                          R"(\ud800)",
                          R"(\u{110000})",
                          R"(\07)",
                          "[z-a]",
                          "*a",
                          "a**",
                          "(",
                          ")",
                          "[a",
                          "\\",
                          "a{2,1}",
                          "(+)",
                          "|*",
                          "(?a)"}) {
    INFO(bad);
    CHECK(refused_at(bad) >= 0);
  }
}

TEST_CASE("random patterns are matched as another engine matches them, or refused", "[pattern]") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  auto below = [&](std::size_t most) { return random() % most; };
  const std::vector<std::string> atoms{"a",   "b",     "c",  "[ab]", "[^a]", ".",      "\\d",    "\\w", "\\s", "1",
                                       "-",   "^",     "$",  "(",    ")",    "(?:",    "|",      "*",   "+",   "?",
                                       "{2}", "{1,2}", "*?", "\\-",  "\\.",  "[a-c1]", "[\\w-]", "\\b", "\\S", "\\t"};
  int taken = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string pattern, text;
    for (std::size_t length = 1 + below(7); length > 0; --length) pattern += atoms[below(atoms.size())];
    for (std::size_t length = below(7); length > 0; --length) text += "abc1- .\t"[below(8)];
    std::optional<std::regex> other;
    try {
      other.emplace(pattern);
    } catch (const std::regex_error&) {
    }
    INFO(pattern << " in `" << text << "`");
    if (refused_at(pattern) >= 0) continue;
    ++taken;
    // The other takes less: `{` alone.
    if (other) CHECK(found(pattern, text) == std::regex_search(text, *other));
  }
  CHECK(taken > 300);
}

TEST_CASE("no bytes are too strange for a pattern", "[pattern]") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 3000; ++round) {
    std::string pattern;
    for (std::size_t length = random() % 12; length > 0; --length)
      pattern += random() % 2 ? static_cast<char>(random()) : R"(\[](){}^$.*+?|-upxcPk<>=!:0d19,)"[random() % 32];
    INFO(pattern);
    if (refused_at(pattern) < 0) (void)found(pattern, "abc");
  }
}

}  // namespace flowrun::test::pattern_test
