// Opens a journal: makes sure that there is one and that it is ours before SQLite may write a byte.
#include "engine/journal/open.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <thread>

#include "engine/journal/schema.h"
#include "engine/journal/typed_command.h"

namespace flowrun {

namespace fs = std::filesystem;

namespace {

constexpr const char* kElsewhere = "--journal FILE or FLOWRUN_JOURNAL names another";

[[noreturn]] void refuse(const std::string& path, std::string_view why) {
  throw Error(Problem::Journal, fmt::format("cannot use {} as the journal: {}; {}", path, why, kElsewhere));
}

/// File systems whose locks or shared memory do not hold between machines or at all (statfs(2) has the numbers). WAL
/// needs both: https://sqlite.org/wal.html, "Overview".
struct FileSystem {
  std::uint32_t magic;
  const char* name;
};
constexpr FileSystem kRefused[] = {
    {0x6969, "NFS"},      {0xff534d42, "CIFS"}, {0xfe534d42, "SMB"},  {0x517b, "SMB"},        {0x01021997, "9p"},
    {0x65735546, "FUSE"}, {0x5346414f, "AFS"},  {0x00c36400, "Ceph"}, {0x0bd00bd0, "Lustre"},
};

void refuse_network(const std::string& path) {
  // The folder may not be there yet; it will be made on the file system of the nearest one that is.
  fs::path folder = fs::path(path).parent_path();
  struct statfs status {};
  while (statfs(folder.c_str(), &status) != 0) {
    if (errno != ENOENT || !folder.has_relative_path()) refuse(path, std::strerror(errno));
    folder = folder.parent_path();
  }
  for (const FileSystem& system : kRefused)
    if (static_cast<std::uint32_t>(status.f_type) == system.magic)
      refuse(path, fmt::format("it is on {}, where several processes can not share it safely", system.name));
}

/// The name that every process has for the file, so that all of them have the same locks.
std::string resolve(const std::string& given) {
  std::error_code error;
  fs::path path = fs::weakly_canonical(fs::absolute(given, error), error);
  if (error) refuse(given, error.message());
  return path.string();
}

/// A new name in a folder survives a power failure only once the folder is written too.
void sync_folder(const fs::path& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

void make_folder(const fs::path& folder, const std::string& journal) {
  if (folder.empty() || mkdir(folder.c_str(), 0700) == 0) {
    if (!folder.empty()) sync_folder(folder.parent_path());
    return;
  }
  if (errno == EEXIST) return;
  if (errno != ENOENT || !folder.has_parent_path() || folder == folder.parent_path())
    refuse(journal, fmt::format("{}: {}", folder.string(), std::strerror(errno)));
  make_folder(folder.parent_path(), journal);
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    refuse(journal, fmt::format("{}: {}", folder.string(), std::strerror(errno)));
  sync_folder(folder.parent_path());
}

/// True when there is a file of more than zero bytes.
bool has_content(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && status.st_size > 0;
}

/// What the name stands for; false when for nothing. Never opens the file: closing it would end the locks that
/// another journal of this process has on it by way of SQLite (https://sqlite.org/howtocorrupt.html, 2.2).
bool look(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return false;
    refuse(path, std::strerror(errno));
  }
  if (S_ISDIR(status.st_mode)) refuse(path, fmt::format("it is a folder, {}/journal.db would be a file in it", path));
  if (!S_ISREG(status.st_mode)) refuse(path, "it is not a regular file");
  return true;
}

/// SQLite, also one that only reads, throws the log of a file of zero bytes away, and with it what was committed.
void refuse_cut_to_nothing(const std::string& path) {
  // In this order: a journal that is just being made has bytes before it has a log.
  if (has_content(path + "-wal") && !has_content(path))
    refuse(path, fmt::format("it is empty, but {}-wal is not: the journal was cut short; put back a copy of it", path));
}

/// Where everybody may write, somebody else may have laid files that this journal would take for its own: a log with
/// entries in it, a link to be written through. |owner|: of the journal. Elsewhere they only have to be files.
void check_neighbours(const std::string& path, uid_t owner) {
  struct stat folder {
  }, status{};
  const bool shared = stat(fs::path(path).parent_path().c_str(), &folder) == 0 && (folder.st_mode & S_IWOTH) != 0;
  for (const char* end : {"-wal", "-shm", "-journal", "-lock", "-turn", "-shared"}) {
    if (lstat((path + end).c_str(), &status) != 0) continue;
    if (!S_ISREG(status.st_mode)) refuse(path, fmt::format("{}{} is not a regular file; move it away", path, end));
    if (shared && ((status.st_uid != owner && status.st_uid != geteuid()) || status.st_nlink != 1))
      refuse(path, fmt::format("everybody may write in its folder, and somebody else has put {}{} there; remove it",
                               path, end));
  }
}

/// The owner of the journal, or who makes it. Who |writes| where everybody may takes only a file of their own.
uid_t owner_of(const std::string& path, bool writes) {
  struct stat folder {
  }, status{};
  if (lstat(path.c_str(), &status) != 0) return geteuid();
  const bool shared = stat(fs::path(path).parent_path().c_str(), &folder) == 0 && (folder.st_mode & S_IWOTH) != 0;
  if (writes && shared && (status.st_uid != geteuid() || status.st_nlink != 1))
    refuse(path, "everybody may write in its folder, and it is not simply a file of this user");
  return status.st_uid;
}

/// A file of zero bytes becomes a journal only when nobody else can have meant anything with it.
void check_empty(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) refuse(path, std::strerror(errno));
  if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || status.st_nlink != 1)
    refuse(path, "it is empty and not simply a file of this user");
  if ((status.st_mode & 077) != 0 && chmod(path.c_str(), 0600) != 0) refuse(path, std::strerror(errno));
}

