// Values that are long, or made of others that the journal has: kept once, in pieces, with the sums of one text.
#include <fmt/format.h>

#include "engine/journal/journal.h"
#include "engine/model/value_writer.h"
#include "tests/journal/scratch.h"
#include "tests/support/catch.h"

namespace flowrun::test::long_values_test {
namespace {

using scratch::at;
using scratch::ended;
using scratch::Folder;
using scratch::record;
using scratch::Shell;

constexpr int kMembers = 1200;

std::string member(int i) { return '"' + std::string(8000, static_cast<char>('a' + i % 26)) + '"'; }

std::string flat_list() {
  std::string list = "[";
  for (int i = 0; i < kMembers; ++i) list += (i > 0 ? "," : "") + member(i);
  return list + "]";
}

/// A list of values that |journal| has let go, 9.6 MB of them.
Value list_of(Journal& journal) {
  ValueWriter list;
  for (int i = 0; i < kMembers; ++i) {
    const Value value = Value::from_text(member(i));
    journal.append(ended(fmt::format("x[{}]", i), value));
    list.add(i > 0 ? "," : "[");
    list.add(value.let_go());
    // Some are read before they are written.
    if (i % 100 == 70) journal.commit({}, at());
  }
  list.add("]");
  return std::move(list).done();
}

}  // namespace

TEST_CASE("a value of values is kept in pieces, once, and read as one text") {
  const Folder folder;
  std::optional<Value> left;
  const std::string flat = flat_list();
  {
    Journal journal(folder / "journal.db", Journal::Mode::Create);
    RunRecord run = record("a-1");
    REQUIRE(journal.create(run, ""));
    const Value list = list_of(journal);
    REQUIRE(list.size() == flat.size());
    journal.append(ended("all", list));
    Journal::RunUpdate update;
    update.output = list;
    journal.commit(update, at());
    CHECK((journal.read(1, kMembers + 1).front().value.text() == flat));
    CHECK((journal.find("a-1").output.text() == flat));
    journal.check_sums(journal.find("a-1"));
    CHECK((list.text() == flat));
    left = list.let_go();

    // The same as one text has the same name, and one as long has another.
    RunRecord again = record("b-1");
    REQUIRE(journal.create(again, ""));
    journal.append(ended("all", Value::from_text(flat)));
    journal.append(ended("other", Value::from_text(flat.substr(0, flat.size() - 2) + " ]")));
    journal.commit({}, at());
    CHECK((journal.read(2, 1).front().value.text() == flat));
    journal.check_sums(journal.find("b-1"));
    journal.let_go();
  }
  CHECK_THROWS_AS(left->text(), Error);
  Shell shell(folder / "journal.db");
  CHECK(shell("SELECT count(*), min(typeof(value)), max(length(value)) FROM vals") ==
        std::vector<std::string>{fmt::format("2|blob|{}", flat.size())});
  CHECK(shell("SELECT count(*) FROM runs JOIN vals ON hash = output_ref WHERE substr(CAST(value AS TEXT), 1, 3) = "
              "'[\"a'") == std::vector<std::string>{"1"});
  shell("UPDATE vals SET value = CAST(replace(CAST(value AS TEXT), 'zz', 'zy') AS BLOB)");
  Journal journal(folder / "journal.db", Journal::Mode::ReadWrite);
  CHECK_THROWS_AS(journal.check_sums(journal.find("a-1")), Corruption);
  RunRecord third = record("c-1");
  REQUIRE(journal.create(third, ""));
  journal.append(ended("all", Value::from_text(flat)));
  CHECK_THROWS_AS(journal.commit({}, at()), Corruption);
}

TEST_CASE("what was let go and has changed since is not what was written") {
  const Folder folder;
  Journal journal(folder / "journal.db", Journal::Mode::Create);
  RunRecord run = record("a-1");
  REQUIRE(journal.create(run, ""));
  const Value value = Value::from_text(member(1));
  journal.append(ended("x", value));
  CHECK(value.let_go().text() == member(1));
  journal.commit({}, at());
  CHECK(value.let_go().text() == member(1));
  Shell shell(folder / "journal.db");
  shell("UPDATE entries SET value = replace(value, 'bb', 'bc')");
  CHECK_THROWS_AS(value.let_go().text(), Corruption);
  shell("DELETE FROM entries");
  CHECK_THROWS_AS(value.let_go().text(), Corruption);
}

}  // namespace flowrun::test::long_values_test
