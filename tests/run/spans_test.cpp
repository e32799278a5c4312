// The spans of a run's trace, made of the entries of scenarios and of random runs: every attempt has one, each has a
// parent that is there, and two drives tell what one would.
#include "engine/run/spans.h"
#include "engine/run/redaction.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "engine/model/entry_reading.h"
#include "engine/model/path.h"
#include "engine/run/otlp.h"
#include "tests/machine/random_play.h"
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::spans_test {
namespace {

std::vector<Span> spans_of(const std::vector<Entry>& log, const std::vector<OutlineRow>& rows, std::size_t muted = 0) {
  std::vector<Span> told;
  Spans spans(rows, [&](const Trace&, Span span) { told.push_back(std::move(span)); });
  for (std::size_t i = 0; i < log.size(); ++i) {
    Entry entry = log[i];
    entry.seq = static_cast<std::int64_t>(i) + 1;  // as the journal numbers them
    spans.mute(i < muted);
    spans.add(entry);
  }
  spans.flush();
  return told;
}

const Span::Attribute* find(const Span& span, const std::string& key) {
  for (const auto& [name, value] : span.attributes)
    if (name == key) return &value;
  return nullptr;
}

std::string text_of(const Span& span, const std::string& key) {
  const Span::Attribute* value = find(span, key);
  if (!value) return "";
  if (const auto* number = std::get_if<std::int64_t>(value)) return std::to_string(*number);
  return std::get<std::string>(*value);
}

bool is_attempt(const Span& span) { return find(span, "flowrun.attempt") != nullptr; }
bool is_run(const Span& span) { return find(span, "cicd.pipeline.result") != nullptr; }
bool is_step(const Span& span) { return !is_attempt(span) && !is_run(span); }

/// The attempts that have begun and are over, by their paths: how many spans they are to have.
std::map<std::string, int> attempts_in(const std::vector<Entry>& log) {
  std::map<std::string, int> counts;
  std::set<std::pair<std::string, int>> open;
  for (const Entry& entry : log) {
    if (entry.kind == EntryKind::StartTask) open.insert({entry.path, entry.attempt});
    const bool ended = entry.kind == EntryKind::TaskEnded || entry.kind == EntryKind::LateEnd ||
                       entry.kind == EntryKind::TaskInterrupted;
    if (ended && open.erase({entry.path, entry.attempt}) > 0) ++counts[entry.path];
    if (entry.kind == EntryKind::TaskWithdrawn) open.erase({entry.path, entry.attempt});
    if (entry.kind != EntryKind::RunResumed) continue;
    const auto fact = as<RunResumed>(entry);
    const auto is_in = [](const auto& list, const std::string& path) {
      return std::find(list.begin(), list.end(), path) != list.end();
    };
    for (auto one = open.begin(); one != open.end();) {
      if (is_in(fact.unbegun, one->first)) {
        ++one;
        continue;
      }
      if (!is_in(fact.queued, one->first)) ++counts[one->first];
      one = open.erase(one);
    }
  }
  return counts;
}

/// What is wrong with |spans|, of a run that has ended with |log|; empty: nothing.
std::string wrong_with(const std::vector<Span>& spans, const std::vector<Entry>& log) {
  std::map<std::string, const Span*> by_id;
  std::map<std::string, int> attempts;
  std::size_t runs = 0;
  for (const Span& span : spans) {
    if (span.id.size() != 16 || span.id.find_first_not_of("0123456789abcdef") != std::string::npos)
      return "an id is " + span.id;
    if (!by_id.emplace(span.id, &span).second) return "two spans have the id of " + span.name;
    if (is_run(span)) ++runs;
    if (is_attempt(span)) ++attempts[text_of(span, "flowrun.step.path")];
    if (span.name.empty()) return "a span has no name";
    if (span.to < span.from) return span.name + " ends before it begins";
  }
  for (const Span& span : spans) {
    const std::string path = text_of(span, "flowrun.step.path");
    if (span.parent.empty()) {
      if (!is_run(span)) return path + " has no parent";
      continue;
    }
    const auto parent = by_id.find(span.parent);
    if (parent == by_id.end()) return path + " has a parent that is not there";
    if (span.from < parent->second->from) return path + " begins before its parent";
    if (is_attempt(span) && text_of(*parent->second, "flowrun.step.path") != path)
      return "an attempt at " + path + " is not in its step";
    if (is_step(span) && !is_run(*parent->second) && !path.ends_with(".undo") &&
        !is_below(path, text_of(*parent->second, "flowrun.step.path")))
      return path + " is in " + text_of(*parent->second, "flowrun.step.path");
  }
  if (attempts != attempts_in(log)) {
    for (const auto& [path, count] : attempts_in(log))
      if (attempts[path] != count) return fmt::format("{} has {} attempts, not {}", path, attempts[path], count);
    return "attempts that were not";
  }
  std::size_t ended = 0;
  for (const Entry& entry : log) ended += entry.kind == EntryKind::RunEnded;
  return runs == ended ? "" : fmt::format("the run has {} spans, not {}", runs, ended);
}

std::map<std::string, int> names(const std::vector<Span>& spans) {
  std::map<std::string, int> counts;
  for (const Span& span : spans)
    if (is_step(span)) ++counts[text_of(span, "flowrun.step.path")];
  return counts;
}

const Span& step_at(const std::vector<Span>& spans, const std::string& path) {
  for (const Span& span : spans)
    if (is_step(span) && text_of(span, "flowrun.step.path") == path) return span;
  throw std::runtime_error("no span of " + path);
}

}  // namespace

TEST_CASE("every step and every attempt has its span, in the step that it stands in", "[spans]") {
  Scenario s(R"(
    one: { shell: x }
    two: { http: "GET http://ann:secret@[::1]:81/a?sig=abc&x=1", needs: one, retry: { attempts: 2, delay: 1s, jitter: none } }
    group: { parallel: { a: { shell: a }, b: { set: 1 } } }
    skipped: { shell: x, if: false }
    three: { exec: [/bin/three, 4], needs: two, fallback: { shell: other } }
  )");
  s.succeed("one");
  s.fail("two", "http.503", "no");
  s.succeed("group/a");
  s.advance(1s);
  s.succeed("two");
  s.fail("three");
  s.succeed("three.fallback");
  s.expect_success();
  const std::vector<Span> spans = spans_of(s.entries(), outline(load_text(R"(flowrun: 1
steps: { three: { exec: [x], fallback: { shell: other } } }
)")
                                                                    ->workflow));
  CHECK(wrong_with(spans, s.entries()) == "");
  CHECK(names(spans) == std::map<std::string, int>{{"group", 1},
                                                   {"group/a", 1},
                                                   {"group/b", 1},
                                                   {"one", 1},
                                                   {"skipped", 1},
                                                   {"three", 1},
                                                   {"three.fallback", 1},
                                                   {"two", 1}});
  CHECK(step_at(spans, "group/a").parent == step_at(spans, "group").id);
  CHECK(step_at(spans, "three.fallback").parent == step_at(spans, "three").id);
  CHECK(text_of(step_at(spans, "skipped"), "cicd.pipeline.task.run.result") == "skip");
  CHECK(text_of(step_at(spans, "three"), "cicd.pipeline.task.run.result") == "success");
  CHECK_FALSE(step_at(spans, "two").failed);

  std::vector<const Span*> gets;
  for (const Span& span : spans)
    if (span.name == "GET") gets.push_back(&span);
  REQUIRE(gets.size() == 2);
  CHECK(gets[0]->kind == Span::Kind::Client);
  CHECK(gets[0]->failed);
  CHECK(text_of(*gets[0], "error.type") == "503");
  CHECK(text_of(*gets[0], "url.full") == "http://REDACTED:REDACTED@[::1]:81/a?sig=REDACTED&x=1");
  CHECK(text_of(*gets[0], "server.address") == "::1");
  CHECK(text_of(*gets[0], "server.port") == "81");
  CHECK_FALSE(find(*gets[0], "http.request.resend_count"));
  CHECK(text_of(*gets[1], "http.request.resend_count") == "1");
  CHECK(gets[0]->to <= gets[1]->from);
}

TEST_CASE("an item of several steps has a span, over when they are", "[spans]") {
  const std::string steps = R"(
    many:
      for_each: [x, y]
      key: ${ $item }
      do:
        - { id: a, shell: a }
        - { id: b, shell: b }
    last: { shell: z, needs: many }
  )";
  Scenario s(steps);
  s.succeed("many[x]/a");
  s.succeed("many[y]/a");
  s.advance(1s);
  s.succeed("many[x]/b");
  s.advance(1s);
  s.succeed("many[y]/b");
  s.advance(1s);
  s.succeed("last");
  const std::vector<Span> spans = spans_of(s.entries(), outline(load_text("flowrun: 1\nsteps:" + steps)->workflow));
  CHECK(wrong_with(spans, s.entries()) == "");
  CHECK(step_at(spans, "many[x]").parent == step_at(spans, "many").id);
  CHECK(step_at(spans, "many[x]/b").parent == step_at(spans, "many[x]").id);
  CHECK(step_at(spans, "many[x]").to == step_at(spans, "many[x]/b").to);
  CHECK(step_at(spans, "many[x]").to < step_at(spans, "many").to);
  CHECK(step_at(spans, "many[y]/b").name == "many/b");
  // Without the outline they are over with their for_each.
  CHECK(step_at(spans_of(s.entries(), {}), "many[x]").to == step_at(spans, "many").to);
}

