// What an entry of the journal can be. The rows are in entry_kinds.def; knows nothing of what an entry holds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace flowrun {

/// Facts, then decisions; each is called like its struct in event.h or decision.h. LateEnd is a TaskEnded too: the end
/// of an attempt that was given up before.
enum class EntryKind : std::uint8_t {
#define FACT(type, name) type,
#define LATE(type, name) type,
#define DECISION(type, name, ...) type,
#include "engine/model/entry_kinds.def"
};

/// Its name in the journal.
std::string_view to_string(EntryKind kind);
/// Also of a name that a kind had before. Nothing: no version writes entries of that name.
std::optional<EntryKind> entry_kind_from(std::string_view name);

/// A name of schema 1 that said what it was not: a request is no deed. It stands in journals that no flowrun has
/// written to since.
struct FormerName {
  std::string_view name;
  EntryKind kind;
};
std::span<const FormerName> former_names();

/// The others are decisions.
constexpr bool is_fact(EntryKind kind) { return kind <= EntryKind::LateEnd; }
/// The first of the decisions, as a number.
constexpr auto kFirstDecision = static_cast<std::size_t>(EntryKind::LateEnd) + 1;

constexpr std::size_t kMostDeciding = 3;
/// The members of the data of a decision that a replay must decide again; empty names behind them.
const std::array<std::string_view, kMostDeciding>& deciding_members(EntryKind kind);

}  // namespace flowrun
