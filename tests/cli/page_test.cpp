// flowrun report --format html: the page holds the whole run as data, and stays what it is whatever that data says.
#include <fmt/format.h>
#include <openssl/evp.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <regex>
#include <thread>

#include "cli/report/page.h"
#include "cli/report/page_rows.h"
#include "engine/journal/journal.h"
#include "engine/model/encode.h"
#include "engine/model/json_text.h"
#include "engine/run/step_paths.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::page_test {
namespace {

const char* kWorkflow = R"(flowrun: 1
name: deploy
steps:
  build: { shell: "echo built" }
  flaky:
    shell: '[ -e tried ] || { touch tried; exit 7; }'
    retry: { attempts: 3, delay: 30ms }
  nap: { sleep: 40ms, needs: build }
  mails:
    for_each: [a, b, c]
    key: ${ $item }
    concurrency: 1
    join: best_effort
    do:
      write: { shell: "echo text" }
      send: { shell: '[ "$X" != b ] || exit 3', env: { X: "${ $item }" }, needs: write }
  pair: { race: { quick: { shell: "true" }, slow: { shell: "sleep 5" } } }
  bad: { shell: "echo it broke >&2; exit 1", needs: nap }
  after: { exec: [echo, never], needs: bad }
  left: { exec: [echo, x], if: "${ false }" }
)";

/// |text| between the first |from| and the next |to|.
std::string between(const std::string& text, const std::string& from, const std::string& to) {
  const std::size_t begin = text.find(from);
  REQUIRE(begin != std::string::npos);
  const std::size_t end = text.find(to, begin + from.size());
  REQUIRE(end != std::string::npos);
  return text.substr(begin + from.size(), end - begin - from.size());
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::string raw_data_of(const std::string& page) {
  return between(page, "<script type=\"application/json\" id=\"data\">", "</script>");
}
std::string script_of(const std::string& page) { return between(page, "<script>", "</script>"); }

struct Stage {
  TempDir dir;
  std::string journal = dir.path("j.db");

  Ran run(const std::string& workflow, std::vector<std::string> more = {}) {
    std::vector<std::string> args = {"run", dir.write("w.yaml", workflow), "--id", "r", "-k"};
    args.insert(args.end(), more.begin(), more.end());
    return call(args);
  }
  Ran call(const std::vector<std::string>& args) {
    HowToRun how;
    how.cwd = dir.path();
    return flowrun(journal, args, how);
  }
  std::string page() {
    const Ran ran = call({"report", "r", "--format", "html"});
    CHECK(ran.code == 0);
    CHECK(ran.err == "");
    return ran.out;
  }
  Json data() { return Json::parse(raw_data_of(page())); }
};

std::vector<std::string> paths_of(const Json& data) {
  std::vector<std::string> paths;
  const Json& names = data["rows"]["name"];
  for (std::size_t row = 0; row < names.size(); ++row) {
    const int parent = data["rows"]["parent"][row];
    REQUIRE(parent < static_cast<int>(row));
    paths.push_back((parent < 0 ? "" : paths[static_cast<std::size_t>(parent)]) + names[row].get<std::string>());
  }
  return paths;
}

std::size_t row_of(const Json& data, const std::string& path) {
  const std::vector<std::string> paths = paths_of(data);
  const auto found = std::find(paths.begin(), paths.end(), path);
  REQUIRE(found != paths.end());
  return static_cast<std::size_t>(found - paths.begin());
}

/// `line 3ms`, `work failed exit.7`, ... of the step at |path|, without the times.
std::vector<std::string> segments_of(const Json& data, const std::string& path) {
  const Json& flat = data["rows"]["segments"][row_of(data, path)];
  std::vector<std::string> all;
  std::int64_t until = 0;
  for (std::size_t i = 0; i < flat.size(); i += 7) {
    std::string text = data["segments"][flat[i].get<std::size_t>()];
    if (text == "line") continue;  // is there or not, by chance
    const std::string end = data["ends"][flat[i + 4].get<std::size_t>()];
    if (end != "good") text += " " + end;
    if (flat[i + 6] >= 0) text += " " + data["words"][flat[i + 6].get<std::size_t>()].get<std::string>();
    // One does not begin before the other is over.
    CHECK(flat[i + 1].get<std::int64_t>() + 2 >= until);
    until = flat[i + 1].get<std::int64_t>() + flat[i + 2].get<std::int64_t>();
    all.push_back(text);
  }
  return all;
}

}  // namespace