void make_file(const std::string& path) {
  make_folder(fs::path(path).parent_path(), path);
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0)
    close(fd);  // no lock of ours can be on a file that was not there
  else if (errno != EEXIST)
    refuse(path, std::strerror(errno));
}

bool is_wal(Database& database) {
  Statement statement(database, "PRAGMA journal_mode");
  auto row = statement.use();
  return row.next() && row.text(0) == "wal";
}

/// Another process may be making the schema, or needs some milliseconds to see that it need not.
constexpr auto kSchemaPause = std::chrono::milliseconds(20);
constexpr int kSchemaTries = 250;

void make_schema_ours(Database& database, LockFile& locks, std::optional<WriterShare>& share, const std::string& path) {
  for (int tries = 0; check_schema(database, path) != Schema::Ours || !is_wal(database); ++tries) {
    if (locks.take_alone()) {
      try {
        const Schema schema = check_schema(database, path);
        if (schema == Schema::Empty) check_empty(path);
        if (schema != Schema::Ours) apply_schema(database);
        database.execute("PRAGMA journal_mode = WAL");
        if (!is_wal(database)) refuse(path, "SQLite can not keep a write-ahead log there");
      } catch (...) {
        locks.share_again();
        throw;
      }
      locks.share_again();
      continue;
    }
    if (tries == kSchemaTries) {
      const std::int64_t pid = locks.other_writer();
      throw Error(Problem::Busy,
                  fmt::format("journal {} has to be changed for this flowrun, but {} writes to it; wait for it", path,
                              pid > 0 ? fmt::format("process {}", pid) : std::string("another process")));
    }
    // Not shared meanwhile: of several that begin a journal at once, one has to find it free of all the others.
    share.reset();
    std::this_thread::sleep_for(kSchemaPause);
    share.emplace(locks);
  }
}

/// Who writes beside the line of writers (a person with sqlite3) is waited for this long.
constexpr int kBusyTimeout = 60'000;

std::unique_ptr<Database> open_for_writing(const std::string& path, LockFile& locks,
                                           std::optional<WriterShare>& share) {
  auto database = std::make_unique<Database>(path, SQLITE_OPEN_READWRITE, path);
  sqlite3_busy_timeout(database->handle(), kBusyTimeout);
  if (sqlite3_db_readonly(database->handle(), "main") == 1) refuse(path, "it may not be written");
  make_schema_ours(*database, locks, share, path);
  database->execute("PRAGMA synchronous = FULL");
  database->execute("PRAGMA journal_size_limit = 67108864");
  return database;
}