TEST_CASE("what a crash cuts off has a span that ends there, and what comes after it another one", "[spans]") {
  Scenario s("a: { shell: x }\nb: { shell: y, needs: a }");
  s.advance(3s);
  s.crash_and_resume({}, 60s);
  s.succeed("a");
  s.fail("b");
  s.retry();
  s.succeed("b");
  s.expect_success();
  const std::vector<Span> spans = spans_of(s.entries(), {});
  CHECK(wrong_with(spans, s.entries()) == "");
  CHECK(names(spans) == std::map<std::string, int>{{"a", 1}, {"b", 2}});
  std::vector<const Span*> of_a, runs;
  for (const Span& span : spans) {
    if (is_attempt(span) && text_of(span, "flowrun.step.path") == "a") of_a.push_back(&span);
    if (is_run(span)) runs.push_back(&span);
  }
  REQUIRE(of_a.size() == 2);
  CHECK(text_of(*of_a[0], "error.type") == "cut_off");
  CHECK(of_a[1]->from - of_a[0]->to >= 59s);
  CHECK(text_of(*of_a[1], "flowrun.rerun") == "1");
  REQUIRE(runs.size() == 2);
  CHECK(runs[0]->failed);
  CHECK_FALSE(runs[1]->failed);
  CHECK(runs[1]->parent == runs[0]->id);
}