TEST_CASE("a page holds every step of its run with its state, at the end and after every entry", "[report][page]") {
  Stage stage;
  CHECK(stage.run(kWorkflow, {"--report", "html:" + stage.dir.path("at-the-end.html")}).code == 1);
  const std::string page = stage.page();
  CHECK(stage.dir.read("at-the-end.html") == page);
  const Json data = Json::parse(raw_data_of(page));
  const Journal journal(stage.journal, Journal::Mode::ReadOnly);
  const RunRecord run = journal.find("r");
  const std::vector<std::string> paths = paths_of(data);
  std::map<std::string, std::string> states;
  for (std::size_t row = 0; row < paths.size(); ++row)
    states[paths[row]] = data["states"][data["rows"]["state"][row].get<std::size_t>()];
  const History history = history_of(journal, run);
  for (const StepHistory& step : history.steps()) {
    CAPTURE(step.path);
    CHECK(states[step.path] == to_string(step.state));
  }
  // An item of several steps says nothing itself.
  CHECK(states["mails[a]"] == "succeeded");
  CHECK(states["mails[b]"] == "failed");

  const Json& entries = data["entries"];
  std::map<std::string, std::string> now;
  for (std::size_t i = 0; i < entries["seq"].size(); ++i) {
    if (const int row = entries["row"][i]; row >= 0)
      now[paths[static_cast<std::size_t>(row)]] = data["states"][entries["state"][i].get<std::size_t>()];
    std::map<std::string, std::string> recorded;
    const History then = history_of(journal, run, entries["seq"][i].get<std::int64_t>());
    for (const StepHistory& step : then.steps()) recorded[step.path] = to_string(step.state);
    CAPTURE(i);
    CHECK(now == recorded);
  }
}

TEST_CASE("a page tells work, waits and time in line apart", "[report][page]") {
  using Segments = std::vector<std::string>;
  Stage stage;
  stage.run(kWorkflow);
  const Json data = stage.data();
  CHECK(segments_of(data, "flaky") == Segments{"work failed exit.7", "backoff", "work"});
  CHECK(segments_of(data, "nap") == Segments{"sleep"});
  CHECK(segments_of(data, "bad") == Segments{"work failed exit.1"});
  CHECK(segments_of(data, "pair/slow").size() == 1);
  CHECK(segments_of(data, "pair/slow").front().starts_with("work given up"));
  CHECK(segments_of(data, "after").empty());
  // Also the critical path, with what each step on it costs.
  std::vector<std::string> chain;
  for (const Json& step : data["critical"]) {
    chain.push_back(paths_of(data)[step[0].get<std::size_t>()]);
    CHECK(step[2].get<std::int64_t>() >= step[1].get<std::int64_t>());
  }
  CHECK_FALSE(chain.empty());
}

TEST_CASE("time in line for a place is told", "[report][page]") {
  Stage stage;
  CHECK(stage
            .run("flowrun: 1\nsteps: { a: { shell: sleep 0.2 }, b: { shell: sleep 0.2 } }\noutput: ${ $steps.a }\n",
                 {"-j", "1"})
            .code == 0);
  const Json data = stage.data();
  std::size_t lines = 0;
  for (const Json& flat : data["rows"]["segments"])
    for (std::size_t i = 0; i < flat.size(); i += 7)
      if (data["segments"][flat[i].get<std::size_t>()] == "line" && flat[i + 2] > 150) ++lines;
  CHECK(lines == 1);
}

