// What people are shown of names, values and messages that a terminal would obey.
#include <fmt/format.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "engine/model/value.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::terminal_test {
namespace {

namespace fs = std::filesystem;

// ESC, BEL, backspace, DEL, a C1 control, an override, an isolate, a separator of lines.
const std::string kHostile = "\x1b]0;x\x07\x08\x7f\xc2\x9b\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa8";
/// The same between the quotes of YAML or JSON.
const std::string kEscaped = R"(\u001b]0;x\u0007\u0008\u007f\u009b\u202e\u2066\u2028)";

/// Empty when a terminal would show all of |text|; else where it would not.
std::string obeyed(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
    const unsigned one = byte(i), two = byte(i + 1), three = byte(i + 2);
    const bool bad =
        (one < 0x20 && one != '\n' && one != '\t') || one == 0x7f || (one == 0xc2 && two < 0xa0) ||
        (one == 0xd8 && two == 0x9c) ||
        (one == 0xe2 && two == 0x80 && (three == 0x8e || three == 0x8f || (three >= 0xa8 && three <= 0xae))) ||
        (one == 0xe2 && two == 0x81 && three >= 0xa6 && three <= 0xa9);
    if (bad) return fmt::format("{:02x} {:02x} {:02x} behind: {}", one, two, three, text.substr(0, i));
  }
  return is_utf8(text) ? "" : "it is no UTF-8";
}