TEST_CASE("spans of random runs: none is missing, none is there twice, and a second drive goes on with them",
          "[spans]") {
  const char* given = std::getenv("FLOWRUN_SEED");
  const unsigned seed = given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device()();
  for (unsigned round = 0; round < 200; ++round) {
    Random random(seed + round);
    RandomWorkflow workflow(random);
    INFO("FLOWRUN_SEED=" << seed + round << "\n" << workflow.text);
    Diagnostics diagnostics({"random.yaml", workflow.text});
    std::optional<Loaded> loaded = load("/nowhere/random.yaml", diagnostics, nullptr, Lints::No, true, &workflow.files);
    REQUIRE(loaded);
    const std::vector<OutlineRow> rows = outline(loaded->workflow);
    for (int again = 0; again < 5; ++again) {
      Play play(*loaded, random);
      play.to_the_end();
      const std::vector<Span> spans = spans_of(play.log, rows);
      std::string log;
      for (const Entry& entry : play.log)
        log += fmt::format("{} {} {} {} {}\n", entry.seq, to_string(entry.kind), entry.path, entry.attempt, entry.data);
      INFO(log);
      REQUIRE(wrong_with(spans, play.log) == "");
      // A drive that was killed behind some entry, and the one that goes on.
      const std::size_t cut = static_cast<std::size_t>(below(random, static_cast<int>(play.log.size())));
      const std::vector<Span> before =
          spans_of({play.log.begin(), play.log.begin() + static_cast<std::ptrdiff_t>(cut)}, rows);
      const std::vector<Span> after = spans_of(play.log, rows, cut);
      std::set<std::string> both;
      for (const auto* part : {&before, &after})
        for (const Span& span : *part) both.insert(span.id);
      std::set<std::string> all;
      for (const Span& span : spans) all.insert(span.id);
      REQUIRE(std::includes(both.begin(), both.end(), all.begin(), all.end()));
    }
  }
}

