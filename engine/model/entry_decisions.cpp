// The members of decisions, in the order in which they are written, and the answers of jq that stand behind them.
#include "engine/model/entry_archive.h"
#include "engine/model/entry_parts.h"
#include "engine/model/hash.h"

namespace flowrun {

namespace {

/// A longer input of a start is kept as size and hash: it can be computed again.
constexpr std::size_t kLongestInput = 4096;

void append_input(std::string& out, const Task& task) {
  const std::string input = to_json_text(task);
  if (input.size() <= kLongestInput) {
    out.reserve(out.size() + input.size() + 128);
    out += input;
  } else {
    ObjectWriter digest(out);
    digest.number("size", static_cast<std::int64_t>(input.size()));
    digest.text("xxh3", hex16(hash64(input)));
  }
}

}  // namespace

template <class Archive>
void members(Archive& data, Of<Archive, ReservePlace>& decision) {
  data.path(decision.path);
  data.unless_empty("process", decision.process);
  data.unless_empty("shares_cpus", decision.shares_cpus);
  data.unless(1, "weight", decision.weight);
}

template <class Archive>
void members(Archive& data, Of<Archive, StartTask>& decision) {
  auto& task = decision.task;
  data.path(task.path);
  data.attempt(task.attempt);
  data.written("input", [&](std::string& out) { append_input(out, task); });
  data.unless_empty("key", task.idempotency_key);
  data.unless_empty("rerun", task.rerun);
  data.unless_empty("page", task.page);
  data.unless_empty("timeout_ms", task.timeout);
  data.unless_empty("strict", task.strict);
  data.unless_empty("keep_raw", task.keep_raw);
}

template <class Archive>
void members(Archive& data, Of<Archive, StopTask>& decision) {
  data.path(decision.path);
  data.attempt(decision.attempt);
  data.unless_empty("reason", decision.reason);
}

template <class Archive>
void members(Archive& data, Of<Archive, WithdrawWaiting>& decision) {
  data.path(decision.path);
}

template <class Archive>
void members(Archive& data, Of<Archive, ArmTimer>& decision) {
  data.path(decision.path);
  data.attempt(decision.attempt);
  data.required("timer", decision.timer);
  data.always("due", decision.due);
  data.always("for_ms", decision.span);
  data.unless_empty("reason", decision.reason);
}

template <class Archive>
void members(Archive& data, Of<Archive, Outcome>& outcome) {
  data.value(outcome.output);
  data.required("state", outcome.state);
  data.unless_empty("failure", outcome.failure);
}

template <class Archive>
void members(Archive& data, Of<Archive, StepSettled>& decision) {
  data.path(decision.path);
  data.unless_empty("kind", decision.kind);
  data.unless_empty("reason", decision.reason);
  members(data, decision.outcome);
}

template <class Archive>
void members(Archive& data, Of<Archive, ItemsChosen>& decision) {
  data.path(decision.path);
  data.value(decision.items);
  data.always("count", decision.count);
}

template <class Archive>
void members(Archive& data, Of<Archive, Evaluated>& decision) {
  data.path(decision.path);
}

template <class Archive>
void members(Archive&, Of<Archive, RunSuspended>&) {}

template <class Archive>
void members(Archive& data, Of<Archive, RunEnded>& decision) {
  members(data, decision.outcome);
}

template <class Archive>
void members(Archive& data, Of<Archive, SignalAwaited>& decision) {
  data.path(decision.path);
  data.always("name", decision.name);
  data.unless_empty("prompt", decision.prompt);
}

template <class Archive>
void members(Archive& data, Of<Archive, ChildStarted>& decision) {
  data.path(decision.path);
  data.attempt(decision.attempt);
  data.value(decision.inputs);
  data.always("file", decision.file);
}

namespace {

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

}  // namespace

void write_decision(Entry& entry, const Decision& decision) {
  entry.data.clear();
  MemberWriter data(entry);
  std::visit([&](const auto& what) { members(data, what); }, decision.what);
  if (!decision.answers.empty())
    data.written("jq", [&](std::string& out) { append_answers(out, decision.answers, entry.value); });
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

std::string_view input_of(const Entry& start) {
  return reading_members(start, [&] {
    for (ObjectReader data(start.data); data.next();)
      if (data.key() == "input") return data.raw();
    return std::string_view();
  });
}

Work work_of(const Entry& start) {
  const std::string_view input = input_of(start);
  if (input.starts_with(R"({"argv":)")) return Work::Process;
  return input.starts_with(R"({"size":)") ? Work::Unknown : Work::Request;
}

template <class What>
What as(const Entry& entry) {
  return reading_members(entry, [&] {
    What decision;
    MemberReader(entry).read(decision);
    return decision;
  });
}
#define DECISION(type, name, ...) template type as<type>(const Entry&);
#include "engine/model/entry_kinds.def"

}  // namespace flowrun