/// What a terminal is sent when |argv| has one for all three streams; a line ends as a terminal ends it.
std::string at_terminal(const std::vector<std::string>& argv) {
  int master = -1;
  const pid_t pid = forkpty(&master, nullptr, nullptr, nullptr);
  if (pid == 0) {
    setenv("TERM", "dumb", 1);  // the live view moves the cursor, and has tests of its own
    std::vector<char*> words;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    execv(words[0], words.data());
    _exit(127);
  }
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = read(master, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  close(master);
  waitpid(pid, nullptr, 0);
  for (std::size_t at; (at = text.find("\r\n")) != text.npos;) text.erase(at, 1);
  return text;
}

struct Stage {
  TempDir dir;
  std::string journal, file;

  Stage() : journal(dir.path("j" + kHostile + ".db")) {
    dir.write("sub" + kHostile + ".yaml", "flowrun: 1\nsteps: { in: { shell: 'exit 4' } }\n");
    file = dir.write("w" + kHostile + ".yaml", replaced(R"(flowrun: 1
input: { text: "HOSTILE", list: ["HOSTILE", b] }
steps:
  - id: each
    for_each: ${ $input.list }
    key: ${ $item }
    name: "HOSTILE"
    join: { tolerate: 2 }
    do:
      shell: printf '%s\n' "$X" >&2; printf %s "$X"; printf '\233\377' >&2; [ "$X" = b ]
      env: { X: "${ $item }" }
  - id: said
    shell: printf %s "$X"
    env: { X: "${ $input.text }" }
  - id: gate
    wait: go
    prompt: "HOSTILE"
    timeout: 1h
  - id: fails
    shell: printf '%s\n' "$X" >&2; exit 3
    env: { X: "${ $input.text }" }
output: ${ $steps.said }
)"));
  }
  static std::string replaced(std::string text) {
    for (std::size_t at; (at = text.find("HOSTILE")) != text.npos;) text.replace(at, 7, kEscaped);
    return text;
  }
  std::vector<std::string> words(std::vector<std::string> args) const {
    args.insert(args.begin(), FLOWRUN_BINARY);
    args.insert(args.end(), {"--journal", journal});
    return args;
  }
};

}  // namespace

TEST_CASE("nothing that anybody names, says or sends reaches a terminal as more than text") {
  Stage stage;
  const std::string bad = stage.dir.write("bad" + kHostile + ".yaml", Stage::replaced(R"(flowrun: 1
"kHOSTILE": 1
input: { "nHOSTILE": { type: "HOSTILE" } }
steps:
  "sHOSTILE": { shell: x, "HOSTILE": 1 }
  b: { set: "${ $steps.HOSTILE.x | }", needs: ["HOSTILE"] }
  c: { shel: "HOSTILE" }
)"));
  const std::string raw = stage.dir.write("raw.yaml", "flowrun: 1\n" + kHostile + "\nsteps: [ " + kHostile + "\n");
  // In this order: what follows looks at what came before.
  const std::vector<std::vector<std::string>> told = {{"run", stage.file, "--id", "r", "--no-wait"},
                                                      {"run", stage.file, "--dry-run"},
                                                      {"show", "r"},
                                                      {"journal", "show", "r"},
                                                      {"journal", "show", "r", "--full"},
                                                      {"list"},
                                                      {"plan", stage.file},
                                                      {"approve", "r", kHostile},
                                                      {"approve", "r", "go", "--data", "\"" + kHostile + "\""},
                                                      {"approve", "r", "go", "--step", kHostile},
                                                      {"reject", "r", "go", "-m", kHostile},
                                                      {"resume", "r", "--mark", kHostile + "=done"},
                                                      {"resume", "r", "--workdir", kHostile},
                                                      {"resume", "r"},
                                                      {"show", "r"},
                                                      {"show", "r", "--all"},
                                                      {"journal", "show", "r"},
                                                      {"journal", "verify", "r"},
                                                      {"retry", "r", "--no-wait"},
                                                      {"fork", "r", "--id", "f", "--no-wait"},
                                                      {"fork", "r", "--from", kHostile},
                                                      {"cancel", "f"},
                                                      {"output", "r", "--step", kHostile},
                                                      {"logs", kHostile},
                                                      {"show", kHostile},
                                                      {"retry", "r", kHostile},
                                                      {"eval", kHostile, "--run", "r"},
                                                      {"eval", "$steps." + kHostile, "--run", "r"},
                                                      {"eval", "error(\"" + kHostile + "\")", "--run", "r"},
                                                      {"validate", stage.file},
                                                      {"validate", bad},
                                                      {"validate", raw},
                                                      {"validate", kHostile},
                                                      {"validate", "--format", "github", bad},
                                                      {"run", bad},
                                                      {"run", raw},
                                                      {"run", kHostile},
                                                      {"run", stage.file, "-i", kHostile},
                                                      {"run", stage.file, "-i", kHostile + "=1"},
                                                      {"run", stage.file, "-i", "list=" + kHostile},
                                                      {"run", stage.file, "--id", kHostile},
                                                      {"run", stage.file, "--timeout", kHostile},
                                                      {"run", stage.file, "--" + kHostile},
                                                      {kHostile},
                                                      {"list", "--state", kHostile},
                                                      {"help", kHostile},
                                                      {"__complete", "show", ""},
                                                      {"__complete", "retry", "r", ""}};
  for (const auto& words : told) {
    const Ran ran = run(stage.words(words));
    std::string typed;
    for (const std::string& word : words) typed += word + " ";
    INFO(Json(typed).dump() << " " << ran.code);
    CHECK(obeyed(ran.err) == "");
    if (words[0] != "output" && words[0] != "eval" && words[0] != "fork" && words[0] != "resume" &&
        words[0] != "cancel")
      CHECK(obeyed(ran.out) == "");
    CHECK(ran.code != 70);
  }
  // Results are data where a program reads them, and text where a person does.
  const std::vector<std::vector<std::string>> results = {{"output", "r", "--step", "said"},
                                                         {"eval", "$input", "--run", "r"},
                                                         {"logs", "r"},
                                                         {"logs", "r", "--json"},
                                                         {"list", "--json"},
                                                         {"show", "r", "--json"},
                                                         {"journal", "show", "r", "--json"},
                                                         {"run", stage.file, "--no-wait", "--events", "-"}};
  for (const auto& words : results) {
    INFO(words[0] << " " << words.back());
    const std::string at = at_terminal(stage.words(words)), through = run(stage.words(words)).out;
    CHECK(obeyed(at) == "");
    CHECK(at.find("\\u001b") != at.npos);
    if (words[0] == "logs" && words.size() == 2) CHECK(through.find(kHostile.substr(0, 6)) != through.npos);
    if (words.back() == "--json" || words[0] == "output") CHECK(through.find("\xc2\x9b") != through.npos);
  }
}

TEST_CASE("no option and no argument takes an empty text for nothing") {
  TempDir dir;
  const Ran help = run({FLOWRUN_BINARY, "help"});
  REQUIRE(help.code == 0);
  std::vector<std::vector<std::string>> commands;
  for (const char* name : {"run", "resume", "retry", "validate", "plan", "schema", "eval", "list", "signal", "approve",
                           "reject", "cancel", "undo", "fork", "show", "output", "logs", "completion"})
    commands.push_back({name});
  commands.push_back({"journal", "show"});
  commands.push_back({"journal", "verify"});
  int options = 0;
  for (const std::vector<std::string>& command : commands) {
    std::vector<std::string> asked{FLOWRUN_BINARY};
    asked.insert(asked.end(), command.begin(), command.end());
    asked.push_back("--help");
    const std::string text = run(asked).out;
    // `  --id ID                  ...`, `  -j,--jobs N ...`
    for (std::size_t at = text.find("--"); at != text.npos; at = text.find("--", at + 2)) {
      const std::size_t end = text.find_first_of(" \n,", at);
      const std::string name = text.substr(at, end - at);
      const bool in_column =
          text[end] == ' ' && text[end + 1] != ' ' && at >= 2 && (text[at - 1] == ' ' || text[at - 1] == ',');
      if (!in_column || name.size() < 4 || name == "--help" || name == "--version") continue;
      std::vector<std::string> words{FLOWRUN_BINARY};
      words.insert(words.end(), command.begin(), command.end());
      words.insert(words.end(), {name, ""});
      if (command[0] == "run" || command[0] == "validate" || command[0] == "plan" || command[0] == "eval")
        words.push_back("x");
      if (command[0] == "reject") words.insert(words.end(), {"x", "y"});
      const Ran ran = run(words);
      INFO(command.back() << " " << name << " ''\n" << ran.err << ran.out);
      CHECK(ran.code == 2);
      CHECK(ran.err.find("error: ") == 0);
      ++options;
    }
  }
  CHECK(options >= 40);
  const std::string journal = dir.path("journal.db");
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"show", ""},
                                             {"retry", "x", ""},
                                             {"output", ""},
                                             {"logs", ""},
                                             {"journal", "show", ""},
                                             {"resume", ""},
                                             {"signal", "x", ""},
                                             {"approve", "x", ""},
                                             {"run", ""},
                                             {"run", "x", "-i", ""},
                                             {"run", "x", "-i", "=y"},
                                             {"resume", "x", "--mark", "=done"}}) {
    const Ran ran = flowrun(journal, words);
    INFO(words[0] << "\n" << ran.err);
    CHECK((ran.code == 2 || (words[0] == "resume" && words.size() > 3)));
  }
  CHECK_FALSE(fs::exists(journal));
}

}  // namespace flowrun::test::terminal_test
