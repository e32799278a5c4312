#include "engine/model/entry_kind.h"

#include <algorithm>
#include <iterator>

#include "engine/model/decision.h"
#include "engine/model/event.h"

namespace flowrun {

namespace {

struct Row {
  std::string_view name;
  std::array<std::string_view, kMostDeciding> deciding;
};

/// By the numbers of EntryKind.
constexpr Row kRows[] = {
#define FACT(type, name) {name, {}},
#define LATE(type, name) {name, {}},
#define DECISION(type, name, ...) {name, {__VA_ARGS__}},
#include "engine/model/entry_kinds.def"
};

constexpr FormerName kFormerNames[] = {{"cancel", EntryKind::CancelRequested},
                                       {"run_undone", EntryKind::UndoRequested}};

// The order of the rows is that of the alternatives.
using What = decltype(Decision::what);
static_assert(kFirstDecision == std::variant_size_v<Fact> + 1);
static_assert(std::size(kRows) == kFirstDecision + std::variant_size_v<What>);
#define FACT(type, name) \
  static_assert(std::is_same_v<type, std::variant_alternative_t<static_cast<std::size_t>(EntryKind::type), Fact>>);
#define DECISION(type, name, ...) \
  static_assert(                  \
      std::is_same_v<type,        \
                     std::variant_alternative_t<static_cast<std::size_t>(EntryKind::type) - kFirstDecision, What>>);
#include "engine/model/entry_kinds.def"

}  // namespace

std::string_view to_string(EntryKind kind) { return kRows[static_cast<std::size_t>(kind)].name; }

std::optional<EntryKind> entry_kind_from(std::string_view name) {
  const Row* row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& one) { return one.name == name; });
  if (row != std::end(kRows)) return static_cast<EntryKind>(row - std::begin(kRows));
  for (const FormerName& former : kFormerNames)
    if (former.name == name) return former.kind;
  return std::nullopt;
}

std::span<const FormerName> former_names() { return kFormerNames; }

const std::array<std::string_view, kMostDeciding>& deciding_members(EntryKind kind) {
  return kRows[static_cast<std::size_t>(kind)].deciding;
}

}  // namespace flowrun
