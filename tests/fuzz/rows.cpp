// A run as a stranger's file has it: its row, a line of columns, then a line for each of its entries. Columns stand
// between tabs and are text, which SQLite makes a number where the column is one; \1 in front makes a blob, \2 NULL,
// \3 a real number, \4 a reference to the text in `vals`, \5 one to nothing. The first column of all is `+`: the
// checksums fit; anything else: they are 0.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/journal/open.h"
#include "engine/machine/machine_view.h"
#include "engine/model/hash.h"
#include "engine/run/fork.h"
#include "engine/run/history.h"
#include "engine/run/replay.h"
#include "engine/run/view.h"
#include "tests/fuzz/rows_workflows.h"
#include "tests/fuzz/targets.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test {
namespace {

using Columns = std::vector<std::string_view>;

Columns split(std::string_view text, char at) {
  Columns parts;
  for (std::size_t end = 0; end != text.npos; text.remove_prefix(std::min(text.size(), end + 1))) {
    end = text.find(at);
    parts.push_back(text.substr(0, end));
  }
  return parts;
}

std::string_view column(const Columns& columns, std::size_t number) {
  return number < columns.size() ? columns[number] : std::string_view();
}

/// The file as another program writes it, beside the journal that reads it.
class Stranger {
 public:
  explicit Stranger(const std::string& path) {
    if (sqlite3_open(path.c_str(), &handle_) != SQLITE_OK) throw std::logic_error("the journal can not be written to");
    run("PRAGMA synchronous = OFF");
  }
  ~Stranger() { sqlite3_close_v2(handle_); }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;

  void run(const std::string& sql) {
    char* why = nullptr;
    if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, &why) != SQLITE_OK)
      throw std::logic_error(sql + ": " + (why ? why : "?"));
  }

  /// What SQLite refuses, such as NULL where it can not be, is no row.
  void insert(const std::string& sql, const std::vector<std::string_view>& columns) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) throw std::logic_error(sql);
    int number = 0;
    for (std::string_view text : columns) {
      const char first = text.empty() ? '\0' : text[0];
      const auto size = static_cast<int>(text.size());
      ++number;
      if (first == '\1')
        sqlite3_bind_blob(statement, number, text.data() + 1, size - 1, SQLITE_STATIC);
      else if (first == '\2')
        sqlite3_bind_null(statement, number);
      else if (first == '\3')
        sqlite3_bind_double(statement, number, std::strtod(std::string(text.substr(1)).c_str(), nullptr));
      else
        sqlite3_bind_text(statement, number, text.empty() ? "" : text.data(), size, SQLITE_STATIC);
    }
    sqlite3_step(statement);
    sqlite3_finalize(statement);
  }

 private:
  sqlite3* handle_ = nullptr;
};

/// Nobody answers: what is asked is not in the journal.
class Silence : public Evaluator {
 public:
  Answer evaluate(const Question&) override { return {{}, "nobody answers"}; }
};

class Forgetful : public DecisionSink {
 public:
  void decide(Decision decision) override { (void)to_entry(decision, from_millis(0)); }
};

/// True when |work| came to its end; false when it threw what may be said of a journal.
template <class Work>
bool good(const Work& work) {
  try {
    work();
    return true;
  } catch (const Error& error) {
    if (error.problem() != Problem::Journal && error.problem() != Problem::Impossible)
      throw std::logic_error(std::string("this is not said of a journal: ") + error.what());
    if (!*error.what()) throw std::logic_error("an error says nothing");
    return false;
  }
}

void expect_equal(const Entry& one, const Entry& other, const char* how) {
  if (one.at == other.at && one.kind == other.kind && one.path == other.path && one.attempt == other.attempt &&
      one.data == other.data && one.value.text() == other.value.text())
    return;
  throw std::logic_error(fmt::format("{} {} {} {} {} {}\nis another one {}: {} {} {} {} {}", to_string(one.kind),
                                     one.path, one.attempt, to_millis(one.at), one.data, one.value.text(), how,
                                     to_string(other.kind), other.path, other.attempt, to_millis(other.at), other.data,
                                     other.value.text()));
}

/// What an entry says by itself.
bool read_alone(const Entry& entry) {
  bool all = good([&] { (void)entry.value.json(); });
  if (!is_fact(entry.kind)) {
    all &= good([&] {
      for (const Answer& answer : answers_of(entry))
        if (answer.ok()) (void)answer.value.json();
      if (!difference(entry, entry).empty()) throw std::logic_error("an entry differs from itself: " + entry.data);
    });
    return all;
  }
  std::optional<Event> event;
  if (!good([&] { event = to_event(entry); })) return false;
  // Written again it says the same, to the byte from the second time on.
  const Entry written = to_entry(*event, entry.kind == EntryKind::LateEnd);
  const Entry again = to_entry(to_event(written), entry.kind == EntryKind::LateEnd);
  expect_equal(written, again, "when it is written again");
  return all;
}

