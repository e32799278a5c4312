// flowrun report and --report: a run as a file that other programs read.
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "cli/report/critical_path.h"
#include "engine/model/json_text.h"
#include "engine/model/value.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::report_test {
namespace {

/// What Jenkins' schema of JUnit files (junit-10.xsd of its xunit plugin) says of the elements that we write: their
/// attributes, those that must be there, and what may stand in them.
struct Element {
  std::set<std::string> attributes, required, children;
  bool text = false;
};
const std::map<std::string, Element> kJUnit = {
    {"testsuites", {{"name", "time", "tests", "failures", "errors"}, {}, {"testsuite"}}},
    {"testsuite",
     {{"name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname", "id", "package",
       "file", "log", "url"},
      {"name", "tests", "failures", "errors"},
      {"testsuite", "properties", "testcase", "system-out", "system-err"}}},
    {"properties", {{}, {}, {"property"}}},
    {"property", {{"name", "value"}, {"name", "value"}, {}}},
    {"testcase",
     {{"name", "time", "classname", "group"},
      {"name"},
      {"skipped", "error", "failure", "rerunFailure", "rerunError", "flakyFailure", "flakyError", "system-out",
       "system-err"}}},
    {"skipped", {{"type", "message"}, {}, {}, true}},
    {"error", {{"type", "message"}, {}, {}, true}},
    {"failure", {{"type", "message"}, {}, {}, true}},
    {"flakyFailure", {{"type", "message"}, {"type"}, {}, true}},
};

/// What is wrong with |xml| by that table; empty: nothing. Counts elements by their names.
std::string wrong_in(const std::string& xml, std::map<std::string, int>& counts) {
  if (!is_utf8(xml)) return "it is no UTF-8";
  for (const char c : xml)
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n') return fmt::format("byte {:02x}", c);
  std::vector<std::string> open;
  const std::string head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  if (!xml.starts_with(head)) return "no head";
  for (std::size_t at = head.size(); at < xml.size();) {
    const std::size_t tag = xml.find('<', at);
    const std::string text = xml.substr(at, tag == std::string::npos ? tag : tag - at);
    const bool blank = text.find_first_not_of(" \n") == std::string::npos;
    if (!blank && (open.empty() || !kJUnit.at(open.back()).text)) return "text in " + (open.empty() ? "" : open.back());
    for (std::size_t amp = text.find('&'); amp != std::string::npos; amp = text.find('&', amp + 1))
      if (!std::regex_search(text.substr(amp, 8), std::regex("^&(amp|lt|gt|quot|#[0-9]+);"))) return "a bare &";
    if (tag == std::string::npos) break;
    const std::size_t end = xml.find('>', tag);
    if (end == std::string::npos) return "a tag without an end";
    std::string inside = xml.substr(tag + 1, end - tag - 1);
    at = end + 1;
    if (inside[0] == '/') {
      if (open.empty() || open.back() != inside.substr(1)) return "closes " + inside;
      open.pop_back();
      continue;
    }
    const bool closed = inside.back() == '/';
    if (closed) inside.pop_back();
    const std::string name = inside.substr(0, inside.find(' '));
    const auto known = kJUnit.find(name);
    if (known == kJUnit.end()) return "element " + name;
    if (!open.empty() && kJUnit.at(open.back()).children.count(name) == 0) return name + " in " + open.back();
    ++counts[name];
    std::set<std::string> missing = known->second.required;
    static const std::regex attribute(" ([a-z]+)=\"([^\"<]*)\"");
    std::size_t used = name.size();
    for (std::sregex_iterator one(inside.begin(), inside.end(), attribute), last; one != last; ++one) {
      if (known->second.attributes.count((*one)[1]) == 0) return name + " has " + (*one)[1].str();
      if ((*one)[1] == "time" && !std::regex_match((*one)[2].str(), std::regex("[0-9]+\\.[0-9]{3}"))) return "time";
      missing.erase((*one)[1]);
      used += static_cast<std::size_t>(one->length());
    }
    if (used != inside.size()) return "what is in " + inside;
    if (!missing.empty()) return name + " without " + *missing.begin();
    if (!closed) open.push_back(name);
  }
  return open.empty() ? "" : "open: " + open.back();
}

const char* kWorkflow = R"(flowrun: 1
name: deploy
steps:
  build: { shell: "echo built" }
  flaky:
    shell: '[ -e tried ] || { touch tried; exit 7; }'
    retry: { attempts: 3, delay: 10ms }
  mails:
    for_each: [a, b, c]
    key: ${ $item }
    join: best_effort
    do:
      shell: '[ "$X" != b ] || { printf "no \033[31m<such> & \"thing\"\n\001" >&2; exit 3; }'
      env: { X: "${ $item }" }
  bad: { shell: "echo '</failure> ]]> & ``` | *bold*' >&2; exit 1", needs: build }
  after: { exec: [echo, never], needs: bad }
  left: { exec: [echo, x], if: "${ false }" }
)";