TEST_CASE("a page shows what a crash has cut off, and that nobody drove the run", "[report][page]") {
  Stage stage;
  const std::string file = stage.dir.write("w.yaml", R"(flowrun: 1
steps:
  a: { shell: "[ -e begun ] || { touch begun; sleep 60; }" }
  b: { wait: go }
)");
  HowToRun how;
  how.cwd = stage.dir.path();
  {
    Background driven({FLOWRUN_BINARY, "run", file, "--id", "r", "--journal", stage.journal}, how);
    while (!std::filesystem::exists(stage.dir.path("begun"))) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    // Of a run that still goes, too.
    const Json going = stage.data();
    CHECK(segments_of(going, "a") == std::vector<std::string>{"work open"});
    CHECK(segments_of(going, "b") == std::vector<std::string>{"person open"});
    CHECK(going["run"]["ended"] == false);
    driven.signal(SIGKILL);
    driven.wait();
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  Background resumed({FLOWRUN_BINARY, "resume", "r", "--journal", stage.journal}, how);
  CHECK(stage.call({"signal", "r", "go"}).code == 0);
  CHECK(resumed.wait().code == 0);
  const Json data = stage.data();
  CHECK(segments_of(data, "a") == std::vector<std::string>{"work cut off", "work"});
  CHECK(segments_of(data, "b") == std::vector<std::string>{"person"});
  REQUIRE(data["idle"].size() == 3);
  CHECK(data["idle"][1].get<int>() - data["idle"][0].get<int>() > 100);
}

TEST_CASE("nothing that a run says ends the data of its page", "[report][page]") {
  const std::vector<std::string> hostile = {"</script><script>alert(1)</script>",
                                            "<!-- <script>",
                                            "-->]]>",
                                            "line\u2028paragraph\u2029",
                                            std::string("\x01\x1b[31m\t\n\u0085"),
                                            "{{script}} {{data}} ${x} \\u003c \\",
                                            "' onload='alert(1)\" &amp; &lt;"};
  Stage stage;
  const Ran ran = stage.run(R"(flowrun: 1
input: { x: { type: array } }
steps:
  kept: { set: "${ $input.x }" }
  each: { for_each: "${ $input.x }", key: "${ $item }", do: { exec: [printf, "%s", "${ $item }"] } }
  fails: { fail: "${ $input.x[0] + $input.x[3] }" }
  waits: { wait: go, prompt: "${ $input.x[0] }", timeout: 10ms }
  says: { exec: [sh, -c, "printf '%s' \"$1\" >&2; exit 1", "${ $input.x[0] }", "${ $input.x[0] }"] }
)",
                            {"--inputs", stage.dir.write("x.json", Json{{"x", hostile}}.dump())});
  CAPTURE(ran.err);
  REQUIRE(ran.code == 1);
  const std::string page = stage.page();
  const std::string raw = raw_data_of(page);
  for (const char* mark : {"<", "\u2028", "\u2029", "\n", "\x01", "\x1b"}) CHECK(count_of(raw, mark) == 0);
  CHECK(is_utf8(page));
  CHECK(count_of(page, "</script>") == 2);
  CHECK(count_of(page, "<script") == 2);
  CHECK(page.ends_with("</html>\n"));

  const Json data = Json::parse(raw);
  CHECK(data["run"]["id"] == "r");
  const auto detail = [&](const std::string& path, const char* what) {
    return data["details"][std::to_string(row_of(data, path))][what].get<std::string>();
  };
  CHECK(Json::parse(detail("kept", "output")) == Json(hostile));
  CHECK(Json::parse(data["run"]["input"].get<std::string>()) == Json{{"x", hostile}});
  const Journal journal(stage.journal, Journal::Mode::ReadOnly);
  std::size_t compared = 0;
  const History history = history_of(journal, journal.find("r"));
  for (const StepHistory& step : history.steps()) {
    CAPTURE(step.path);
    if (!step.output.is_null()) {
      CHECK(Json::parse(detail(step.path, "output")) == step.output.json());
      ++compared;
    }
    if (step.failure) {
      CHECK(detail(step.path, "error_message") == step.failure->message);
      CHECK(Json::parse(detail(step.path, "error")) == to_json(*step.failure));
    }
  }
  CHECK(compared >= hostile.size() + 1);
}

