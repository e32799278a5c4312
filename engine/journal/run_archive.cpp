#include "engine/journal/run_archive.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "engine/journal/open.h"
#include "engine/journal/schema.h"
#include "engine/model/hash.h"

namespace flowrun {

namespace {

constexpr const char* kSum = "archive_sum";  // its row in `meta`

/// What the sum of an archive is over, row by row.
constexpr const char* kSummed[] = {
    "SELECT name, value FROM meta WHERE name <> 'archive_sum' ORDER BY name",
    "SELECT number, last_seq, last_sum, started_at, alive_at, ended_at, state, id, name, file, source_hash, input_ref, "
    "output_ref, input, output, error FROM runs ORDER BY number",
    "SELECT hash, text FROM sources ORDER BY hash",
    "SELECT hash, value FROM vals ORDER BY hash",
    "SELECT id, at, kind, path, attempt, sum, value_ref, data, value FROM entries ORDER BY id",
    "SELECT id, run, at, kind, name, data, sender FROM mailbox ORDER BY id",
    "SELECT id, run, name, executable FROM files ORDER BY id",
    "SELECT file, number, data FROM parts ORDER BY file, number",
};

struct FreeSumState {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

/// |value| of a run's row, and where it is kept when it is long.
struct RunValue {
  explicit RunValue(const Value& of)
      : value(of), text(value_text(value)), hash(text.size() > kLongestRunValue ? hash_name(text) : "") {}
  void keep(Database& database) const {
    if (!hash.empty()) keep_value(database, hash, value);
  }
  std::optional<std::string_view> in_row() const {
    return text.empty() || !hash.empty() ? std::nullopt : std::optional(text);
  }
  std::optional<std::string_view> ref() const {
    return hash.empty() ? std::nullopt : std::optional<std::string_view>(hash);
  }

