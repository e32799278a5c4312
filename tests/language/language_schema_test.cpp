// The JSON Schema for editors says what the parser says: on the workflows of the project, and on each of them with one
// thing changed.
#include "engine/language/language_schema.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <vector>

#include "engine/language/keys.h"
#include "engine/run/load.h"
#include "engine/yaml/node.h"
#include "tests/support/catch.h"
#include "tests/support/draft7.h"

namespace flowrun::test::language_schema_test {
namespace {

/// The schema, made once.
class Editor {
 public:
  bool takes(const Json& workflow) const { return satisfies(json_, workflow, json_); }
  const Json& json() const { return json_; }

 private:
  Json json_ = language_schema();
};

Editor& editor() {
  static Editor only;
  return only;
}

const std::filesystem::path kRoot = FLOWRUN_SOURCE_DIR;

std::vector<std::filesystem::path> yaml_files(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(kRoot / folder))
    if (entry.path().extension() == ".yaml" && entry.path().stem().extension() != ".test")
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::optional<Json> as_json(const std::string& text) {
  Diagnostics diagnostics({"w.yaml", text});
  std::optional<Node> node = read_yaml(diagnostics);
  if (!node || !diagnostics.ok()) return std::nullopt;
  return node->json();
}

Json workflow(const std::string& text) { return as_json("flowrun: 1\n" + text).value(); }

/// Codes of what is wrong with |text|, by the parser.
std::set<std::string> codes_of(const std::string& text) {
  Diagnostics diagnostics({(kRoot / "workflows/changed.yaml").string(), text});
  load(diagnostics.source().name, diagnostics);
  std::set<std::string> codes;
  for (const Diagnostic& finding : diagnostics.all())
    if (finding.severity == Diagnostic::Severity::Error) codes.insert(finding.code);
  return codes;
}

/// What a schema can say: keys, kinds and types. Not: what names and expressions mean, and what is said twice.
bool schema_can_say(const std::string& code) {
  return code == "E100" || code == "E101" || code == "E102" || code == "E103" || code == "E104" || code == "E109" ||
         code == "E110";
}

/// All places in |json|, as pointers.
void places(const Json& json, const Json::json_pointer& at, std::vector<Json::json_pointer>& all) {
  all.push_back(at);
  if (json.is_object())
    for (const auto& [key, value] : json.items()) places(value, at / key, all);
  if (json.is_array())
    for (std::size_t i = 0; i < json.size(); ++i) places(json[i], at / i, all);
}

}  // namespace

TEST_CASE("the schema takes every workflow of the project", "[schema]") {
  for (const std::filesystem::path& file : yaml_files("workflows")) {
    INFO(file.filename().string());
    CHECK(editor().takes(as_json(read_file(file.string())).value()));
  }
}

TEST_CASE("the schema refuses what the bad workflows do wrong, where a schema can say it", "[schema]") {
  std::size_t refused = 0;
  for (const std::filesystem::path& file : yaml_files("tests/validate/bad")) {
    std::string text = read_file(file.string());
    std::string code = text.substr(2, text.find('\n') - 2);
    std::optional<Json> json = as_json(text);
    if (!json || !schema_can_say(code)) continue;
    INFO(file.filename().string() << " " << code);
    CHECK_FALSE(editor().takes(*json));
    ++refused;
  }
  CHECK(refused > 12);
}

TEST_CASE("the schema refuses keys, types and kinds that are none", "[schema]") {
  auto refuses = [](const std::string& steps) {
    INFO(steps);
    CHECK_FALSE(editor().takes(workflow("steps: " + steps)));
  };
  CHECK(editor().takes(workflow("steps: { a: { shell: make, x-note: 1 }, x-b: 7 }")));
  CHECK(editor().takes(workflow("steps: [{ id: a, shell: make }, { http: 'POST https://x.example', json: 1 }]")));
  CHECK(editor().takes(workflow("steps: { exec: [make, 7], timeout: 1h30m, retry: none }")));
  refuses("{ a: { shell: make, retires: 3 } }");
  refuses("{ a: { shell: make, retry: 3 } }");
  refuses("{ a: { shell: make, retry: { tries: 3 } } }");
  refuses("{ a: { shell: make, timeout: 30 } }");
  refuses("{ a: { shell: make, timeout: soon } }");
  refuses("{ a: { shell: make, capture: csv } }");
  refuses("{ a: { shell: make, headers: {} } }");
  refuses("{ a: { http: 'https://x.example', env: {} } }");
  refuses("{ a: { http: 'https://x.example', expect: 7 } }");
  refuses("{ a: { http: 'FETCH https://x.example' } }");
  refuses("{ a: { http: 'POST https://x.example', json: 1, text: x } }");
  refuses("{ a: { shell: make, exec: [make] } }");
  refuses("{ a: { name: nothing to do } }");
  refuses("{ a: { for_each: [1] } }");
  refuses("{ a: { parallel: { b: { shell: b } }, join: most } }");
  refuses("{ a: { parallel: { b: { shell: b } }, join: { quorum: 1, at_least: 1 } } }");
  refuses("{ a: { parallel: [{ shell: b }] } }");
  refuses("{ a: { switch: [{ if: true }] } }");
  refuses("{ a: { id: b, shell: make } }");
  refuses("[{ shell: make, needs: [a] }]");
  refuses("{ shell: make, needs: [a] }");
  refuses("{ Build: { shell: make } }");
  refuses("{ shell: { shell: make } }");
  refuses("{}");
  refuses("[]");
  CHECK_FALSE(editor().takes(workflow("step: {}")));
  CHECK_FALSE(editor().takes(workflow("steps: { a: { set: 1 } }\ndefaults: { shell: { headers: {} } }")));
  CHECK_FALSE(editor().takes(workflow("steps: { a: { set: 1 } }\ninput: { n: { typ: string } }")));
  CHECK_FALSE(editor().takes(Json{{"flowrun", 2}, {"steps", {{"a", {{"set", 1}}}}}}));
}

TEST_CASE("all keys are in the schema, with what they mean", "[schema]") {
  const Json& schema = editor().json();
  const Json& step = schema["definitions"]["step"]["properties"];
  for (const Key& key : step_keys()) {
    INFO(key.name);
    REQUIRE(step.contains(key.name));
    CHECK(step[key.name]["description"].get<std::string>().rfind(key.doc, 0) == 0);
  }
  for (const Key& key : top_keys()) {
    INFO(key.name);
    CHECK(schema["properties"].contains(key.name));
  }
  CHECK(schema["$schema"] == "http://json-schema.org/draft-07/schema#");
  CHECK(schema.dump().size() < 44'000);
}

/// Nearly every key of the language once.
constexpr const char* kEverything = R"(flowrun: 1
name: every-key
description: d
version: 1.2
lint_ignore: [W331]
concurrency: 8
timeout: 1h
fail_fast: drain
cwd: .
env: { A: b }
vars: { v: [1] }
limits: { one: 3, api: { max: 5, rate: 50/s } }
input:
  n: { type: integer, minimum: 1, default: 3, env: N, description: d }
  o: { type: [object, "null"], properties: { p: { type: string, minLength: 1 } }, required: [p], default: null }
  l: { type: array, items: { enum: [a, b] }, maxItems: 2, uniqueItems: true, additionalProperties: false, default: [a] }
  s: text
defaults:
  all: { timeout: 5m }
  http: { headers: { A: b }, retry: { attempts: 2 } }
  shell: { interpreter: [sh], max_output: 2MiB }
  exec: { kill_grace: 1s }
steps:
  call:
    http: POST https://x.example/a
    name: A call
    query: { q: 1 }
    headers: { H: v }
    auth: { basic: { user: u, password: p } }
    form: { f: 1 }
    expect: { status: [200, 3xx], if: "${ .body.ok }" }
    response: json
    max_response: 10MB
    follow_redirects: 3
    tls: { verify: true }
    proxy: http://p.example
    connect_timeout: 1s
    limit: api
    idle_timeout: 2s
    idempotency_key: none
    deadline: 1m
    retry: { attempts: 3, delay: 1s, backoff: 1.5, max_delay: 9s, jitter: none, on: [http.503, transient], if: true }
    on_crash: rerun
    fallback: { set: 1 }
    output: ${ .body }
  run:
    after: call
    if: ${ $status.call.ok }
    delay: 10ms
    shell: make
    env: { B: 1 }
    inherit_env: [PATH]
    cwd: /tmp
    stdin: { a: 1 }
    capture: json
    success_codes: [0, 3]
    kill_grace: 2s
    max_output: 1000
    interpreter: [bash, -c]
    continue_on_error: true
    description: d
  program: { exec: [make, 7], limit: 3, needs: [run], inherit_env: false, success_codes: 4, retry: none }
  ask: { wait: yes_or_no, prompt: Go, accept: { type: object } }
  each:
    for_each: 3
    as: n
    key: k${ $n }
    concurrency: 2
    batch: 2
    join: { tolerate: 10% }
    do: [{ id: one, set: 1 }, { fail: no }]
    collect: ${ . }
  group: { parallel: { x: { set: 1 }, y: { sleep: 1s } }, join: { at_least: 1 }, fail_fast: true }
  best: { race: { x2: { set: 1 }, y2: { set: 2 } }, join: first_completed }
  line: { sequence: [{ set: 1 }], fail_fast: false }
  way: { switch: [{ if: true, do: { set: 1 } }, { else: { only: { set: 2 } } }] }
output: { o: "${ $steps.best }" }
)";

TEST_CASE("schema and parser agree on every workflow with one thing changed", "[schema][slow]") {
  std::vector<std::pair<std::string, Json>> originals{{"every key", as_json(kEverything).value()}};
  for (const std::filesystem::path& file : yaml_files("workflows"))
    originals.emplace_back(file.filename().string(), as_json(read_file(file.string())).value());
  const std::vector<Json> others{
      nullptr,          true, 7, -1, 0.5, "text", "${ 1 }", "1s", Json::array(), Json::object(), {{"shell", "true"}},
      {{"nonsense", 1}}};
  std::size_t seen = 0, refused = 0;
  for (const auto& [name, original] : originals) {
    CHECK(editor().takes(original));
    CHECK(codes_of(original.dump()).empty());
    auto agree = [&, what = name](const Json& changed, const std::string& how) {
      ++seen;
      std::set<std::string> codes = codes_of(changed.dump());
      bool taken = editor().takes(changed);
      std::string all;
      for (const std::string& code : codes) all += " " + code;
      INFO(what << " " << how << ":" << all);
      if (std::any_of(codes.begin(), codes.end(), schema_can_say)) CHECK_FALSE(taken);
      // A default that every step replaces is not read.
      if (!taken && how.rfind("/defaults/", 0) != 0) CHECK_FALSE(codes.empty());
      refused += !taken;
    };
    std::vector<Json::json_pointer> all;
    places(original, Json::json_pointer(), all);
    for (const Json::json_pointer& at : all) {
      for (const Json& other : others) {
        Json changed = original;
        changed[at] = other;
        agree(changed, at.to_string() + " = " + other.dump());
      }
      if (original[at].is_object()) {
        Json changed = original;
        changed[at]["nonsense"] = 1;
        agree(changed, at.to_string() + " + nonsense");
      }
      if (at.empty() || !original[at.parent_pointer()].is_object()) continue;
      Json changed = original;
      changed[at.parent_pointer()].erase(at.back());
      agree(changed, "without " + at.to_string());
    }
  }
  CHECK(seen > 1000);
  CHECK(refused > seen / 4);
}

}  // namespace flowrun::test::language_schema_test