TEST_CASE("a page asks nobody for anything, and its policy fits what it holds", "[report][page]") {
  Stage stage;
  stage.run("flowrun: 1\nsteps: { a: { set: 1 } }\n");
  const std::string page = stage.page();
  const std::string policy = between(page, "Content-Security-Policy\" content=\"", "\"");
  const auto hash = [](const std::string& text) {
    unsigned char digest[32];
    unsigned int size = sizeof digest;
    REQUIRE(EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr) == 1);
    return base64(std::string_view(reinterpret_cast<const char*>(digest), size));
  };
  CHECK(policy == "default-src 'none'; script-src 'sha256-" + hash(script_of(page)) + "'; style-src 'sha256-" +
                      hash(between(page, "<style>", "</style>")) + "'; base-uri 'none'; form-action 'none'");
  // All of it but the data.
  const cli::Page& parts = cli::page();
  std::string text = std::string(parts.html) + std::string(parts.style);
  for (const std::string_view part : parts.script) text += part;
  static const std::regex loads(
      "(https?:|src=|href=|url\\(|@import|fetch\\(|XMLHttpRequest|WebSocket|import\\()[^\\s]*");
  for (std::sregex_iterator one(text.begin(), text.end(), loads), end; one != end; ++one) {
    CAPTURE(one->str());
    CHECK((one->str() == "http://www.w3.org/2000/svg';" || one->str().starts_with("url(#")));
  }
  for (const char* way : {"innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function(", "srcdoc",
                          "DOMParser", "javascript:", "createContextualFragment", "setHTML"})
    CHECK(count_of(text, way) == 0);
  // Compilers need not take longer literals.
  for (const std::string_view part : parts.script) CHECK(part.size() < 65'536);
}

