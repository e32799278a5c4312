// A text as a document, and what is told when it can not be read to its end.
#include "engine/yaml/builder.h"
#include "engine/yaml/events.h"
#include "engine/yaml/faults.h"
#include "engine/yaml/node.h"
#include "engine/yaml/quirks.h"
#include "engine/yaml/text.h"

namespace flowrun {

std::optional<Node> read_yaml(Diagnostics& diagnostics) {
  std::string_view bytes = diagnostics.source().text;
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  auto refuse = [&](const YamlText& text, const Refusal& refusal) {
    if (refusal.code.empty()) return;  // already told
    diagnostics.error(refusal.code, text.position(refusal.offset), refusal.length, refusal.message, refusal.suggestion);
  };
  if (auto refusal = refused_bytes(bytes)) {
    refuse(YamlText(bytes), *refusal);
    return std::nullopt;
  }
  YamlText text(bytes);
  NodeBuilder builder(text, diagnostics);
  YamlEvents events(bytes);
  // Nothing below is read. What YAML breaks there can be told all the same.
  auto stopped = [&] {
    for (const Quirk& quirk : broken_values(text)) builder.report(quirk);
    return std::nullopt;
  };
  try {
    while (auto event = events.next()) builder.add(std::move(*event));
  } catch (const Refusal& refusal) {
    refuse(text, refusal);
    return stopped();
  }
  if (auto error = events.error()) {
    const std::size_t hash = comment_in_flow(text, *error, builder.outer_bracket());
    const std::optional<Quirk> at = broken_at(text, *error);
    const bool explained = at || is_broken_near(text, *error) || (hash != error->begin && builder.has_told(hash));
    if (at) builder.report(*at);
    stopped();
    if (explained && !diagnostics.ok()) return std::nullopt;
    if (hash == error->begin)
      refuse(text, translated(text, *error, builder.inner_bracket()));
    else
      refuse(text, {"E001", hash, 1, "a comment begins at this ` #`, and the bracket that should close is in it",
                    "put the text in quotes"});
    return std::nullopt;
  }
  if (!builder.has_document()) {
    refuse(text, {"E001", 0, 1, "this file is empty; a workflow begins with `flowrun: 1` and has `steps:`"});
    return std::nullopt;
  }
  return builder.take();
}

}  // namespace flowrun
