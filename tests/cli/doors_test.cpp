// Every place where a person names a file, given a pipe that nobody writes to, or reads: each says so in bounded time.
#include <signal.h>
#include <sys/stat.h>

#include <chrono>
#include <memory>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::doors_test {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

struct Door {
  const char* name;
  std::string workflow;           ///< w.yaml of its own folder; PIPE is the pipe
  std::vector<std::string> args;  ///< W is the workflow, PIPE the pipe
  int code;
  const char* said;    ///< on either output
  bool folder = true;  ///< the same holds for a folder in place of the pipe
  std::map<std::string, std::string> env = {};
};

const std::string kPlain = "flowrun: 1\ninput: { x: { type: string, default: y } }\nsteps: { a: { exec: [true] } }\n";

std::string http(const std::string& options) {
  return "flowrun: 1\nsteps: { a: { http: \"POST https://127.0.0.1:9/\", retry: none, timeout: 20s, " + options +
         " } }\n";
}

std::vector<Door> doors() {
  return {
      {"workflow of run", kPlain, {"run", "PIPE"}, 2, "PIPE"},
      {"workflow of validate", kPlain, {"validate", "PIPE"}, 2, "PIPE"},
      {"workflow of plan", kPlain, {"plan", "PIPE"}, 2, "PIPE"},
      {"workflow of eval", kPlain, {"eval", "-f", "PIPE", "1"}, 2, "PIPE"},
      {"sub-workflow", "flowrun: 1\nsteps: { a: { workflow: PIPE } }\n", {"run", "W"}, 3, "PIPE"},
      {"-i @", kPlain, {"run", "W", "-i", "x=@PIPE"}, 2, "input x: cannot read"},
      {"-i @lines:", kPlain, {"run", "W", "-i", "x=@lines:PIPE"}, 2, "input x: cannot read"},
      {"--inputs", kPlain, {"run", "W", "--inputs", "PIPE"}, 2, "--inputs: cannot read"},
      {"--events", kPlain, {"run", "W", "--events", "PIPE"}, 2, "--events: cannot write"},
      {"--journal", kPlain, {"run", "W", "--journal", "PIPE"}, 9, "PIPE"},
      {"completion", kPlain, {"__complete", "run", "PIPE", "-i", ""}, 0, ""},
      {"body", http("file: PIPE"), {"run", "W"}, 1, "cannot read the file PIPE"},
      {"tls.ca", http("text: x, tls: { ca: PIPE }"), {"run", "W"}, 1, "cannot read the file PIPE"},
      {"tls.cert", http("text: x, tls: { cert: PIPE }"), {"run", "W"}, 1, "cannot read the file PIPE"},
      {"tls.key", http("text: x, tls: { key: PIPE }"), {"run", "W"}, 1, "cannot read the file PIPE"},
      {"SSL_CERT_FILE",
       http("text: x"),
       {"run", "W"},
       1,
       "cannot read the file PIPE",
       true,
       {{"SSL_CERT_FILE", "PIPE"}}},
      {"secret",
       "flowrun: 1\nsecrets: { s: { file: PIPE } }\nsteps: { a: { exec: [true], env: { S: \"${ $secrets.s }\" } } }\n",
       {"run", "W"},
       3,
       "secret s: cannot read"},
      {"$FLOWRUN_OUTPUT",
       "flowrun: 1\nsteps: { a: { shell: mkfifo $FLOWRUN_OUTPUT, capture: file } }\n",
       {"run", "W"},
       1,
       "$FLOWRUN_OUTPUT",
       false},
      {"program", "flowrun: 1\nsteps: { a: { exec: [PIPE] } }\n", {"run", "W"}, 1, "PIPE"},
      {"cwd", "flowrun: 1\nsteps: { a: { exec: [true], cwd: PIPE } }\n", {"run", "W"}, 1, "PIPE", false},
  };
}

void put(std::string& text, const std::string& word, const std::string& value) {
  for (std::size_t at = 0; (at = text.find(word, at)) != text.npos; at += value.size())
    text.replace(at, word.size(), value);
}

}  // namespace

