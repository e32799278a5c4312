#include "engine/run/export.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "engine/executor/line_file.h"
#include "engine/executor/output_frame.h"
#include "engine/executor/secrets.h"
#include "engine/journal/run_archive.h"
#include "engine/run/fork.h"

namespace flowrun {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestName = PATH_MAX, kLongestPart = 255;

/// What is copied first: a process that ends moves its newest words to the log, where they must not be missed.
int turn_of(const std::string& name) { return name.starts_with(kTailPrefix) ? 0 : name == kOutputLog ? 2 : 1; }

/// FolderFiles in the folder of a run, by their names in it.
class FolderFiles {
 public:
  FolderFiles(ArchiveWriter& archive, Exported& exported, const std::function<bool()>& stop)
      : archive_(archive), exported_(exported), stop_(stop) {}

  void add(std::int64_t number, const fs::path& folder) {
    if (fs::symlink_status(folder).type() != fs::file_type::directory) return;
    std::vector<std::string> names, empty;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      std::error_code gone;
      const auto type = entry->symlink_status(gone).type();
      const std::string name = entry->path().lexically_relative(folder).string();
      const bool is_file = type == fs::file_type::regular, is_folder = type == fs::file_type::directory;
      if (gone || name == kLineFile || name == kImportMark) continue;
      if (!(is_file || is_folder) || !is_plain(name))
        exported_.left_out.push_back(name);
      else if (is_file)
        names.push_back(name);
      else if (fs::is_empty(entry->path(), gone) && !gone)
        empty.push_back(name + "/");
    }
    if (error) throw Error(Problem::Journal, fmt::format("{} can not be read: {}", folder.string(), error.message()));
    std::sort(names.begin(), names.end(),
              [](const auto& a, const auto& b) { return std::pair(turn_of(a), a) < std::pair(turn_of(b), b); });
    for (const std::string& name : empty) archive_.begin_file(number, name, true);
    for (const std::string& name : names) copy(number, folder / name, name);
  }

 private:
  void copy(std::int64_t number, const fs::path& file, const std::string& name) {
    const int descriptor = open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0 && errno == ENOENT) return;  // of a step that has just ended
    struct stat status {};
    if (descriptor < 0 || fstat(descriptor, &status) != 0) can_not_be_read(file);
    try {
      archive_.begin_file(number, name, (status.st_mode & S_IXUSR) != 0);
      // Of one that grows, what it has now.
      std::string part;
      for (off_t left = status.st_size; left > 0; left -= static_cast<off_t>(part.size())) {
        if (stop_ && stop_()) throw Interrupted("stopped; nothing was written");
        part.resize(std::min<std::size_t>(ArchiveWriter::kPart, static_cast<std::size_t>(left)));
        const ssize_t got = read(descriptor, part.data(), part.size());
        if (got < 0 && errno == EINTR) {
          part.clear();
          continue;
        }
        if (got < 0) can_not_be_read(file);
        if (got == 0) break;  // it was cut meanwhile
        part.resize(static_cast<std::size_t>(got));
        archive_.append(part);
      }
    } catch (...) {
      close(descriptor);
      throw;
    }
    close(descriptor);
    ++exported_.files;
  }

  [[noreturn]] static void can_not_be_read(const fs::path& file) {
    throw Error(Problem::Journal, fmt::format("{} can not be read: {}", file.string(), std::strerror(errno)));
  }

  ArchiveWriter& archive_;
  Exported& exported_;
  const std::function<bool()>& stop_;
};

}  // namespace

bool is_plain(const std::string& name) {
  if (name.empty() || name.size() > kLongestName || name.find('\0') != std::string::npos) return false;
  for (std::size_t from = 0; from <= name.size();) {
    const std::size_t end = std::min(name.find('/', from), name.size());
    const std::string_view part = std::string_view(name).substr(from, end - from);
    if (part.empty() || part == "." || part == ".." || part.size() > kLongestPart) return false;
    from = end + 1;
  }
  return name != kImportMark;
}

Exported export_run(const Journal& journal, const std::string& name, const std::string& path,
                    const std::function<bool()>& stop) {
  ArchiveWriter archive(path);
  Exported exported;
  std::vector<std::pair<std::int64_t, std::string>> numbers;  // in the archive, with ids
  {
    const JournalSnapshot snapshot(journal);
    exported.run = journal.find(name);
    numbers.emplace_back(archive.add(journal, exported.run), exported.run.id);
    if (const auto origin = journal.find_exact(origin_of(journal, exported.run))) {
      exported.origin = origin->id;
      numbers.emplace_back(archive.add(journal, *origin), origin->id);
    }
  }
  // Behind the entries: what these name is there by then.
  FolderFiles files(archive, exported, stop);
  for (const auto& [number, id] : numbers) files.add(number, journal.run_dir(id));
  archive.finish();
  return exported;
}

}  // namespace flowrun