struct Stage {
  TempDir dir;
  std::string journal = dir.path("j.db");
  Ran run(std::vector<std::string> more = {}) {
    std::vector<std::string> args = {"run", dir.write("w.yaml", kWorkflow), "--id", "r", "-k"};
    args.insert(args.end(), more.begin(), more.end());
    HowToRun how;
    how.cwd = dir.path();
    return flowrun(journal, args, how);
  }
  std::string report(const std::string& format) {
    HowToRun how;
    how.cwd = dir.path();
    const Ran ran = flowrun(journal, {"report", "r", "--format", format}, how);
    CHECK(ran.code == 0);
    return ran.out;
  }
};

/// Times and the folder of the test as they are in each run.
std::string steady(std::string text, const std::string& folder) {
  for (std::size_t at; (at = text.find(folder)) != std::string::npos;) text.replace(at, folder.size(), "DIR");
  text = std::regex_replace(text, std::regex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z?"), "TIME");
  text = std::regex_replace(text, std::regex("[0-9]+\\.[0-9]+s"), "0.00s");
  text = std::regex_replace(text, std::regex("time=\"[0-9.]+\""), "time=\"0\"");
  return std::regex_replace(text, std::regex("[0-9]{13}"), "MS");
}

}  // namespace

TEST_CASE("a JUnit report is what Jenkins' schema says, and counts what it holds", "[report][golden]") {
  Stage stage;
  CHECK(stage.run({"--report", "junit:" + stage.dir.path("at-the-end.xml")}).code == 1);
  const std::string xml = stage.report("junit");
  CHECK(stage.dir.read("at-the-end.xml") == xml);
  std::map<std::string, int> counts;
  CHECK(wrong_in(xml, counts) == "");
  CHECK(counts["testcase"] == 8);
  CHECK(counts["failure"] == 1);
  CHECK(counts["flakyFailure"] == 1);
  CHECK(counts["skipped"] == 3);
  CHECK(xml.find(fmt::format("tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\"", counts["testcase"],
                             counts["failure"], counts["skipped"])) != std::string::npos);
  check_golden("report/junit.xml", steady(xml, stage.dir.path()));
}

TEST_CASE("a run that fails without a step that did has an error in its JUnit report", "[report]") {
  TempDir dir;
  const std::string file = dir.write("w.yaml", "flowrun: 1\nsteps: { a: { set: 1 } }\noutput: ${ error(\"no\") }\n");
  CHECK(flowrun(dir.path("j.db"), {"run", file, "--report", "junit:" + dir.path("r.xml")}).code == 1);
  std::map<std::string, int> counts;
  CHECK(wrong_in(dir.read("r.xml"), counts) == "");
  CHECK(counts["error"] == 1);
}

