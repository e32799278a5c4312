// The mail of a run: what one process writes is what the driver reads, in a form that does not change; and which
// signals a run takes, as its history and its file have it.
#include "engine/run/mailbox.h"

#include "engine/model/diagnostics.h"
#include "engine/model/error.h"
#include "tests/support/catch.h"

namespace flowrun::test::mailbox_test {
namespace {

constexpr Instant kNow{Duration{1'000'000}};

Loaded loaded(const std::string& steps) {
  const std::string text = "flowrun: 1\nsteps:\n" + steps;
  Diagnostics diagnostics({"/tmp/w.yaml", text});
  auto read = load("/tmp/w.yaml", diagnostics);
  INFO(diagnostics.text());
  REQUIRE(read);
  return std::move(*read);
}

/// Steps as their entries tell of them.
class Told {
 public:
  Told& waits(const std::string& path, const std::string& name, const std::string& prompt = "") {
    return add(Decision{SignalAwaited{path, name, prompt}, {}});
  }
  Told& due(const std::string& path, Instant at) {
    return add(Decision{ArmTimer{path, TimerKind::Wait, 0, at, Duration{1}, ""}, {}});
  }
  Told& settled(const std::string& path, State state, const std::string& reason = "",
                std::optional<Failure> failure = {}) {
    StepSettled settled;
    settled.path = path;
    settled.kind = "wait";
    settled.outcome.state = state;
    settled.outcome.failure = std::move(failure);
    settled.reason = reason;
    return add(Decision{std::move(settled), {}});
  }
  const History& history() const { return history_; }

 private:
  Told& add(const Decision& decision) {
    Entry entry = to_entry(decision, Instant{Duration{1000}});
    entry.seq = ++seq_;
    history_.add(entry);
    return *this;
  }

