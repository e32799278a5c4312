// Facts as entries and back: each has a write, which fills the entry, and a read, which is its inverse.
#include <fmt/format.h>

#include <utility>

#include <algorithm>
#include <array>
#include <optional>

#include "engine/model/entry_parts.h"
#include "engine/model/error.h"
#include "engine/model/failure_text.h"
#include "engine/model/json_text.h"

namespace flowrun {

namespace {

/// By the numbers of FailFast and OnCrash.
constexpr std::array<std::string_view, 4> kFailFast = {"inherit", "cancel", "drain", "continue"};
constexpr std::array<std::string_view, 4> kOnCrash = {"default", "rerun", "ask", "fail"};

template <class Enum, std::size_t n>
Enum enum_from(const std::array<std::string_view, n>& words, const std::string& word) {
  for (std::size_t i = 0; i < n; ++i)
    if (words[i] == word) return static_cast<Enum>(i);
  throw Corruption(fmt::format("unknown word '{}'", word));
}

TimerKind timer_from(const std::string& word) {
  for (TimerKind kind : kTimerKinds)
    if (to_string(kind) == word) return kind;
  throw Corruption(fmt::format("unknown timer '{}'", word));
}

/// Left out when there are none.
void write_secrets(ObjectWriter& data, const std::vector<SecretMark>& secrets) {
  if (secrets.empty()) return;
  std::string& out = data.member("secrets");
  out += '[';
  for (std::size_t i = 0; i < secrets.size(); ++i) {
    if (i > 0) out += ',';
    ObjectWriter mark(out);
    mark.text("name", secrets[i].name);
    mark.text_if("fingerprint", secrets[i].fingerprint);
    mark.true_if("absent", secrets[i].absent);
  }
  out += ']';
}

std::vector<SecretMark> secrets_from_text(std::string_view list) {
  std::vector<SecretMark> secrets;
  for (std::string_view element : list_elements(list)) {
    SecretMark& mark = secrets.emplace_back();
    for (ObjectReader member(element); member.next();) {
      if (member.key() == "name") mark.name = member.text();
      if (member.key() == "fingerprint") mark.fingerprint = member.text();
      if (member.key() == "absent") mark.absent = member.boolean();
    }
  }
  return secrets;
}

void write(Entry& entry, const RunStarted& fact) {
  ObjectWriter data(entry.data);
  data.number("semantics", fact.semantics);
  data.text("id", fact.id);
  data.text("name", fact.name);
  data.text("source_hash", fact.source_hash);
  if (!fact.sources.empty()) data.value("sources", Value(Json(fact.sources)));
  data.text("seed", fact.seed);
  data.text("token", fact.token);
  data.value("inputs", fact.inputs);
  data.value("vars", fact.vars);
  data.value_if("sub_inputs", fact.sub_inputs);
  data.text("file", fact.file);
  data.text("folder", fact.folder);
  data.text("run_dir", fact.run_dir);
  data.text("host", fact.host);
  data.text("boot_id", fact.boot_id);
  data.text("pid_namespace", fact.pid_namespace);
  data.number("cpus", fact.cpus);
  data.number("concurrency", fact.concurrency);
  data.number("jobs", fact.jobs);
  data.number_if("output_log", fact.output_log);
  data.text("fail_fast", kFailFast[static_cast<std::size_t>(fact.fail_fast)]);
  if (fact.timeout) data.number("timeout_ms", fact.timeout->count());
  data.text_if("forked_of", fact.forked_of);
  data.text_if("forked_from", fact.forked_from);
  write_secrets(data, fact.secrets);
  data.true_if("measured", fact.measured);
}

void read(const Entry& entry, RunStarted& fact) {
  for (ObjectReader data(entry.data); data.next();) {
    const auto key = data.key();
    if (key == "semantics") fact.semantics = data.integer();
    if (key == "id") fact.id = data.text();
    if (key == "name") fact.name = data.text();
    if (key == "source_hash") fact.source_hash = data.text();
    if (key == "sources") fact.sources = data.value().json().get<std::map<std::string, std::string>>();
    if (key == "sub_inputs") fact.sub_inputs = data.value();
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
    if (key == "cpus") fact.cpus = data.integer();
    if (key == "concurrency") fact.concurrency = data.integer();
    if (key == "output_log") fact.output_log = data.integer();
    if (key == "jobs") fact.jobs = data.integer();
    if (key == "fail_fast") fact.fail_fast = enum_from<FailFast>(kFailFast, data.text());
    if (key == "timeout_ms") fact.timeout = Duration(data.number());
    if (key == "forked_of") fact.forked_of = data.text();
    if (key == "forked_from") fact.forked_from = data.text();
    if (key == "secrets") fact.secrets = secrets_from_text(data.raw());
    if (key == "measured") fact.measured = data.boolean();
  }
}

void write_cancel(ObjectWriter& data, const CancelRequested& fact) {
  data.true_if("undo", fact.undo);
  data.true_if("now", fact.now);
  data.text("by", fact.by);
}

CancelRequested cancel_from_text(std::string_view text) {
  CancelRequested fact;
  for (ObjectReader data(text); data.next();) {
    if (data.key() == "undo") fact.undo = data.boolean();
    if (data.key() == "now") fact.now = data.boolean();
    if (data.key() == "by") fact.by = data.text();
  }
  return fact;
}

void write(Entry& entry, const CancelRequested& fact) {
  ObjectWriter data(entry.data);
  write_cancel(data, fact);
}

void read(const Entry& entry, CancelRequested& fact) { fact = cancel_from_text(entry.data); }

void write(Entry& entry, const UndoRequested& fact) {
  ObjectWriter data(entry.data);
  data.text("token", fact.token);
  data.text("by", fact.by);
  data.text_if("run_dir", fact.run_dir);
}

void read(const Entry& entry, UndoRequested& fact) {
  for (ObjectReader data(entry.data); data.next();) {
    if (data.key() == "token") fact.token = data.text();
    if (data.key() == "run_dir") fact.run_dir = data.text();
    if (data.key() == "by") fact.by = data.text();
  }
}

/// Left out when there are none.
void write_marks(ObjectWriter& data, const std::vector<Mark>& said) {
  if (said.empty()) return;
  std::string& marks = data.member("marks");
  marks += '[';
  for (std::size_t i = 0; i < said.size(); ++i) {
    if (i > 0) marks += ',';
    ObjectWriter mark(marks);
    mark.text("path", said[i].path);
    mark.true_if("done", said[i].done);
    mark.true_if("rerun", said[i].rerun);
    mark.value_if("output", said[i].output);
  }
  marks += ']';
}

void write(Entry& entry, const RunResumed& fact) {
  ObjectWriter data(entry.data);
  data.text("token", fact.token);
  data.number("down_ms", fact.down.count());
  if (fact.on_crash != OnCrash::Default) data.text("on_crash", kOnCrash[static_cast<std::size_t>(fact.on_crash)]);
  write_marks(data, fact.marks);
  if (fact.cancel) {
    ObjectWriter cancel(data.member("cancel"));
    write_cancel(cancel, *fact.cancel);
  }
  data.number_if("jobs", fact.jobs);
  data.text_if("folder", fact.folder);
  data.text_if("run_dir", fact.run_dir);
  if (!fact.unbegun.empty()) data.value("unbegun", Value(Json(fact.unbegun)));
  if (!fact.queued.empty()) data.value("queued", Value(Json(fact.queued)));
  data.text("host", fact.host);
  data.text("boot_id", fact.boot_id);
  data.text("pid_namespace", fact.pid_namespace);
  write_secrets(data, fact.secrets);
}

Mark mark_from_text(std::string_view text) {
  Mark mark;
  for (ObjectReader member(text); member.next();) {
    if (member.key() == "path") mark.path = member.text();
    if (member.key() == "done") mark.done = member.boolean();
    if (member.key() == "rerun") mark.rerun = member.boolean();
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
    if (key == "cancel") fact.cancel = cancel_from_text(data.raw());
    if (key == "jobs") fact.jobs = data.integer();
    if (key == "folder") fact.folder = data.text();
    if (key == "run_dir") fact.run_dir = data.text();
    if (key == "unbegun")
      for (std::string_view path : list_elements(data.raw())) fact.unbegun.push_back(string_of(path));
    if (key == "queued")
      for (std::string_view path : list_elements(data.raw())) fact.queued.push_back(string_of(path));
    if (key == "host") fact.host = data.text();
    if (key == "boot_id") fact.boot_id = data.text();
    if (key == "pid_namespace") fact.pid_namespace = data.text();
    if (key == "secrets") fact.secrets = secrets_from_text(data.raw());
  }
}

void write(Entry& entry, const RunFrozen& fact) { ObjectWriter(entry.data).number("span_ms", fact.span.count()); }

void read(const Entry& entry, RunFrozen& fact) {
  for (ObjectReader data(entry.data); data.next();)
    if (data.key() == "span_ms") fact.span = Duration(data.number());
}

void write(Entry& entry, const RunReopened& fact) {
  entry.path = fact.path;
  ObjectWriter data(entry.data);
  data.text("token", fact.token);
  data.true_if("exact", fact.exact);
  data.true_if("failed", fact.failed);
  write_marks(data, fact.marks);
  data.number_if("jobs", fact.jobs);
  data.text_if("run_dir", fact.run_dir);
  write_secrets(data, fact.secrets);
}

void read(const Entry& entry, RunReopened& fact) {
  fact.path = entry.path;
  for (ObjectReader data(entry.data); data.next();) {
    if (data.key() == "run_dir") fact.run_dir = data.text();
    if (data.key() == "token") fact.token = data.text();
    if (data.key() == "exact") fact.exact = data.boolean();
    if (data.key() == "failed") fact.failed = data.boolean();
    if (data.key() == "marks")
      for (std::string_view mark : list_elements(data.raw())) fact.marks.push_back(mark_from_text(mark));
    if (data.key() == "jobs") fact.jobs = data.integer();
    if (data.key() == "secrets") fact.secrets = secrets_from_text(data.raw());
  }
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
  data.boolean("ok", result.ok() && !result.again);
  data.true_if("again", result.again);
  data.number_if("page", result.page);
  data.text_if("next", result.next);
  data.true_if("taken", result.taken);
  data.number("code", result.code);
  data.number("took_ms", result.took.count());
  // Seen from `at`: that takes fewer digits.
  if (result.began != Instant{}) data.number("began_ms", std::max<std::int64_t>(0, (entry.at - result.began).count()));
  if (result.failure) append_failure(data.member("failure"), *result.failure);
  if (result.retry_after) data.number("retry_after_ms", result.retry_after->count());
  if (!result.sent) data.boolean("sent", false);
  data.number_if("cut", result.cut);
  data.number_if("unlogged", result.unlogged);
}

void read(const Entry& entry, TaskEnded& fact) {
  fact.path = entry.path;
  fact.attempt = entry.attempt;
  fact.result.value = entry.value;
  for (ObjectReader data(entry.data); data.next();) {
    const auto key = data.key();
    if (key == "code") fact.result.code = data.integer();
    if (key == "took_ms") fact.result.took = Duration(data.number());
    if (key == "began_ms") fact.result.began = entry.at - Duration(data.number());
    if (key == "failure") fact.result.failure = failure_from_text(data.raw());
    if (key == "retry_after_ms") fact.result.retry_after = Duration(data.number());
    if (key == "sent") fact.result.sent = data.boolean();
    if (key == "cut") fact.result.cut = data.number();
    if (key == "unlogged") fact.result.unlogged = data.number();
    if (key == "again") fact.result.again = data.boolean();
    if (key == "page") fact.result.page = data.integer();
    if (key == "next") fact.result.next = data.text();
    if (key == "taken") fact.result.taken = data.boolean();
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

void write(Entry& entry, const TaskWithdrawn& fact) {
  entry.path = fact.path;
  entry.attempt = fact.attempt;
  entry.data = "{}";
}

void read(const Entry& entry, TaskWithdrawn& fact) {
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
    if (data.key() == "signal") fact.signal = data.integer();
}

void write(Entry& entry, const SignalReceived& fact) {
  entry.path = fact.path;
  entry.value = fact.data;
  ObjectWriter data(entry.data);
  data.text("name", fact.name);
  data.text("by", fact.by);
  if (fact.rejected) data.text("rejected", *fact.rejected);
}

void read(const Entry& entry, SignalReceived& fact) {
  fact.path = entry.path;
  fact.data = entry.value;
  for (ObjectReader data(entry.data); data.next();) {
    if (data.key() == "name") fact.name = data.text();
    if (data.key() == "by") fact.by = data.text();
    if (data.key() == "rejected") fact.rejected = data.text();
  }
}

template <class T>
Fact read_as(const Entry& entry) {
  T fact;
  read(entry, fact);
  return fact;
}

template <std::size_t... numbers>
constexpr auto make_readers(std::index_sequence<numbers...>) {
  return std::array{read_as<std::variant_alternative_t<numbers, Fact>>...};
}

/// By the numbers of the alternatives.
constexpr auto kReaders = make_readers(std::make_index_sequence<std::variant_size_v<Fact>>());

}  // namespace

void write_fact(Entry& entry, const Fact& fact) {
  entry.data.clear();
  std::visit([&](const auto& what) { write(entry, what); }, fact);
}

Fact read_fact(const Entry& entry, std::size_t alternative) { return kReaders[alternative](entry); }

}  // namespace flowrun