TEST_CASE("a JUnit report counts what is to blame once, and is green when the run is", "[report]") {
  const std::string group = "{ parallel: { a: { exec: ['false'] }, b: { exec: ['true'] } } }";
  const std::string deep = "{ parallel: { g: " + group + ", c: { exec: ['true'] } } }";
  const std::vector<std::pair<std::string, std::vector<int>>> cases = {
      // exit code, tests, failures, skipped
      {"{ g: " + group + " }", {1, 2, 1, 0}},
      {"{ top: " + deep + " }", {1, 3, 1, 0}},
      {"{ x: { exec: ['false'], continue_on_error: true }, y: { exec: ['true'] } }", {0, 2, 0, 1}},
      {"{ m: { for_each: [1, 2], key: '${ $item }', do: { shell: exit $FLOWRUN_ITEM }, join: best_effort } }",
       {0, 2, 0, 2}},
      {"{ m: { for_each: [1], key: '${ $item }', do: { p: { exec: ['false'] }, q: { exec: ['true'] } } } }",
       {1, 2, 1, 0}},
      // What was tolerated is not to blame for what was not.
      {"{ x: { exec: ['false'], continue_on_error: true }, y: { exec: ['false'] } }", {1, 2, 1, 1}},
      {"{ g: { parallel: { a: { exec: ['false'] }, b: { exec: ['true'] } }, join: best_effort }, y: { exec: ['false'] "
       "} }",
       {1, 3, 1, 1}},
      // A group that fails by itself.
      {"{ g: { parallel: { a: { exec: ['true'] } }, output: '${ error(\"no\") }' } }", {1, 2, 1, 0}},
  };
  for (const auto& [steps, wanted] : cases) {
    TempDir dir;
    const Ran ran = flowrun(dir.path("j.db"),
                            {"run", dir.write("w.yaml", "flowrun: 1\nsteps: " + steps), "-k", "--report", "junit:-"});
    CAPTURE(steps, ran.out);
    std::map<std::string, int> counts;
    CHECK(wrong_in(ran.out, counts) == "");
    CHECK(std::vector<int>{ran.code, counts["testcase"], counts["failure"], counts["skipped"]} == wanted);
    CHECK(counts["error"] == 0);
  }
}

TEST_CASE("a summary in Markdown says what failed and keeps its data in its place", "[report][golden]") {
  Stage stage;
  stage.dir.write("summary.md", "before\n");
  stage.run({"--summary", stage.dir.path("summary.md")});
  const std::string text = stage.report("markdown");
  CHECK(stage.dir.read("summary.md") == "before\n" + text);
  CHECK(text.find("### bad") != std::string::npos);
  CHECK(text.find("````text\n| </failure> ]]> & ``` | *bold*\n````") != std::string::npos);
  CHECK(text.find("flowrun retry r") != std::string::npos);
}

TEST_CASE("a name in a summary is shown as it is, whatever it is made of", "[report]") {
  TempDir dir;
  for (const char* name : {"a_b*c.yaml", "a`b.yaml", "a``b[1]<&>.yaml", "`a.yaml"}) {
    const std::string file = dir.write(name, "flowrun: 1\nsteps: { a: { set: 1 } }\n");
    const std::string text = flowrun(dir.path("j.db"), {"run", file, "--summary", "-"}).out;
    CAPTURE(text);
    // As CommonMark reads a code span: up to the next row of as many backticks.
    const std::size_t at = text.find(" of `") + 4, end = text.find(", started");
    const std::size_t fence = text.find_first_not_of('`', at) - at;
    const std::string inside = text.substr(at + fence, end - at - 2 * fence);
    CHECK(text.substr(end - fence, fence) == std::string(fence, '`'));
    CHECK(inside == file);
    CHECK((" " + inside + " ").find(std::string(fence, '`')) == std::string::npos);
  }
}