TEST_CASE("a traceparent is read as the recommendation writes it", "[spans]") {
  const std::string trace = "0af7651916cd43dd8448eb211c80319c", span = "b7ad6b7169203331";
  const auto good = trace_parent("00-" + trace + "-" + span + "-01");
  REQUIRE(good);
  CHECK(good->trace == trace);
  CHECK(good->span == span);
  CHECK(good->sampled);
  CHECK_FALSE(trace_parent("00-" + trace + "-" + span + "-00")->sampled);
  CHECK(trace_parent("00-" + trace + "-" + span + "-0b")->sampled);
  CHECK(trace_parent("cc-" + trace + "-" + span + "-01-more"));
  for (const std::string& bad :
       {std::string(), "00-" + trace + "-" + span, "00-" + trace + "-" + span + "-01-more",
        "cc-" + trace + "-" + span + "-01more", "ff-" + trace + "-" + span + "-01",
        "00-" + std::string(32, '0') + "-" + span + "-01", "00-" + trace + "-" + std::string(16, '0') + "-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" + span + "-01", "00_" + trace + "-" + span + "-01",
        "00-" + trace + "-" + span + "-0g"}) {
    INFO(bad);
    CHECK_FALSE(trace_parent(bad));
  }
}

TEST_CASE("URLs are told without user, password and keys", "[spans]") {
  const std::map<std::string, std::string> urls = {
      {"http://a.example/x", "http://a.example/x"},
      {"https://u@a.example/x@y", "https://REDACTED@a.example/x@y"},
      {"https://u:p@w@a.example", "https://REDACTED:REDACTED@a.example"},
      {"https://a/?sig=1", "https://a/?sig=REDACTED"},
      {"https://a/?b=sig=2&sig=&Signature=x%20y#sig=1",
       "https://a/?b=sig=2&sig=REDACTED&Signature=REDACTED#sig=REDACTED"},
      {"https://a/cb#access_token=s&state=x", "https://a/cb#access_token=REDACTED&state=x"},
      {"https://a/?client_secret=c&refresh_token=r&Password=p&design=d",
       "https://a/?client_secret=REDACTED&refresh_token=REDACTED&Password=REDACTED&design=d"},
      {"https://a/?signature=1&sig", "https://a/?signature=REDACTED&sig"},
      {"https://a/?X-Amz-Security-Token=t&X-Amz-Signature=s&access_token=a&api_key=k&TOKEN=t&tokens=n",
       "https://a/?X-Amz-Security-Token=REDACTED&X-Amz-Signature=REDACTED&access_token=REDACTED&api_key=REDACTED"
       "&TOKEN=REDACTED&tokens=n"},
      {"https://a/#?sig=1", "https://a/#?sig=1"},
      {"/no/url?sig=1", "/no/url?sig=1"}};
  for (const auto& [url, told] : urls) CHECK(url_to_tell(url) == told);
  CHECK(text_to_tell("GET https://u:p@a/?sig=1 said 'http://b@c' ://x") ==
        "GET https://REDACTED:REDACTED@a/?sig=REDACTED said 'http://REDACTED@c' ://x");
}

