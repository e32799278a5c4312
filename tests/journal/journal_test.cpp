#include "engine/journal/journal.h"

#include <xxhash.h>

#include "engine/journal/open.h"
#include "tests/journal/scratch.h"
#include "tests/model/samples.h"
#include "tests/support/catch.h"

namespace flowrun::test::journal_test {
using namespace flowrun::scratch;

namespace {

std::vector<Entry> read_all(const Journal& journal, std::int64_t run) {
  std::vector<Entry> all;
  while (true) {
    std::vector<Entry> some = journal.read(run, static_cast<std::int64_t>(all.size()) + 1, 7);
    if (some.empty()) return all;
    for (Entry& entry : some) all.push_back(std::move(entry));
  }
}

}  // namespace

TEST_CASE("every fact and decision goes into the file and comes back") {
  Folder folder;
  std::vector<Entry> written;
  for (const Event& event : samples::events()) written.push_back(to_entry(event));
  for (const Decision& decision : samples::decisions()) written.push_back(to_entry(decision, samples::at()));
  {
    Journal journal(folder / "journal.db", Journal::Mode::Create);
    RunRecord run = record("order-1-aaaa");
    REQUIRE(journal.create(run, "flowrun: 1\n"));
    REQUIRE(run.number == 1);
    for (std::size_t i = 0; i < written.size(); ++i) REQUIRE(journal.append(written[i]) == std::int64_t(i) + 1);
    REQUIRE(journal.pending().entries == written.size());
    REQUIRE(journal.pending().bytes > 1000);
    REQUIRE(journal.read(1, 1).empty());
    journal.commit({}, at(5));
    REQUIRE(journal.pending().entries == 0);
    REQUIRE(journal.pending().bytes == 0);
  }
  const Journal journal(folder / "journal.db", Journal::Mode::ReadOnly);
  const std::vector<Entry> entries = read_all(journal, 1);
  REQUIRE(entries.size() == written.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    INFO(to_string(written[i].kind));
    REQUIRE(entries[i].seq == std::int64_t(i) + 1);
    REQUIRE(entries[i].at == written[i].at);
    REQUIRE(entries[i].kind == written[i].kind);
    REQUIRE(entries[i].path == written[i].path);
    REQUIRE(entries[i].attempt == written[i].attempt);
    REQUIRE(entries[i].data == written[i].data);
    REQUIRE(entries[i].value.text() == written[i].value.text());
    REQUIRE(difference(entries[i], written[i]).empty());
    if (is_fact(entries[i].kind)) REQUIRE(to_entry(to_event(entries[i])).data == written[i].data);
  }
  const RunRecord run = journal.find("order-1-aaaa");
  REQUIRE(run.last_seq == std::int64_t(written.size()));
  REQUIRE(run.alive_at == at(5));
  REQUIRE(journal.source(run.source_hash) == "flowrun: 1\n");
  journal.check_sums(run);
  REQUIRE(journal.check_file().empty());
}

TEST_CASE("a run goes on where its row says, over several journals and commits") {
  Folder folder;
  for (int drive = 0; drive < 3; ++drive) {
    Journal journal(folder / "journal.db", Journal::Mode::Create);
    RunRecord run = record("order-1-aaaa");
    if (drive == 0)
      REQUIRE(journal.create(run, ""));
    else
      journal.lock(journal.find("@last"));
    for (int turn = 0; turn < 4; ++turn) {
      REQUIRE(journal.append(ended("a")) == drive * 8 + turn * 2 + 1);
      REQUIRE(journal.append(ended("b")) == drive * 8 + turn * 2 + 2);
      journal.commit({}, at());
    }
    journal.check_sums(journal.find("@last"));
  }
}

TEST_CASE("the row of a run follows its state") {
  Folder folder;
  Journal journal(folder / "journal.db", Journal::Mode::Create);
  RunRecord run = record("order-1-aaaa");
  REQUIRE(journal.create(run, ""));
  RunRecord found = journal.find(run.id);
  REQUIRE(found.name == "order");
  REQUIRE(found.state == RunState::Running);
  REQUIRE(found.file == "/w/order.yaml");
  REQUIRE(found.started_at == at());
  REQUIRE_FALSE(found.ended_at.has_value());
  REQUIRE(found.input.text() == R"({"a":1})");
  REQUIRE(found.output.is_null());
  REQUIRE(found.driver_pid == getpid());

  journal.beat(at(10));
  REQUIRE(journal.find(run.id).alive_at == at(10));

  journal.append(ended("a"));
  Journal::RunUpdate update;
  update.state = RunState::Failed;
  update.output = Value::string(std::string(100'000, 'o'));
  update.error = Value::from_text(R"({"type":"timeout"})");
  update.ended_at = at(20);
  journal.commit(update, at(20));
  found = journal.find(run.id);
  REQUIRE(found.state == RunState::Failed);
  REQUIRE(found.output.text().size() == 100'002);
  REQUIRE(found.error.json()["type"] == "timeout");
  REQUIRE(found.ended_at == at(20));

  update = {};
  update.state = RunState::Running;
  update.reopened = true;
  journal.commit(update, at(30));
  found = journal.find(run.id);
  REQUIRE(found.state == RunState::Running);
  REQUIRE(found.output.is_null());
  REQUIRE(found.error.is_null());
  REQUIRE_FALSE(found.ended_at.has_value());
}

TEST_CASE("an id that is taken is said to be, and nothing is left of the attempt") {
  Folder folder;
  Journal journal(folder / "journal.db", Journal::Mode::Create);
  RunRecord first = record("ci-1"), second = record("ci-1");
  REQUIRE(journal.create(first, "one"));
  REQUIRE_FALSE(journal.create(second, "two"));
  second.id = "ci-2";
  second.source_hash.clear();
  REQUIRE(journal.create(second, "two"));
  REQUIRE(second.number > first.number);
  REQUIRE(Shell(folder / "journal.db")("SELECT count(*) FROM runs") == std::vector<std::string>{"2"});
}

TEST_CASE("numbers of deleted runs are not used again") {
  Folder folder;
  Journal journal(folder / "journal.db", Journal::Mode::Create);
  RunRecord first = record("a-1"), second = record("b-1");
  REQUIRE(journal.create(first, ""));
  Shell(folder / "journal.db")("DELETE FROM runs");
  REQUIRE(journal.create(second, ""));
  REQUIRE(second.number == first.number + 1);
}

TEST_CASE("a long value is stored once, by hash, and read as if it stood in its entry") {
  Folder folder;
  Journal journal(folder / "journal.db", Journal::Mode::Create);
  const Value value = Value::string(std::string(2 << 20, 'v'));
  for (const char* id : {"a-1", "b-1"}) {
    RunRecord run = record(id);
    REQUIRE(journal.create(run, ""));
    journal.append(ended("x", value));
    journal.append(ended("y", value));
    journal.commit({}, at());
    const std::vector<Entry> entries = journal.read(run.number, 1);
    REQUIRE(entries.size() == 2);
    REQUIRE(entries[1].value.text() == value.text());
    journal.check_sums(run);
  }
  Shell shell(folder / "journal.db");
  REQUIRE(shell("SELECT count(*), max(length(hash)) FROM vals") == std::vector<std::string>{"1|32"});
  REQUIRE(shell("SELECT count(*) FROM entries WHERE value IS NULL AND value_ref IS NOT NULL") ==
          std::vector<std::string>{"4"});

  shell("UPDATE vals SET value = replace(value, 'v', 'w')");
  REQUIRE_THROWS_AS(journal.check_sums(journal.find("a-1")), Corruption);
  shell("DELETE FROM vals");
  REQUIRE(contains(refusal(Problem::Journal, [&] { journal.read(1, 1); }), "missing"));
}

TEST_CASE("a read of many long values comes in portions") {
  Folder folder;
  Journal journal(folder / "journal.db", Journal::Mode::Create);
  RunRecord run = record("a-1");
  REQUIRE(journal.create(run, ""));
  for (int i = 0; i < 40; ++i) journal.append(ended("x", Value::string(std::string(1'000'000, 'v'))));
  journal.commit({}, at());
  REQUIRE(journal.read(run.number, 1).size() < 40);
  REQUIRE(read_all(journal, run.number).size() == 40);
}

TEST_CASE("a byte that changed behind its back is found by the sums, and the first one named") {
  Folder folder;
  Journal journal(folder / "journal.db", Journal::Mode::Create);
  RunRecord run = record("order-1-aaaa");
  REQUIRE(journal.create(run, ""));
  for (const char* path : {"a", "b", "c", "d"}) journal.append(ended(path, Value::from_text("{\"n\":1}")));
  journal.commit({}, at());
  run = journal.find(run.id);
  journal.check_sums(run);

  const char* damage =
      GENERATE("UPDATE entries SET value = '{\"n\":2}' WHERE seq = 3",
               "UPDATE entries SET data = replace(data, 'true', 'True') WHERE seq = 3",
               "UPDATE entries SET at = at + 1 WHERE seq = 3", "UPDATE entries SET attempt = 2 WHERE seq = 3",
               "UPDATE entries SET path = 'C' WHERE seq = 3", "UPDATE entries SET kind = 'late' WHERE seq = 3",
               "UPDATE entries SET sum = sum + 1 WHERE seq = 3", "UPDATE entries SET value = NULL WHERE seq = 3",
               "DELETE FROM entries WHERE seq = 3");
  INFO(damage);
  Shell(folder / "journal.db")(damage);
  const std::string message = refusal(Problem::Journal, [&] { journal.check_sums(run); });
  REQUIRE(contains(message, "order-1-aaaa"));
  REQUIRE(contains(message, "entry 3"));
}

TEST_CASE("an entry of a kind that no flowrun writes is corruption, also when its sum fits") {
  Folder folder;
  Journal journal(folder / "journal.db", Journal::Mode::Create);
  RunRecord run = record("order-1-aaaa");
  REQUIRE(journal.create(run, ""));
  journal.append(ended("a"));
  journal.commit({}, at());
  const std::uint64_t sum = entry_sum(0, first_id(run.number) + 1, "nonsense", ended("a"));
  Shell(folder / "journal.db")("UPDATE entries SET kind = 'nonsense', sum = " +
                               std::to_string(static_cast<std::int64_t>(sum)));
  const std::string message = refusal(Problem::Journal, [&] { journal.read(run.number, 1); });
  REQUIRE(contains(message, "run order-1-aaaa, entry 1: no flowrun writes entries of the kind 'nonsense'"));
}

TEST_CASE("sums are those of the manual") {
  Folder folder;
  Journal journal(folder / "journal.db", Journal::Mode::Create);
  RunRecord run = record("order-1-aaaa");
  REQUIRE(journal.create(run, ""));
  const std::string value = '"' + std::string(2 << 20, 'v') + '"';
  journal.append(ended("a"));
  journal.append(ended("b", Value::from_text(value)));
  journal.commit({}, at());

  std::uint64_t sum = 0;
  for (int seq = 1; seq <= 2; ++seq) {
    const std::string texts[] = {"ended", seq == 1 ? "a" : "b", R"({"ok":true,"code":0,"took_ms":0})",
                                 seq == 1 ? "" : value};
    std::string bytes;
    for (std::uint64_t number : {sum, (std::uint64_t(1) << 40) + seq, std::uint64_t(1'795'423'512'481),
                                 std::uint64_t(1), texts[0].size(), texts[1].size(), texts[2].size(), texts[3].size()})
      for (int i = 0; i < 8; ++i) bytes += static_cast<char>(number >> (8 * i));
    for (const std::string& text : texts) bytes += text;
    sum = XXH3_64bits(bytes.data(), bytes.size());
    REQUIRE(Shell(folder / "journal.db")("SELECT sum FROM entries WHERE seq = " + std::to_string(seq)) ==
            std::vector<std::string>{std::to_string(static_cast<std::int64_t>(sum))});
  }
}

TEST_CASE("entries that were cut off at the end or added are found") {
  Folder folder;
  Shell shell(folder / "journal.db");
  RunRecord run = record("order-1-aaaa");
  {
    Journal journal(folder / "journal.db", Journal::Mode::Create);
    REQUIRE(journal.create(run, ""));
    for (const char* path : {"a", "b", "c"}) journal.append(ended(path));
    journal.commit({}, at());
  }
  Journal journal(folder / "journal.db", Journal::Mode::Create);
  SECTION("cut off") {
    shell("DELETE FROM entries WHERE seq = 3");
    REQUIRE_THROWS_AS(journal.check_sums(run), Corruption);
    REQUIRE_THROWS_AS(journal.lock(run), Corruption);
  }
  SECTION("added") {
    shell(
        "INSERT INTO entries SELECT id + 1, at, kind, path, attempt, sum, value_ref, data, value FROM entries "
        "WHERE seq = 3");
    REQUIRE_THROWS_AS(journal.check_sums(run), Corruption);
    REQUIRE_THROWS_AS(journal.lock(run), Corruption);
  }
}

TEST_CASE("what another process wrote is not overwritten") {
  Folder folder;
  Journal journal(folder / "journal.db", Journal::Mode::Create);
  RunRecord run = record("order-1-aaaa");
  REQUIRE(journal.create(run, ""));
  journal.append(ended("a"));
  journal.commit({}, at());
  Shell shell(folder / "journal.db");
  shell("INSERT INTO entries SELECT id + 1, at, kind, 'theirs', attempt, sum, value_ref, data, value FROM entries");

  journal.append(ended("ours"));
  REQUIRE(contains(refusal(Problem::Journal, [&] { journal.commit({}, at()); }), "another process wrote entry 2"));
  REQUIRE(shell("SELECT path FROM entries WHERE seq = 2") == std::vector<std::string>{"theirs"});
  REQUIRE(contains(refusal(Problem::Journal, [&] { journal.commit({}, at()); }), "nothing more is written"));
}

TEST_CASE("a journal that was moved away takes no more") {
  Folder folder;
  Journal journal(folder / "journal.db", Journal::Mode::Create);
  RunRecord run = record("order-1-aaaa");
  REQUIRE(journal.create(run, ""));
  std::filesystem::rename(folder / "journal.db", folder / "elsewhere.db");
  journal.append(ended("a"));
  REQUIRE(contains(refusal(Problem::Journal, [&] { journal.commit({}, at()); }), "moved or removed"));
}

TEST_CASE("the view shows people where each step is") {
  Folder folder;
  Journal journal(folder / "journal.db", Journal::Mode::Create);
  RunRecord run = record("order-1-aaaa");
  REQUIRE(journal.create(run, ""));
  const auto decide = [&](auto what) { journal.append(to_entry(Decision{std::move(what), {}}, at())); };
  const auto start = [&](const std::string& path, int attempt) {
    StartTask task;
    task.task.path = path;
    task.task.attempt = attempt;
    decide(task);
  };
  const auto fail = [&](const std::string& path, int attempt) {
    TaskEnded end{path, attempt, {}};
    end.result.failure = samples::failure();
    journal.append(to_entry(Event{at(310), end}));
  };
  journal.append(to_entry(Event{at(), RunStarted{}}));
  start("good", 1);
  journal.append(ended("good"));
  start("bad", 1);
  fail("bad", 1);
  decide(ArmTimer{"bad", TimerKind::Retry, 1, at(9), Duration(9), "http.503"});
  start("bad", 2);
  fail("bad", 2);
  start("again", 1);
  fail("again", 1);
  decide(ArmTimer{"again", TimerKind::Retry, 1, at(9), Duration(9), "http.503"});
  start("busy", 1);
  start("lost", 1);
  decide(StopTask{"lost", 1, "lost"});
  journal.append(to_entry(Event{at(), TaskEnded{"lost", 1, {}}}, true));
  StepSettled skipped{"skipped", "http", {}, "if"};
  skipped.outcome.state = State::Skipped;
  decide(skipped);
  // What was withdrawn has not begun; a reservation that is given back waits for a place again.
  const auto withdraw = [&](const std::string& path, int attempt) {
    journal.append(to_entry(Event{at(), TaskWithdrawn{path, attempt}}));
  };
  start("never", 1);
  withdraw("never", 1);
  start("once", 1);
  fail("once", 1);
  start("once", 2);
  withdraw("once", 2);
  start("then", 1);
  withdraw("then", 1);
  start("then", 1);
  decide(StopTask{"asked", 0, "suspend"});
  decide(WithdrawWaiting{"never"});
  journal.commit({}, at());

  Shell shell(folder / "journal.db");
  REQUIRE(shell("SELECT path, state, attempts, error FROM steps WHERE run = 'order-1-aaaa' ORDER BY path") ==
          std::vector<std::string>{"again|retrying|1|", "asked|pending|0|", "bad|failed|2|http.503", "busy|running|1|",
                                   "good|succeeded|1|", "lost|cancelled|1|lost", "never|pending|0|", "once|pending|1|",
                                   "skipped|skipped|0|", "then|running|1|"});
  REQUIRE(shell("SELECT started IS NULL, ended IS NULL FROM steps WHERE path IN ('asked', 'never')") ==
          std::vector<std::string>{"1|1", "1|1"});
  REQUIRE(shell("SELECT started, ended FROM steps WHERE path = 'bad'") ==
          std::vector<std::string>{"2026-11-23T08:45:12.481Z|2026-11-23T08:45:12.791Z"});
  REQUIRE(shell("SELECT run, seq FROM entries WHERE path = 'busy'") == std::vector<std::string>{"1|12"});
}

}  // namespace flowrun::test::journal_test
