#include "engine/restate/step_call.h"

#include <fmt/format.h>

#include <array>

#include "engine/model/error.h"
#include "engine/model/json_text.h"
#include "engine/model/task_text.h"

namespace flowrun::restate {
namespace {

constexpr std::array<std::string_view, 3> kSourceWords = {"env", "file", "command"};

SecretSource::From source_from(const std::string& word) {
  for (std::size_t i = 0; i < kSourceWords.size(); ++i)
    if (kSourceWords[i] == word) return static_cast<SecretSource::From>(i);
  throw Corruption(fmt::format("a secret comes from '{}', which is not known", word));
}

void append_source(std::string& out, const SecretSource& source) {
  ObjectWriter object(out);
  object.text("name", source.name);
  object.text("from", kSourceWords[static_cast<std::size_t>(source.from)]);
  object.text_if("place", source.place);
  if (!source.command.empty()) {
    ListWriter words(object.member("command"));
    for (const std::string& word : source.command) words.text(word);
  }
  object.true_if("optional", source.optional);
  object.number_if("line", source.line);
}

SecretSource secret_source_from(std::string_view text) {
  SecretSource source;
  for (ObjectReader object(text); object.next();) {
    if (object.key() == "name") source.name = object.text();
    if (object.key() == "from") source.from = source_from(object.text());
    if (object.key() == "place") source.place = object.text();
    if (object.key() == "command")
      for (std::string_view word : list_elements(object.raw())) source.command.push_back(string_of(word));
    if (object.key() == "optional") source.optional = object.boolean();
    if (object.key() == "line") source.line = object.integer();
  }
  return source;
}

/// What an older worker would leave out unseen, and send something else, needs one that knows it.
int version_of(const StepCall& call) {
  const auto* request = std::get_if<HttpRequest>(&*call.task.work);
  return request && (!request->parts.empty() || !request->unix_socket.empty()) ? 2 : 1;
}

void append_call(std::string& out, const StepCall& call) {
  ObjectWriter object(out);
  object.number("version", version_of(call));
  object.text("run", call.run_id);
  object.text_if("folder", call.folder);
  object.text_if("file", call.file);
  if (!call.secrets.empty()) {
    ListWriter sources(object.member("secrets"));
    for (const SecretSource& source : call.secrets) append_source(sources.next(), source);
  }
  object.boolean("repeats", call.repeats);
  object.member("task") += task_text(call.task);
}

}  // namespace

std::string service_name(std::string_view pool) { return pool.empty() ? "flowrun" : "flowrun-" + std::string(pool); }

std::string to_text(const StepCall& call) {
  std::string text;
  append_call(text, call);
  return text;
}

StepCall step_call_from(std::string_view text) {
  if (!is_json(text, kDeepestFromOutside + 100)) throw Corruption("the call is no JSON");
  StepCall call;
  call.version = 0;
  std::string_view task;
  for (ObjectReader object(text); object.next();) {
    if (object.key() == "version") call.version = object.integer();
    if (object.key() == "run") call.run_id = object.text();
    if (object.key() == "folder") call.folder = object.text();
    if (object.key() == "file") call.file = object.text();
    if (object.key() == "secrets")
      for (std::string_view source : list_elements(object.raw())) call.secrets.push_back(secret_source_from(source));
    if (object.key() == "repeats") call.repeats = object.boolean();
    if (object.key() == "task") task = object.raw();
  }
  if (call.version < 1 || call.version > kStepCallVersion)
    throw Corruption(
        fmt::format("the call has version {}, and this worker knows 1 to {}", call.version, kStepCallVersion));
  if (call.run_id.empty() || task.empty()) throw Corruption("the call does not say its `run` or its `task`");
  call.task = task_from_text(task);
  return call;
}

}  // namespace flowrun::restate
