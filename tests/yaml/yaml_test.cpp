// What YAML 1.2 says of small documents: their values, or that they are none. Each line is a kind of text that parsers
// are known to read differently.
#include "engine/yaml/node.h"
#include "tests/support/catch.h"

namespace flowrun::test::yaml_test {
namespace {

/// The value of |text| as JSON; `refused` and the code when it is no YAML, or none of ours.
std::string value_of(const std::string& text) {
  Diagnostics diagnostics({"x.yaml", text});
  std::optional<Node> node = read_yaml(diagnostics);
  if (!diagnostics.ok()) return "refused " + diagnostics.all().front().code;
  return node ? node->json().dump() : "refused without a word";
}

struct Document {
  const char* text;
  const char* value;
};

void check(std::initializer_list<Document> documents) {
  for (const Document& each : documents) {
    INFO(each.text);
    CHECK(value_of(each.text) == each.value);
  }
}

}  // namespace

TEST_CASE("escapes in double quotes are those of YAML 1.2, and no others") {
  check({
      {R"(["\0"])", R"(["\u0000"])"},
      {R"(["\a\b\t\n\v\f\r\e"])", R"(["\u0007\b\t\n\u000b\f\r\u001b"])"},
      {R"(["\ \"\/\\"])", R"([" \"/\\"])"},
      {R"(["\N"])", "[\"\xC2\x85\"]"},
      {R"(["\_"])", "[\"\xC2\xA0\"]"},
      {R"(["\L\P"])", "[\"\xE2\x80\xA8\xE2\x80\xA9\"]"},
      {R"(["\x41\u00e4\U0001F600"])", "[\"A\xC3\xA4\xF0\x9F\x98\x80\"]"},
      {R"(["\ud83d\ude00"])", "[\"\xF0\x9F\x98\x80\"]"},
      {R"(["\ud83d"])", "refused E001"},
      {R"(["\ude00"])", "refused E001"},
      {R"(["\x4"])", "refused E001"},
      {R"(["\u00g0"])", "refused E001"},
      {R"(["\U00110000"])", "refused E001"},
      {R"(["\q"])", "refused E001"},
      {R"(["\'"])", "refused E001"},
      {R"(['\n'])", R"(["\\n"])"},
      {"[\"a\\\tb\"]", R"(["a\tb"])"},
  });
}

TEST_CASE("lines are folded as YAML 1.2 folds them") {
  check({
      {"a: b\n  c\n", R"({"a":"b c"})"},
      {"a: b\n\n  c\n", R"({"a":"b\nc"})"},
      {"a: b\n\n\n  c\n", R"({"a":"b\n\nc"})"},
      {"a: 'b\n  c'\n", R"({"a":"b c"})"},
      {"a: 'b\n\n  c'\n", R"({"a":"b\nc"})"},
      {"a: '\n  b'\n", R"({"a":" b"})"},
      {"a: '\n\n  '\n", R"({"a":"\n"})"},
      {"a: 'b\n  '\n", R"({"a":"b "})"},
      {"a: 'b  \n  c'\n", R"({"a":"b c"})"},
      {"a: \"b\n  c\"\n", R"({"a":"b c"})"},
      {"a: \"b\\\n  c\"\n", R"({"a":"bc"})"},
      {"a: \"b \\\n  c\"\n", R"({"a":"b c"})"},
      {"a: \"b\\\n  \\ c\"\n", R"({"a":"b c"})"},
      {"a: \"\n\n  \"\n", R"({"a":"\n"})"},
      {"a: \"b\\n\n  c\"\n", R"({"a":"b\n c"})"},
      {"a: 'it''s'\n", R"({"a":"it's"})"},
      {"a: \"b\nc\"\n", "refused E001"},
      {"a: b\nc\n", "refused E001"},
      {"- b\n  c\n", R"(["b c"])"},
  });
}

TEST_CASE("blocks keep, clip and strip their last lines") {
  check({
      {"a: |\n  b\n  c\n", R"({"a":"b\nc\n"})"},
      {"a: |\n  b\n\n\n", R"({"a":"b\n"})"},
      {"a: |-\n  b\n\n", R"({"a":"b"})"},
      {"a: |+\n  b\n\n", R"({"a":"b\n\n"})"},
      {"a: |+\n  b\n\nc: d\n", R"({"a":"b\n\n","c":"d"})"},
      {"a: |\n  b", R"({"a":"b\n"})"},
      {"a: |\n\n  b\n", R"({"a":"\nb\n"})"},
      {"a: |\n    b\n   c\n", "refused E001"},
      {"a: |2\n    b\n", R"({"a":"  b\n"})"},
      {"a: |1-\n  b\n", R"({"a":" b"})"},
      {"a: |\n  b # no remark\n", R"({"a":"b # no remark\n"})"},
      {"a: | # a remark\n  b\n", R"({"a":"b\n"})"},
      {"a: >\n  b\n  c\n", R"({"a":"b c\n"})"},
      {"a: >\n  b\n\n  c\n", R"({"a":"b\nc\n"})"},
      {"a: >\n  b\n    c\n  d\n", R"({"a":"b\n  c\nd\n"})"},
      {"a: >-\n  b\n  c\n\n", R"({"a":"b c"})"},
      {"a: >+\n  b\n\n", R"({"a":"b\n\n"})"},
      {"a: |\n", R"({"a":""})"},
      {"a: |", R"({"a":""})"},
      {"a: |\nb: c\n", R"({"a":"","b":"c"})"},
      {"a: >\n\nb: c\n", R"({"a":"","b":"c"})"},
      {"a: |+\n\nb: c\n", R"({"a":"\n","b":"c"})"},
      {"a: |\n  \tb\n", R"({"a":"\tb\n"})"},
      {"a: |x\n  b\n", "refused E001"},
      {"a: |0\n  b\n", "refused E001"},
      {"- |\n b\n- c\n", R"(["b\n","c"])"},
      {"a: |\r\n  b\r\n  c\r\n", R"({"a":"b\nc\n"})"},
  });
}

TEST_CASE("what is plain text in YAML 1.2 is text") {
  check({
      {"a: b:c\n", R"({"a":"b:c"})"},
      {"a: b#c\n", R"({"a":"b#c"})"},
      {"a: b #c\n", R"({"a":"b"})"},
      {"a: -b\n", R"({"a":"-b"})"},
      {"a: ?b\n", R"({"a":"?b"})"},
      {"a: :b\n", R"({"a":":b"})"},
      {"a: [b?, c ?]\n", R"({"a":["b?","c ?"]})"},
      {"{a: b?c, d: e ?}\n", R"({"a":"b?c","d":"e ?"})"},
      {"[a:b, 'c':d, \"e\":f]\n", R"(["a:b",{"c":"d"},{"e":"f"}])"},
      {"{a, b: }\n", R"({"a":null,"b":null})"},
      {"[a, ]\n", R"(["a"])"},
      {"[a, , b]\n", "refused E001"},
      {"[-]\n", "refused E001"},
      {"[-, a]\n", "refused E001"},
      {"[a, - ]\n", "refused E001"},
      {"- -\n", "[[null]]"},
      {"a: - b\n", "refused E001"},
      {"a: b: c\n", "refused E001"},
      {"a: \"x\"#c\n", "refused E001"},
      {"a: 'x'#c\n", "refused E001"},
      {"a: [x]#c\n", "refused E001"},
      {"a: \"x\" #c\n", R"({"a":"x"})"},
      {"a: \"x\" y\n", "refused E001"},
      {"a: b\nlast\n", "refused E001"},
      {"a:\n  b: c\n  last\n", "refused E001"},
      {"a: @b\n", "refused E001"},
      {"a: `b\n", "refused E001"},
      {"a: %b\n", "refused E001"},
      {"a: b%c\n", R"({"a":"b%c"})"},
      {"a: x\ty\n", R"({"a":"x\ty"})"},
      {"a:\tb\n", R"({"a":"b"})"},
      {"a: b\t# c\n", R"({"a":"b"})"},
      {"a:\n\t- b\n", "refused E004"},
      {"a:\n\tb: c\n", "refused E004"},
      {"- a\n-\tb\n", R"(["a","b"])"},
  });
}

TEST_CASE("numbers keep their value or are refused") {
  check({
      {"[0x7fffffffffffffff, 0xffffffffffffffff]\n", "[9223372036854775807,18446744073709551615]"},
      {"0x10000000000000000\n", "refused E001"},
      {"0o7777777777777777777777\n", "refused E001"},
      {"18446744073709551616\n", "refused E001"},
      {"-9223372036854775809\n", "refused E001"},
      {"'18446744073709551616'\n", R"("18446744073709551616")"},
      {"1e400\n", "refused E001"},
      {"[00012, +5, -0]\n", "[12,5,0]"},
  });
}

TEST_CASE("anchors stand for values and for keys") {
  check({
      {"&a k: v\n*a : w\n", "refused E002"},
      {"a: {&k x: 1}\nb: *k\n", R"({"a":{"x":1},"b":"x"})"},
      {"a: &k x\n*k : y\n", R"({"a":"x","x":"y"})"},
      {"&k a: 1\nb: {*k : 2}\n", R"({"a":1,"b":{"a":2}})"},
      {"a: &k 1\nb: &k 2\nc: *k\n", R"({"a":1,"b":2,"c":2})"},
      {"a: &k\nb: *k\n", R"({"a":null,"b":null})"},
      {"a: *k\n", "refused E001"},
      {"a: &k [*k]\n", "refused E001"},
      {"a: &k {b: *k}\n", "refused E001"},
      {"a: &k [1]\n*k : 2\n", "refused E001"},
      {"a: &\n", "refused E001"},
      {"a: &k *k\n", "refused E001"},
  });
}

TEST_CASE("lists and maps are read where YAML has them") {
  check({
      {"a:\n- b\n- c\n", R"({"a":["b","c"]})"},
      {"- a: b\n  c: d\n- e\n", R"([{"a":"b","c":"d"},"e"])"},
      {"- - a\n  - b\n- c\n", R"([["a","b"],"c"])"},
      {"? a\n: b\n", R"({"a":"b"})"},
      {"? a\n", R"({"a":null})"},
      {"? [a]\n: b\n", "refused E001"},
      {"{? a : b}\n", R"({"a":"b"})"},
      {"a: {\n  b: c\n}\nd: [\n  e\n]\n", R"({"a":{"b":"c"},"d":["e"]})"},
      {"a: {b: [c, {d: e}]}\n", R"({"a":{"b":["c",{"d":"e"}]}})"},
      {"[a: b, c]\n", R"([{"a":"b"},"c"])"},
      {"{\"a\":1,\"b\":[true,null]}", R"({"a":1,"b":[true,null]})"},
      {"a: [b\n", "refused E001"},
      {"a: b]\n", R"({"a":"b]"})"},
      {"a:\n   b: c\n  d: e\n", "refused E001"},
      {"a: b\n  c: d\n", "refused E001"},
      {"a:\nb\n", "refused E001"},
      {"a:\n'b'\n", "refused E001"},
      {"a: 'b\n\n c\nd'\n", "refused E001"},
      {"a:\n[b]\n", "refused E001"},
      {"a:\n  b: &k c\n  d:\n  *k\n", "refused E001"},
      {"-\nb\n", "refused E001"},
      {"a:\n b\n", R"({"a":"b"})"},
      {"a: [\nb,\n c]\n", R"({"a":["b","c"]})"},
      {"a: 1\nb: 2\na: 3\n", "refused E002"},
      {"--- a\n", R"("a")"},
      {"---\na: b\n...\n", R"({"a":"b"})"},
      {"a: b\n---\nc: d\n", "refused E006"},
      {"%YAML 1.2\n---\na: b\n", R"({"a":"b"})"},
      {"a: !!int 3\n", "refused E005"},
      {"a: ! 3\n", R"({"a":"3"})"},
      {"a: !\n", R"({"a":""})"},
      {"<<: {a: b}\n", "refused E005"},
      {"a: \"b\n---\nc\"\n", "refused E001"},
      {"# nothing\n", "refused E001"},
      {"null\n", "null"},
  });
}

}  // namespace flowrun::test::yaml_test
