#include "engine/model/task_text.h"

#include <array>

#include "engine/model/entry_archive.h"
#include "engine/model/entry_parts.h"

namespace flowrun {

// Found by their arguments, so not private to a namespace without a name.
template <class Enum>
struct TaskWords;
template <>
struct TaskWords<HttpRequest::Response> {
  static constexpr std::array<std::string_view, 7> all = {"auto", "json", "text", "base64", "none", "file", "jsonl"};
};
template <>
struct TaskWords<Process::Capture> {
  static constexpr std::array<std::string_view, 7> all = {"text", "json", "jsonl", "lines", "none", "file", "base64"};
};
template <>
struct TaskWords<Process::Inherit> {
  static constexpr std::array<std::string_view, 3> all = {"all", "none", "listed"};
};
template <>
struct TaskWords<TaskPlaceholder::In> {
  static constexpr std::array<std::string_view, 7> all = {"url",  "header",   "basic", "body",
                                                          "part", "variable", "stdin"};
};
template <>
struct TaskWords<Placeholder::Form> {
  static constexpr std::array<std::string_view, 4> all = {"plain", "percent", "json", "host"};
};

template <class Enum>
auto to_string(Enum word) -> decltype(TaskWords<Enum>::all[0]) {
  return TaskWords<Enum>::all[static_cast<std::size_t>(word)];
}
template <class Enum>
auto read_word(const std::string& word, Enum& to) -> decltype(static_cast<void>(TaskWords<Enum>::all)) {
  to = enum_from<Enum>(TaskWords<Enum>::all, word);
}

template <class Archive>
void members(Archive& data, Of<Archive, StatusRange>& range) {
  data.always("first", range.first);
  data.always("last", range.last);
}

template <class Archive>
void members(Archive& data, Of<Archive, TaskPlaceholder>& placeholder) {
  data.always("in", placeholder.in);
  data.unless_empty("index", placeholder.index);
  data.unless_empty("at", placeholder.placeholder.at);
  data.always("secret", placeholder.placeholder.secret);
  data.unless_empty("as", placeholder.placeholder.form);
}

template <class Archive>
void members(Archive& data, Of<Archive, std::pair<std::string, std::string>>& header) {
  data.always("name", header.first);
  data.always("value", header.second);
}

template <class Archive>
void members(Archive& data, Of<Archive, std::pair<std::string, std::optional<std::string>>>& variable) {
  data.always("name", variable.first);
  data.unless_empty("value", variable.second);
}

template <class Archive>
void members(Archive& data, Of<Archive, FormPart>& part) {
  data.required("name", part.name);
  data.unless_empty("text", part.text);
  data.unless_empty("file", part.file);
  data.unless_empty("filename", part.filename);
  data.unless_empty("type", part.type);
}

template <class Archive>
void members(Archive& data, Of<Archive, HttpRequest>& request) {
  data.always("method", request.method);
  data.required("url", request.url);
  data.unless_empty("origin_url", request.origin_url);
  data.unless_empty("headers", request.headers);
  data.unless_empty("body", request.body);
  data.unless_empty("body_file", request.body_file);
  data.unless_empty("parts", request.parts);
  data.unless_empty("expect", request.expect);
  data.unless_empty("response", request.response);
  data.always("max_response", request.max_response);
  data.always("max_redirects", request.max_redirects);
  data.unless_empty("ca", request.ca);
  data.unless_empty("cert", request.cert);
  data.unless_empty("key", request.key);
  data.unless(true, "verify", request.verify);
  data.unless_empty("proxy", request.proxy);
  data.unless_empty("unix", request.unix_socket);
  data.always("connect_timeout_ms", request.connect_timeout);
  data.always("idle_timeout_ms", request.idle_timeout);
  data.unless_empty("placeholders", request.placeholders);
}

template <class Archive>
void members(Archive& data, Of<Archive, Process>& process) {
  data.required("argv", process.argv);
  data.unless_empty("via", process.via);
  data.unless_empty("script", process.script);
  data.unless_empty("env", process.env);
  data.unless_empty("inherit", process.inherit);
  data.unless_empty("inherited", process.inherited);
  data.unless_empty("cwd", process.cwd);
  data.unless_empty("stdin", process.stdin_text);
  data.unless_empty("capture", process.capture);
  data.always("success_codes", process.success_codes);
  data.always("kill_grace_ms", process.kill_grace);
  data.always("max_output", process.max_output);
  data.unless_empty("leave", process.leave);
  data.unless_empty("unread", process.unread);
  data.unless_empty("shares_cpus", process.shares_cpus);
  data.unless(1, "weight", process.weight);
  data.unless_empty("placeholders", process.placeholders);
}

/// The two kinds of work side by side, of which one is there.
struct WholeTask {
  Task task;
  std::optional<HttpRequest> http{};
  std::optional<Process> process{};
};

template <class Archive>
void members(Archive& data, Of<Archive, WholeTask>& whole) {
  data.required("path", whole.task.path);
  data.always("attempt", whole.task.attempt);
  data.unless_empty("rerun", whole.task.rerun);
  data.unless_empty("page", whole.task.page);
  data.unless_empty("idempotency_key", whole.task.idempotency_key);
  data.unless_empty("timeout_ms", whole.task.timeout);
  data.unless_empty("keep_raw", whole.task.keep_raw);
  data.unless_empty("strict", whole.task.strict);
  data.unless_empty("traceparent", whole.task.traceparent);
  data.unless_empty("http", whole.http);
  data.unless_empty("process", whole.process);
}

/// The columns of an entry side by side.
struct WholeEnd {
  Instant at{};
  std::string path{};
  int attempt = 1;
  Value data{}, value{};
};

template <class Archive>
void members(Archive& data, Of<Archive, WholeEnd>& whole) {
  data.required("path", whole.path);
  data.always("at", whole.at);
  data.always("attempt", whole.attempt);
  data.always("data", whole.data);
  data.unless_empty("value", whole.value);
}

namespace {

template <class T>
T whole_from(std::string_view text) {
  if (!is_json(text, kDeepestFromOutside + 100)) throw Corruption("it is no JSON");
  T whole;
  MemberReader(text).read(whole);
  return whole;
}

template <class T>
std::string whole_text(const T& whole) {
  std::string text;
  {
    MemberWriter writer(text);  // closes the object at its end
    members(writer, whole);
  }
  return text;
}

}  // namespace

std::string task_text(const Task& task) {
  WholeTask whole{task};
  if (const auto* http = std::get_if<HttpRequest>(&*task.work)) whole.http = *http;
  if (const auto* process = std::get_if<Process>(&*task.work)) whole.process = *process;
  return whole_text(whole);
}

Task task_from_text(std::string_view text) {
  auto whole = whole_from<WholeTask>(text);
  if (whole.http.has_value() == whole.process.has_value()) throw Corruption("it says neither `http` nor `process`");
  if (whole.http) whole.task.work = std::move(*whole.http);
  if (whole.process) whole.task.work = std::move(*whole.process);
  return std::move(whole.task);
}

std::string ended_text(const TaskEnded& ended, Instant at) {
  Entry entry = to_entry(Event{at, ended});
  WholeEnd whole{at, entry.path, entry.attempt, Value::from_text(std::move(entry.data)), entry.value};
  return whole_text(whole);
}

Event ended_from_text(std::string_view text) {
  auto whole = whole_from<WholeEnd>(text);
  Entry entry;
  entry.kind = EntryKind::TaskEnded;
  entry.at = whole.at;
  entry.path = std::move(whole.path);
  entry.attempt = whole.attempt;
  entry.data = whole.data.text();
  entry.value = whole.value;
  return to_event(entry);
}

}  // namespace flowrun