TEST_CASE("charts have a bar for each step, and for each attempt", "[report]") {
  Stage stage;
  stage.run();
  const std::string gantt = stage.report("mermaid");
  CHECK(gantt.starts_with("gantt\n"));
  for (const char* line : {"  build :done, ", "  bad :crit, ", "  section mails\n", "  mails[b] :crit, "})
    CHECK(gantt.find(line) != std::string::npos);
  const std::string perfetto = stage.report("perfetto");
  const Json trace = Json::parse(perfetto);
  std::map<std::string, int> attempts;
  std::map<int, std::int64_t> busy_until;
  for (const Json& event : trace["traceEvents"]) {
    if (event["ph"] != "X") continue;
    ++attempts[event["name"]];
    // Bars of one track do not overlap.
    std::int64_t& until = busy_until[event["tid"]];
    CHECK(event["ts"].get<std::int64_t>() >= until);
    until = event["ts"].get<std::int64_t>() + event["dur"].get<std::int64_t>();
  }
  CHECK(attempts["flaky"] == 2);
  CHECK(attempts["mails[a]"] == 1);
  CHECK(attempts.count("after") == 0);
  CHECK(busy_until.size() <= 8);
}

TEST_CASE("a gantt chart has no bar for what did not run, and no name that is a word of Mermaid", "[report]") {
  TempDir dir;
  const std::string journal = dir.path("j.db");
  std::string steps;
  for (const char* word : {"title", "section", "click", "gantt", "dateformat", "excludes", "acctitle", "weekday"})
    steps += fmt::format("  {}: {{ exec: ['true'] }}\n", word);
  steps += "  m: { for_each: ['a:b', 'c;d', '#e'], key: '${ $item }', do: { exec: ['true'] } }\n";
  steps += "  bad: { exec: ['false'] }\n  never: { exec: ['true'], needs: bad }\n";
  steps += "  left: { exec: ['true'], if: '${ false }' }\n";
  steps += "  r: { race: { fast: { exec: ['true'] }, slow: { shell: sleep 9 } } }\n";
  flowrun(journal, {"run", dir.write("w.yaml", "flowrun: 1\nsteps:\n" + steps), "-k", "--id", "2026-11"});
  std::istringstream lines(flowrun(journal, {"report", "--format", "mermaid"}).out);
  std::map<std::string, std::string> bars;
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    static const std::regex head("gantt|  (title|section|dateFormat|axisFormat) [^#;]+");
    static const std::regex bar("  ([^:#;]+) :((done|crit|active), )?[0-9]{13}, [0-9]{13}");
    static const std::regex word("(gantt|title|section|click|dateformat|excludes|acctitle|weekday)\\b.*",
                                 std::regex::icase);
    std::smatch found;
    if (line.find(" :") == std::string::npos) {
      CHECK(std::regex_match(line, head));
    } else {
      REQUIRE(std::regex_match(line, found, bar));
      bars[found[1]] = found[3];
      CHECK_FALSE(std::regex_match(found[1].str(), word));
    }
  }
  CHECK(bars["step title"] == "done");
  CHECK(bars["m[a_b]"] == "done");
  CHECK(bars["bad"] == "crit");
  CHECK(bars.count("r/slow") == 1);
  CHECK(bars["r/slow"].empty());
  for (const char* not_run : {"never", "left"}) CHECK(bars.count(not_run) == 0);
}

TEST_CASE("a report of a run that still goes on says so, one of a run that was cut off how it goes on", "[report]") {
  TempDir dir;
  const std::string journal = dir.path("j.db");
  const std::string file = dir.write("w.yaml", "flowrun: 1\nsteps: { s: { shell: sleep 60 } }\n");
  Background driver({FLOWRUN_BINARY, "run", file, "--id", "r", "--journal", journal});
  while (driver.err().find("start     s") == std::string::npos && driver.running()) usleep(5000);
  usleep(1'500'000);  // longer than the heart of a drive beats
  const auto report = [&](const char* format) { return flowrun(journal, {"report", "r", "--format", format}).out; };
  const std::string going = report("markdown");
  CHECK(going.find("running in ") != std::string::npos);
  CHECK(going.find("flowrun resume") == std::string::npos);
  CHECK(report("html").find("flowrun resume r") == std::string::npos);
  {
    const Journal opened(journal, Journal::Mode::ReadOnly);
    const cli::PastRun run = cli::past_run(opened, opened.find("r"));
    CHECK(run.until - run.record.started_at >= Duration{1500});
  }
  driver.signal(SIGKILL);
  driver.wait();
  const std::string cut_off = report("markdown");
  CHECK(cut_off.find("cut off in ") != std::string::npos);
  CHECK(cut_off.find("Go on: `flowrun resume r") != std::string::npos);
  CHECK(report("html").find("flowrun resume r") != std::string::npos);
  CHECK(report("junit").find("name=\"state\" value=\"cut off\"") != std::string::npos);
}