TEST_CASE("the variables of OpenTelemetry say where spans go, and with what", "[spans]") {
  std::map<std::string, std::string> variables;
  const auto settings = [&] {
    return otlp_settings([&](const char* name) {
      const auto found = variables.find(name);
      return found == variables.end() ? nullptr : found->second.c_str();
    });
  };
  CHECK(settings().target.url.empty());
  CHECK_FALSE(settings().tracing.recorded);
  variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://c.example:4318";
  CHECK(settings().target.url == "http://c.example:4318/v1/traces");
  CHECK(settings().tracing.recorded);
  variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://c.example/otlp/";
  CHECK(settings().target.url == "http://c.example/otlp/v1/traces");
  variables["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = "https://t.example/here";
  CHECK(settings().target.url == "https://t.example/here");
  variables["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = "";
  variables["OTEL_EXPORTER_OTLP_HEADERS"] = " x-key = a%20b%3D, Authorization=Basic%20Zm9v ,";
  CHECK(settings().target.headers ==
        std::vector<std::pair<std::string, std::string>>{{"x-key", "a b="}, {"Authorization", "Basic Zm9v"}});
  variables["OTEL_EXPORTER_OTLP_TRACES_HEADERS"] = "x=1";
  CHECK(settings().target.headers == std::vector<std::pair<std::string, std::string>>{{"x", "1"}});
  variables["OTEL_SERVICE_NAME"] = "night \"ly\"";
  variables["OTEL_RESOURCE_ATTRIBUTES"] = "service.name=other,team=a%2Cb";
  const Json resource = Json::parse(settings().target.head + settings().target.tail)["resourceSpans"][0]["resource"];
  std::map<std::string, std::string> attributes;
  for (const Json& one : resource["attributes"]) attributes[one["key"]] = one["value"]["stringValue"];
  CHECK(attributes["service.name"] == "night \"ly\"");
  CHECK(attributes["team"] == "a,b");
  CHECK(attributes["telemetry.sdk.name"] == "flowrun");
  CHECK(settings().faults.empty());

  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x"},
                                                        {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x=a%0d%0ab"},
                                                        {"OTEL_EXPORTER_OTLP_TIMEOUT", "soon"},
                                                        {"OTEL_RESOURCE_ATTRIBUTES", "a=%zz"},
                                                        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "c.example:4318"},
                                                        {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}}) {
    const auto before = std::exchange(variables[name], value);
    INFO(name << "=" << value);
    REQUIRE(settings().faults.size() == 1);
    CHECK(settings().faults[0].starts_with(name + ": "));
    variables[name] = before;
  }
  variables["OTEL_SDK_DISABLED"] = "TRUE";
  variables["TRACEPARENT"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  CHECK(settings().target.url.empty());
  CHECK_FALSE(settings().tracing.recorded);
  CHECK(settings().tracing.traceparent == variables["TRACEPARENT"]);
  // Of a later version what everybody knows; what it says behind that is not handed on.
  variables["TRACEPARENT"] = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x\r\nX-Evil: \xff";
  CHECK(settings().tracing.traceparent == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  RunStarted imported;
  imported.seed = "0f0e0d0c0b0a49088706050403020100";
  imported.traceparent = variables["TRACEPARENT"];
  CHECK(Trace(imported).traceparent({}, Task(), 1) == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  variables.erase("OTEL_SDK_DISABLED");
  for (const auto& [list, sends] : std::map<std::string, bool>{
           {"", true}, {"otlp", true}, {"console, otlp", true}, {"none", false}, {"zipkin", false}}) {
    INFO(list);
    variables["OTEL_TRACES_EXPORTER"] = list;
    CHECK(settings().tracing.recorded == sends);
  }
  variables.erase("OTEL_TRACES_EXPORTER");
  variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://u:p@a.example/o?key=abc";
  CHECK(settings().target.url == "http://u:p@a.example/o/v1/traces?key=abc");
  CHECK(settings().shown == "http://REDACTED:REDACTED@a.example/o/v1/traces");
  variables["TRACEPARENT"] = "nonsense";
  CHECK(settings().tracing.traceparent.empty());
}

}  // namespace flowrun::test::spans_test
