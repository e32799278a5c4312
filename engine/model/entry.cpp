// Events and decisions as rows and back. Rows of steps come by the hundred thousand: their data is appended to a
// string and read in slices, never by way of a tree.
#include "engine/model/entry.h"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "engine/model/error.h"
#include "engine/model/hash.h"
#include "engine/model/json_text.h"

namespace flowrun {

namespace {

/// A longer input of a start is kept as size and hash: it can be computed again.
constexpr std::size_t kLongestInput = 4096;

// ---- words of enums, by their numbers
constexpr std::array<std::string_view, 4> kFailFast = {"inherit", "cancel", "drain", "continue"};
constexpr std::array<std::string_view, 4> kOnCrash = {"default", "rerun", "ask", "fail"};

template <class Enum, std::size_t n>
Enum enum_from(const std::array<std::string_view, n>& words, const std::string& word) {
  for (std::size_t i = 0; i < n; ++i)
    if (words[i] == word) return static_cast<Enum>(i);
  throw Corruption(fmt::format("unknown word '{}'", word));
}

TimerKind timer_from(const std::string& word) {
  for (TimerKind kind : {TimerKind::Delay, TimerKind::Sleep, TimerKind::Retry, TimerKind::Timeout, TimerKind::Deadline})
    if (to_string(kind) == word) return kind;
  throw Corruption(fmt::format("unknown timer '{}'", word));
}

// ---- failures: as `$error` shows them, so the members of the detail stand beside type and message

bool is_own_member(std::string_view key) {
  return key == "type" || key == "message" || key == "step" || key == "attempt";
}

void append(std::string& out, const Failure& failure) {
  ObjectWriter object(out);
  object.text("type", failure.type);
  object.text("message", failure.message);
  object.text_if("step", failure.step);
  object.number_if("attempt", failure.attempt);
  if (failure.detail.is_null() || failure.detail.text()[0] != '{') return;
  for (ObjectReader detail(failure.detail.text()); detail.next();) {
    if (is_own_member(detail.key())) continue;
    std::string& member = object.next();
    member += '"';
    member += detail.key();
    member += "\":";
    member += detail.raw();
  }
}

Failure failure_from_text(std::string_view text) {
  Failure failure;
  std::string detail;
  for (ObjectReader member(text); member.next();) {
    if (member.key() == "type") {
      failure.type = member.text();
    } else if (member.key() == "message") {
      failure.message = member.text();
    } else if (member.key() == "step") {
      failure.step = member.text();
    } else if (member.key() == "attempt") {
      failure.attempt = static_cast<int>(member.number());
    } else {
      detail += detail.empty() ? "{\"" : ",\"";
      detail += member.key();
      detail += "\":";
      detail += member.raw();
    }
  }
  if (!detail.empty()) failure.detail = Value::from_text(detail + '}');
  return failure;
}

// ---- facts: each has a write, which fills the entry, and a read, which is its inverse

void write(Entry& entry, const RunStarted& fact) {
  ObjectWriter data(entry.data);
  data.number("semantics", fact.semantics);
  data.text("id", fact.id);
  data.text("name", fact.name);
  data.text("source_hash", fact.source_hash);
  data.text("seed", fact.seed);
  data.text("token", fact.token);
  data.value("inputs", fact.inputs);
  data.value("vars", fact.vars);
  data.text("file", fact.file);
  data.text("folder", fact.folder);
  data.text("run_dir", fact.run_dir);
  data.text("host", fact.host);
  data.text("boot_id", fact.boot_id);
  data.text("pid_namespace", fact.pid_namespace);
  data.number("cpus", fact.cpus);
  data.number("concurrency", fact.concurrency);
  data.number("jobs", fact.jobs);
  data.text("fail_fast", kFailFast[static_cast<std::size_t>(fact.fail_fast)]);
  if (fact.timeout) data.number("timeout_ms", fact.timeout->count());
}

void read(const Entry& entry, RunStarted& fact) {
  for (ObjectReader data(entry.data); data.next();) {
    const auto key = data.key();
    if (key == "semantics") fact.semantics = static_cast<int>(data.number());
    if (key == "id") fact.id = data.text();
    if (key == "name") fact.name = data.text();
    if (key == "source_hash") fact.source_hash = data.text();
    if (key == "seed") fact.seed = data.text();
    if (key == "token") fact.token = data.text();
    if (key == "inputs") fact.inputs = data.value();
    if (key == "vars") fact.vars = data.value();
    if (key == "file") fact.file = data.text();
    if (key == "folder") fact.folder = data.text();
    if (key == "run_dir") fact.run_dir = data.text();
    if (key == "host") fact.host = data.text();
    if (key == "boot_id") fact.boot_id = data.text();
    if (key == "pid_namespace") fact.pid_namespace = data.text();
    if (key == "cpus") fact.cpus = static_cast<int>(data.number());
    if (key == "concurrency") fact.concurrency = static_cast<int>(data.number());
    if (key == "jobs") fact.jobs = static_cast<int>(data.number());
    if (key == "fail_fast") fact.fail_fast = enum_from<FailFast>(kFailFast, data.text());
    if (key == "timeout_ms") fact.timeout = Duration(data.number());
  }
}

void write(Entry& entry, const RunResumed& fact) {
  ObjectWriter data(entry.data);
  data.text("token", fact.token);
  data.number("down_ms", fact.down.count());
  if (fact.on_crash != OnCrash::Default) data.text("on_crash", kOnCrash[static_cast<std::size_t>(fact.on_crash)]);
  if (!fact.marks.empty()) {
    std::string& marks = data.member("marks");
    marks += '[';
    for (std::size_t i = 0; i < fact.marks.size(); ++i) {
      if (i > 0) marks += ',';
      ObjectWriter mark(marks);
      mark.text("path", fact.marks[i].path);
      mark.true_if("done", fact.marks[i].done);
      mark.value_if("output", fact.marks[i].output);
    }
    marks += ']';
  }
  if (!fact.unbegun.empty()) data.value("unbegun", Value(Json(fact.unbegun)));
  data.text("host", fact.host);
  data.text("boot_id", fact.boot_id);
  data.text("pid_namespace", fact.pid_namespace);
}

Mark mark_from_text(std::string_view text) {
  Mark mark;
  for (ObjectReader member(text); member.next();) {
    if (member.key() == "path") mark.path = member.text();
    if (member.key() == "done") mark.done = member.boolean();
    if (member.key() == "output") mark.output = member.value();
  }
  return mark;
}

void read(const Entry& entry, RunResumed& fact) {
  for (ObjectReader data(entry.data); data.next();) {
    const auto key = data.key();
    if (key == "token") fact.token = data.text();
    if (key == "down_ms") fact.down = Duration(data.number());
    if (key == "on_crash") fact.on_crash = enum_from<OnCrash>(kOnCrash, data.text());
    if (key == "marks")
      for (std::string_view mark : list_elements(data.raw())) fact.marks.push_back(mark_from_text(mark));
    if (key == "unbegun")
      for (std::string_view path : list_elements(data.raw())) fact.unbegun.push_back(string_of(path));
    if (key == "host") fact.host = data.text();
    if (key == "boot_id") fact.boot_id = data.text();
    if (key == "pid_namespace") fact.pid_namespace = data.text();
  }
}

void write(Entry& entry, const RunReopened& fact) {
  entry.path = fact.path;
  ObjectWriter(entry.data).text("token", fact.token);
}

void read(const Entry& entry, RunReopened& fact) {
  fact.path = entry.path;
  for (ObjectReader data(entry.data); data.next();)
    if (data.key() == "token") fact.token = data.text();
}

void write(Entry& entry, const TaskReserved& fact) {
  entry.path = fact.path;
  entry.data = "{}";
}

void read(const Entry& entry, TaskReserved& fact) { fact.path = entry.path; }

void write(Entry& entry, const TaskEnded& fact) {
  const Result& result = fact.result;
  entry.path = fact.path;
  entry.attempt = fact.attempt;
  entry.value = result.value;
  ObjectWriter data(entry.data);
  data.boolean("ok", result.ok());
  data.number("code", result.code);
  data.number("took_ms", result.took.count());
  if (result.failure) append(data.member("failure"), *result.failure);
  if (result.retry_after) data.number("retry_after_ms", result.retry_after->count());
  if (!result.sent) data.boolean("sent", false);
}

void read(const Entry& entry, TaskEnded& fact) {
  fact.path = entry.path;
  fact.attempt = entry.attempt;
  fact.result.value = entry.value;
  for (ObjectReader data(entry.data); data.next();) {
    const auto key = data.key();
    if (key == "code") fact.result.code = static_cast<int>(data.number());
    if (key == "took_ms") fact.result.took = Duration(data.number());
    if (key == "failure") fact.result.failure = failure_from_text(data.raw());
    if (key == "retry_after_ms") fact.result.retry_after = Duration(data.number());
    if (key == "sent") fact.result.sent = data.boolean();
  }
}

void write(Entry& entry, const TaskInterrupted& fact) {
  entry.path = fact.path;
  entry.attempt = fact.attempt;
  entry.data = "{}";
}

void read(const Entry& entry, TaskInterrupted& fact) {
  fact.path = entry.path;
  fact.attempt = entry.attempt;
}

void write(Entry& entry, const TimerFired& fact) {
  entry.path = fact.path;
  ObjectWriter(entry.data).text("timer", to_string(fact.timer));
}

void read(const Entry& entry, TimerFired& fact) {
  fact.path = entry.path;
  std::optional<TimerKind> timer;
  for (ObjectReader data(entry.data); data.next();)
    if (data.key() == "timer") timer = timer_from(data.text());
  if (!timer) throw Corruption("it does not say which timer");
  fact.timer = *timer;
}

void write(Entry& entry, const SuspendRequested& fact) { ObjectWriter(entry.data).number_if("signal", fact.signal); }

void read(const Entry& entry, SuspendRequested& fact) {
  for (ObjectReader data(entry.data); data.next();)
    if (data.key() == "signal") fact.signal = static_cast<int>(data.number());
}

// ---- decisions: only written, never read back: a replay makes them again

void write(Entry& entry, const ReservePlace& decision, ObjectWriter& data) {
  entry.path = decision.path;
  data.true_if("process", decision.process);
  data.true_if("shares_cpus", decision.shares_cpus);
}

void write(Entry& entry, const StartTask& decision, ObjectWriter& data) {
  const Task& task = decision.task;
  entry.path = task.path;
  entry.attempt = task.attempt;
  const std::string input = to_json_text(task);
  if (input.size() <= kLongestInput) {
    data.member("input") += input;
  } else {
    ObjectWriter digest(data.member("input"));
    digest.number("size", static_cast<std::int64_t>(input.size()));
    digest.text("xxh3", hex16(hash64(input)));
  }
  data.text_if("key", task.idempotency_key);
  data.number_if("rerun", task.rerun);
  if (task.timeout) data.number("timeout_ms", task.timeout->count());
  data.true_if("strict", task.strict);
  data.true_if("keep_raw", task.keep_raw);
}

void write(Entry& entry, const StopTask& decision, ObjectWriter& data) {
  entry.path = decision.path;
  entry.attempt = decision.attempt;
  data.text_if("reason", decision.reason);
}

void write(Entry& entry, const ArmTimer& decision, ObjectWriter& data) {
  entry.path = decision.path;
  entry.attempt = decision.attempt;
  data.text("timer", to_string(decision.timer));
  data.number("due", to_millis(decision.due));
  data.number("for_ms", decision.span.count());
  data.text_if("reason", decision.reason);
}

void write(Entry& entry, const Outcome& outcome, ObjectWriter& data) {
  entry.value = outcome.output;
  data.text("state", to_string(outcome.state));
  if (outcome.failure) append(data.member("failure"), *outcome.failure);
}

void write(Entry& entry, const StepSettled& decision, ObjectWriter& data) {
  entry.path = decision.path;
  data.text_if("kind", decision.kind);
  data.text_if("reason", decision.reason);
  write(entry, decision.outcome, data);
}

void write(Entry& entry, const ItemsChosen& decision, ObjectWriter& data) {
  entry.path = decision.path;
  entry.value = decision.items;
  data.number("count", static_cast<std::int64_t>(decision.count));
}

void write(Entry& entry, const Evaluated& decision, ObjectWriter&) { entry.path = decision.path; }
void write(Entry&, const RunSuspended&, ObjectWriter&) {}
void write(Entry& entry, const RunEnded& decision, ObjectWriter& data) { write(entry, decision.outcome, data); }

/// `jq`: a list of {"v": value} or {"e": message}. An answer that is the entry's value is not written twice: {"=": 1}.
void append_answers(std::string& out, const std::vector<Answer>& answers, const Value& value) {
  out += '[';
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (i > 0) out += ',';
    ObjectWriter answer(out);
    if (!answers[i].ok())
      answer.text("e", answers[i].error);
    else if (!value.is_null() && answers[i].value.text() == value.text())
      answer.number("=", 1);
    else
      answer.value("v", answers[i].value);
  }
  out += ']';
}

// ---- the table of kinds

using Fact = decltype(Event::fact);

template <class T>
void read_fact(const Entry& entry, Fact& fact) {
  read(entry, fact.emplace<T>());
}

struct Kind {
  std::string_view name;
  void (*read)(const Entry&, Fact&);  ///< null for decisions
};

/// Facts by the alternatives of Event::fact, `late`, then decisions by the alternatives of Decision::what.
constexpr std::array<Kind, 18> kKinds = {{
    {"run_started", read_fact<RunStarted>},
    {"run_resumed", read_fact<RunResumed>},
    {"run_reopened", read_fact<RunReopened>},
    {"reserved", read_fact<TaskReserved>},
    {"ended", read_fact<TaskEnded>},
    {"interrupted", read_fact<TaskInterrupted>},
    {"fired", read_fact<TimerFired>},
    {"suspend_requested", read_fact<SuspendRequested>},
    {"late", read_fact<TaskEnded>},
    {"reserve", nullptr},
    {"start", nullptr},
    {"stop", nullptr},
    {"timer", nullptr},
    {"settled", nullptr},
    {"items", nullptr},
    {"evaluated", nullptr},
    {"run_suspended", nullptr},
    {"run_ended", nullptr},
}};
constexpr std::size_t kLate = std::variant_size_v<Fact>;
constexpr std::size_t kFirstDecision = kLate + 1;
static_assert(kFirstDecision + std::variant_size_v<decltype(Decision::what)> == kKinds.size());

const Kind* find_kind(std::string_view name) {
  for (const Kind& kind : kKinds)
    if (kind.name == name) return &kind;
  return nullptr;
}

// ---- comparing

/// What of the data decides; slices of it.
struct Said {
  std::string_view due, timer, reason, state, input;
};

Said said(const Entry& entry) {
  Said said;
  for (ObjectReader data(entry.data); data.next();) {
    if (data.key() == "due") said.due = data.raw();
    if (data.key() == "timer") said.timer = data.raw();
    if (data.key() == "reason") said.reason = data.raw();
    if (data.key() == "state") said.state = data.raw();
    if (data.key() == "input") said.input = data.raw();
  }
  return said;
}

std::string name_of(const Entry& entry) {
  std::string name = fmt::format("'{}'", entry.kind);
  if (!entry.path.empty()) name += fmt::format(" of {}", entry.path);
  if (entry.attempt != 0) name += fmt::format(", attempt {}", entry.attempt);
  return name;
}

std::string both(const Entry& entry, std::string_view member, std::string_view recorded, std::string_view recomputed) {
  const auto shown = [](std::string_view text) { return text.empty() ? std::string_view("none") : text; };
  return fmt::format("{}: {}: recorded {}, recomputed {}", name_of(entry), member, shown(recorded), shown(recomputed));
}

}  // namespace

