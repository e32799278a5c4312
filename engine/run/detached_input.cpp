#include "engine/run/detached_input.h"

#include <fmt/format.h>

#include "engine/machine/machine.h"
#include "engine/model/entry.h"
#include "engine/model/error.h"
#include "engine/model/hash.h"
#include "engine/model/json_text.h"

namespace flowrun {

std::string to_text(const DetachedInput& input) {
  std::string text;
  {
    ObjectWriter object(text);
    object.number("version", input.version);
    object.number("at", to_millis(input.at));
    object.member("started") += to_entry(Event{input.at, input.started}).data;
    object.text("text", input.text);
    if (!input.sources.empty()) {
      ObjectWriter sources(object.member("sources"));
      for (const auto& [path, source] : input.sources) {
        std::string& out = sources.next();
        append_json_string(out, path);
        out += ':';
        append_json_string(out, source);
      }
    }
    object.text("admin", input.admin);
  }
  return text;
}

DetachedInput detached_input_from(std::string_view text) {
  if (!is_json(text, kDeepestFromOutside + 100)) throw Corruption("what the run was started with is no JSON");
  DetachedInput input;
  input.version = 0;
  std::string_view started, sources;
  for (ObjectReader object(text); object.next();) {
    if (object.key() == "version") input.version = object.integer();
    if (object.key() == "at") input.at = from_millis(object.number());
    if (object.key() == "started") started = object.raw();
    if (object.key() == "text") input.text = object.text();
    if (object.key() == "sources") sources = object.raw();
    if (object.key() == "admin") input.admin = object.text();
  }
  if (input.version < 1 || started.empty()) throw Corruption("what the run was started with is no run of flowrun");
  if (input.version > DetachedInput::kVersion)
    throw Error(Problem::Impossible,
                fmt::format("the run was started in form {}, and this flowrun knows 1 to {}; use one that is as new as "
                            "the one that started it",
                            input.version, DetachedInput::kVersion));
  Entry entry;
  entry.at = input.at;
  entry.kind = EntryKind::RunStarted;
  entry.data = started;
  input.started = std::get<RunStarted>(to_event(entry).fact);
  if (!sources.empty()) {
    const Json texts = Json::parse(sources);  // paths may have escapes
    for (const auto& [path, source] : texts.items()) {
      if (!source.is_string()) throw Corruption("the text of a sub-workflow is no text");
      input.sources[path] = source.get<std::string>();
    }
  }
  if (input.started.semantics < 1) throw Corruption("what the run was started with does not say its semantics");
  if (!Semantics::known(input.started.semantics))
    throw Error(Problem::Impossible,
                fmt::format("run {} was decided by semantics {}, and this flowrun knows {} to {}; use a worker of the "
                            "flowrun that started it",
                            input.started.id, input.started.semantics, Semantics::kOldest, Semantics::kNewest));
  if (hash_name(input.text) != input.started.source_hash)
    throw Corruption(
        fmt::format("run {}: the text of its workflow is not the one it was started with", input.started.id));
  for (const auto& [path, hash] : input.started.sources) {
    const auto source = input.sources.find(path);
    if (source == input.sources.end() || hash_name(source->second) != hash)
      throw Corruption(
          fmt::format("run {}: the text of {} is not the one it was started with", input.started.id, path));
  }
  return input;
}

Loaded load_detached(const DetachedInput& input) {
  const RunStarted& started = input.started;
  Diagnostics diagnostics({started.file, input.text});
  std::optional<Loaded> loaded = load(started.file, diagnostics, nullptr, Lints::No, false, &input.sources);
  if (!loaded)
    throw Error(Problem::Impossible,
                fmt::format("this flowrun can not read the workflow of run {}:\n{}", started.id, diagnostics.text()));
  if (started.file.empty()) loaded->folder = started.folder;
  return std::move(*loaded);
}

}  // namespace flowrun
