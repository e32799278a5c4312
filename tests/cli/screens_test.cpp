// What a person sees, from the prompt on: the real program below a shell in a real terminal (tmux), key by key. Times
// and speeds are taken out, their right edges stay. Without tmux it is skipped with a word.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <regex>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::screens_test {
namespace {

/// |text| with |other| of its width for each that |pattern| finds.
std::string with_each(const std::string& text, const std::regex& pattern,
                      const std::function<std::string(std::size_t width)>& other) {
  std::string told;
  std::size_t from = 0;
  for (std::sregex_iterator found(text.begin(), text.end(), pattern), end; found != end; ++found) {
    const auto at = static_cast<std::size_t>(found->position()), width = static_cast<std::size_t>(found->length());
    told += text.substr(from, at - from) + other(width);
    from = at + width;
  }
  return told + text.substr(from);
}

/// The text without what differs from run to run: times, what a bar says of them, and which picture the wheel shows.
std::string steady(const std::string& screen) {
  static const std::regex wheel("⠋|⠙|⠹|⠸|⠼|⠴|⠦|⠧|⠇|⠏");
  static const std::regex date("20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}");
  static const std::regex clock("[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}");
  static const std::regex time(R"( +([0-9]+h)?([0-9]+m)?[0-9]+(\.[0-9]+)?(s|ms)(?![a-z]))");
  std::string text = std::regex_replace(screen, wheel, "⠋");
  // Behind the numbers of a bar: how fast, how long still, and which item takes long, as far as there is room.
  static const std::regex bar("([█░] +[0-9]+ of [0-9]+(  [0-9]+ failed)?)[^\n]*");
  text = std::regex_replace(text, bar, "$1 ...");
  text = std::regex_replace(std::regex_replace(text, date, "YYYY-MM-DD HH:MM:SS"), clock, "HH:MM:SS.mmm");
  // In a sentence a time has one blank or two before it; at an edge it ends where it ended.
  return with_each(text, time,
                   [](std::size_t width) { return width > 8 ? std::string(width - 2, ' ') + "Ts" : " Ts"; });
}

/// A shell in a terminal of tmux.
class Pane {
 public:
  Pane(const TempDir& dir, const std::string& socket, std::size_t columns, std::size_t rows)
      : socket_(dir.path(socket)) {
    const std::string path = std::filesystem::path(FLOWRUN_BINARY).parent_path().string() + ":" + std::getenv("PATH");
    HowToRun how;
    how.cwd = dir.path("");
    how.env = {{"LANG", "C.UTF-8"}, {"PS1", "$ "}, {"PATH", path}, {"FLOWRUN_JOURNAL", "j.db"}, {"ENV", "./profile"}};
    how.without = {"TMUX", "NO_COLOR", "LC_ALL"};
    const Ran ran = test::run({"/usr/bin/env", "tmux", "-u", "-f", "/dev/null", "-S", socket_, "new-session", "-d",
                               "-s", "pane", "-x", std::to_string(columns), "-y", std::to_string(rows), "/bin/sh"},
                              how);
    INFO(ran.err);
    REQUIRE(ran.code == 0);
    until({"$"});
  }
  ~Pane() { tmux({"kill-server"}); }
  Pane(const Pane&) = delete;
  Pane& operator=(const Pane&) = delete;

  /// Types |line| and the key behind it.
  void type(const std::string& line) {
    tmux({"send-keys", "-t", "pane", "-l", line});
    key("Enter");
  }
  void key(const std::string& name) { tmux({"send-keys", "-t", "pane", name}); }
  /// Clears the screen and what has left it.
  void clear() {
    type("clear");
    until([](const std::string& shown) { return shown == "$\n"; });
    tmux({"clear-history", "-t", "pane"});
  }
  /// Kills the program that the shell waits for, as the kernel would for want of memory.
  void kill_program() const {
    const std::string shell = tmux({"display-message", "-t", "pane", "-p", "#{pane_pid}"}).out;
    const std::string of_shell = fmt::format("/proc/{0}/task/{0}/children", std::stoi(shell));
    int pid = 0;
    REQUIRE(std::ifstream(of_shell) >> pid);
    REQUIRE(kill(pid, SIGKILL) == 0);
  }
  /// What has left the screen, and the screen.
  std::string text() const {
    std::string shown = tmux({"capture-pane", "-t", "pane", "-p", "-S", "-"}).out;
    shown.erase(shown.find_last_not_of('\n') + 1);
    return shown + "\n";
  }
  /// Waits until all of |texts| are shown and have stayed for two frames.
  std::string until(const std::vector<std::string>& texts) const {
    return until([&](const std::string& shown) {
      return std::all_of(texts.begin(), texts.end(),
                         [&](const std::string& one) { return shown.find(one) != std::string::npos; });
    });
  }
  /// Waits for the prompt behind what was typed last.
  std::string until_prompt() const {
    return until([](const std::string& shown) { return shown.ends_with("\n$\n"); });
  }