bool is_fact(std::string_view kind) {
  const Kind* found = find_kind(kind);
  return found && found->read;
}

Entry to_entry(const Event& event, bool late) {
  Entry entry;
  entry.at = event.at;
  entry.kind = kKinds[late ? kLate : event.fact.index()].name;
  entry.data.clear();
  std::visit([&](const auto& fact) { write(entry, fact); }, event.fact);
  return entry;
}

Entry to_entry(const Decision& decision, Instant at) {
  Entry entry;
  entry.at = at;
  entry.kind = kKinds[kFirstDecision + decision.what.index()].name;
  entry.data.clear();
  {
    ObjectWriter data(entry.data);  // closes the object as it goes, which must be before |entry| may be moved
    std::visit([&](const auto& what) { write(entry, what, data); }, decision.what);
    if (!decision.answers.empty()) append_answers(data.member("jq"), decision.answers, entry.value);
  }
  return entry;
}

Event to_event(const Entry& entry) {
  const Kind* kind = find_kind(entry.kind);
  try {
    if (!kind || !kind->read) throw Corruption("this is not the name of a fact");
    Event event;
    event.at = entry.at;
    kind->read(entry, event.fact);
    return event;
  } catch (const Corruption& error) {
    throw Corruption(fmt::format("entry {}, {}: {}", entry.seq, name_of(entry), error.what()));
  }
}

