// flowrun report and --report: a run as a file that other programs read.
#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <regex>
#include <set>

#include "cli/report/critical_path.h"
#include "engine/model/json_text.h"
#include "engine/model/value.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test {
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
    how.without = {"GITHUB_STEP_SUMMARY"};
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
  CHECK(counts["failure"] == 2);
  CHECK(counts["flakyFailure"] == 1);
  CHECK(counts["skipped"] == 2);
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

}  // namespace flowrun::test
