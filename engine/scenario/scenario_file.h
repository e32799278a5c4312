// A file of scenarios as it is written: what is given, what is answered, what happens meanwhile, what must hold. Plain
// data, which is not changed once it was read.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/model/event.h"
#include "engine/scenario/never_rule.h"
#include "engine/scenario/step_pattern.h"
#include "engine/yaml/node.h"

namespace flowrun {

/// A place in the file of scenarios.
struct Place {
  Position at;
  std::size_t length = 1;
};

/// What answers an attempt.
struct ScriptedAnswer {
  enum class Kind {
    Value,   ///< it succeeds with |value|, whatever |code|, |headers|, |output| and |errors| say besides
    Status,  ///< a server answers with |code|, |headers| and |value|, which is its body
    Exit,    ///< a process exits with |code|, having said |output|, |errors| and |file|
    Error,   ///< it fails with an error of the type |error|
    Again,   ///< of a poll: what it waits for is not there yet
    Page,    ///< its page puts out |value|, and the next one is at |next|
    Pass     ///< it is carried out for real
  };
  Kind kind = Kind::Value;
  Place place;
  Json value;
  std::optional<int> code;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string output, errors, next;
  std::optional<std::string> file;  ///< what $FLOWRUN_OUTPUT holds
  std::string error, message;
  Duration delay{0};             ///< how long it takes
  std::optional<Duration> ends;  ///< when it ends, since the run began: then |delay| follows. Not in any file
};

/// The attempts of the steps at |step|.
struct AnswerRule {
  StepPattern step;
  Place place;
  std::vector<ScriptedAnswer> answers;
  bool in_turn = false;  ///< one an attempt; else the one answers all
  bool shared = false;   ///< by all scenarios of the file
};

/// Something that is said to the run.
struct ScriptedSignal {
  SignalReceived signal;
  Place place;
  std::optional<Duration> at;  ///< since the run began, or since |after|; with neither as soon as somebody waits for it
  std::optional<StepPattern> after;  ///< the end of this step
};

/// The process dies when so many entries are in the journal, and somebody resumes the run.
struct Crash {
  std::size_t after = 0;
  Duration down{1000};  ///< how long nobody drives it
  OnCrash on_crash = OnCrash::Default;
  Place place;
};

struct Expectations {
  struct Ran {
    StepPattern step;
    std::optional<std::size_t> times;  ///< nothing: at least once
    Place place;
  };
  struct Before {
    StepPattern first, then;
    Place place;
  };
  struct Requests {
    StepPattern step;
    Place place;
    std::vector<Node> wanted;
    bool in_turn = false;  ///< one a request; else each must be as the one says
  };
  struct Undone {
    std::vector<std::string> steps;
    Place place;
  };
  struct Time {
    std::optional<Duration> at_least, at_most;
    Place place;
  };

  std::optional<State> state;
  Place state_place;
  std::optional<Node> output;
  Place output_place;
  std::optional<Node> error;  ///< a type, or a map of type, step and message
  std::vector<Ran> ran;
  std::vector<Ran> not_ran;
  std::vector<Before> order;
  std::vector<Requests> requests;
  std::optional<Undone> undone;
  std::optional<Time> time;
};

/// As they are given to `flowrun run`, and the machine that it would be on.
struct RunOptions {
  int jobs = 0, concurrency = 0;  ///< 0: not given
  int cpus = 4;                   ///< the same everywhere, so that a scenario is
  std::optional<Duration> timeout;
  FailFast fail_fast = FailFast::Inherit;
};

/// What is to be so at the end of no run.
struct Never {
  NeverRule rule;
  Place place;
};

/// 2026-01-01, where nobody says when: the same in every run of the tests.
inline const Instant kScenarioBegins = from_millis(1'767'225'600'000);

struct Scenario {
  std::string name;
  Place place;
  Json input = Json::object();
  Place input_place;
  std::vector<std::pair<std::string, std::string>> env;  ///< what the inputs of the workflow may take from outside
  std::optional<std::vector<Json>> items;                ///< of standard input
  Instant now = kScenarioBegins;
  std::string seed;  ///< as RunStarted has it
  std::string run;   ///< its id
  RunOptions options;
  std::vector<AnswerRule> answers;
  std::vector<ScriptedSignal> signals;
  std::vector<Crash> crashes;
  Expectations expect;
  std::vector<Never> never;  ///< those of the file
};

struct ScenarioFile {
  std::string workflow;  ///< path, seen from where the file of scenarios was
  Place workflow_place;
  std::vector<Never> never;
  std::map<std::string, bool> effects;  ///< by path of a step: whether it changes anything outside
  Place effects_place;
  std::vector<Scenario> scenarios;
};

}  // namespace flowrun