std::vector<Answer> answers_of(const Entry& entry) {
  // Most entries have none, and these bytes can not stand inside a JSON string: its quotes would be escaped.
  if (entry.data.find("\"jq\":[") == std::string::npos) return {};
  std::vector<Answer> answers;
  for (ObjectReader data(entry.data); data.next();) {
    if (data.key() != "jq") continue;
    for (std::string_view element : list_elements(data.raw())) {
      ObjectReader member(element);
      Answer& answer = answers.emplace_back();
      if (!member.next()) throw Corruption(fmt::format("entry {}: an answer says nothing", entry.seq));
      if (member.key() == "=") answer.value = entry.value;
      if (member.key() == "v") answer.value = member.value();
      if (member.key() == "e") answer.error = member.text();
    }
  }
  return answers;
}

std::string difference(const Entry& recorded, const Entry& recomputed) {
  if (recorded.kind != recomputed.kind || recorded.path != recomputed.path || recorded.attempt != recomputed.attempt)
    return fmt::format("recorded {}, recomputed {}", name_of(recorded), name_of(recomputed));
  if (recorded.data == recomputed.data) return {};

  const Said before = said(recorded), now = said(recomputed);
  if (before.due != now.due) return both(recorded, "due", before.due, now.due);
  if (before.timer != now.timer) return both(recorded, "timer", before.timer, now.timer);
  if (before.reason != now.reason) return both(recorded, "reason", before.reason, now.reason);
  if (before.state != now.state) return both(recorded, "state", before.state, now.state);
  // Inputs are compared by their hashes alone: a short one is there for people, and rule 2 of the house compares no
  // texts.
  const auto is_digest = [](std::string_view input) { return input.substr(0, 8) == R"({"size":)"; };
  if ((is_digest(before.input) || is_digest(now.input)) && before.input != now.input) {
    const auto shown = [&](std::string_view input) { return is_digest(input) ? input : "a short text"; };
    return both(recorded, "input", shown(before.input), shown(now.input));
  }
  return {};
}

}  // namespace flowrun