/// A folder with a journal, for all inputs.
class Place {
 public:
  Place() : path_(dir_.path("journal.db")), journal_(path_, Journal::Mode::Create), stranger_(path_) {
    for (const char* text : kRowsWorkflows) {
      stranger_.insert("INSERT OR IGNORE INTO sources (hash, text) VALUES (?, ?)", {journal_.keep_source(text), text});
      hashes_.push_back(hash_name(text));
    }
  }

  bool take(std::string_view bytes);

 private:
  void write_rows(std::string_view bytes);
  std::vector<Entry> read(std::int64_t number);
  void expect_round_trip(const std::vector<Entry>& entries);
  bool look_at(const RunRecord& run, const std::vector<Entry>& entries, const History& history);
  const Loaded* workflow_of(const RunRecord& run);
  bool look_within(const RunRecord& run, const Loaded& loaded, const std::vector<Entry>& entries,
                   const History& history);

  TempDir dir_;
  std::string path_;
  Journal journal_;
  Stranger stranger_;
  std::vector<std::string> hashes_;
  std::map<std::string, Loaded> loaded_;  ///< by hash
  std::int64_t copy_ = 2;                 ///< number of the run that entries are written to again
};

void Place::write_rows(std::string_view bytes) {
  const Columns lines = split(bytes, '\n');
  const Columns head = split(lines[0], '\t');
  const bool mended = column(head, 0) == "+";
  stranger_.run("BEGIN; DELETE FROM entries; DELETE FROM runs; DELETE FROM vals; DELETE FROM mailbox");
  std::uint64_t sum = 0;
  std::int64_t last = 0;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const Columns columns = split(lines[i], '\t');
    const std::string given(column(columns, 0));
    const std::int64_t seq = given.empty() ? last + 1 : std::strtoll(given.c_str(), nullptr, 10) % first_id(1);
    const std::int64_t id = first_id(1) + std::max<std::int64_t>(seq, 0);
    std::string_view value = column(columns, 6);
    std::string ref = "\2";
    if (value.starts_with('\4') || value.starts_with('\5')) {
      const bool missing = value[0] == '\5';
      value.remove_prefix(1);
      ref = hash_name(value);
      if (!missing) stranger_.insert("INSERT OR IGNORE INTO vals (hash, value) VALUES (?, ?)", {ref, value});
    }
    if (mended) {
      Entry entry;
      entry.at = from_millis(std::strtoll(std::string(column(columns, 1)).c_str(), nullptr, 10));
      entry.path = column(columns, 3);
      entry.attempt = static_cast<int>(std::strtoll(std::string(column(columns, 4)).c_str(), nullptr, 10));
      entry.data = column(columns, 5);
      entry.value = Value::from_text(std::string(value));
      sum = entry_sum(sum, id, column(columns, 2), entry);
    }
    stranger_.insert(
        "INSERT INTO entries (id, at, kind, path, attempt, data, value, value_ref, sum) VALUES (?,?,?,?,?,?,?,?,?)",
        {std::to_string(id), column(columns, 1), column(columns, 2), column(columns, 3), column(columns, 4),
         column(columns, 5), value.empty() || ref != "\2" ? "\2" : value, ref,
         std::to_string(static_cast<std::int64_t>(sum))});
    last = std::max(last, seq);
  }
  const auto or_null = [&](std::size_t number) {
    return column(head, number).empty() ? std::string_view("\2") : column(head, number);
  };
  stranger_.insert(
      "INSERT INTO runs (number, state, id, name, file, source_hash, started_at, alive_at, ended_at, input, output, "
      "error, last_seq, last_sum) VALUES (1,?,?,?,?,?,?,?,?,?,?,?,?,?)",
      {column(head, 1), column(head, 2), column(head, 3), column(head, 4), column(head, 5), column(head, 6),
       column(head, 7), or_null(8), or_null(9), or_null(10), or_null(11),
       column(head, 12).empty() ? std::string_view(std::to_string(last)) : column(head, 12),
       std::to_string(static_cast<std::int64_t>(sum))});
  copy_ = 5 - copy_;
  stranger_.run(
      fmt::format("INSERT INTO runs (number, state, id, name, file, source_hash, started_at, alive_at) "
                  "VALUES ({}, 'running', '-', '', '', '', 0, 0); COMMIT",
                  copy_));
}

