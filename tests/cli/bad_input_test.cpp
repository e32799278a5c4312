// What people and broken disks hand to the program: the real binary says what is wrong, exits as the man page says,
// and has started nothing.
#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::bad_input_test {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr int kFailed = 1, kUsage = 2, kInvalid = 3, kImpossible = 8, kJournal = 9, kOutputLost = 74;

/// A folder with a journal, and workflows that leave the file `started` behind when anything of them runs.
class Desk {
 public:
  std::string journal() const { return dir_.path("journal.db"); }
  std::string path(const std::string& name) const { return dir_.path(name); }
  std::string write(const std::string& name, const std::string& text) const { return dir_.write(name, text); }
  std::string read(const std::string& name) const { return dir_.read(name); }
  /// |head| may declare inputs.
  std::string workflow(const std::string& head = "") const {
    return dir_.write("w.yaml", "flowrun: 1\n" + head + "steps: { a: { shell: 'echo x >> \"" + path("started") +
                                    "\"; echo WORD' } }\noutput: ${ $steps.a }\n");
  }
  /// A run `h` that has succeeded.
  void finished_run() const {
    Ran ran = flowrun(journal(), {"run", workflow(), "--id", "h"});
    INFO(ran.err);
    REQUIRE(ran.code == 0);
    fs::remove(path("started"));
  }
  bool started() const { return fs::exists(path("started")); }
  /// Ids of the runs in the journal; none when there is no journal.
  std::vector<std::string> runs() const {
    std::vector<std::string> ids;
    if (!fs::exists(journal())) return ids;
    Ran listed = flowrun(journal(), {"list", "--json"});
    INFO(listed.out << listed.err);
    if (listed.code == kImpossible) return ids;  // it holds no run yet
    REQUIRE(listed.code == 0);
    for (std::size_t at = 0, end; (end = listed.out.find('\n', at)) != std::string::npos; at = end + 1)
      ids.push_back(json::parse(listed.out.substr(at, end - at)).at("run"));
    return ids;
  }
  void flip_bit(const std::string& of_text) const {
    std::string bytes = read("journal.db");
    std::size_t at = bytes.rfind(of_text);
    REQUIRE(at != std::string::npos);
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    write("journal.db", bytes);
  }

 private:
  TempDir dir_;
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Neither `validate` nor `run` take |file|: |code|, |message| on standard error, no run.
void refuses_file(const Desk& desk, const std::string& file, int code, const std::string& message) {
  INFO(file);
  Ran validated = flowrun(desk.journal(), {"validate", file}), ran = flowrun(desk.journal(), {"run", file});
  INFO(validated.err << validated.out << ran.err);
  CHECK(validated.code == code);
  CHECK(ran.code == code);
  CHECK(ran.out.empty());
  CHECK(has(ran.err, message));
  CHECK(has(ran.err, fs::path(file).filename().string()));
  if (code == kInvalid) CHECK(has(ran.err, "nothing was started"));
  CHECK(ran.err.size() < 2000);
  CHECK(desk.runs().empty());
  CHECK_FALSE(desk.started());
}

/// |args| are refused before anything starts.
void refuses(const Desk& desk, const std::vector<std::string>& args, int code, const std::string& message) {
  INFO(args.back());
  Ran ran = flowrun(desk.journal(), args);
  INFO(ran.err);
  CHECK(ran.code == code);
  CHECK(ran.out.empty());
  CHECK(has(ran.err, message));
  CHECK(desk.runs().empty());
  CHECK_FALSE(desk.started());
}

std::string repeated(const std::string& part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += part;
  return text;
}

/// Whatever touches the journal of |desk| exits 9 with |message|, and the file stays as it is.
void refuses_journal(const Desk& desk, const std::string& message) {
  std::string before = desk.read("journal.db");
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
           {"run", desk.workflow()}, {"list"}, {"show"}, {"journal", "verify"}, {"resume", "h"}}) {
    INFO(args.front());
    Ran ran = flowrun(desk.journal(), args);
    INFO(ran.err);
    CHECK(ran.code == kJournal);
    CHECK(ran.out.empty());
    CHECK(has(ran.err, message));
    CHECK(has(ran.err, desk.journal()));
  }
  CHECK(desk.read("journal.db") == before);
  CHECK_FALSE(desk.started());
}

}  // namespace

