// Decisions as entries, and the answers of jq that stand in them.
#include <fmt/format.h>

#include "engine/model/entry_parts.h"
#include "engine/model/error.h"
#include "engine/model/failure_text.h"
#include "engine/model/hash.h"
#include "engine/model/json_text.h"

namespace flowrun {

namespace {

/// A longer input of a start is kept as size and hash: it can be computed again.
constexpr std::size_t kLongestInput = 4096;

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
    entry.data.reserve(input.size() + 128);
    data.member("input") += input;
  } else {
    ObjectWriter digest(data.member("input"));
    digest.number("size", static_cast<std::int64_t>(input.size()));
    digest.text("xxh3", hex16(hash64(input)));
  }
  data.text_if("key", task.idempotency_key);
  data.number_if("rerun", task.rerun);
  data.number_if("page", task.page);
  if (task.timeout) data.number("timeout_ms", task.timeout->count());
  data.true_if("strict", task.strict);
  data.true_if("keep_raw", task.keep_raw);
}

void write(Entry& entry, const StopTask& decision, ObjectWriter& data) {
  entry.path = decision.path;
  entry.attempt = decision.attempt;
  data.text_if("reason", decision.reason);
}

void write(Entry& entry, const WithdrawWaiting& decision, ObjectWriter&) { entry.path = decision.path; }

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
  if (outcome.failure) append_failure(data.member("failure"), *outcome.failure);
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

void write(Entry& entry, const SignalAwaited& decision, ObjectWriter& data) {
  entry.path = decision.path;
  data.text("name", decision.name);
  data.text_if("prompt", decision.prompt);
}

void write(Entry& entry, const ChildStarted& decision, ObjectWriter& data) {
  entry.path = decision.path;
  entry.attempt = decision.attempt;
  entry.value = decision.inputs;
  data.text("file", decision.file);
}

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
  ObjectWriter data(entry.data);
  std::visit([&](const auto& what) { write(entry, what, data); }, decision.what);
  if (!decision.answers.empty()) append_answers(data.member("jq"), decision.answers, entry.value);
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

}  // namespace flowrun
