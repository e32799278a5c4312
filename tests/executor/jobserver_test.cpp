// The jobserver of make: flowrun gives tokens out, and takes them from others. Real processes, real pipes, real make.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <sstream>

#include "engine/executor/jobserver.h"
#include "tests/executor/pool.h"

namespace flowrun::test::jobserver_test {
namespace {

/// Sets a variable of this process, and takes it back.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() {
    if (before_) setenv(name_, before_->c_str(), 1);
    if (!before_) unsetenv(name_);
  }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

/// The pipe of a jobserver above flowrun, and what is in it.
class Above {
 public:
  explicit Above(const std::string& tokens) {
    REQUIRE(pipe(ends_) == 0);
    REQUIRE(write(ends_[1], tokens.data(), tokens.size()) == static_cast<ssize_t>(tokens.size()));
  }
  ~Above() {
    close(ends_[0]);
    close(ends_[1]);
  }
  std::string by_descriptors() const { return fmt::format("{},{}", ends_[0], ends_[1]); }
  std::string by_name() const { return fmt::format("fifo:/proc/self/fd/{}", ends_[0]); }
  std::string reads() const { return std::to_string(ends_[0]); }
  std::string writes() const { return std::to_string(ends_[1]); }
  /// Sorted; it is empty afterwards.
  std::string tokens() const {
    fcntl(ends_[0], F_SETFL, O_NONBLOCK);
    std::string found(64, ' ');
    found.resize(static_cast<std::size_t>(std::max<ssize_t>(0, read(ends_[0], found.data(), found.size()))));
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  int ends_[2];
};

/// A folder with programs that are linked to, and nothing else: a PATH without make.
std::string path_without_make(const TempDir& folder) {
  const std::string bin = folder.path("bin");
  mkdir(bin.c_str(), 0700);
  for (const char* program : {"bash", "sleep", "true"})
    if (symlink((std::string("/bin/") + program).c_str(), (bin + "/" + program).c_str()) != 0) FAIL(program);
  return bin;
}

/// A job that notes in `log` that it begins and that it ends.
const std::string kJob = "echo begin >> log; sleep 0.1; echo end >> log";

Task job(Pool& pool, const std::string& path, const std::string& script = kJob) {
  Task task = shell(script, path);
  process_of(task).cwd = pool.folder().path();
  process_of(task).shares_cpus = true;
  return task;
}

/// How many jobs ran at once at most; all have ended.
int peak(const Pool& pool, int jobs) {
  std::istringstream log(pool.folder().read("log"));
  int now = 0, most = 0, begun = 0;
  for (std::string word; log >> word;) {
    now += word == "begin" ? 1 : -1;
    begun += word == "begin" ? 1 : 0;
    most = std::max(most, now);
  }
  CHECK(now == 0);
  CHECK(begun == jobs);
  return most;
}

}  // namespace

TEST_CASE("the jobserver is the last one that MAKEFLAGS names, before its variables") {
  const auto [makeflags, jobserver] = GENERATE(table<std::string, std::string>({
      {"", ""},
      {"k", ""},
      {" -j8 --jobserver-auth=fifo:/tmp/x", "fifo:/tmp/x"},
      {"--jobserver-auth=3,4", "3,4"},
      {"k -j --jobserver-fds=5,6 -j", "5,6"},
      {" -j2 --jobserver-auth=3,4 --jobserver-auth=fifo:/a", "fifo:/a"},
      {" -j2 --jobserver-auth=fifo:/a --jobserver-fds=3,4", "3,4"},
      {" -j2 -- X=--jobserver-auth=3,4 --jobserver-auth=7,8", ""},
      {" --no-jobserver-auth=3,4", ""},
  }));
  CAPTURE(makeflags);
  CHECK(named_jobserver(makeflags) == jobserver);
}

TEST_CASE("what is in MAKEFLAGS stays when a jobserver is added, but for another one") {
  const auto [before, after] = GENERATE(table<std::string, std::string>({
      {"", " -j4 --jobserver-auth=fifo:/b"},
      {"k", "k -j4 --jobserver-auth=fifo:/b"},
      {"-k", " -k -j4 --jobserver-auth=fifo:/b"},
      {" -j3", " -j4 --jobserver-auth=fifo:/b"},
      {"ks --warn -j3 -- A=1 B=-j2", "ks --warn -j4 --jobserver-auth=fifo:/b -- A=1 B=-j2"},
      {" -j --jobserver-auth=1,2 --jobserver-fds=3,4", " -j4 --jobserver-auth=fifo:/b"},
  }));
  CHECK(with_jobserver(before, 4, "--jobserver-auth=fifo:/b") == after);
  CHECK(named_jobserver(after) == "fifo:/b");
}

TEST_CASE("make is given what its version understands, and one that says none is given descriptors") {
  const auto [says, expected] = GENERATE(table<std::string, std::string>({
      {"echo GNU Make 4.4.1", "--jobserver-auth=fifo:/proc/"},
      {"echo GNU Make 5.0", "--jobserver-auth=fifo:/proc/"},
      {"echo GNU Make 4.3", "--jobserver-auth=N,N"},
      {"echo GNU Make 4.1", "--jobserver-fds=N,N"},
      {"echo GNU Make 3.82", "--jobserver-fds=N,N"},
      {"echo bmake", "--jobserver-auth=N,N"},
      {"exit 1", "--jobserver-auth=N,N"},
      {"sleep 60", "--jobserver-auth=N,N"},
      {"", "--jobserver-auth=fifo:/proc/"},
  }));
  CAPTURE(says);
  TempDir programs;
  const std::string bin = path_without_make(programs);
  if (!says.empty()) {
    programs.write("bin/make", "#!/bin/bash\n" + says + "\n");
    std::filesystem::permissions(bin + "/make", std::filesystem::perms::owner_all);
  }
  const Variable path("PATH", bin);
  Pool pool(2);
  const std::string seen = pool.run(shell("echo \"$MAKEFLAGS\"")).value.json();
  CHECK(std::regex_replace(seen, std::regex("[0-9]+,[0-9]+"), "N,N").find(" -j2 " + expected) == 0);
}

TEST_CASE("tokens that a killed process had are replaced while another one runs") {
  TempDir programs;
  const Variable no_make("PATH", path_without_make(programs));
  Pool pool(3);
  pool.executor().begin(job(pool, "long", "while [ ! -e go ]; do sleep 0.01; done"));
  // Of the three one is its own and one the other's: it takes the third, and the line is behind it.
  const std::string thief = "pipe=${MAKEFLAGS##*--jobserver-auth=fifo:}; exec 7<>\"$pipe\"; read -rn1 -u7; kill -9 $$";
  CHECK(pool.run(job(pool, "thief", thief)).failure->type == "killed");
  const std::string meet = ": > here.$FLOWRUN_STEP; while [ ! -e here.a ] || [ ! -e here.b ]; do sleep 0.01; done";
  pool.executor().begin(job(pool, "a", meet));
  pool.executor().begin(job(pool, "b", meet + "; : > go"));
  for (auto& [path, result] : pool.ended(3)) CHECK(result.ok());
}

TEST_CASE("processes below -j find the jobserver by its name, and what they take is missing to others") {
  TempDir programs;
  const Variable no_make("PATH", path_without_make(programs));
  Pool pool(3);
  // Takes a token of the two that its own has left, works beside itself, and puts it back.
  const std::string client =
      "pipe=${MAKEFLAGS##*--jobserver-auth=fifo:}; exec 7<>\"$pipe\"; read -rn1 -u7; "
      "echo begin >> log; sleep 0.3; echo end >> log; printf %s \"$REPLY\" >&7";
  pool.executor().begin(job(pool, "client", kJob + " & " + client + "; wait"));
  for (int i = 0; i < 6; ++i) pool.executor().begin(job(pool, std::to_string(i)));
  for (auto& [path, result] : pool.ended(7)) {
    INFO(path << (result.failure ? result.failure->message + result.failure->detail.text() : ""));
    CHECK(result.ok());
  }
  CHECK(peak(pool, 8) <= 3);
}

TEST_CASE("tokens that a killed process had are there again once nothing runs") {
  TempDir programs;
  const Variable no_make("PATH", path_without_make(programs));
  Pool pool(2);
  const std::string thief = "pipe=${MAKEFLAGS##*--jobserver-auth=fifo:}; exec 7<>\"$pipe\"; read -rn1 -u7; kill -9 $$";
  for (int i = 0; i < 5; ++i) CHECK(pool.run(job(pool, "thief", thief)).failure->type == "killed");
  const std::string meet = ": > here.$FLOWRUN_STEP; while [ ! -e here.a ] || [ ! -e here.b ]; do sleep 0.01; done";
  pool.executor().begin(job(pool, "a", meet));
  pool.executor().begin(job(pool, "b", meet));
  for (auto& [path, result] : pool.ended(2)) CHECK(result.ok());
}

TEST_CASE("a process that sets or refuses MAKEFLAGS has what it wants") {
  Pool pool(2);
  Task own = job(pool, "own", "echo \"$MAKEFLAGS\"");
  process_of(own).env = {{"MAKEFLAGS", "k"}};
  CHECK(pool.run(own).value.json() == "k");
  Task none = job(pool, "none", "echo \"${MAKEFLAGS-none}\"");
  process_of(none).inherit = Process::Inherit::None;
  CHECK(pool.run(none).value.json() == "none");
  Task off = job(pool, "off", "echo \"${MAKEFLAGS-none}\"");
  process_of(off).env = {{"MAKEFLAGS", std::nullopt}};
  CHECK(pool.run(off).value.json() == "none");
}

TEST_CASE("without -j nobody is shown a jobserver, and with more than a pipe holds neither") {
  Pool pool(GENERATE(0, Jobserver::kMostTokens + 1));
  CHECK(pool.run(shell("echo \"${MAKEFLAGS-none}\"")).value.json() == "none");
}

TEST_CASE("below a jobserver, processes that share the CPUs have a token each, and all are put back") {
  const bool by_name = GENERATE(true, false);
  const Above above("ab");
  const Variable makeflags("MAKEFLAGS",
                           " -j3 --jobserver-auth=" + (by_name ? above.by_name() : above.by_descriptors()));
  {
    Pool pool;
    for (int i = 0; i < 9; ++i) pool.executor().begin(job(pool, std::to_string(i)));
    for (auto& [path, result] : pool.ended(9)) CHECK(result.ok());
    CHECK(peak(pool, 9) == 3);  // two, and the one that came with being started
    // A width that is written is no business of the jobserver.
    const std::string meet = "touch here.$FLOWRUN_STEP; while [ $(ls here.* | wc -l) -lt 6 ]; do sleep 0.01; done";
    for (const char* path : {"a", "b", "c", "d", "e", "f"}) {
      Task task = job(pool, path, meet);
      process_of(task).shares_cpus = false;
      pool.executor().begin(task);
    }
    for (auto& [path, result] : pool.ended(6)) CHECK(result.ok());
  }
  CHECK(above.tokens() == "ab");
}

TEST_CASE("a token that comes back while others run is used at once") {
  const Above above("");
  const Variable makeflags("MAKEFLAGS", " -j2 --jobserver-auth=" + above.by_descriptors());
  {
    Pool pool;
    const std::string pipe = "pipe=${MAKEFLAGS##*--jobserver-auth=}; ";
    // Its own end would give the slot on; it waits for the second to run beside it instead.
    pool.executor().begin(
        job(pool, "giver", pipe + "printf x >&${pipe#*,}; while [ ! -e second ]; do sleep 0.01; done"));
    pool.executor().begin(job(pool, "second", "touch second"));
    for (auto& [path, result] : pool.ended(2)) CHECK(result.ok());
  }
  CHECK(above.tokens() == "x");
}

TEST_CASE("what is stopped, or taken out of the line, leaves no token behind") {
  const Above above("a");
  const Variable makeflags("MAKEFLAGS", " -j2 --jobserver-auth=" + above.by_name());
  {
    Pool pool;
    for (int i = 0; i < 6; ++i) pool.executor().begin(job(pool, std::to_string(i), "sleep 60"));
    pool.executor().reserve({"strict", true, true});
    pool.executor().stop("0", 1);
    pool.executor().withdraw("5");
    pool.executor().stop("strict", 1);
    pool.executor().stop_all(Duration{0});
    CHECK(pool.ended(5).size() == 5);
  }
  CHECK(above.tokens() == "a");
}

TEST_CASE("a jobserver that is not there, or is none, is passed over") {
  TempDir folder;
  folder.write("file", "");
  const std::string auth = GENERATE("fifo:/surely/not/there", "fifo:FILE", "901,902", "x", "0,1", "", "TWO");
  const Above one("a"), other("b");
  const bool is_file = auth == "fifo:FILE";
  const Variable makeflags("MAKEFLAGS", " -j2 --jobserver-auth=" + (auth == "TWO" ? one.reads() + "," + other.writes()
                                                                    : is_file     ? "fifo:" + folder.path("file")
                                                                                  : std::string(auth)));
  Pool pool(2);
  for (int i = 0; i < 3; ++i) pool.executor().begin(job(pool, std::to_string(i)));
  for (auto& [path, result] : pool.ended(3)) CHECK(result.ok());
  CHECK(peak(pool, 3) == 2);
}

TEST_CASE("steps that run make share the jobs of -j") {
  if (std::system("make --version > /dev/null 2>&1") != 0) {
    WARN("skipped: no make on PATH");
    return;
  }
  const int makes = GENERATE(1, 4);
  Pool pool(3);
  pool.folder().write("Makefile", "all: a b c d\na b c d:\n\t@echo begin >> log; sleep 0.2; echo end >> log\n");
  for (int i = 0; i < makes; ++i) pool.executor().begin(job(pool, std::to_string(i), "make -s"));
  for (auto& [path, result] : pool.ended(static_cast<std::size_t>(makes))) CHECK(result.ok());
  CHECK(peak(pool, 4 * makes) == 3);
  pool.close();
  for (const auto& [stream, said] : logged(pool.run_dir())) CHECK(stream + ": " + said == stream + ": ");
}

}  // namespace flowrun::test::jobserver_test
