// All keys of the language, in tables: who has them, what they take, what they mean. Parser, suggestions and manual
// agree because they read it here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flowrun {

/// Kinds of step as a set.
enum KindSet : std::uint32_t {
  kHttp = 1,
  kShell = 2,
  kExec = 4,
  kSleep = 8,
  kWait = 16,
  kWorkflow = 32,
  kSet = 64,
  kFail = 128,
  kParallel = 256,
  kRace = 512,
  kSequence = 1024,
  kSwitch = 2048,
  kForEach = 4096,
  kProcess = kShell | kExec,
  kWork = kHttp | kProcess | kWorkflow,
  kJoining = kParallel | kRace | kForEach,
  kEvery = 8191,
  kUndoable = kEvery & ~(kSet | kFail | kSleep | kWait),
};

struct Key {
  const char* name;
  std::uint32_t kinds;
  const char* type;   ///< in words that language_schema.cpp knows: `duration`, `map`, `rerun, ask or fail`, ...
  const char* usual;  ///< its default, for people
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
  const char* usual;
  const char* doc;
};
const std::vector<InnerKey>& inner_keys();
std::vector<std::string> names_within(std::string_view key);

const Key* find_key(std::string_view name);
/// 0 for what is no kind.
std::uint32_t kind_bit(std::string_view name);
std::string kind_names(std::uint32_t kinds);

/// What to write instead of a word of another tool, or of a key in the wrong place; empty: nothing is known. |kind| 0:
/// the kind of the step is not known.
std::string advice_for(std::string_view word, std::uint32_t kind);
/// The same for a word within the map that is the value of |key|.
std::string advice_within(std::string_view key, std::string_view word);
/// The same for a word at the top of a file.
std::string advice_at_top(std::string_view word);
/// Whether `defaults` may say it; some options a step must write itself.
bool may_have_default(const Key& key);
/// Types of error without a number, as `retry.on` names them.
const std::vector<std::string>& error_types();
const std::vector<std::string>& http_methods();
/// Words kept for later versions: using one is E109.
bool is_reserved(std::string_view word);

}  // namespace flowrun