TEST_CASE("files that are no workflow are refused with a place and a sentence") {
  Desk desk;
  refuses_file(desk, desk.write("torn.yaml", "this is: [not, yaml\n"), kInvalid, "torn.yaml:1:10: error[E001]");
  refuses_file(desk, desk.write("empty.yaml", ""), kInvalid, "this file is empty");
  refuses_file(desk, desk.write("blank.yaml", "# nothing\n\n"), kInvalid, "blank.yaml:");
  refuses_file(desk, desk.write("text.yaml", "just a sentence\n"), kInvalid, "text.yaml:1:1: error[");
  refuses_file(desk, desk.write("list.yaml", "- a\n- b\n"), kInvalid, "list.yaml:1:1: error[");
  refuses_file(desk,
               desk.write("program.yaml", std::string("\x7f"
                                                      "ELF\x02\x01\x01\0\0\0",
                                                      10)),
               kInvalid, "program.yaml:1:1: error[E007]");
  refuses_file(desk, desk.write("latin1.yaml", "flowrun: 1\nname: caf\xe9\nsteps: { a: { set: 1 } }\n"), kInvalid,
               "latin1.yaml:2:10: error[E007]");
}

TEST_CASE("a folder and a file that is not there are mistakes of the command line") {
  Desk desk;
  fs::create_directory(desk.path("folder"));
  refuses_file(desk, desk.path("folder"), kUsage, "it is a folder");
  refuses_file(desk, desk.path("missing.yaml"), kUsage, "No such file");
  refuses_file(desk, desk.path("none/missing.yaml"), kUsage, "No such file");
}

TEST_CASE("a file that can not be read does not hide what is wrong with the others") {
  Desk desk;
  const std::string bad = desk.write("bad.yaml", "flowrun: 1\nsteps: { a: { shell: ls, retires: 3 } }\n");
  const std::string good = desk.workflow(), missing = desk.path("missing.yaml");
  Ran ran = flowrun(desk.journal(), {"validate", missing, bad, good});
  INFO(ran.out << ran.err);
  CHECK(ran.code == kInvalid);
  CHECK(has(ran.out, "missing.yaml: error[E009]: cannot read"));
  CHECK(has(ran.out, "bad.yaml:2:26: error[E101]"));
  CHECK(has(ran.out, good + ": good\n"));
  CHECK(flowrun(desk.journal(), {"validate", good, missing}).code == kUsage);
  Ran as_json = flowrun(desk.journal(), {"validate", "--json", missing, bad});
  CHECK(json::parse(as_json.out).size() == 2);
  Ran big =
      flowrun(desk.journal(), {"validate", desk.write("big.yaml", "flowrun: 1\n#" + std::string(5'000'000, 'x')), bad});
  CHECK(big.code == kInvalid);
  CHECK(has(big.out, "big.yaml:1:1: error[E008]: the file has more than 4 MiB"));
  CHECK(has(big.out, "bad.yaml: 1 error, 0 warnings\n"));
}

TEST_CASE("a command that starts nothing anyway does not say that nothing was started") {
  Desk desk;
  const std::string bad = desk.write("bad.yaml", "flowrun: 1\nsteps: { a: { shell: ls, retires: 3 } }\n");
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{{"plan", bad}, {"eval", "1", "-f", bad}}) {
    Ran ran = flowrun(desk.journal(), args);
    INFO(ran.err);
    CHECK(ran.code == kInvalid);
    CHECK(has(ran.err, "1 error, 0 warnings"));
    CHECK_FALSE(has(ran.err, "nothing was started"));
  }
  CHECK(has(flowrun(desk.journal(), {"eval", "$nope"}).err, "$nope is not known; there are $input"));
}

