// The members of facts, in the order in which they are written.
#include <utility>

#include "engine/model/entry_archive.h"
#include "engine/model/entry_parts.h"

namespace flowrun {

template <class Archive>
void members(Archive& data, Of<Archive, SecretMark>& mark) {
  data.always("name", mark.name);
  data.unless_empty("fingerprint", mark.fingerprint);
  data.unless_empty("absent", mark.absent);
}

template <class Archive>
void members(Archive& data, Of<Archive, Mark>& mark) {
  data.always("path", mark.path);
  data.unless_empty("done", mark.done);
  data.unless_empty("rerun", mark.rerun);
  data.unless_empty("output", mark.output);
}

template <class Archive>
void members(Archive& data, Of<Archive, RunStarted>& fact) {
  data.always("semantics", fact.semantics);
  data.always("id", fact.id);
  data.always("name", fact.name);
  data.always("source_hash", fact.source_hash);
  data.unless_empty("sources", fact.sources);
  data.always("seed", fact.seed);
  data.always("token", fact.token);
  data.always("inputs", fact.inputs);
  data.always("vars", fact.vars);
  data.unless_empty("sub_inputs", fact.sub_inputs);
  data.always("file", fact.file);
  data.always("folder", fact.folder);
  data.always("run_dir", fact.run_dir);
  data.always("host", fact.host);
  data.always("boot_id", fact.boot_id);
  data.always("pid_namespace", fact.pid_namespace);
  data.always("cpus", fact.cpus);
  data.always("concurrency", fact.concurrency);
  data.always("jobs", fact.jobs);
  data.unless_empty("via", fact.via);
  data.unless_empty("output_log", fact.output_log);
  data.always("fail_fast", fact.fail_fast);
  data.unless_empty("timeout_ms", fact.timeout);
  data.unless_empty("forked_of", fact.forked_of);
  data.unless_empty("forked_from", fact.forked_from);
  data.unless_empty("secrets", fact.secrets);
  data.unless_empty("measured", fact.measured);
  data.unless_empty("traceparent", fact.traceparent);
  data.unless_empty("on", fact.on);
  data.unless_empty("exclusive", fact.exclusive);
}

template <class Archive>
void members(Archive& data, Of<Archive, CancelRequested>& fact) {
  data.unless_empty("undo", fact.undo);
  data.unless_empty("now", fact.now);
  data.always("by", fact.by);
}

template <class Archive>
void members(Archive& data, Of<Archive, UndoRequested>& fact) {
  data.always("token", fact.token);
  data.always("by", fact.by);
  data.unless_empty("folder", fact.folder);
  data.unless_empty("run_dir", fact.run_dir);
  data.unless_empty("keeps_keys", fact.keeps_keys);
}

template <class Archive>
void members(Archive& data, Of<Archive, RunResumed>& fact) {
  data.always("token", fact.token);
  data.always("down_ms", fact.down);
  data.unless_empty("on_crash", fact.on_crash);
  data.unless_empty("marks", fact.marks);
  data.unless_empty("cancel", fact.cancel);
  data.unless_empty("jobs", fact.jobs);
  data.unless_empty("concurrency", fact.concurrency);
  data.unless_empty("folder", fact.folder);
  data.unless_empty("run_dir", fact.run_dir);
  data.unless_empty("keeps_keys", fact.keeps_keys);
  data.unless_empty("unbegun", fact.unbegun);
  data.unless_empty("queued", fact.queued);
  data.always("host", fact.host);
  data.always("boot_id", fact.boot_id);
  data.always("pid_namespace", fact.pid_namespace);
  data.unless_empty("secrets", fact.secrets);
  data.unless_empty("on", fact.on);
}

template <class Archive>
void members(Archive& data, Of<Archive, RunFrozen>& fact) {
  data.always("span_ms", fact.span);
}

template <class Archive>
void members(Archive& data, Of<Archive, RunReopened>& fact) {
  data.path(fact.path);
  data.always("token", fact.token);
  data.unless_empty("exact", fact.exact);
  data.unless_empty("failed", fact.failed);
  data.unless_empty("marks", fact.marks);
  data.unless_empty("jobs", fact.jobs);
  data.unless_empty("stream", fact.stream);
  data.unless_empty("concurrency", fact.concurrency);
  data.unless_empty("folder", fact.folder);
  data.unless_empty("run_dir", fact.run_dir);
  data.unless_empty("keeps_keys", fact.keeps_keys);
  data.unless_empty("secrets", fact.secrets);
  data.unless_empty("on", fact.on);
}

template <class Archive>
void members(Archive& data, Of<Archive, RepeatedItem>& item) {
  data.always("at", item.at);
  data.always("nth", item.nth);
}

template <class Archive>
void members(Archive& data, Of<Archive, ItemsArrived>& fact) {
  data.path(fact.path);
  data.value(fact.items);
  data.unless_empty("repeated", fact.repeated);
  data.unless_empty("last", fact.last);
}

template <class Archive>
void members(Archive& data, Of<Archive, TaskReserved>& fact) {
  data.path(fact.path);
}

template <class Archive>
void members(Archive& data, Of<Archive, MemoNote>& note) {
  data.unless_empty("run", note.run);
  data.unless_empty("seq", note.seq);
  data.unless(Instant{}, "at", note.at);
  data.unless(Duration{0}, "took_ms", note.took);
  data.unless_empty("miss", note.miss);
  data.unless_empty("unkept", note.unkept);
}

template <class Archive>
void members(Archive& data, Of<Archive, TaskEnded>& fact) {
  auto& result = fact.result;
  data.path(fact.path);
  data.attempt(fact.attempt);
  data.value(result.value);
  data.written("ok", [&](std::string& out) { out += result.ok() && !result.again ? "true" : "false"; });
  data.unless_empty("again", result.again);
  data.unless_empty("page", result.page);
  data.unless_empty("next", result.next);
  data.unless_empty("taken", result.taken);
  data.always("code", result.code);
  data.always("took_ms", result.took);
  data.before("began_ms", result.began);
  data.unless_empty("failure", result.failure);
  data.unless_empty("retry_after_ms", result.retry_after);
  data.unless(true, "sent", result.sent);
  data.unless_empty("cut", result.cut);
  data.unless_empty("unlogged", result.unlogged);
  data.unless_empty("memo", result.memo);
}

template <class Archive>
void members(Archive& data, Of<Archive, SecretRead>& fact) {
  data.path(fact.path);
  data.attempt(fact.attempt);
  data.always("took_ms", fact.took);
  data.unless_empty("failure", fact.failure);
}

template <class Archive>
void members(Archive& data, Of<Archive, TaskInterrupted>& fact) {
  data.path(fact.path);
  data.attempt(fact.attempt);
}

template <class Archive>
void members(Archive& data, Of<Archive, TaskWithdrawn>& fact) {
  data.path(fact.path);
  data.attempt(fact.attempt);
}

template <class Archive>
void members(Archive& data, Of<Archive, TimerFired>& fact) {
  data.path(fact.path);
  data.required("timer", fact.timer);
}

template <class Archive>
void members(Archive& data, Of<Archive, SuspendRequested>& fact) {
  data.unless_empty("signal", fact.signal);
}

template <class Archive>
void members(Archive& data, Of<Archive, SignalReceived>& fact) {
  data.path(fact.path);
  data.value(fact.data);
  data.always("name", fact.name);
  data.always("by", fact.by);
  data.unless_empty("rejected", fact.rejected);
}

namespace {

template <class T>
T read(const Entry& entry) {
  T fact;
  MemberReader(entry).read(fact);
  return fact;
}

template <class T>
Fact read_fact_as(const Entry& entry) {
  return read<T>(entry);
}

template <std::size_t... numbers>
constexpr auto make_readers(std::index_sequence<numbers...>) {
  return std::array{read_fact_as<std::variant_alternative_t<numbers, Fact>>...};
}

/// By the numbers of the alternatives.
constexpr auto kReaders = make_readers(std::make_index_sequence<std::variant_size_v<Fact>>());

}  // namespace

void write_fact(Entry& entry, const Fact& fact) {
  entry.data.clear();
  MemberWriter data(entry);
  std::visit([&](const auto& what) { members(data, what); }, fact);
}

Fact read_fact(const Entry& entry, std::size_t alternative) { return kReaders[alternative](entry); }

template <class What>
What as(const Entry& entry) {
  return reading_members(entry, [&] { return read<What>(entry); });
}
#define FACT(type, name) template type as<type>(const Entry&);
#include "engine/model/entry_kinds.def"

}  // namespace flowrun
