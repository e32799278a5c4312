#include "engine/run/import.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <new>
#include <string_view>
#include <vector>

#include "engine/executor/named_file.h"
#include "engine/executor/open_file.h"
#include "engine/executor/run_folder.h"
#include "engine/executor/secrets.h"
#include "engine/journal/run_archive.h"
#include "engine/journal/schema.h"
#include "engine/journal/typed_command.h"
#include "engine/model/entry_reading.h"
#include "engine/run/export.h"
#include "engine/run/replay.h"
#include "engine/run/verify.h"

namespace flowrun {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStaging = ".import-";  // no id of a run begins so

[[noreturn]] void not_taken(const std::string& why) { throw Corruption(why); }

[[noreturn]] void can_not_write(const fs::path& file) {
  throw Error(Problem::Journal, fmt::format("{} can not be written: {}", file.string(), std::strerror(errno)));
}

/// A folder beside those of the runs in which an archive is looked at before anything of it is taken in. Who is killed
/// leaves it behind, without the lock: the next import takes it away.
class Staging {
 public:
  explicit Staging(const Journal& journal) : runs_(fs::path(journal.run_dir("x")).parent_path()) {
    RunFolder(runs_ / kStaging).check();
    if (mkdir(runs_.c_str(), 0700) != 0 && errno != EEXIST) can_not_write(runs_);
    clear_away();
    std::string folder = (runs_ / kStaging).string() + "XXXXXX";
    if (!mkdtemp(folder.data())) can_not_write(runs_);
    folder_ = folder;
    lock_ = open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat status {};
    // Another import may have taken it for one that was left behind.
    if (lock_ < 0 || flock(lock_, LOCK_EX | LOCK_NB) != 0 || fstat(lock_, &status) != 0 || status.st_nlink == 0)
      throw Error(Problem::Busy, "another import begins in this journal; try again");
  }
  ~Staging() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
    if (lock_ >= 0) close(lock_);
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  fs::path archive() const { return folder_ / "archive.db"; }
  fs::path files(const RunRecord& run) const { return folder_ / fmt::format("files-{}", run.number); }
  void sync() const {
    if (syncfs(lock_) != 0) can_not_write(folder_);
  }

