#include "engine/model/entry.h"

#include <fmt/format.h>

#include <array>

#include "engine/model/entry_parts.h"
#include "engine/model/json_text.h"

namespace flowrun {

namespace {

using Slices = std::array<std::string_view, kMostDeciding>;

/// What of the data decides; slices of it.
Slices deciding_slices(const Entry& entry) {
  const auto& members = deciding_members(entry.kind);
  Slices slices;
  for (ObjectReader data(entry.data); data.next();)
    for (std::size_t i = 0; i < members.size(); ++i)
      if (data.key() == members[i] && !members[i].empty()) slices[i] = data.raw();
  return slices;
}

std::string both(const Entry& entry, std::string_view member, std::string_view recorded, std::string_view recomputed) {
  const auto shown = [](std::string_view text) { return text.empty() ? std::string_view("none") : text; };
  return fmt::format("{}: {}: recorded {}, recomputed {}", name_of(entry), member, shown(recorded), shown(recomputed));
}

bool is_digest(std::string_view input) { return input.starts_with(R"({"size":)"); }

}  // namespace

std::string name_of(const Entry& entry) {
  std::string name = fmt::format("'{}'", to_string(entry.kind));
  if (!entry.path.empty()) name += fmt::format(" of {}", entry.path);
  if (entry.attempt != 0) name += fmt::format(", attempt {}", entry.attempt);
  return name;
}

Entry to_entry(const Event& event, bool late) {
  Entry entry;
  entry.at = event.at;
  entry.kind = late ? EntryKind::LateEnd : static_cast<EntryKind>(event.fact.index());
  write_fact(entry, event.fact);
  return entry;
}

Entry to_entry(const Decision& decision, Instant at) {
  Entry entry;
  entry.at = at;
  entry.kind = static_cast<EntryKind>(kFirstDecision + decision.what.index());
  write_decision(entry, decision);
  return entry;
}

Event to_event(const Entry& entry) {
  return reading_members(entry, [&]() -> Event {
    if (!is_fact(entry.kind)) throw Corruption("this is not the name of a fact");
    const EntryKind kind = entry.kind == EntryKind::LateEnd ? EntryKind::TaskEnded : entry.kind;
    return {entry.at, read_fact(entry, static_cast<std::size_t>(kind))};
  });
}

std::string difference(const Entry& recorded, const Entry& recomputed) {
  if (recorded.kind != recomputed.kind || recorded.path != recomputed.path || recorded.attempt != recomputed.attempt)
    return fmt::format("recorded {}, recomputed {}", name_of(recorded), name_of(recomputed));
  if (recorded.data == recomputed.data) return {};

  const Slices before = deciding_slices(recorded), now = deciding_slices(recomputed);
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i] == now[i]) continue;
    const std::string_view member = deciding_members(recorded.kind)[i];
    if (member != "input") return both(recorded, member, before[i], now[i]);
    // Inputs are compared by their hashes alone: a short one is there for people, and rule 2 of
    // engine/README.md compares no texts.
    if (!is_digest(before[i]) && !is_digest(now[i])) continue;
    const auto shown = [](std::string_view input) { return is_digest(input) ? input : "a short text"; };
    return both(recorded, member, shown(before[i]), shown(now[i]));
  }
  return {};
}

}  // namespace flowrun
