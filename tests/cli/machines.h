// Two machines, each with a HOME, a journal and a folder to work in, and runs to be carried from one to the other.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test {

/// One of them: a HOME with a journal, and a folder to work in.
struct Computer {
  TempDir dir;
  std::string journal = dir.path("home/j.db");
  HowToRun how;

  Computer() {
    std::filesystem::create_directories(dir.path("home"));
    std::filesystem::create_directories(dir.path("work"));
    how.env = {{"HOME", dir.path("home")}};
    how.cwd = dir.path("work");
  }
  Ran call(const std::vector<std::string>& args) const { return flowrun(journal, args, how); }
  /// From a folder that is none of its own, with what names its journal taken out.
  Ran ask(const std::vector<std::string>& args) const {
    HowToRun anywhere = how;
    anywhere.cwd = "/";
    Ran ran = flowrun(journal, args, anywhere);
    for (std::string* text : {&ran.out, &ran.err})
      for (std::size_t at; (at = text->find(journal)) != std::string::npos;) text->replace(at, journal.size(), "J");
    return ran;
  }
  Ran call(const std::vector<std::string>& args, const std::string& input) const {
    HowToRun with = how;
    with.stdin_text = input;
    return flowrun(journal, args, with);
  }
  std::string write(const std::string& name, const std::string& text) const {
    return dir.write("work/" + name, "flowrun: 1\n" + text);
  }
};

/// Everything below |folder| with its bytes, but for the journal itself.
inline std::map<std::string, std::string> files_below(const TempDir& dir, const std::string& folder = "") {
  std::map<std::string, std::string> all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.path(folder))) {
    const std::string name = entry.path().lexically_relative(dir.path(folder)).string();
    if (name.find("j.db") != std::string::npos) continue;
    all[name] = entry.is_regular_file() ? dir.read((folder.empty() ? "" : folder + "/") + name) : "-";
  }
  return all;
}

/// Output that is long, kept as a file and by the step itself; values of every size; a sub-workflow; failures.
constexpr const char* kEverything = R"(input: { text: { default: "x" } }
steps:
  long: { shell: "seq 300000; echo said >&2" }
  kept: { shell: 'seq 200000 > "$FLOWRUN_OUTPUT"', capture: file }
  own: { shell: 'mkdir -p "$FLOWRUN_RUN_DIR/a/b"; echo 1 > "$FLOWRUN_RUN_DIR/a/b/c d"; cp /bin/true "$FLOWRUN_RUN_DIR/tool"' }
  large: { shell: "head -c 1500000 /dev/zero | tr '\\0' x", max_output: 4MB }
  each: { for_each: "${ [range(30)] }", do: { shell: 'test $FLOWRUN_INDEX -ne 7 && echo $FLOWRUN_INDEX' }, join: { tolerate: 3 } }
  sub: { workflow: sub.yaml }
  asked: { set: "${ $run.id + $run.dir[0:0] }" }
output: { text: "${ $steps.large[0:20000] }", all: "${ $steps.each }", id: "${ $steps.asked }" }
)";

/// The same in a few kilobytes, for tests that do it often.
constexpr const char* kLittle = R"(input: { text: { default: "x" } }
steps:
  long: { shell: "seq 30; echo said >&2" }
  own: { shell: 'mkdir -p "$FLOWRUN_RUN_DIR/a/b"; echo 1 > "$FLOWRUN_RUN_DIR/a/b/c d"' }
  each: { for_each: "${ [range(4)] }", do: { shell: 'test $FLOWRUN_INDEX -ne 2 && echo $FLOWRUN_INDEX' }, join: { tolerate: 3 } }
  sub: { workflow: sub.yaml }
output: { all: "${ $steps.each }" }
)";

inline std::string everything(const Computer& machine, const std::string& id, const char* workflow = kEverything) {
  machine.write("sub.yaml", "steps: { in: { shell: 'echo inside' } }\noutput: ${ $steps.in }\n");
  const Ran ran = machine.call({"run", machine.write("all.yaml", workflow), "--id", id, "-q"});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  const std::string file = machine.dir.path("work/" + id + ".flowrun");
  const Ran exported = machine.call({"export", id, "-o", file});
  INFO(exported.err);
  REQUIRE(exported.code == 0);
  return file;
}

}  // namespace flowrun::test