TEST_CASE("values in a page are bounded, and what is left out is told", "[report][page]") {
  Stage stage;
  CHECK(stage
            .run("flowrun: 1\nsteps: { long: { shell: \"head -c 300000 /dev/zero | tr '\\\\0' x\" }, short: { set: "
                 "hello } }\noutput: ${ $steps.long }\n")
            .code == 0);
  const Json data = stage.data();
  const Json& detail = data["details"][std::to_string(row_of(data, "long"))];
  CHECK(detail["output"].get<std::string>().size() == 65'536);
  CHECK(detail["output_size"] == 300'002);
  CHECK(data["run"]["output_size"] == 300'002);
  CHECK(data["details"][std::to_string(row_of(data, "short"))].count("output_size") == 0);
  CHECK(raw_data_of(stage.page()).size() < 250'000);
}

TEST_CASE("of too many items a page leaves out those that went well, the last first", "[report][page]") {
  Stage stage;
  CHECK(stage
            .run("flowrun: 1\nsteps:\n  m: { for_each: [0,1,2,3,4,5,6,7,8,9], join: best_effort, key: '${ $item }', "
                 "do: { shell: '[ $X != 8 ]', env: { X: '${ $item }' } } }\n  z: { set: 1, needs: m }\n")
            .code == 0);
  const Journal journal(stage.journal, Journal::Mode::ReadOnly);
  const cli::PastRun run = cli::past_run(journal, journal.find("r"));
  for (const std::size_t most : {100, 12, 11, 7, 3, 1}) {
    CAPTURE(most);
    const cli::PageRows page = cli::page_rows(run, most);
    CHECK(page.rows.size() + page.folded == 12);
    CHECK(page.rows.size() == std::max<std::size_t>(std::min<std::size_t>(most, 12), 2));
    const auto has = [&](const std::string& path) {
      return std::any_of(page.rows.begin(), page.rows.end(), [&](const cli::PageRow& row) { return row.path == path; });
    };
    CHECK(has("m"));
    CHECK(has("z"));
    CHECK(has("m[8]") == (most >= 3));
    for (const cli::PageRow& row : page.rows)
      if (row.parent != cli::PageRow::kNone) CHECK(page.rows[row.parent].path == path_above(row.path));
  }
}

TEST_CASE("a page holds no secret", "[report][page]") {
  Stage stage;
  const std::string secret = "s3cr3t-w0rd-4711";
  const std::string file = stage.dir.write("w.yaml", R"(flowrun: 1
secrets: { token: { env: PAGE_TOKEN } }
steps:
  says: { shell: "echo $T; echo $T >&2", env: { T: "${ $secrets.token }" } }
  fails: { exec: [sh, -c, "echo $T >&2; exit 1"], env: { T: "${ $secrets.token }" } }
)");
  HowToRun how;
  how.env = {{"PAGE_TOKEN", secret}};
  const Ran ran = flowrun(stage.journal, {"run", file, "--id", "r", "-k"}, how);
  CAPTURE(ran.err);
  CHECK(ran.code == 1);
  const std::string page = stage.page();
  CHECK(count_of(page, "4711") == 0);
  CHECK(count_of(page, "***") >= 2);
}

TEST_CASE("html is the format of a file that is called so", "[report][page]") {
  Stage stage;
  stage.run("flowrun: 1\nsteps: { a: { set: 1 } }\n");
  const std::string file = stage.dir.path("x.html");
  CHECK(stage.call({"report", "r", "-o", file}).code == 0);
  CHECK(stage.dir.read("x.html") == stage.page());
  CHECK(stage.call({"report", "r", "-o", file, "--format", "mermaid"}).code == 0);
  CHECK(stage.dir.read("x.html").starts_with("gantt"));
  const Ran none = stage.call({"report", "r", "-o", stage.dir.path("x.txt")});
  CHECK(none.code == 2);
  CHECK(none.err.find("which format? say --format with one of html, junit") != std::string::npos);
}

TEST_CASE("a browser draws the page without a word of complaint", "[report][page][slow]") {
  if (run({"/bin/sh", "-c", "command -v chromium"}).code != 0) {
    WARN("skipped: there is no chromium");
    return;
  }
  Stage stage;
  stage.run(kWorkflow);
  const std::string file = stage.dir.write("page.html", stage.page());
  const auto load = [&](const std::string& part) {
    const Ran ran = test::run({"/bin/sh", "-c", "exec timeout 120 chromium \"$@\"", "sh", "--headless=new",
                               "--no-sandbox", "--disable-gpu", "--window-size=1400,2000", "--dump-dom",
                               "--user-data-dir=" + stage.dir.path("profile"), "--enable-logging=stderr",
                               "--virtual-time-budget=2000", "file://" + file + part});
    REQUIRE(ran.code == 0);
    std::string complaints;
    for (std::size_t at = ran.err.find("CONSOLE"); at != std::string::npos; at = ran.err.find("CONSOLE", at + 1))
      complaints += ran.err.substr(at, ran.err.find('\n', at) - at) + "\n";
    CHECK(complaints == "");
    CHECK(ran.out.find("data-ready=\"yes\"") != std::string::npos);
    // What is written without being told how, or is not there.
    const std::string body = ran.out.substr(0, ran.out.find("id=\"data\""));
    for (const char* slip : {"[object", ">undefined", ">null<", "NaN"}) CHECK(count_of(body, slip) == 0);
    return ran.out;
  };
  const Journal journal(stage.journal, Journal::Mode::ReadOnly);
  const RunRecord record = journal.find("r");
  // At the end, and after some entries before it: the script's fold is that of History.
  for (const std::int64_t entry : {record.last_seq, record.last_seq / 3, record.last_seq / 2, record.last_seq - 3}) {
    CAPTURE(entry);
    const std::string page = load(fmt::format("#entry={}", entry));
    std::map<std::string, std::string> states;
    static const std::regex row("role=\"treeitem\"[^>]* data-state=\"([a-z]+)\"[^>]* aria-label=\"([^\"]+), [a-z]+\"");
    for (std::sregex_iterator one(page.begin(), page.end(), row), end; one != end; ++one) states[(*one)[2]] = (*one)[1];
    const History history = history_of(journal, record, entry);
    for (const StepHistory& step : history.steps()) {
      CAPTURE(step.path);
      CHECK(states[step.path] == to_string(step.state));
    }
  }
  CHECK(load("#graph").find("<marker") != std::string::npos);
  CHECK(load("#critical&step=bad").find("it broke") != std::string::npos);
  // After the first entry, which starts the run, nothing has begun.
  CHECK(load("#entry=1").find("data-state=\"succeeded\"") == std::string::npos);
}

}  // namespace flowrun::test::page_test
