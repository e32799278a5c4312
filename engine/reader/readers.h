// The readers of single keys, and of the kinds by their names.
#pragma once

#include "engine/reader/reading.h"

namespace flowrun {

class Effect;
struct RetrySettings;
class HttpStep;
struct Limit;

/// Reads the own keys of |kind|. |node| has the defaults merged in. Null when there is no such kind.
std::unique_ptr<CommonStep> read_kind(Reading& reading, const Node& node, const std::string& kind);

// read_http, read_shell and so on, each in a file of its own or with its siblings.
#define KIND(name, constant, traits, type, default_text, doc) \
  std::unique_ptr<CommonStep> read_##name(Reading& reading, const Node& node);
#include "engine/language/kinds.def"
#undef KIND

/// A change for Reading::Within: an expression may be a secret, alone.
inline void allow_secrets(ReadingContext& context) { context.secrets_allowed = true; }

/// Types of errors as `on` lists them: each |known|, with a number, or one of FileIndex::raised from |raised_from| on.
std::vector<std::string> read_error_types(Reading& reading, const Node& node, const std::vector<std::string>& known,
                                          std::size_t raised_from);
/// Reads retry, poll and deadline; |retry_on| is the default of `retry.on`.
void read_work(Reading& reading, RetrySettings& settings, const Node& node, std::vector<std::string> retry_on);
/// Reads limit, weight, pool and on_crash, as http, shell and exec have them. |step| and |effect| are parts of the
/// same.
void read_effect(Reading& reading, Step& step, Effect& effect, const Node& node);
/// Reads memo, reads and writes. REQUIRES: the rest of |effect| is read.
void read_memo(Reading& reading, Effect& effect, const Node& node);
/// Reads paginate. REQUIRES: the rest of |step| is read.
void read_paginate(Reading& reading, HttpStep& step, const Node& node);
/// Reads join and fail_fast of a group.
void read_group(Reading& reading, GroupSettings& group, const Node& node);
/// Groups inside inherit what is written on |group| while the result lives.
[[nodiscard]] Reading::Within inherit_fail_fast(Reading& reading, GroupSettings& group);

/// Reads |member| of `limits`, a pool. |file| is the path of a sub-workflow, empty for the main file.
void read_pool(Reading& reading, const Member& member, const std::string& file);
/// The limit that `limit` of a step means; null after a mistake.
const Limit* read_limit(Reading& reading, const Node& node);

}  // namespace flowrun