TEST_CASE("a report is written whole or not at all, and replaces nothing that is no file", "[report]") {
  Stage stage;
  stage.run();
  const auto report = [&](const std::string& file) {
    return flowrun(stage.journal, {"report", "r", "--format", "junit", "-o", file});
  };
  namespace fs = std::filesystem;
  stage.dir.write("there.xml", "old");
  chmod(stage.dir.path("there.xml").c_str(), 0640);
  fs::create_symlink("there.xml", stage.dir.path("link.xml"));
  CHECK(report(stage.dir.path("link.xml")).code == 0);
  CHECK(fs::is_symlink(stage.dir.path("link.xml")));
  CHECK(stage.dir.read("there.xml").starts_with("<?xml"));
  CHECK((fs::status(stage.dir.path("there.xml")).permissions() & fs::perms::mask) == fs::perms(0640));
  CHECK(report("/dev/null").code == 0);
  CHECK(fs::is_character_file("/dev/null"));
  CHECK(report("/dev/full").code == 2);
  CHECK(report(stage.dir.path("no/such/folder.xml")).code == 2);
  CHECK(report(stage.dir.path()).code == 2);
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(stage.dir.path()))
    if (entry.path().string().find(".xml.") != std::string::npos) ++files;
  CHECK(files == 0);
}

TEST_CASE("a report goes through links, and does not replace what nobody may write", "[report]") {
  Stage stage;
  stage.run();
  const auto report = [&](const std::string& file) {
    return flowrun(stage.journal, {"report", "r", "--format", "junit", "-o", stage.dir.path(file)});
  };
  namespace fs = std::filesystem;
  fs::create_directory(stage.dir.path("out"));
  fs::create_symlink("second", stage.dir.path("first"));
  fs::create_symlink("out/new.xml", stage.dir.path("second"));
  CHECK(report("first").code == 0);
  CHECK(fs::is_symlink(stage.dir.path("first")));
  CHECK(stage.dir.read("out/new.xml").starts_with("<?xml"));
  fs::create_symlink("loop", stage.dir.path("loop"));
  CHECK(report("loop").code == 2);
  CHECK(fs::is_symlink(stage.dir.path("loop")));
  stage.dir.write("kept.xml", "old");
  chmod(stage.dir.path("kept.xml").c_str(), 0444);
  const Ran refused = report("kept.xml");
  CHECK(refused.code == 2);
  CHECK(refused.err.find("kept.xml can not be written: Permission denied") != std::string::npos);
  CHECK(stage.dir.read("kept.xml") == "old");
}