std::vector<Entry> Place::read(std::int64_t number) {
  std::vector<Entry> entries;
  for (;;) {
    std::vector<Entry> slice = journal_.read(number, static_cast<std::int64_t>(entries.size()) + 1);
    if (slice.empty()) return entries;
    for (Entry& entry : slice) entries.push_back(std::move(entry));
    if (entries.size() > 100'000) throw std::logic_error("the entries of a run do not end");
  }
}

void Place::expect_round_trip(const std::vector<Entry>& entries) {
  RunRecord copy;
  copy.number = copy_;
  copy.id = "-";
  journal_.lock(copy);
  for (const Entry& entry : entries) journal_.append(entry);
  journal_.commit({}, from_millis(0));
  const std::vector<Entry> again = read(copy_);
  if (again.size() != entries.size()) throw std::logic_error("entries are lost when they are written again");
  for (std::size_t i = 0; i < entries.size(); ++i) expect_equal(entries[i], again[i], "in another run");
}

const Loaded* Place::workflow_of(const RunRecord& run) {
  if (std::find(hashes_.begin(), hashes_.end(), run.source_hash) == hashes_.end()) {
    good([&] { own_copy(journal_, run, true); });
    return nullptr;
  }
  // As own_copy(), which reads the same text again for every run.
  if (!good([&] { frozen_texts(journal_, run); })) return nullptr;
  auto known = loaded_.find(run.source_hash);
  if (known == loaded_.end()) {
    Diagnostics diagnostics({"rows.yaml", journal_.source(run.source_hash)});
    const Texts texts{{"sub.yaml", kRowsWorkflows[0]}};
    auto loaded = load("/w/rows.yaml", diagnostics, nullptr, Lints::No, true, &texts);
    if (!loaded) throw std::logic_error("a workflow of the fuzzer is not valid: " + diagnostics.text());
    known = loaded_.emplace(run.source_hash, std::move(*loaded)).first;
  }
  return &known->second;
}

bool Place::look_within(const RunRecord& run, const Loaded& loaded, const std::vector<Entry>& entries,
                        const History& history) {
  Silence nobody;
  std::optional<Replayed> replayed;
  if (!good([&] { replayed = replay(journal_, run, loaded.workflow, nobody); })) return false;
  Machine& machine = *replayed->machine;
  if (replay(journal_, run, loaded.workflow, nobody).missing.size() != replayed->missing.size())
    throw std::logic_error("a second replay leaves something else to do");
  machine.timers().pending();
  machine.pools().lines();
  if (machine.phase() == Machine::Phase::Ended) {
    (void)machine.outcome().output.json();
    MachineView(machine).has_undos();
  } else if (machine.phase() != Machine::Phase::New && !MachineView(machine).stuck().empty() &&
             replayed->missing.empty()) {
    throw std::logic_error("it can not go on, and nothing says so");
  }
  good([&] { Reuse(journal_, run, loaded.workflow, loaded.workflow, ""); });
  // What was cut off is looked at from within, and goes on.
  for (const char* step : {"", entries.back().path.c_str(), entries[entries.size() / 2].path.c_str()})
    good([&] {
      RunView view(journal_, run, loaded, history, nobody, step);
      for (const char* name : {"steps", "status", "run", "input", "vars", "item", "."})
        view.lookup({name, name[0] == 's' ? "each" : "", {}});
    });
  good([&] {
    Forgetful sink;
    RunResumed resumed;
    resumed.token = "t";
    resumed.down = Duration(1000);
    Event event{replayed->last_at + resumed.down, resumed};
    if (machine.phase() == Machine::Phase::Ended) {
      event.fact = RunReopened{"t", "", {}};
    }
    if (machine.phase() != Machine::Phase::New) machine.apply(event, sink);
    event.fact = CancelRequested{true, false, "x"};
    machine.apply(event, sink);
  });
  return true;
}

bool Place::look_at(const RunRecord& run, const std::vector<Entry>& entries, const History& history) {
  bool all = good([&] { journal_.check_sums(run); });
  if (run.ended_at) all &= good([&] { check_result(journal_, run); });
  all &= good([&] {
    journal_.lock(run);
    journal_.mail(0);
  });
  const Loaded* loaded = workflow_of(run);
  return loaded && !entries.empty() && look_within(run, *loaded, entries, history) && all;
}

bool Place::take(std::string_view bytes) {
  write_rows(bytes);
  std::vector<RunRecord> runs;
  bool all = good([&] { runs = journal_.list({}); });
  std::vector<Entry> entries;
  all &= good([&] { entries = read(1); });
  History history;
  all &= good([&] {
    for (const Entry& entry : entries) history.add(entry);
    history.counts();
  });
  for (const Entry& entry : entries) all &= read_alone(entry);
  expect_round_trip(entries);
  bool found = false;
  for (const RunRecord& run : runs)
    if (run.number == 1) {
      found = true;
      all &= look_at(run, entries, history);
    }
  return all && found;
}

}  // namespace

bool rows_are_taken(const std::uint8_t* bytes, std::size_t size) {
  static Place place;
  return place.take({reinterpret_cast<const char*>(bytes), size});
}

void fuzz_rows(const std::uint8_t* bytes, std::size_t size) { rows_are_taken(bytes, size); }

}  // namespace flowrun::test
