#include "engine/memo/path_pattern.h"

#include <dirent.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

namespace flowrun {
namespace {

constexpr int kDeepest = 100;                  // folders in each other
constexpr std::size_t kMostFolders = 100'000;  // that are looked through

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};

std::vector<std::string> parts_of(std::string_view pattern) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < pattern.size();) {
    const std::size_t end = std::min(pattern.find('/', at), pattern.size());
    if (end > at) parts.emplace_back(pattern.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

class Finder {
 public:
  Finder(std::string folder, std::size_t most, NamedFiles& found)
      : folder_(std::move(folder)), most_(most), found_(found) {}

  void find(const std::string& pattern) {
    parts_ = parts_of(pattern);
    plain_ = !has_wildcards(pattern);
    // A name is kept as it is written, and looked for from the folder.
    matched_ = false;
    expand(pattern.starts_with('/') ? "/" : "", 0, 0);
    if (plain_) return;
    // A name may have come from an expression, and look like a pattern.
    if (const auto status = look(pattern, true); status && S_ISREG(status->st_mode)) add(pattern, true);
    if (!matched_) found_.unmatched.push_back(pattern);
  }

 private:
  std::string place(const std::string& name) const {
    if (name.empty()) return folder_;
    return name.front() == '/' ? name : folder_ + "/" + name;
  }
  static std::string within(const std::string& name, const std::string& more) {
    return name.empty() || name.back() == '/' ? name + more : name + "/" + more;
  }
  void trouble(const std::string& name, const char* why) {
    if (found_.trouble.empty()) found_.trouble = fmt::format("{}: {}", name.empty() ? "." : name, why);
  }
  bool gives_up() const { return !found_.trouble.empty(); }

  void add(const std::string& name, bool there) {
    matched_ = true;
    found_.files[name] = there;
    if (found_.files.size() > most_) trouble(name, fmt::format("there are more than {} files", most_).c_str());
  }

  /// The names in the folder |name|.
  std::vector<std::string> names_in(const std::string& name) {
    std::vector<std::string> names;
    if (++folders_ > kMostFolders) {
      trouble(name, fmt::format("there are more than {} folders to be looked through", kMostFolders).c_str());
      return names;
    }
    std::unique_ptr<DIR, CloseFolder> open(opendir(place(name).c_str()));
    if (!open) {
      if (errno != ENOENT && errno != ENOTDIR) trouble(name, std::strerror(errno));
      return names;
    }
    while (const dirent* entry = readdir(open.get()))
      if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
        names.emplace_back(entry->d_name);
    return names;
  }
  std::optional<struct stat> look(const std::string& name, bool through_links) {
    struct stat status {};
    const std::string where = place(name);
    if ((through_links ? stat : lstat)(where.c_str(), &status) == 0) return status;
    if (errno != ENOENT && errno != ENOTDIR) trouble(name, std::strerror(errno));
    return std::nullopt;
  }

  void end_at(const std::string& name, int depth) {
    const auto status = look(name, true);
    if (!status) {
      if (plain_) add(name, false);
    } else if (S_ISREG(status->st_mode)) {
      add(name, true);
    } else if (S_ISDIR(status->st_mode)) {
      all_in(name, depth);
    } else if (plain_) {
      trouble(name, "it is no regular file");
    }
  }

  void all_in(const std::string& name, int depth) {
    if (depth > kDeepest) return trouble(name, "folders are too deep in each other");
    for (const std::string& one : names_in(name)) {
      if (gives_up()) return;
      const std::string inner = within(name, one);
      // Also behind a link: those that lead round in circles are too deep.
      const auto status = look(inner, true);
      if (status && S_ISDIR(status->st_mode)) all_in(inner, depth + 1);
      if (status && S_ISREG(status->st_mode)) add(inner, true);
    }
  }

  void expand(const std::string& name, std::size_t part, int depth) {
    if (gives_up()) return;
    if (depth > kDeepest) return trouble(name, "folders are too deep in each other");
    if (part == parts_.size()) return end_at(name, depth);
    const std::string& pattern = parts_[part];
    if (pattern == "**") {
      expand(name, part + 1, depth + 1);
      for (const std::string& one : names_in(name)) {
        if (one.front() == '.') continue;
        const std::string inner = within(name, one);
        if (const auto itself = look(inner, false); itself && S_ISDIR(itself->st_mode)) expand(inner, part, depth + 1);
      }
    } else if (!has_wildcards(pattern)) {
      expand(within(name, pattern), part + 1, depth + 1);
    } else {
      for (const std::string& one : names_in(name))
        if (fnmatch(pattern.c_str(), one.c_str(), FNM_PERIOD) == 0) expand(within(name, one), part + 1, depth + 1);
    }
  }

  const std::string folder_;
  const std::size_t most_;
  NamedFiles& found_;
  std::vector<std::string> parts_;
  bool plain_ = false, matched_ = false;  ///< of the pattern that is looked for
  std::size_t folders_ = 0;
};

}  // namespace

bool has_wildcards(std::string_view name) { return name.find_first_of("*?[") != std::string_view::npos; }

NamedFiles files_named(const std::string& folder, const std::vector<std::string>& patterns, std::size_t most) {
  NamedFiles found;
  Finder finder(folder, most, found);
  for (const std::string& pattern : patterns) {
    finder.find(pattern);
    if (!found.trouble.empty()) break;
  }
  return found;
}

}  // namespace flowrun