  History history_;
  std::int64_t seq_ = 0;
};

/// What chosen_signal() answers or refuses, as a line of text.
std::string answer(const SignalOptions& options, const Loaded& file, const History& history) {
  RunRecord run;
  run.id = "r";
  try {
    const SignalReceived signal = chosen_signal(options, run, file, history, kNow);
    return signal.name + " to " + (signal.path.empty() ? "whoever waits" : signal.path) +
           (signal.rejected ? ", rejected: " + *signal.rejected : " with " + signal.data.text());
  } catch (const Error& error) {
    return error.what();
  }
}

SignalOptions named(const std::string& name, const std::string& step = "", Json data = {}) {
  return {name, step, std::move(data), {}};
}

constexpr const char* kGate = "  gate: { wait: go, prompt: Go on?, accept: { type: [object, 'null'] } }\n";
constexpr const char* kTwo = "  left: { wait: go }\n  right: { wait: stop }\n";
constexpr const char* kItems = "  each: { for_each: [a, b], do: { ask: { wait: go } } }\n";

}  // namespace

TEST_CASE("the driver reads from the mailbox what was put into it") {
  for (const char* path : {"", "gate", "each[C-1 ü]/ask"})
    for (const std::optional<std::string>& rejected :
         {std::optional<std::string>(), std::optional<std::string>(""), std::optional<std::string>("too \"dear\"\n")})
      for (const char* data : {"null", "true", "0", "\"\"", "{\"a\":[1,{}]}", "9007199254740993"}) {
        SignalReceived sent{"go", path, rejected ? Value() : Value(Json::parse(data)), "ann@desk", rejected};
        const auto got = request_of(to_mail(sent, kNow));
        REQUIRE(got);
        const auto& signal = std::get<SignalReceived>(*got);
        CHECK(signal.name == sent.name);
        CHECK(signal.path == sent.path);
        CHECK(signal.data == sent.data);
        CHECK(signal.by == sent.by);
        CHECK(signal.rejected == sent.rejected);
      }
  for (bool undo : {false, true})
    for (bool now : {false, true}) {
      const auto got = request_of(to_mail(CancelRequested{undo, now, "ann@desk"}, kNow));
      REQUIRE(got);
      const auto& cancel = std::get<CancelRequested>(*got);
      CHECK(cancel.undo == undo);
      CHECK(cancel.now == now);
      CHECK(cancel.by == "ann@desk");
    }
}

TEST_CASE("mail in a journal keeps its form") {
  const Journal::Mail signal = to_mail(SignalReceived{"go", "gate", Value(Json{{"n", 1}}), "ann@desk", {}}, kNow);
  CHECK(signal.kind == "signal");
  CHECK(signal.name == "go");
  CHECK(signal.sender == "ann@desk");
  CHECK(signal.at == kNow);
  CHECK(signal.data == R"({"data":{"n":1},"path":"gate"})");
  CHECK(to_mail(SignalReceived{"go", "", {}, "", {}}, kNow).data == R"({"data":null})");
  CHECK(to_mail(SignalReceived{"go", "", {}, "", "no"}, kNow).data == R"({"rejected":"no"})");
  const Journal::Mail cancel = to_mail(CancelRequested{true, false, "ann@desk"}, kNow);
  CHECK(cancel.kind == "cancel");
  CHECK(cancel.name == "");
  CHECK(cancel.sender == "ann@desk");
  CHECK(cancel.data == R"({"now":false,"undo":true})");
}

TEST_CASE("mail of a newer flowrun is left out, and mail of another form is corrupt") {
  auto mail = [](const char* kind, const char* data) {
    Journal::Mail one;
    one.kind = kind;
    one.name = "go";
    one.data = data;
    return one;
  };
  CHECK_FALSE(request_of(mail("reprioritise", "{}")));
  CHECK(request_of(mail("signal", R"({"data":1,"of_a_newer_one":2})")));
  for (const char* data : {R"({"path":1})", R"({"rejected":null})", R"({"rejected":1})", "{"})
    CHECK_THROWS_AS(request_of(mail("signal", data)), Corruption);
  for (const char* data : {R"({"undo":"yes"})", R"({"now":[]})"})
    CHECK_THROWS_AS(request_of(mail("cancel", data)), Corruption);
}

TEST_CASE("a signal without a name is the one that is waited for") {
  const Loaded two = loaded(kTwo);
  CHECK(answer(named(""), two, Told().waits("left", "go").history()) == "go to whoever waits with null");
  CHECK(answer(named(""), two, Told().history()) ==
        "no step of run r waits for a signal now; an early one is sent by its name");
  CHECK(answer(named(""), two, Told().waits("left", "go", "Really?").waits("right", "stop").history()) ==
        "several signals are waited for in run r; name one:\n   left  waits for go: Really?\n   right  waits for stop");
  CHECK(answer(named(""), two, Told().waits("left", "go").due("left", kNow).waits("right", "stop").history()) ==
        "stop to whoever waits with null");
}

TEST_CASE("a signal may be early, but not for what no step ever waits for") {
  const Loaded two = loaded(kTwo);
  CHECK(answer(named("stop"), two, Told().history()) == "stop to whoever waits with null");
  CHECK(answer(named("sotp"), two, Told().history()) == "no step of run r waits for `sotp`; did you mean `stop`?");
  CHECK(answer(named("elsewhere"), two, Told().history()) ==
        "no step of run r waits for `elsewhere`; it waits for go, stop");
  CHECK(answer(named("go"), loaded("  a: { exec: [\"true\"] }\n"), Told().history()) ==
        "no step of run r waits for `go`; its workflow has no `wait`");
}

TEST_CASE("a signal is not sent when its data is not accepted, and a rejection has none") {
  const Loaded gate = loaded(kGate);
  const Told told = Told().waits("gate", "go");
  CHECK(answer(named("go", "", Json{{"a", 1}}), gate, told.history()) == R"(go to whoever waits with {"a":1})");
  CHECK_THAT(answer(named("go", "", 7), gate, told.history()),
             Catch::Matchers::StartsWith("error: `go` does not accept this data; nothing was sent\n   "));
  CHECK(answer({"go", "", 7, "too dear"}, gate, told.history()) == "go to whoever waits, rejected: too dear");
}

TEST_CASE("a signal is not sent when every wait for it is decided") {
  const Loaded gate = loaded(kGate);
  const std::string over = "no step of run r waits for `go` any more; nothing was sent\n   gate  ";
  CHECK(answer(named("go"), gate, Told().waits("gate", "go").settled("gate", State::Succeeded).history()) ==
        over + "had its answer");
  CHECK(
      answer(named("go"), gate, Told().waits("gate", "go").settled("gate", State::Cancelled, "fail_fast").history()) ==
      over + "cancelled: fail_fast");
  CHECK(answer(
            named("go"), gate,
            Told().waits("gate", "go").settled("gate", State::Failed, "", Failure{"rejected", "too dear"}).history()) ==
        over + "too dear");
  CHECK(answer(named("go"), gate, Told().waits("gate", "go").due("gate", kNow).history()) == over + "its time is over");
  CHECK(answer(named("go"), gate, Told().waits("gate", "go").due("gate", kNow + Duration{1}).history()) ==
        "go to whoever waits with null");
  // Other items may come.
  CHECK(answer(named("go"), loaded(kItems),
               Told().waits("each[a]/ask", "go").settled("each[a]/ask", State::Succeeded).history()) ==
        "go to whoever waits with null");
}

TEST_CASE("of several steps that wait for a signal one is named, in either spelling") {
  const Loaded items = loaded(kItems);
  const Told told = Told().waits("each[a]/ask", "go").waits("each[b]/ask", "go");
  const std::string both = "\n   each[a]/ask  waits for go\n   each[b]/ask  waits for go";
  CHECK(answer(named("go"), items, told.history()) == "2 steps wait for `go`; name one with --step:" + both);
  CHECK(answer(named("go", "each[b]/ask"), items, told.history()) == "go to each[b]/ask with null");
  CHECK(answer(named("go", "each/b/ask"), items, told.history()) == "go to each[b]/ask with null");
  CHECK(answer(named("go", "each/c/ask"), items, told.history()) ==
        "step each/c/ask does not wait for `go` in run r; these do:" + both);
  CHECK(answer(named("go", "each[c]/ask"), items, Told().history()) == "go to each[c]/ask with null");
}

}  // namespace flowrun::test::mailbox_test
