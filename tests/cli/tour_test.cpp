// The tour of README.md, followed to the letter: its commands are typed one after the other at a terminal of 100
// columns in an empty folder, which is HOME as well, and what that shows must be what README.md shows.
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/watched.h"

namespace flowrun::test::tour_test {
namespace {

const std::string kReadme = std::string(FLOWRUN_SOURCE_DIR) + "/README.md";

/// A part of README.md: text, a command of a block fenced as console, or what that shows.
struct Part {
  enum class Kind { Text, Command, Shown } kind;
  std::string text;
};

/// All of README.md. In a block fenced as console a line that begins with `$ ` is typed, what follows it is shown.
std::vector<Part> parts() {
  std::ifstream in(kReadme);
  std::vector<Part> all{{Part::Kind::Text, ""}};
  bool console = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("```")) {
      console = line == "```console";
      if (all.back().kind != Part::Kind::Text) all.push_back({Part::Kind::Text, ""});
    } else if (console && line.starts_with("$ ")) {
      all.push_back({Part::Kind::Command, line + "\n"});
      all.push_back({Part::Kind::Shown, ""});
      continue;
    }
    all.back().text += line + "\n";
  }
  return all;
}

/// |shown| without what differs from one time to the next: the ids of runs and of processes, times of day, durations,
/// the sign that turns and how wide a column is. Rows of steps that are over and follow each other are put in order:
/// which of two that run together ends first is chance.
std::string lasting(const std::string& shown) {
  static const std::vector<std::pair<std::regex, std::string>> masks{
      {std::regex("-20[0-9]{6}-[0-9]{6}-[0-9a-z]{4}"), "-ID"},
      {std::regex("[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{3})?"), "TIME"},
      {std::regex("[0-9]+\\.[0-9]+s"), "DURATION"},
      {std::regex("process [0-9]+"), "process N"},
      {std::regex("\xe2\xa0[\x80-\xbf]"), "TURNS"},
      {std::regex("  +"), "  "},
      {std::regex(" +\n"), "\n"},
  };
  std::string text = shown;
  for (const auto& [what, name] : masks) text = std::regex_replace(text, what, name);
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  const auto over = [](const std::string& line) { return line.starts_with(" ✓ "); };
  for (auto at = lines.begin(); at != lines.end();) {
    const auto end = std::find_if_not(at, lines.end(), over);
    std::sort(at, end);
    at = end == lines.end() ? end : end + 1;
  }
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  return all;
}

/// A newcomer: a folder, and `flowrun` on PATH.
class Newcomer {
 public:
  Newcomer() {
    std::filesystem::create_directory(dir_.path("home"));
    std::filesystem::create_directory(dir_.path("bin"));
    std::filesystem::create_symlink(FLOWRUN_BINARY, dir_.path("bin/flowrun"));
  }
  /// What the terminal shows of |command|, with what every shell says there of a process that was
  /// killed, though some give their own place to it.
  std::string types(const std::string& command) {
    Watched shell({"/bin/sh", "-c", command}, 100, 40,
                  {"HOME=" + home(), "PATH=" + dir_.path("bin") + ":/usr/bin:/bin", "TERM=xterm", "LC_ALL=C.UTF-8",
                   "XDG_STATE_HOME=", "FLOWRUN_JOURNAL=", "PAGER=cat"},
                  home());
    const int code = shell.finish();
    CHECK(shell.screen.strange() == "");
    const std::string shown = shell.all();
    return shown + (code == 128 + SIGKILL && !shown.ends_with("Killed\n") ? "Killed\n" : "");
  }
  std::string home() const { return dir_.path("home"); }
  std::string read(const std::string& file) const { return dir_.read("home/" + file); }

 private:
  TempDir dir_;
};

}  // namespace

TEST_CASE("the tour of README.md shows what it says, typed as it stands there", "[cli][tour][timing][golden]") {
  const char* variable = std::getenv("FLOWRUN_ACCEPT");
  const bool accept = variable && std::string(variable) == "1";
  Newcomer newcomer;
  std::vector<Part> readme = parts();
  std::string command;
  std::size_t count = 0;
  for (Part& part : readme) {
    if (part.kind == Part::Kind::Command) command = part.text.substr(2);
    if (part.kind != Part::Kind::Shown) continue;
    CAPTURE(command);
    const std::string shown = newcomer.types(command);
    ++count;
    if (accept && lasting(shown) != lasting(part.text)) part.text = shown;
    INFO("it shows:\n" << shown);
    CHECK(lasting(shown) == lasting(part.text));
  }
  CHECK(count >= 8);
  std::string text;
  for (const Part& part : readme) text += part.text;
  if (accept) std::ofstream(kReadme) << text;
  // The workflow that it shows is the one that it has written, without what is said in front.
  const std::string fence = "```yaml\n";
  const std::size_t begin = text.find(fence) + fence.size();
  CHECK(newcomer.read("hello.yaml").ends_with("\n" + text.substr(begin, text.find("```", begin) - begin)));
}

TEST_CASE("what the tour is compared without is only what differs each time", "[cli][tour]") {
  CHECK(lasting("run hello-20261123-143440-2xcd\n") == "run hello-ID\n");
  CHECK(lasting(" ✓ b  x   0.00s\n ✓ a  x        12.10s\n") == lasting(" ✓ a  x  1.00s\n ✓ b  x  1.0s  \n"));
  CHECK(lasting("⠋ a\n") == lasting("⠙ a\n"));
  for (const char* other : {"Hello, ADA!\n", " ✗ a  x  0.00s\n", " ✓ a  y  0.00s\n", "", "\n", " ✓ a  x\n"})
    CHECK(lasting(" ✓ a  x  0.00s\n") != lasting(other));
  CHECK(lasting("b\na\n") != lasting("a\nb\n"));
}

}  // namespace flowrun::test::tour_test
