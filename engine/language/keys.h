// All keys of the language, in tables: who has them, what they take, what they mean. Parser, suggestions and manual
// agree because they read it here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flowrun {

/// What steps of a kind are like.
enum KindTrait : std::uint32_t {
  kTries = 1,        ///< may be tried again: retry, poll, deadline
  kJoins = 2,        ///< has a join
  kActs = 4,         ///< does what an undo can take back
  kReusable = 8,     ///< has a result of its own, which a fork may take over
  kTakesText = 16,   ///< fails when a text in its own keys is null
  kHoldsSteps = 32,  ///< its value is steps
  kNamesToo = 64     ///< came later: in older files a step may have its name
};

/// The kinds in the order of kinds.def.
enum KindIndex : std::uint32_t {
#define KIND(name, constant, traits, type, default_text, doc) constant##Index,
#include "engine/language/kinds.def"
#undef KIND
  kKinds
};

/// Kinds of step as a set.
enum KindSet : std::uint32_t {
#define KIND(name, constant, traits, type, default_text, doc) constant = 1u << constant##Index,
#include "engine/language/kinds.def"
#undef KIND
  kEvery = (1u << kKinds) - 1
};

/// The kinds that have |trait|.
constexpr std::uint32_t kinds_with(KindTrait trait) {
  std::uint32_t kinds = 0;
#define KIND(name, constant, traits, type, default_text, doc) \
  if ((traits)&trait) kinds |= constant;
#include "engine/language/kinds.def"
#undef KIND
  return kinds;
}

constexpr std::uint32_t kProcess = kShell | kExec;
constexpr std::uint32_t kWork = kinds_with(kTries);
constexpr std::uint32_t kJoining = kinds_with(kJoins);
constexpr std::uint32_t kUndoable = kinds_with(kActs);

struct Key {
  const char* name;
  std::uint32_t kinds;
  const char* type;          ///< in words that language_schema.cpp knows: `duration`, `map`, `rerun, ask or fail`, ...
  const char* default_text;  ///< its default, for people
  const char* doc;
};

/// Keys of a step. Kinds first: each is a key, too.
const std::vector<Key>& step_keys();
/// Keys at the top of a file; their `kinds` are 0.
const std::vector<Key>& top_keys();
const Key* find_top_key(std::string_view name);

/// A key within the map that is the value of another: `attempts` within `retry`.
struct InnerKey {
  const char* within;
  const char* name;
  const char* type;
  const char* default_text;
  const char* doc;
};
const std::vector<InnerKey>& inner_keys();
std::vector<std::string> names_within(std::string_view key);
/// The policies of `join` that are written as a word; those with an amount are keys within it.
const std::vector<std::string>& join_words();

const Key* find_key(std::string_view name);
/// The names of all kinds, in the order of kinds.def.
const std::vector<std::string>& all_kinds();
/// 0 for what is no kind.
std::uint32_t kind_bit(std::string_view name);
std::string kind_names(std::uint32_t kinds);

/// Whether `defaults` may say it; some options a step must write itself.
bool may_have_default(const Key& key);
/// Types of error without a number, as `retry.on` names them.
const std::vector<std::string>& error_types();
/// The same as `on` of a fallback names them: all that there are.
const std::vector<std::string>& caught_types();
/// Whether |type| is, or would be read as, a type of error that flowrun itself gives.
bool is_own_error(std::string_view type);
const std::vector<std::string>& http_methods();
/// Words kept for later versions: using one is E109.
bool is_reserved(std::string_view word);

}  // namespace flowrun