TEST_CASE("whatever a person names may be a pipe without another end, or a folder: that is told in bounded time",
          "[cli]") {
  struct Try {
    Door door;
    std::unique_ptr<TempDir> dir;
    std::unique_ptr<Background> flowrun;
    std::string pipe;
  };
  std::vector<Try> tries;
  for (const bool folder : {false, true}) {
    for (Door door : doors()) {
      if (folder && !door.folder) continue;
      auto dir = std::make_unique<TempDir>();
      const std::string pipe = dir->path("pipe");
      REQUIRE((folder ? mkdir(pipe.c_str(), 0700) : mkfifo(pipe.c_str(), 0600)) == 0);
      put(door.workflow, "PIPE", pipe);
      const std::string file = dir->write("w.yaml", door.workflow);
      std::vector<std::string> argv{FLOWRUN_BINARY};
      for (std::string arg : door.args) {
        put(arg, "PIPE", pipe);
        argv.push_back(arg == "W" ? file : arg);
      }
      HowToRun how;
      how.env = door.env;
      for (auto& [name, value] : how.env) put(value, "PIPE", pipe);
      how.env["FLOWRUN_JOURNAL"] = dir->path("journal.db");
      tries.push_back({door, std::move(dir), nullptr, pipe});
      tries.back().flowrun = std::make_unique<Background>(argv, how);
      // A few at a time: they share the machine.
      if (tries.size() >= 4) tries[tries.size() - 4].flowrun->wait(std::chrono::seconds(60));
    }
  }
  for (Try& one : tries) {
    Ran ran = one.flowrun->wait(std::chrono::seconds(60));
    std::string said = one.door.said;
    put(said, "PIPE", one.pipe);
    INFO(one.door.name << " " << one.pipe << "\n" << ran.out << ran.err);
    CHECK(ran.code == one.door.code);
    CHECK(has(ran.out + ran.err, said));
  }
}

TEST_CASE("a workflow or input that a process substitution writes is taken", "[cli]") {
  TempDir dir;
  HowToRun how;
  how.env["FLOWRUN_JOURNAL"] = dir.path("journal.db");
  Ran ran = run({"/bin/bash", "-c",
                 "\"$0\" run <(sleep 0.3; echo 'flowrun: 1'; sleep 0.3; echo 'input: {x: {type: string}, y: {type: "
                 "string}}'; echo 'steps: {a: {exec: [true]}}'; echo 'output: \"${ $input.x + $input.y }\"') -i "
                 "x=@<(sleep 0.2; printf hello) -i y=@<(true)",
                 FLOWRUN_BINARY},
                how);
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(ran.out == "hello\n");
}

TEST_CASE("a run whose file has become a pipe goes on with its own copy", "[cli]") {
  TempDir dir;
  const std::string file = dir.write("w.yaml", "flowrun: 1\nsteps: { a: { sleep: 1h }, b: { exec: [true] } }\n");
  CHECK(flowrun(dir.path("journal.db"), {"run", file, "--id", "r", "--no-wait"}).code == 4);
  std::filesystem::remove(file);
  REQUIRE(mkfifo(file.c_str(), 0600) == 0);
  CHECK(flowrun(dir.path("journal.db"), {"resume", "r", "--no-wait"}).code == 4);
}

TEST_CASE("a signal while a secret is read ends flowrun before anything is started", "[cli]") {
  struct Source {
    const char* name;
    const char* text;
  };
  const Source sources[] = {
      {"a command that closes its outputs and lives on",
       "command: [sh, -c, \"echo $$ > pid; exec >&- 2>&-; sleep 60\"]"},
      {"a command that says nothing", "command: [sh, -c, \"echo $$ > pid; sleep 60\"]"},
      {"a pipe with a writer that says nothing", "file: pipe"},
  };
  for (const Source& source : sources) {
    for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
      INFO(source.name << ", signal " << signal);
      TempDir dir;
      REQUIRE(mkfifo(dir.path("pipe").c_str(), 0600) == 0);
      Background writer({"/bin/sh", "-c", "exec sleep 60 > \"$0\"", dir.path("pipe")});
      dir.write("w.yaml", std::string("flowrun: 1\nsecrets: { s: { ") + source.text +
                              " } }\nsteps: { a: { shell: touch started, env: { S: \"${ $secrets.s }\" } } }\n");
      Background flowrun_({FLOWRUN_BINARY, "run", dir.path("w.yaml"), "--journal", dir.path("journal.db")});
      std::this_thread::sleep_for(std::chrono::milliseconds(600));
      flowrun_.signal(signal);
      Ran ran = flowrun_.wait(std::chrono::seconds(15));
      CHECK(ran.code == 128 + signal);
      CHECK(has(ran.err, "stopped while secret s was read; nothing was started"));
      CHECK(dir.read("started").empty());
      CHECK(flowrun(dir.path("journal.db"), {"list", "--json"}).out.empty());
      if (const int pid = std::atoi(dir.read("pid").c_str()); pid > 0) CHECK(kill(pid, 0) != 0);
    }
  }
}

}  // namespace flowrun::test::doors_test
