// The floors of the house: who may see whom, and what the deciding part must never touch. Reads the sources as text;
// knows nothing of what they do.
#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/house/tree.h"
#include "tests/support/catch.h"

namespace flowrun::test::floors_test {
namespace {

using Names = std::vector<std::string>;

/// Which rooms of engine/ a room may include besides itself.
const std::map<std::string, std::set<std::string>> kFloors = {
    {"model", {}},
    {"expression", {"model"}},
    {"yaml", {"model", "expression"}},
    {"language", {"model", "expression", "yaml"}},
    {"machine", {"model"}},
    {"steps", {"model", "expression", "yaml", "language", "machine"}},
    {"reader", {"model", "expression", "yaml", "language", "machine", "steps"}},
    {"lint", {"model", "expression", "yaml", "language", "machine", "steps", "reader"}},
    {"journal", {"model"}},
    {"shared", {"model"}},
    {"executor", {"model", "shared"}},
    {"memo", {"model", "journal", "executor"}},
    {"jq", {"model"}},
    {"restate", {"model", "executor"}},
    {"run",
     {"model", "expression", "yaml", "language", "machine", "steps", "reader", "lint", "journal", "shared", "executor",
      "memo", "jq", "restate"}},
    {"scenario",
     {"model", "expression", "yaml", "language", "machine", "steps", "reader", "lint", "journal", "shared", "executor",
      "memo", "jq", "restate", "run"}},
    {"explore",
     {"model", "expression", "yaml", "language", "machine", "steps", "reader", "lint", "journal", "shared", "executor",
      "memo", "jq", "restate", "run", "scenario"}},
};

/// What cli may include of the engine: its door, and the words of values, entries and journals that go through it.
const std::set<std::string> kDoor = {"run", "scenario", "explore", "model", "journal"};
/// And what it includes of other rooms until run/ has it. This list only gets shorter.
const std::set<std::string> kBesidesTheDoor = {
    "engine/executor/named_file.h",       // terminal, reports: files that output goes to
    "engine/jq/jq.h",                     // main: the child that serves jq
    "engine/language/language_schema.h",  // schema
    "engine/machine/machine.h",           // progress: what runs; version
    "engine/steps/outline.h",             // plan, show: a workflow as rows
};

/// Libraries that one room wraps for all others.
struct Wrapped {
  std::regex header;
  std::string room;
};
const std::vector<Wrapped> kWrapped = {
    {std::regex("sqlite3(ext)?\\.h"), "engine/journal"},
    {std::regex("simdjson\\.h"), "engine/model"},
    {std::regex("sys/random\\.h"), "engine/model"},
    {std::regex("curl/.*"), "engine/executor"},
    {std::regex("libfyaml.h"), "engine/yaml"},
    {std::regex("re2/.*"), "engine/expression"},
    {std::regex("(jq|jv)\\.h"), "engine/jq"},
    {std::regex("CLI/.*"), "cli"},
};

/// Headers through which a clock, a thread, chance or the world outside would get in.
const std::regex kImpureHeader(
    "thread|mutex|shared_mutex|condition_variable|atomic|future|semaphore|stop_token|random|ctime|time\\.h|fstream|"
    "iostream|filesystem|unistd\\.h|fcntl\\.h|signal\\.h|pthread\\.h|sys/.*|httplib\\.h|"
    "engine/model/random_number\\.h");
const std::regex kImpureCall(
    "::now\\(\\)|\\b(getenv|secure_getenv|random_device|clock_gettime|gettimeofday|getpid|getrandom|s?rand|setenv|"
    "uuid_generate|uuid_generate_random|uuid_generate_time)\\s*\\(|\\brandom_device\\b|\\bthread_local\\b|\\bstd::"
    "time\\b|"
    "\\benviron\\b");
/// The engine answers its caller: it neither prints nor ends the process. (A child that could not exec calls _exit.)
const std::regex kLoud(
    "\\bstd::(cout|cerr|clog)\\b|\\b(printf|puts|perror|fmt::print|std::exit)\\s*\\(|[^_\\w:.>]exit\\s*\\(");

std::string room_of(const std::string& file) {
  std::filesystem::path folder = std::filesystem::path(file).parent_path();
  return folder.begin() != folder.end() && *folder.begin() == "cli" ? "cli" : folder.string();
}

/// What is wrong with |file| (its path from the top of the repository) with content |text|.
Names complaints(const std::string& file, const std::string& text) {
  Names found;
  const std::string room = room_of(file), code = take_apart(text).code;
  const bool engine = file.rfind("engine/", 0) == 0;
  const bool pure = room == "engine/machine" || room == "engine/steps";
  auto complain = [&](const std::string& what) { found.push_back(file + ": " + what); };

  static const std::regex include("#\\s*include\\s*[<\"]([^>\"]+)[>\"]");
  for (std::sregex_iterator it(text.begin(), text.end(), include), end; it != end; ++it) {
    const std::string header = (*it)[1];
    for (const Wrapped& library : kWrapped)
      if (std::regex_match(header, library.header) && room != library.room)
        complain("includes " + header + ", which only " + library.room + " may");
    if (pure && std::regex_match(header, kImpureHeader)) complain("includes " + header + ", but it must stay pure");
    const std::string target = room_of(header);
    if (room == "cli" && header.rfind("engine/", 0) == 0 && !kBesidesTheDoor.count(header) &&
        !kDoor.count(target.substr(std::string("engine/").size())))
      complain("includes " + header + " past the door of run/");
    if (!engine) continue;
    if (header.rfind("cli/", 0) == 0) complain("climbs to " + header);
    if (header.rfind("tests/", 0) == 0 || header.rfind("workflows/", 0) == 0) complain("includes " + header);
    if (header.rfind("engine/", 0) != 0 || target == room) continue;
    auto floor = kFloors.find(room.substr(std::min(room.size(), std::string("engine/").size())));
    if (floor == kFloors.end())
      complain("is in a room that the floors do not know");
    else if (!floor->second.count(target.substr(std::string("engine/").size())))
      complain("climbs to " + header);
  }
  std::smatch call;
  if (pure && std::regex_search(code, call, kImpureCall)) complain("must stay pure, but has " + call.str());
  if (engine && std::regex_search(code, call, kLoud))
    complain("the engine does not print or exit, but has " + call.str());
  return found;
}

/// The sources below |folder|.
Names sources_below(const std::string& folder) {
  Names sources;
  for (const std::string& file : house_files())
    if (file.rfind(folder + "/", 0) == 0 && (file.ends_with(".cpp") || file.ends_with(".h"))) sources.push_back(file);
  return sources;
}

}  // namespace

TEST_CASE("no source climbs the floors of the house or sees what its room must not", "[house]") {
  Names all;
  for (const char* folder : {"engine", "cli"}) {
    const Names files = sources_below(folder);
    REQUIRE_FALSE(files.empty());
    for (const std::string& file : files) {
      const Names found = complaints(file, content_of(file));
      all.insert(all.end(), found.begin(), found.end());
    }
  }
  CHECK(all == Names{});
}

TEST_CASE("the check of the floors sees an include that climbs", "[house]") {
  CHECK(complaints("engine/model/x.h", "#include \"engine/machine/frame.h\"\n").size() == 1);
  CHECK(complaints("engine/journal/x.cpp", "#include \"engine/machine/machine.h\"\n").size() == 1);
  CHECK(complaints("engine/executor/x.cpp", "#include \"engine/journal/journal.h\"\n").size() == 1);
  CHECK(complaints("engine/language/x.cpp", "#include \"engine/steps/group.h\"\n").size() == 1);
  CHECK(complaints("engine/machine/x.cpp", "#include \"engine/language/expression.h\"\n").size() == 1);
  CHECK(complaints("engine/steps/x.cpp", "#include \"engine/run/run.h\"\n").size() == 1);
  CHECK(complaints("engine/run/run.cpp", "#include \"cli/render.h\"\n").size() == 1);
  CHECK(complaints("engine/cellar/x.cpp", "#include \"engine/model/value.h\"\n").size() == 1);
  CHECK(complaints("engine/steps/x.cpp", "#include \"engine/machine/frame.h\"\n#include \"engine/model/path.h\"\n")
            .empty());
  CHECK(complaints("engine/run/run.cpp", "#include \"engine/journal/journal.h\"\n").empty());
}

TEST_CASE("what cli includes past the door of run/ is still needed", "[house]") {
  std::string all;
  for (const std::string& file : sources_below("cli")) all += content_of(file);
  for (const std::string& header : kBesidesTheDoor) {
    INFO(header);
    CHECK(all.find("#include \"" + header + "\"") != std::string::npos);
  }
}

TEST_CASE("the check of the floors sees cli go past the door", "[house]") {
  CHECK(complaints("cli/x.cpp", "#include \"engine/steps/group.h\"\n").size() == 1);
  CHECK(complaints("cli/progress/x.cpp", "#include \"engine/executor/executor.h\"\n").size() == 1);
  CHECK(complaints("cli/x.cpp", "#include \"engine/run/control.h\"\n#include \"engine/model/entry.h\"\n").empty());
}

TEST_CASE("the check of the floors sees a library outside its room and impurity in the machine", "[house]") {
  CHECK(complaints("cli/x.cpp", "#include <sqlite3.h>\n").size() == 1);
  CHECK(complaints("cli/progress/x.cpp", "#include <CLI/App.hpp>\n").empty());
  CHECK(complaints("engine/yaml/x.cpp", "#include <libfyaml.h>\n").empty());
  CHECK(complaints("engine/steps/x.cpp", "#include <libfyaml.h>\n").size() == 1);
  CHECK(complaints("engine/machine/x.cpp", "#include <thread>\n").size() == 1);
  CHECK(complaints("engine/run/x.cpp", "#include <sys/random.h>\n").size() == 1);
  CHECK(complaints("engine/steps/x.cpp", "#include \"engine/model/random_number.h\"\n").size() == 1);
  CHECK(complaints("engine/machine/x.cpp", "auto t = std::chrono::system_clock::now();\n").size() == 1);
  CHECK(complaints("engine/steps/x.cpp", "const char* home = std::getenv(\"HOME\");\n").size() == 1);
  CHECK(complaints("engine/steps/x.cpp", "std::random_device chance;\n").size() == 1);
  CHECK(complaints("engine/journal/x.cpp", "std::cerr << 1;\n").size() == 1);
  CHECK(complaints("engine/run/load.cpp", "  exit(1);\n").size() == 1);
}

TEST_CASE("the check of the floors reads code, not comments and texts", "[house]") {
  CHECK(complaints("engine/machine/x.cpp", "// never ask system_clock::now() here\n/* getenv(\"X\") */\n").empty());
  CHECK(complaints("engine/machine/x.cpp", "auto text = \"getenv(1)\"; auto raw = R\"x(\"std::cout)x\";\n").empty());
  CHECK(complaints("engine/steps/x.cpp", "char q = '\"'; int n = 1'000; getenv(name);\n").size() == 1);
  CHECK(complaints("engine/executor/x.cpp", "_exit(127);\n").empty());
}

}  // namespace flowrun::test::floors_test
