// The readers of single keys, and of the kinds by their names.
#pragma once

#include "engine/reader/reading.h"

namespace flowrun {

class WorkStep;
class EffectStep;
class HttpStep;
struct Limit;

/// How the own keys of |kind| are read. |node| has the defaults merged in.
std::unique_ptr<LivingStep> read_kind(Reading& reading, const Node& node, const std::string& kind);

// read_http, read_shell and so on, each in a file of its own or with its siblings.
#define KIND(name, constant, traits, type, default_text, doc) \
  std::unique_ptr<LivingStep> read_##name(Reading& reading, const Node& node);
#include "engine/language/kinds.def"
#undef KIND

/// For Reading::Within: an expression may be a secret alone.
inline void allow_secrets(ReadingContext& context) { context.secrets_allowed = true; }

/// retry, poll, deadline; |retry_on|: the default of `retry.on`.
void read_work(Reading& reading, WorkStep& step, const Node& node, std::vector<std::string> retry_on);
/// The same, limit and on_crash, as http, shell and exec have them.
void read_effect(Reading& reading, EffectStep& step, const Node& node, std::vector<std::string> retry_on);
/// paginate of |node|; |step| is read but for that.
void read_paginate(Reading& reading, HttpStep& step, const Node& node);
/// join and fail_fast of a group.
void read_group(Reading& reading, GroupStep& step, const Node& node);
/// Groups inside inherit what is written on |step| while the result lives.
[[nodiscard]] Reading::Within inherit_fail_fast(Reading& reading, GroupStep& step);

/// A pool of `limits` with the name |member| has, of the sub-workflow |file|; empty: of the main file.
void read_pool(Reading& reading, const Member& member, const std::string& file);
/// What `limit` of a step means, null when it means nothing.
const Limit* read_limit(Reading& reading, const Node& node);

}  // namespace flowrun