 private:
  std::string until(const std::function<bool(const std::string&)>& enough) const {
    std::string shown;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (int seen = 0; seen < 3;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      shown = text();
      seen = enough(shown) ? seen + 1 : 0;
      INFO(shown);
      REQUIRE(std::chrono::steady_clock::now() < end);
    }
    return shown;
  }
  Ran tmux(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"/usr/bin/env", "tmux", "-u", "-S", socket_});
    return test::run(arguments);
  }
  std::string socket_;
};

}  // namespace

TEST_CASE("the screens of a day with flowrun, in tmux", "[live][golden]") {
  if (test::run({"/bin/sh", "-c", "command -v tmux"}).code != 0) {
    WARN("skipped: tmux is not installed");
    return;
  }
  const auto [name, columns, rows] =
      GENERATE(table<const char*, std::size_t, std::size_t>({{"80x24", 80, 24}, {"200x50", 200, 50}}));
  const std::string size = name;
  TempDir dir;
  const auto golden = [&](const char* scene, std::string screen) {
    for (std::size_t at; (at = screen.find(dir.path(""))) != std::string::npos;)
      screen.replace(at, dir.path("").size(), "DIR");
    check_golden(fmt::format("screens/{}-{}.txt", scene, size), steady(screen));
  };
  dir.write("order.yaml", R"(flowrun: 1
steps:
  order: { exec: ["true"] }
  charge:
    exec: [test, -e, paid]
    retry: { attempts: 5, delay: 1h, jitter: none }
    needs: order
  mails:
    for_each: ${ [range(60)] }
    join: { tolerate: 100% }
    do: { shell: "case $N in 12|25) echo no such mailbox >&2; exit 3;; 4?|5?) until [ -e go ]; do sleep 0.05; done;; esac", env: { N: "${ $item }" } }
  gate: { wait: approve, prompt: "Ship order O-1001?", needs: order }
  ship: { shell: echo no label left >&2; exit 1, needs: gate }
)");
  dir.write("thousand.yaml", R"text(flowrun: 1
steps:
  thousand:
    for_each: ${ [range(1000)] }
    join: best_effort
    do: { set: '${ if $item % 250 == 3 then error("no price for \($item)") else $item end }' }
  sum: { set: "${ [$steps.thousand[] | values] | add }" }
output: ${ $steps.sum }
)text");
  dir.write("fails.yaml", R"(flowrun: 1
steps:
  order: { exec: ["true"] }
  label: { shell: "echo no label left >&2; exit 1", needs: order }
  ship: { exec: [ship], needs: label }
)");
  dir.write("profile", "PS1='$ '\n");
  {
    Pane pane(dir, "here", columns, rows);
    pane.type("flowrun run order.yaml --id r -j 1");
    golden("running", pane.until({"40 of 60", "2 failed", "try 2", "flowrun approve r approve", "waits for gate"}));

    Pane other(dir, "there", columns, rows);
    other.type("flowrun watch r");
    golden("watching", other.until({"40 of 60", "try 2", "flowrun approve r approve", "waits for gate"}));

    pane.key("C-z");
    golden("stopped", pane.until({"Stopped"}));
    pane.type("fg");
    golden("continued", pane.until({"fg", "40 of 60", "waits for gate"}));

    dir.write("go", "");
    golden("waiting", pane.until({"60 of 60", "waits for gate"}));
    pane.kill_program();
    golden("killed", pane.until({"Killed"}));

    pane.clear();
    pane.type("flowrun resume r");
    pane.until({"60 ok, 2 failed", "waits for gate"});
    other.type("");
    other.until_prompt();
    other.clear();
    other.type("flowrun approve r");
    golden("resumed", pane.until({"✗ ship", "3 failed", "try 2"}));
    pane.key("C-c");
    golden("suspended", pane.until_prompt());
  }
  {
    Pane pane(dir, "alone", columns, rows);
    pane.type("flowrun run thousand.yaml --id t");
    golden("thousand", pane.until_prompt());
    pane.clear();
    pane.type("flowrun run fails.yaml --id f");
    golden("failed", pane.until_prompt());
    pane.clear();
    pane.type("flowrun list -n 2");
    golden("list", pane.until_prompt());
    pane.clear();
    pane.type("flowrun show f");
    golden("show", pane.until_prompt());
    pane.clear();
    pane.type("flowrun journal show f");
    golden("journal", pane.until_prompt());
    pane.clear();
    pane.type("flowrun why f ship");
    golden("why", pane.until_prompt());
  }
}

}  // namespace flowrun::test::screens_test
