// Parts of the machine that stand by themselves: the words of join, and which steps are undone.
#include "engine/language/keys.h"
#include "engine/machine/join.h"
#include "engine/machine/undone.h"
#include "tests/support/catch.h"

namespace flowrun::test::parts_test {

TEST_CASE("every word of join is written as it is read") {
  for (const std::string& word : join_words()) {
    INFO(word);
    REQUIRE(join_named(word));
    CHECK(to_string(*join_named(word)) == word);
  }
  for (const std::string& word : names_within("join")) {
    INFO(word);
    REQUIRE(join_named(word));
    Join join = *join_named(word);
    join.amount = 2;
    CHECK(to_string(join) == word + " 2");
    join.amount = 2.5;
    join.percent = true;
    CHECK(to_string(join) == word + " 2.5%");
  }
  CHECK_FALSE(join_named("most"));
  // Every policy has a word, and one of them has two.
  CHECK(join_words().size() + names_within("join").size() == 7);
}

TEST_CASE("one child wins where the first success or the first end settles the group") {
  const Join first_success = *join_named("first_success");
  CHECK(first_success.policy == Join::Policy::Quorum);
  CHECK(single_winner(first_success));
  CHECK(single_winner(*join_named("first_completed")));
  CHECK_FALSE(single_winner({Join::Policy::Quorum, 2}));
  CHECK_FALSE(single_winner({Join::Policy::Quorum, 1, true}));  // 1%
  CHECK_FALSE(single_winner({Join::Policy::AtLeast, 1}));
  for (const std::string& word : names_within("join"))
    if (single_winner(*join_named(word))) CHECK(ends_early(*join_named(word)));
}

TEST_CASE("a step is undone until it runs again, and so is what it is in") {
  Undone undone;
  CHECK_FALSE(undone.any_below(""));
  for (const char* path : {"a/b", "a-", "a[x]/c", "ab"}) undone.note(path);
  CHECK(undone.contains("a/b"));
  CHECK_FALSE(undone.contains("a"));
  CHECK(undone.any_below("a"));
  CHECK(undone.any_below("a[x]"));
  CHECK_FALSE(undone.any_below("a/b/c"));
  CHECK(undone.below("a") == std::vector<std::string>{"a/b", "a[x]/c"});
  undone.note_run("a/b");
  undone.note_run("never");
  CHECK(undone.below("a") == std::vector<std::string>{"a[x]/c"});
  undone.note_run("a[x]/c");
  CHECK_FALSE(undone.any_below("a"));  // `a-` and `ab` are others
  undone.note("a/b");
  CHECK(undone.times("a/b") == 2);
  CHECK(undone.times("a") == 0);
  CHECK(undone.below("") == std::vector<std::string>{"a-", "ab", "a/b"});
}

}  // namespace flowrun::test::parts_test