  const Value value;
  const std::string_view text;
  const std::string hash;
};

std::string_view text_of(RunState state) { return to_string(state); }

/// Writes the row of |run|, but for its last entry. The number that it has there; nothing: its id is taken.
std::optional<std::int64_t> insert_run(Database& to, const RunRecord& run) {
  const RunValue input(run.input), output(run.output), error(run.error);
  Statement insert(to,
                   "INSERT INTO runs (id, name, state, file, source_hash, started_at, alive_at, ended_at, input, "
                   "input_ref, output, output_ref, error) VALUES (?, ?, ?, ?, ?, ?, ?, NULLIF(?, 0), ?, ?, ?, ?, ?) "
                   "ON CONFLICT (id) DO NOTHING");
  insert
      .use()(run.id)(run.name)(text_of(run.state))(run.file)(run.source_hash)(to_millis(run.started_at))(
          to_millis(run.alive_at))(to_millis(run.ended_at.value_or(Instant{})))(input.in_row())(input.ref())(
          output.in_row())(output.ref())(run.error.is_null() ? std::nullopt : std::optional(error.text))
      .run();
  if (sqlite3_changes(to.handle()) == 0) return std::nullopt;
  const std::int64_t number = sqlite3_last_insert_rowid(to.handle());
  if (number > kLastRun) throw Error(Problem::Journal, "the journal is full: no further run fits");
  input.keep(to);
  output.keep(to);
  return number;
}

/// The texts that |run| names: its own, and in its first entry those of sub-workflows.
void copy_sources(Database& from, const Journal& journal, const RunRecord& run, Database& to) {
  Statement select(from,
                   "SELECT ?1 UNION SELECT named.value FROM entries JOIN json_each(entries.data, '$.sources') AS named "
                   "WHERE entries.id = ?2");
  auto row = select.use();
  for (row(run.source_hash)(first_id(run.number) + 1); row.next();) {
    const std::string hash(row.text(0));
    const std::string text = journal.source(hash);
    if (hash_name(text) != hash) throw Corruption(fmt::format("run {}: the text {} is another one", run.id, hash));
    keep_text(to, TextTable::Sources, hash, text);
  }
}

void copy_entries(const Journal& journal, const RunRecord& run, Database& to, std::int64_t number) {
  Statement insert(to,
                   "INSERT INTO entries (id, at, kind, path, attempt, sum, value_ref, data, value) "
                   "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  std::uint64_t sum = 0;
  std::int64_t last = 0;
  for (const Entry& entry : entries(journal, run)) {
    const std::int64_t id = first_id(number) + (last = entry.seq);
    sum = entry_sum(sum, id, to_string(entry.kind), entry);
    const std::string_view value = value_text(entry.value);
    const std::string ref = value.size() > kLongestValue ? hash_name(value) : "";
    if (!ref.empty()) keep_value(to, ref, entry.value);
    auto row = insert.use();
    row(id)(to_millis(entry.at))(to_string(entry.kind))(entry.path)(entry.attempt)(static_cast<std::int64_t>(sum));
    row(ref.empty() ? std::nullopt : std::optional<std::string_view>(ref))(entry.data);
    row(value.empty() || !ref.empty() ? std::nullopt : std::optional(value)).run();
  }
  if (last != run.last_seq) throw Corruption(fmt::format("run {} has {} entries, not {}", run.id, last, run.last_seq));
  Statement update(to, "UPDATE runs SET last_seq = ?, last_sum = ? WHERE number = ?");
  update.use()(last)(static_cast<std::int64_t>(sum))(number).run();
}

void copy_mail(const std::vector<Journal::Mail>& all, Database& to, std::int64_t number) {
  Statement insert(to, "INSERT INTO mailbox (run, at, kind, name, data, sender) VALUES (?, ?, ?, ?, ?, ?)");
  for (const Journal::Mail& mail : all)
    insert.use()(number)(to_millis(mail.at))(mail.kind)(mail.name)(mail.data)(mail.sender).run();
}

}  // namespace

// XXH3 128 over each value of each row: its type, its size in bytes, and then these; of a number its 8 bytes.
std::string archive_sum(Database& archive) {
  const std::unique_ptr<XXH3_state_t, FreeSumState> state(XXH3_createState());
  XXH3_128bits_reset(state.get());
  for (const char* sql : kSummed) {
    Statement select(archive, sql);
    for (auto row = select.use(); row.next();)
      for (int column = 0; column < row.columns(); ++column) {
        const int type = row.type(column);  // undefined once a value was read as something else
        const std::int64_t number = row.is_integer(column) ? row.integer(column) : 0;
        const std::string_view bytes = row.is_integer(column)
                                           ? std::string_view(reinterpret_cast<const char*>(&number), sizeof number)
                                           : row.text(column);
        const std::uint64_t about[] = {static_cast<std::uint64_t>(type), bytes.size()};
        XXH3_128bits_update(state.get(), about, sizeof about);
        XXH3_128bits_update(state.get(), bytes.data(), bytes.size());
      }
  }
  const XXH128_hash_t sum = XXH3_128bits_digest(state.get());
  return fmt::format("{:016x}{:016x}", sum.high64, sum.low64);
}

JournalSnapshot::JournalSnapshot(const Journal& journal) : journal_(journal) {
  journal_.open_->database->execute("BEGIN");
}

JournalSnapshot::~JournalSnapshot() { journal_.open_->database->roll_back(); }

struct ArchiveWriter::Open {
  explicit Open(const std::string& path) : database(path, SQLITE_OPEN_READWRITE, path) {}
  Database database;
  std::int64_t file = 0, part = 0;
  std::optional<Statement> insert_part;
};

ArchiveWriter::ArchiveWriter(const std::string& path) : open_(std::make_unique<Open>(path)) {
  Database& database = open_->database;
  // One file, and nothing beside it: who is cut off leaves nothing that could be used.
  for (const char* set : {"PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA locking_mode = EXCLUSIVE"})
    database.execute(set);
  apply_schema(database, FileKind::Archive);
  database.execute("BEGIN");
}

ArchiveWriter::~ArchiveWriter() = default;

std::int64_t ArchiveWriter::add(const Journal& journal, const RunRecord& run) {
  journal.check_sums(run);
  const std::optional<std::int64_t> number = insert_run(open_->database, run);
  if (!number) throw Corruption(fmt::format("run {} is there twice", run.id));
  copy_sources(*journal.open_->database, journal, run, open_->database);
  copy_entries(journal, run, open_->database, *number);
  copy_mail(journal.open_->mail_of(run.number, 0), open_->database, *number);
  return *number;
}

void ArchiveWriter::begin_file(std::int64_t number, std::string_view name, bool executable) {
  Statement insert(open_->database, "INSERT INTO files (run, name, executable) VALUES (?, ?, ?)");
  insert.use()(number)(name)(std::int64_t{executable}).run();
  open_->file = sqlite3_last_insert_rowid(open_->database.handle());
  open_->part = 0;
}

void ArchiveWriter::append(std::string_view bytes) {
  if (!open_->insert_part)
    open_->insert_part.emplace(open_->database, "INSERT INTO parts (file, number, data) VALUES (?, ?, ?)");
  open_->insert_part->use()(open_->file)(++open_->part).blob(bytes).run();
}

void ArchiveWriter::finish() {
  Statement insert(open_->database, "INSERT INTO meta (name, value) VALUES (?, ?)");
  insert.use()(kSum)(archive_sum(open_->database)).run();
  open_->insert_part.reset();
  open_->database.execute("COMMIT");
}

ArchiveReader::ArchiveReader(const Journal& archive) : archive_(archive) {
  Database& database = *archive.open_->database;
  // Which finds pages that are used twice, too: there is not more in the file than it is long.
  if (!archive.check_file().empty()) throw Corruption("it is damaged");
  Statement select(database, "SELECT value FROM meta WHERE name = ?");
  auto row = select.use();
  row(kSum);
  if (!row.next() || row.text(0) != archive_sum(database)) throw Corruption("it is damaged: its sum does not fit");
}

std::vector<ArchivedFile> ArchiveReader::files(std::int64_t number) const {
  Statement select(*archive_.open_->database, "SELECT id, name, executable FROM files WHERE run = ? ORDER BY name");
  std::vector<ArchivedFile> files;
  auto row = select.use();
  for (row(number); row.next();) files.push_back({row.integer(0), std::string(row.text(1)), row.integer(2) != 0});
  return files;
}

void ArchiveReader::read(const ArchivedFile& file, const std::function<void(std::string_view)>& take) const {
  Statement select(*archive_.open_->database, "SELECT number, data FROM parts WHERE file = ? ORDER BY number");
  std::int64_t next = 1;
  auto row = select.use();
  for (row(file.id); row.next(); ++next) {
    if (row.integer(0) != next) throw Corruption(fmt::format("a part of its file {} is missing", file.name));
    take(row.text(1));
  }
}

bool ArchiveReader::copy(Journal& journal, const std::vector<RunRecord>& runs, const std::function<void()>& place,
                         const std::function<void()>& undo) const {
  Journal::Open& open = *journal.open_;
  bool taken = false;
  struct Taken {};
  try {
    open.write(
        [&] {
          // Who takes over is newer than the run that it takes over from, here as there.
          for (auto last = runs.rbegin(); last != runs.rend(); ++last) {
            const RunRecord& run = *last;
            const std::optional<std::int64_t> number = insert_run(*open.database, run);
            if (!number) throw Taken{};
            copy_sources(*archive_.open_->database, archive_, run, *open.database);
            copy_entries(archive_, run, *open.database, *number);
            copy_mail(archive_.open_->mail_of(run.number, 0), *open.database, *number);
          }
          place();
        },
        undo);
  } catch (const Taken&) {
    taken = true;
  }
  return !taken;
}

}  // namespace flowrun