 private:
  void clear_away() const {
    std::error_code error;
    for (fs::directory_iterator entry(runs_, error), end; !error && entry != end; entry.increment(error)) {
      if (!entry->path().filename().string().starts_with(kStaging)) continue;
      const OpenFile old(open(entry->path().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      std::error_code ignored;
      if (old.get() >= 0 && flock(old.get(), LOCK_EX | LOCK_NB) == 0) fs::remove_all(entry->path(), ignored);
    }
  }

  const fs::path runs_;
  fs::path folder_;
  int lock_ = -1;
};

/// Bytes of |input| until there are so many, or it is at its end.
std::size_t read_fully(int input, char* into, std::size_t size, const std::function<bool()>& stop) {
  std::size_t have = 0;
  while (have < size) {
    if (stop && stop()) throw Interrupted("stopped; nothing was taken in");
    // Also of one that does not block; and a signal between the question and the look is heard soon.
    pollfd waiting{input, POLLIN, 0};
    if (poll(&waiting, 1, 100) <= 0) continue;
    const ssize_t got = ::read(input, into + have, size - have);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) throw Error(Problem::Usage, fmt::format("can not be read: {}", std::strerror(errno)));
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  return have;
}

std::uint64_t big_endian(const char* bytes, int count) {
  std::uint64_t number = 0;
  for (int i = 0; i < count; ++i) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

/// How long the archive with this header is (https://sqlite.org/fileformat.html, 1.3). SQLite itself sees only what it
/// has written as a whole: no log, and the size in the header.
std::uint64_t length_of(const std::array<char, 100>& header) {
  const char* bytes = header.data();
  if (std::string_view(bytes, 16) != std::string_view("SQLite format 3\0", 16))
    not_taken("it is no archive of flowrun");
  if (big_endian(bytes + 68, 4) == kApplicationId)
    not_taken("it is a journal, not an archive; " + typed_command({"export", "RUN", "-o", "FILE"}) + " writes one");
  const std::uint64_t page = big_endian(bytes + 16, 2), pages = big_endian(bytes + 28, 4);
  const bool as_written = bytes[18] == 1 && bytes[19] == 1 && big_endian(bytes + 56, 4) == 1 &&
                          big_endian(bytes + 24, 4) == big_endian(bytes + 92, 4);
  if (!as_written || pages == 0 || page < 512 || (page & (page - 1)) != 0)
    not_taken("it is no archive as flowrun writes them");
  return page * pages;
}

/// Copies |input| to |file|; it is as long as it says.
void receive(int input, const fs::path& file, const std::function<bool()>& stop) {
  std::array<char, 100> header{};
  const std::size_t first = read_fully(input, header.data(), header.size(), stop);
  if (first == 0) not_taken("it is empty");
  if (first < header.size()) not_taken("it is no archive of flowrun, or cut short");
  const std::uint64_t length = length_of(header);
  struct statvfs room {};
  if (statvfs(file.parent_path().c_str(), &room) == 0 && length / room.f_frsize > room.f_bavail)
    throw Error(Problem::Journal,
                fmt::format("there is no room for {} bytes in {}", length, file.parent_path().parent_path().string()));
  const OpenFile out(open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (out.get() < 0 || !write_all(out.get(), {header.data(), header.size()})) can_not_write(file);
  std::vector<char> buffer(1 << 20);
  for (std::uint64_t have = header.size(); have < length;) {
    const std::size_t got =
        read_fully(input, buffer.data(), std::min<std::uint64_t>(buffer.size(), length - have), stop);
    if (got == 0) not_taken(fmt::format("it is cut short: {} of {} bytes are there", have, length));
    if (!write_all(out.get(), {buffer.data(), got})) can_not_write(file);
    have += got;
  }
  if (read_fully(input, buffer.data(), 1, stop) != 0) not_taken(fmt::format("it is longer than its {} bytes", length));
}

/// The fact that |run| begins with, which has to be its own; nothing: it was cut off before that.
std::optional<RunStarted> own_beginning_of(const Journal& journal, const RunRecord& run) {
  const std::optional<RunStarted> started = beginning_of(journal, run);
  if (!started && run.last_seq > 0) not_taken(fmt::format("run {} does not begin with its start", run.id));
  if (started && (started->id != run.id || started->name != run.name || started->source_hash != run.source_hash))
    not_taken(fmt::format("run {} is another one by its first entry", run.id));
  return started;
}

/// The runs of an archive: the one it was made for, then the one that this is a fork of.
std::vector<RunRecord> runs_of(const Journal& archive) {
  Journal::Filter all;
  all.limit = 3;
  std::vector<RunRecord> runs = archive.list(all);
  if (runs.empty() || runs.size() > 2) not_taken("it is no archive as flowrun writes them");
  std::swap(runs.front(), runs.back());
  const auto started = own_beginning_of(archive, runs[0]);
  if (runs.size() == 2 && (!started || started->forked_of != runs[1].id || !own_beginning_of(archive, runs[1])))
    not_taken("it is no archive as flowrun writes them");
  return runs;
}

/// Throws when |run| is in |journal| already.
void check_new(const Journal& journal, const Journal& archive, const RunRecord& run) {
  const auto here = journal.find_exact(run.id);
  if (!here) return;
  const auto ours = own_beginning_of(journal, *here), theirs = own_beginning_of(archive, run);
  const bool same = ours && theirs && ours->seed == theirs->seed;
  if (!same)
    throw Error(Problem::Impossible,
                fmt::format("journal {} has another run {}; --journal FILE names another", journal.path(), run.id));
  throw Error(
      Problem::Impossible,
      fmt::format("run {} is in journal {} already, with {} entries; this one has {}. To take it in all the same, "
                  "remove that one first: {}",
                  run.id, journal.path(), here->last_seq, run.last_seq,
                  typed_command({"prune", run.id}, journal.path())));
}

/// Makes |folder| and the folders in it that |name| goes through. False: errno says why not.
bool make_folders(const fs::path& folder, const std::string& name) {
  for (std::size_t end = 0;; end = name.find('/', end + 1)) {
    if (end == std::string::npos) return true;
    if (mkdir((folder / name.substr(0, end)).c_str(), 0700) != 0 && errno != EEXIST) return false;
  }
}

/// Writes the files of |run| below |folder|, which is made when there are any.
std::size_t extract(const Journal& journal, const ArchiveReader& archive, const RunRecord& run, const fs::path& folder,
                    const std::function<bool()>& stop) {
  std::size_t count = 0;
  for (const ArchivedFile& file : archive.files(run.number)) {
    const bool is_folder = file.name.ends_with('/');
    if (!is_plain(is_folder ? file.name.substr(0, file.name.size() - 1) : file.name)) {
      std::string shown = file.name;
      std::replace(shown.begin(), shown.end(), '\0', '?');
      not_taken(fmt::format("the name of its file '{}' leads elsewhere", shown));
    }
    const fs::path path = folder / file.name;
    // Nothing but what is written here is below the folder: neither links nor files of others.
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    const bool made = make_folders(folder, file.name);
    if (made && is_folder) continue;
    const OpenFile out(made ? open(path.c_str(), flags, file.executable ? 0700 : 0600) : -1);
    if (out.get() < 0 && (errno == EEXIST || errno == ENOTDIR || errno == EISDIR || errno == EILSEQ || errno == EINVAL))
      not_taken(fmt::format("its file {} can not stand beside the others here", file.name));
    if (out.get() < 0) can_not_write(path);
    archive.read(file, [&](std::string_view bytes) {
      if (stop && stop()) throw Interrupted("stopped; nothing was taken in");
      if (!write_all(out.get(), bytes)) can_not_write(path);
    });
    ++count;
  }
  if (std::error_code none; !fs::exists(folder, none)) return 0;
  const OpenFile mark(open((folder / kImportMark).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (mark.get() < 0 || !write_all(mark.get(), journal.path())) can_not_write(folder);
  return count;
}

/// Moves the folders of runs to where they belong, and back.
class Placing {
 public:
  Placing(const Journal& journal, const Staging& staging) : journal_(journal), staging_(staging) {}

  /// REQUIRES: the run is not in the journal, and nobody else writes to it.
  void place(const RunRecord& run) {
    const fs::path from = staging_.files(run), to = journal_.run_dir(run.id);
    clear_import_rest(journal_, run.id);
    if (std::error_code none; fs::exists(fs::symlink_status(to, none)) && rmdir(to.c_str()) != 0)
      throw Error(Problem::Impossible,
                  fmt::format("there are files of another run {} in {}; move them away", run.id, to.string()));
    if (std::error_code none; !fs::exists(from, none)) return;
    if (rename(from.c_str(), to.c_str()) != 0) can_not_write(to);
    placed_.push_back(to);
  }
  void undo() {
    std::error_code ignored;
    for (const fs::path& folder : placed_) fs::remove_all(folder, ignored);
    placed_.clear();
  }
  void done() const {
    for (const fs::path& folder : placed_) unlink((folder / kImportMark).c_str());
  }

 private:
  const Journal& journal_;
  const Staging& staging_;
  std::vector<fs::path> placed_;
};

Imported take_in(Journal& journal, const Staging& staging, const std::function<bool()>& stop) {
  const Journal archive(staging.archive(), Journal::Mode::Archive);
  const ArchiveReader reader(archive);
  std::vector<RunRecord> runs = runs_of(archive);
  check_new(journal, archive, runs[0]);
  Imported imported;
  if (runs.size() == 2) {
    imported.origin = runs[1].id;
    if (const auto here = journal.find_exact(imported.origin)) {
      const auto ours = own_beginning_of(journal, *here);
      // One that has had less lacks results that the fork takes over.
      if (!ours || ours->seed != own_beginning_of(archive, runs[1])->seed || here->last_seq < runs[1].last_seq)
        check_new(journal, archive, runs[1]);
      imported.has_origin = true;
      runs.pop_back();
    }
  }
  for (const RunRecord& run : runs)
    if (const Verified verified = verify(archive, run, stop); !verified.good())
      not_taken(fmt::format("run {} is not good: {}", run.id, verified.wrong));
  for (const RunRecord& run : runs) imported.files += extract(journal, reader, run, staging.files(run), stop);
  staging.sync();
  if (stop && stop()) throw Interrupted("stopped; nothing was taken in");
  Placing placing(journal, staging);
  const bool copied = reader.copy(
      journal, runs,
      [&] {
        for (const RunRecord& run : runs) placing.place(run);
      },
      [&] { placing.undo(); });
  if (!copied) throw Error(Problem::Busy, "another process has just written a run of this id; try again");
  placing.done();
  imported.run = journal.find(runs[0].id);
  return imported;
}

}  // namespace

Imported import_run(Journal& journal, int input, const std::string& name, const std::function<bool()>& stop) {
  const Staging staging(journal);
  try {
    receive(input, staging.archive(), stop);
    return take_in(journal, staging, stop);
  } catch (const Error& error) {
    if (error.problem() == Problem::Impossible || error.problem() == Problem::Busy) throw;
    // What says so has seen only the copy.
    std::string why = error.what();
    const std::string copy = staging.archive().string();
    for (std::size_t at; (at = why.find(copy)) != std::string::npos;) why.replace(at, copy.size(), name);
    throw Error(error.problem(), fmt::format("{}: {}; nothing was taken in", name, why));
  } catch (const std::bad_alloc&) {
    throw Error(Problem::Journal,
                fmt::format("{}: what is in it does not fit into memory; nothing was taken in", name));
  }
}

void clear_import_rest(const Journal& journal, const std::string& id) {
  const fs::path folder = journal.run_dir(id);
  std::error_code ignored;
  if (read_named_file(folder / kImportMark, {.pipes = false, .stop = {}}).text == journal.path())
    fs::remove_all(folder, ignored);
}

}  // namespace flowrun