TEST_CASE("files made to exhaust the reader are refused at once") {
  Desk desk;
  refuses_file(desk, desk.write("big.yaml", "flowrun: 1\n#" + std::string(5'000'000, 'x')), kInvalid, "4 MiB");
  std::string bomb = "x-a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    std::string before = "*a" + std::to_string(i - 1) + ", ";
    bomb += "x-a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + repeated(before, 9) +
            before.substr(0, before.size() - 2) + "]\n";
  }
  refuses_file(desk, desk.write("bomb.yaml", bomb + "flowrun: 1\nsteps: { a: { set: *a9 } }\n"), kInvalid,
               "aliases repeat");
  refuses_file(desk,
               desk.write("lists.yaml", "flowrun: 1\nsteps: { a: { set: " + repeated("[", 100'000) +
                                            repeated("]", 100'000) + " } }\n"),
               kInvalid, "nested deeper");
  refuses_file(desk,
               desk.write("maps.yaml",
                          "flowrun: 1\nsteps: " + repeated("{ a: ", 100'000) + "1" + repeated(" }", 100'000) + "\n"),
               kInvalid, "nested deeper");
  refuses_file(desk, desk.write("open.yaml", "flowrun: 1\nsteps: " + repeated("[", 100'000)), kInvalid, "open.yaml:");
  refuses_file(desk, desk.write("dashes.yaml", "flowrun: 1\nsteps:\n" + repeated("- ", 100'000) + "a\n"), kInvalid,
               "nested deeper");
}

TEST_CASE("an expression that is nested too deep is refused, not followed until the stack ends") {
  Desk desk;
  refuses_file(desk,
               desk.write("jq.yaml", "flowrun: 1\nsteps: { a: { set: \"${ " + repeated("(", 100'000) + "1" +
                                         repeated(")", 100'000) + " }\" } }\n"),
               kInvalid, "jq.yaml:2:");
}

TEST_CASE("a cycle is refused and shown") {
  Desk desk;
  std::string steps =
      "steps:\n  a: { set: '${ $steps.b }' }\n  b: { needs: [c], set: 1 }\n  c: { set: '${ $steps.a }' }\n";
  refuses_file(desk, desk.write("cycle.yaml", "flowrun: 1\n" + steps), kInvalid, "error[E301]");
}

TEST_CASE("a mistyped option or command gets the nearest one") {
  Desk desk;
  std::string file = desk.workflow();
  refuses(desk, {"run", file, "--progres", "none"}, kUsage, "did you mean `--progress`?");
  refuses(desk, {"run", file, "--jurnal=x"}, kUsage, "did you mean `--journal`?");
  refuses(desk, {"run", file, "--utterly-unknown"}, kUsage, "unknown option `--utterly-unknown`");
  refuses(desk, {"run", file, "--prog", "none"}, kUsage, "unknown option `--prog`");  // no abbreviations
  refuses(desk, {"rnu", file}, kUsage, "unknown command `rnu`; did you mean `run`?");
  refuses(desk, {"frobnicate"}, kUsage, "flowrun help");
  refuses(desk, {"run", file, "another.yaml"}, kUsage, "unexpected argument `another.yaml`");
  refuses(desk, {"run"}, kUsage,
          "FILE is missing: The workflow; - reads it from standard input; flowrun help run says more");
  refuses(desk, {"run", file, "--grace", "5"}, kUsage, "30s");
  refuses(desk, {"run", file, "--id", "a b"}, kUsage, "--id a b");
  refuses(desk, {"run", file, "--progress", "loud"}, kUsage, "loud");
}

TEST_CASE("a file alone is not run: a typo must not start effects") {
  Desk desk;
  std::string file = desk.workflow();
  refuses(desk, {file}, kUsage, "flowrun run " + file);
}

TEST_CASE("flowrun alone shows three examples and exits 2") {
  Ran ran = run({FLOWRUN_BINARY});
  CHECK(ran.code == kUsage);
  CHECK(ran.out.empty());
  int examples = 0;
  for (std::size_t at = 0; (at = ran.err.find("\n  flowrun ", at)) != std::string::npos; ++at) ++examples;
  CHECK(examples == 3);
}

TEST_CASE("inputs that do not fit are named, all of them, before anything starts") {
  Desk desk;
  std::string file = desk.workflow("input: { order: { type: integer, description: Its number }, size: small }\n");
  refuses(desk, {"run", file}, kInvalid, "input order is missing (Its number); give it by -i order=VALUE");
  refuses(desk, {"run", file, "-i", "order=many"}, kInvalid, "input order: `many` is not of type integer");
  refuses(desk, {"run", file, "-i", "order=1", "-i", "sise=large"}, kInvalid, "did you mean `size`?");
  refuses(desk, {"run", file, "-i", "order=many", "-i", "sise=large"}, kInvalid, "input order: `many`");
  refuses(desk, {"run", file, "-i", "order=many", "-i", "sise=large"}, kInvalid, "input sise");
  refuses(desk, {"run", file, "-i", "order=1", "-i", "colour=red"}, kInvalid, "it has order, size");
  refuses(desk, {"run", file, "-i", "order"}, kUsage, "NAME=VALUE");
  refuses(desk, {"run", file, "-i", "order=1", "-i", "size=caf\xe9"}, kInvalid, "input size: its text is not UTF-8");
  refuses(desk, {"run", file, "-i", "order=@" + desk.path("none")}, kUsage, desk.path("none") + ": No such file");
  refuses(desk, {"run", file, "-i", "order=@" + desk.path("")}, kUsage, "it is a folder");
  refuses(desk, {"run", file, "--inputs", desk.path("none")}, kUsage, desk.path("none") + ": No such file");
  refuses(desk, {"run", file, "--inputs", desk.write("list.json", "[1]")}, kInvalid, "list.json");
  refuses(desk, {"run", file, "--inputs", desk.write("torn.json", "{\"order\": ")}, kInvalid, "torn.json");
}

TEST_CASE("a file that is no journal is left as it is") {
  Desk desk;
  SECTION("text") {
    desk.write("journal.db", repeated("dear diary\n", 100));
    refuses_journal(desk, "nor any SQLite database");
  }
  SECTION("two letters") {
    desk.write("journal.db", "hi");
    refuses_journal(desk, "nor any SQLite database");
  }
}

TEST_CASE("a folder is no journal, and the file in it is named") {
  Desk desk;
  fs::create_directory(desk.journal());
  Ran ran = flowrun(desk.journal(), {"run", desk.workflow()});
  INFO(ran.err);
  CHECK(ran.code == kJournal);
  CHECK(has(ran.err, "it is a folder, " + desk.journal() + "/journal.db would be a file in it"));
  CHECK_FALSE(desk.started());
  CHECK(fs::is_empty(desk.journal()));
}

TEST_CASE("a journal that was cut short is refused and not written to") {
  Desk desk;
  desk.finished_run();
  for (std::uintmax_t size : {6000U, 4096U, 1000U, 1U}) {
    INFO(size);
    fs::resize_file(desk.journal(), size);
    refuses_journal(desk, "journal");
  }
}

TEST_CASE("one flipped bit in a journal is found by verify") {
  Desk desk;
  desk.finished_run();
  REQUIRE(flowrun(desk.journal(), {"journal", "verify"}).code == 0);
  // In the data of entries: what the schema says stands elsewhere in the file, and is held against ours.
  std::string part = GENERATE(as<std::string>(), "\"WORD\"", "\"took_ms\":", "{\"state\":\"succeeded\"",
                              "\"source_hash\":", "\"key\"");
  INFO(part);
  desk.flip_bit(part);
  Ran verified = flowrun(desk.journal(), {"journal", "verify"});
  INFO(verified.out << verified.err);
  CHECK(verified.code == kJournal);
  CHECK(has(verified.out + verified.err, "run h, entry "));
  CHECK(flowrun(desk.journal(), {"journal", "verify", "--all"}).code == kJournal);
}

TEST_CASE("a changed result or workflow text is found by verify") {
  Desk desk;
  desk.finished_run();
  std::string change =
      GENERATE(as<std::string>(), "UPDATE runs SET output = '\"LOST\"'", "UPDATE runs SET state = 'failed'",
               "UPDATE runs SET input = '{\"a\":1}'", "UPDATE sources SET text = text || ' '");
  INFO(change);
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(desk.journal().c_str(), &database) == SQLITE_OK);
  CHECK(sqlite3_exec(database, change.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(database);
  Ran verified = flowrun(desk.journal(), {"journal", "verify"});
  INFO(verified.out << verified.err);
  CHECK(verified.code == kJournal);
}

TEST_CASE("a journal of a newer flowrun is refused and left as it is") {
  Desk desk;
  desk.finished_run();
  std::string bytes = desk.read("journal.db");
  bytes[63] = 99;  // user_version: https://sqlite.org/fileformat2.html, 1.3
  desk.write("journal.db", bytes);
  refuses_journal(desk, "schema 99");
}

TEST_CASE("a standard output that can not be written is told, and the run keeps its state") {
  Desk desk;
  HowToRun full;
  full.close_stdout = true;
  Ran ran = flowrun(desk.journal(), {"run", desk.workflow(), "--id", "full"}, full);
  INFO(ran.err);
  CHECK(ran.code == kOutputLost);
  CHECK(has(ran.err, "standard output can not be written"));
  Ran shown = flowrun(desk.journal(), {"show", "full", "--json"});
  REQUIRE(shown.code == 0);
  CHECK(json::parse(shown.out).at("state") == "succeeded");
  CHECK(flowrun(desk.journal(), {"resume", "full"}).out == "WORD\n");
  CHECK(desk.read("started") == "x\n");
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{{"list"},
                                                                                    {"show"},
                                                                                    {"output"},
                                                                                    {"journal", "show"},
                                                                                    {"journal", "verify"},
                                                                                    {"resume", "full"},
                                                                                    {"version"}}) {
    INFO(args.back());
    CHECK(flowrun(desk.journal(), args, full).code == kOutputLost);
  }
}

TEST_CASE("without a home and a state folder the missing variable is named") {
  Desk desk;
  HowToRun bare;
  bare.without = {"HOME", "XDG_STATE_HOME"};
  bare.cwd = desk.path("");
  Ran ran = run({FLOWRUN_BINARY, "run", desk.workflow()}, bare);
  INFO(ran.err);
  CHECK(ran.code == kUsage);
  CHECK(has(ran.err, "HOME is not set"));
  CHECK(has(ran.err, "--journal"));
  CHECK_FALSE(desk.started());
  bare.env["XDG_STATE_HOME"] = desk.path("state");
  ran = run({FLOWRUN_BINARY, "run", desk.workflow()}, bare);
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(fs::exists(desk.path("state/flowrun/journal.db")));
}

TEST_CASE("a run that is not there can not be gone on with") {
  Desk desk;
  for (const char* command : {"resume", "retry", "show", "output"})
    refuses(desk, {command, "nobody"}, kImpossible, "there is no journal at " + desk.journal());
  CHECK_FALSE(fs::exists(desk.journal()));
  desk.finished_run();
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{{"resume", "nobody"},
                                                                                    {"retry", "nobody"},
                                                                                    {"show", "nobody"},
                                                                                    {"output", "nobody"},
                                                                                    {"resume", "@last:x"}}) {
    INFO(args.front());
    Ran ran = flowrun(desk.journal(), args);
    INFO(ran.err);
    CHECK(ran.code == kImpossible);
    CHECK(has(ran.err, args.back()));
  }
  CHECK(desk.runs() == std::vector<std::string>{"h"});
}

TEST_CASE("a run that failed for its own reasons exits 1, not as bad input does") {
  Desk desk;
  Ran ran =
      flowrun(desk.journal(), {"run", desk.write("fails.yaml", "flowrun: 1\nsteps: { a: { exec: ['false'] } }\n")});
  INFO(ran.err);
  CHECK(ran.code == kFailed);
  CHECK(desk.runs().size() == 1);
}

TEST_CASE("every file with a mistake is refused by the binary with its code first on a line with its place",
          "[validate]") {
  Desk desk;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(std::string(FLOWRUN_SOURCE_DIR) + "/tests/validate/bad"))
    files.push_back(entry.path());
  REQUIRE(files.size() > 50);
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    std::ifstream in(file);
    std::string mark, code;
    in >> mark >> code;
    INFO(file.filename().string() << " must get " << code);
    REQUIRE(mark == "#");
    Ran ran = flowrun(desk.journal(), {"validate", file.string()});
    INFO(ran.err << ran.out);
    CHECK(ran.code == kInvalid);
    bool told = false;
    std::string text = ran.out + ran.err;
    for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
      std::string line = text.substr(at, end - at);
      std::size_t sign = line.find(": error[" + code + "]: ");
      if (sign == std::string::npos || line.rfind(file.string() + ":", 0) != 0) continue;
      std::string place = line.substr(file.string().size() + 1, sign - file.string().size() - 1);
      std::size_t colon = place.find(':');
      told = told || (colon != std::string::npos && std::stoi(place) > 0 && std::stoi(place.substr(colon + 1)) > 0);
    }
    CHECK(told);
  }
}

}  // namespace flowrun::test::bad_input_test