std::string uri_of(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#')
      uri += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    else
      uri += c;
  }
  return uri;
}

[[noreturn]] void refuse_unfinished(const std::string& path) {
  throw Error(Problem::Impossible,
              fmt::format("journal {} holds no run yet; `{}` begins one", path, typed_command({"run", "FILE"}, path)));
}

/// Longer values are not read from an archive.
constexpr int kLongestInArchive = 512 << 20;

std::unique_ptr<Database> open_archive(const std::string& path) {
  auto database = std::make_unique<Database>(path, SQLITE_OPEN_READONLY, path);
  sqlite3_limit(database->handle(), SQLITE_LIMIT_LENGTH, kLongestInArchive);
  if (check_schema(*database, path, FileKind::Archive) == Schema::Empty) throw Error(Problem::Journal, "it is empty");
  return database;
}

std::unique_ptr<Database> open_for_reading(const std::string& path) {
  auto database = std::make_unique<Database>(path, SQLITE_OPEN_READONLY, path);
  sqlite3_busy_timeout(database->handle(), kBusyTimeout);
  Schema schema = Schema::Ours;
  try {
    schema = check_schema(*database, path);
  } catch (const SqliteError& error) {
    // In WAL mode even a reader needs the files -wal and -shm. Where they are not and can not be made, nobody can be
    // writing either, and the file by itself is all there is.
    if (error.primary() != SQLITE_CANTOPEN && error.primary() != SQLITE_READONLY) throw;
    if (access(fs::path(path).parent_path().c_str(), W_OK) == 0) throw;
    if (has_content(path + "-wal"))
      refuse(path,
             "its last entries are in a -wal file that can not be read without writing beside it; copy the "
             "journal and its -wal to a folder that may be written");
    database = std::make_unique<Database>(uri_of(path) + "?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, path);
    schema = check_schema(*database, path);
  }
  if (schema == Schema::Empty) refuse_unfinished(path);
  return database;
}

}  // namespace

Journal::Open::Open(const std::string& given, Mode mode) : path(resolve(given)) {
  refuse_network(path);
  const bool there = look(path);
  if (there) refuse_cut_to_nothing(path);
  const uid_t owner = owner_of(path, mode == Mode::Create || mode == Mode::ReadWrite);
  check_neighbours(path, owner);
  try {
    if (mode != Mode::Create) {
      if (!there)
        throw Error(Problem::Impossible,
                    fmt::format("there is no journal at {}; `{}` begins one, --journal FILE or FLOWRUN_JOURNAL "
                                "names another",
                                path, typed_command({"run", "FILE"}, path)));
      if (!has_content(path)) refuse_unfinished(path);
    }
    if (mode == Mode::Archive) {
      database = open_archive(path);
      return;
    }
    if (mode == Mode::ReadOnly) {
      database = open_for_reading(path);
      check_neighbours(path, owner);
      return;
    }
    if (!there) make_file(path);
    locks = LockFile::of(path + "-lock", true);
    turn = std::make_unique<WriterTurn>(path + "-turn");
    share.emplace(*locks);
    database = open_for_writing(path, *locks, share);
    // Again: somebody may have been quicker than SQLite, which makes its files when it reads the first time.
    check_neighbours(path, owner);
    log_room = std::make_unique<LogRoom>(*database);
  } catch (const SqliteError& error) {
    if (error.primary() == SQLITE_CANTOPEN || error.primary() == SQLITE_PERM || error.primary() == SQLITE_READONLY)
      throw Error(Problem::Journal, fmt::format("{}; {}", error.what(), kElsewhere));
    throw;
  }
}

Journal::Open::~Open() {
  *self = nullptr;
  if (run != 0) locks->unlock_run(run);
}

std::int64_t Journal::Open::driver(std::int64_t number) {
  if (!locks) locks = LockFile::of(path + "-lock", false);
  return locks ? locks->driver(number) : 0;
}

}  // namespace flowrun