TEST_CASE("what drives writes its reports also when nothing is left to be driven", "[report]") {
  TempDir dir;
  const std::string journal = dir.path("j.db");
  const std::string good = dir.write("good.yaml", "flowrun: 1\nsteps: { a: { set: 1 } }\noutput: 7\n"),
                    bad = dir.write("bad.yaml", "flowrun: 1\nsteps: { a: { exec: [\"false\"] } }\n");
  REQUIRE(flowrun(journal, {"run", good, "--id", "good"}).code == 0);
  REQUIRE(flowrun(journal, {"run", bad, "--id", "bad"}).code == 1);
  struct Case {
    std::vector<std::string> words;
    int code;
    const char* out;
  };
  const std::vector<Case> cases = {
      {{"run", good, "--id", "good"}, 0, "7\n"},
      {{"resume", "good"}, 0, "7\n"},
      {{"resume", "bad"}, 1, ""},
      {{"retry", "good"}, 0, "7\n"},
      {{"undo", "good"}, 0, ""},
  };
  for (const Case& one : cases) {
    CAPTURE(one.words);
    const auto with = [&](std::vector<std::string> more) {
      std::vector<std::string> words = one.words;
      words.insert(words.end(), more.begin(), more.end());
      return flowrun(journal, words);
    };
    const Ran ran = with({"--report", "junit:" + dir.path("r.xml"), "--summary", dir.path("s.md")});
    CHECK(ran.code == one.code);
    CHECK(ran.out == one.out);
    CHECK(dir.read("r.xml").starts_with("<?xml"));
    CHECK(dir.read("s.md").starts_with("## "));
    for (const char* file : {"r.xml", "s.md"}) std::filesystem::remove(dir.path(file));
    // Standard output is the report's then.
    CHECK(with({"--report", "junit:-"}).out.starts_with("<?xml"));
    CHECK(with({"--report", "junit:/dev/full"}).code == (one.code == 0 ? 74 : one.code));
    CHECK(with({"--report", "none:x"}).code == 2);
    CHECK(with({"--grace", "soon"}).code == 2);
  }
}

TEST_CASE("a report at `-` is what standard output gets, and only one can", "[report]") {
  TempDir dir;
  const std::string journal = dir.path("j.db");
  const std::string file = dir.write("w.yaml", "flowrun: 1\nsteps: { a: { set: 1 } }\noutput: 7\n");
  HowToRun how;
  how.cwd = dir.path();
  const Ran ran = flowrun(journal, {"run", file, "--report", "mermaid:-"}, how);
  CHECK(ran.code == 0);
  CHECK(ran.out.starts_with("gantt\n"));
  CHECK(ran.out.find("\n7\n") == std::string::npos);
  CHECK(flowrun(journal, {"run", file, "--summary", "-"}, how).out.starts_with("## "));
  CHECK_FALSE(std::filesystem::exists(dir.path("-")));
  const std::vector<std::vector<std::string>> writers = {
      {"--json"}, {"--events", "-"}, {"--report", "junit:-"}, {"--summary", "-"}};
  for (const auto& one : writers)
    for (const auto& other : writers) {
      if (&one >= &other) continue;
      std::vector<std::string> words = {"run", file};
      for (const auto& more : {one, other}) words.insert(words.end(), more.begin(), more.end());
      CAPTURE(words);
      const Ran both = flowrun(journal, words, how);
      CHECK(both.code == 2);
      CHECK(both.err.find("both write to standard output; choose one") != std::string::npos);
    }
  how.close_stdout = true;
  const Ran full = flowrun(journal, {"run", file, "--report", "mermaid:-"}, how);
  CHECK(full.code == 74);
  CHECK(full.err.find("warning: the report is not written: standard output") != std::string::npos);
}

TEST_CASE("a summary that only the environment names is no reason to fail", "[report]") {
  TempDir dir;
  const std::string journal = dir.path("j.db");
  const std::string file = dir.write("w.yaml", "flowrun: 1\nsteps: { a: { set: 1 } }\n");
  HowToRun how;
  how.env["GITHUB_STEP_SUMMARY"] = dir.path("no/such/folder.md");
  const Ran ran = flowrun(journal, {"run", file, "--id", "r"}, how);
  CHECK(ran.code == 0);
  CHECK(ran.err.find("warning: the report is not written: ") != std::string::npos);
  CHECK(flowrun(journal, {"run", file, "--id", "r"}, how).code == 0);
  // One that an option names was asked for, and then the other is not.
  CHECK(flowrun(journal, {"run", file, "--summary", dir.path("s.md")}, how).code == 0);
  CHECK(dir.read("s.md").find("succeeded") != std::string::npos);
  CHECK(flowrun(journal, {"run", file, "--summary", "/dev/full"}, how).code == 74);
}

