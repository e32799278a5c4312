// Folders, processes and runs for the tests of the journal.
#pragma once

#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/journal/journal.h"

namespace flowrun::scratch {

/// A folder that goes away with its content.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "flowrun-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// A process that runs |body| and ends with what it returns. Begun before this process opens a journal: neither
/// SQLite nor the locks survive a fork. The two take turns by tell() and hear(), which both sides have.
class Child {
 public:
  explicit Child(const std::function<int(Child&)>& body) {
    if (pipe(to_child_) != 0 || pipe(to_parent_) != 0) throw std::runtime_error("no pipe");
    pid_ = ::fork();
    if (pid_ != 0) return;
    is_child_ = true;
    int code = 99;
    try {
      code = body(*this);
    } catch (const std::exception& error) {
      fprintf(stderr, "in the child: %s\n", error.what());
    }
    _exit(code);
  }
  ~Child() {
    if (pid_ > 0) kill();
    for (int fd : {to_child_[0], to_child_[1], to_parent_[0], to_parent_[1]}) close(fd);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void tell() { (void)!write(is_child_ ? to_parent_[1] : to_child_[1], "x", 1); }
  void hear() {
    char byte = 0;
    (void)!read(is_child_ ? to_child_[0] : to_parent_[0], &byte, 1);
  }
  pid_t pid() const { return pid_; }
  int exit_code() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  void kill() {
    ::kill(pid_, SIGKILL);
    exit_code();
  }

 private:
  pid_t pid_ = -1;
  bool is_child_ = false;
  int to_child_[2], to_parent_[2];
};

inline Instant at(std::int64_t ms = 0) { return from_millis(1'795'423'512'481 + ms); }

inline RunRecord record(const std::string& id, RunState state = RunState::Running) {
  RunRecord run;
  run.id = id;
  run.name = id.substr(0, id.find('-'));
  run.state = state;
  run.file = "/w/" + run.name + ".yaml";
  run.started_at = run.alive_at = at();
  run.input = Value::from_text(R"({"a":1})");
  return run;
}

inline Entry ended(const std::string& path, Value value = {}) {
  TaskEnded end;
  end.path = path;
  end.result.value = std::move(value);
  return to_entry(Event{at(), end});
}

/// The message of what |action| throws as an Error of |problem|; another problem is put before it.
inline std::string refusal(Problem problem, const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    if (error.problem() == problem) return error.what();
    return "(another kind of problem) " + std::string(error.what());
  }
  return "(nothing was thrown)";
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// As a person with sqlite3 would.
class Shell {
 public:
  explicit Shell(const std::string& path) { sqlite3_open(path.c_str(), &handle_); }
  ~Shell() { sqlite3_close(handle_); }
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  /// The rows, columns separated by `|`.
  std::vector<std::string> operator()(const std::string& sql) {
    std::vector<std::string> rows;
    const auto add = [](void* to, int columns, char** values, char**) {
      std::string row;
      for (int i = 0; i < columns; ++i) row += (i ? "|" : "") + std::string(values[i] ? values[i] : "");
      static_cast<std::vector<std::string>*>(to)->push_back(row);
      return 0;
    };
    char* message = nullptr;
    if (sqlite3_exec(handle_, sql.c_str(), add, &rows, &message) != SQLITE_OK) rows.push_back(message);
    sqlite3_free(message);
    return rows;
  }

 private:
  sqlite3* handle_ = nullptr;
};

}  // namespace flowrun::scratch