TEST_CASE("a report that can not be written is told, and the run has its end all the same", "[report]") {
  TempDir dir;
  const std::string file = dir.write("w.yaml", "flowrun: 1\nsteps: { a: { set: 1 } }\n");
  const Ran ran = flowrun(dir.path("j.db"), {"run", file, "--report", "junit:/dev/full"});
  CHECK(ran.code == 74);
  CHECK(ran.err.find("the report is not written: /dev/full can not be written") != std::string::npos);
  CHECK(flowrun(dir.path("j.db"), {"list"}).out.find("succeeded") != std::string::npos);
  for (const char* wrong : {"junit", "junit:", ":x", "html5:x"}) {
    const Ran refused = flowrun(dir.path("j.db"), {"run", file, "--report", wrong});
    CHECK(refused.code == 2);
    CHECK(refused.err.find(" junit:FILE") != std::string::npos);
  }
}

TEST_CASE("the critical path of a run is the chain that its time was made of", "[report]") {
  struct Case {
    const char* steps;
    std::vector<std::string> chain;
  };
  const std::vector<Case> cases = {
      // By edges, past what was faster, and into groups.
      {R"({ a: { shell: sleep 0.05 }, b: { shell: sleep 0.3 }, c: { shell: sleep 0.1, needs: [a, b] },
            d: { exec: ["true"], needs: a } })",
       {"b", "c"}},
      {R"({ g: { parallel: { x: { shell: sleep 0.2 }, y: { exec: ["true"] } } }, z: { shell: sleep 0.1, needs: g } })",
       {"g/x", "z"}},
      // A sleep costs time; what is set or skipped costs none and is passed through.
      {R"({ a: { shell: sleep 0.1 }, n: { sleep: 200ms, needs: a }, z: { shell: sleep 0.1, needs: n } })",
       {"a", "n", "z"}},
      {R"({ a: { shell: sleep 0.1 }, s: { set: '${ $steps.a }' }, k: { exec: ["true"], if: '${ $steps.s == 1 }' },
            z: { shell: sleep 0.1, needs: k } })",
       {"a", "z"}},
      // What a step falls back to is part of it; what is done at the end follows what ended last.
      {R"({ a: { shell: sleep 0.1; exit 1, fallback: { shell: sleep 0.1 } }, b: { shell: sleep 0.1, needs: a } })",
       {"a", "b"}},
      {"{ a: { shell: sleep 0.1 }, b: { exec: ['true'] } }\nfinally: { z: { shell: sleep 0.1 } }", {"a", "finally/z"}},
      // By slots: with one at a time each item waits for the one before.
      {R"({ first: { shell: sleep 0.1 },
            m: { for_each: [1, 2, 3], key: '${ $item }', concurrency: 1, do: { shell: sleep 0.1 }, needs: first } })",
       {"first", "m[1]", "m[2]", "m[3]"}},
      // Steps of an item follow each other within it.
      {R"({ m: { for_each: [1], key: '${ $item }', do: { p: { shell: sleep 0.1 }, q: { shell: sleep 0.1, needs: p } } } })",
       {"m[1]/p", "m[1]/q"}},
  };
  for (const Case& one : cases) {
    TempDir dir;
    const std::string journal = dir.path("j.db");
    REQUIRE(flowrun(journal, {"run", dir.write("w.yaml", std::string("flowrun: 1\nsteps: ") + one.steps), "-j", "8"})
                .code == 0);
    const Journal opened(journal, Journal::Mode::ReadOnly);
    const cli::PastRun run = cli::past_run(opened, opened.find("@last"));
    std::vector<std::string> chain;
    Duration sum{0};
    for (const cli::CriticalStep& step : cli::critical_path(run)) {
      chain.push_back(step.path);
      sum += step.waited + (step.ended - step.began);
    }
    CAPTURE(one.steps);
    CHECK(chain == one.chain);
    // Nothing of the time is left over but what followed the last of them.
    const Duration all = run.until - run.record.started_at;
    CHECK(sum <= all + Duration{10});
    CHECK(sum >= all - Duration{500});
  }
}

}  // namespace flowrun::test::report_test
