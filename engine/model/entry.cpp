#include "engine/model/entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/model/entry_parts.h"
#include "engine/model/entry_reading.h"
#include "engine/model/error.h"
#include "engine/model/json_text.h"

namespace flowrun {

namespace {

/// The kinds: facts by the alternatives of Event::fact, `late`, then decisions by those of Decision::what.
constexpr std::array<std::string_view, 26> kKinds = {"run_started", "run_resumed",   "run_reopened",
                                                     "reserved",    "ended",         "interrupted",
                                                     "withdrawn",   "fired",         "suspend_requested",
                                                     "signal",      "cancel",        "run_undone",
                                                     "run_frozen",  "late",          "reserve",
                                                     "start",       "stop",          "withdraw",
                                                     "timer",       "settled",       "items",
                                                     "evaluated",   "run_suspended", "run_ended",
                                                     "waiting",     "child"};
constexpr std::size_t kEnded = 4;
constexpr std::size_t kLate = std::variant_size_v<Fact>;
constexpr std::size_t kFirstDecision = kLate + 1;
static_assert(std::is_same_v<std::variant_alternative_t<kEnded, Fact>, TaskEnded>);
static_assert(kFirstDecision + std::variant_size_v<decltype(Decision::what)> == kKinds.size());

/// kKinds.size() when there is none of that name.
std::size_t number_of(std::string_view kind) { return std::find(kKinds.begin(), kKinds.end(), kind) - kKinds.begin(); }

/// What of the data decides; slices of it.
struct Said {
  std::string_view due, timer, reason, state, input;
};

Said said(const Entry& entry) {
  Said said;
  for (ObjectReader data(entry.data); data.next();) {
    if (data.key() == "due") said.due = data.raw();
    if (data.key() == "timer") said.timer = data.raw();
    if (data.key() == "reason") said.reason = data.raw();
    if (data.key() == "state") said.state = data.raw();
    if (data.key() == "input") said.input = data.raw();
  }
  return said;
}

std::string name_of(const Entry& entry) {
  std::string name = fmt::format("'{}'", entry.kind);
  if (!entry.path.empty()) name += fmt::format(" of {}", entry.path);
  if (entry.attempt != 0) name += fmt::format(", attempt {}", entry.attempt);
  return name;
}

std::string both(const Entry& entry, std::string_view member, std::string_view recorded, std::string_view recomputed) {
  const auto shown = [](std::string_view text) { return text.empty() ? std::string_view("none") : text; };
  return fmt::format("{}: {}: recorded {}, recomputed {}", name_of(entry), member, shown(recorded), shown(recomputed));
}

}  // namespace

bool is_fact(std::string_view kind) { return number_of(kind) < kFirstDecision; }

Entry to_entry(const Event& event, bool late) {
  Entry entry;
  entry.at = event.at;
  entry.kind = kKinds[late ? kLate : event.fact.index()];
  write_fact(entry, event.fact);
  return entry;
}

Entry to_entry(const Decision& decision, Instant at) {
  Entry entry;
  entry.at = at;
  entry.kind = kKinds[kFirstDecision + decision.what.index()];
  write_decision(entry, decision);
  return entry;
}

Event to_event(const Entry& entry) {
  const std::size_t number = number_of(entry.kind);
  try {
    if (number >= kFirstDecision) throw Corruption("this is not the name of a fact");
    return {entry.at, read_fact(entry, number == kLate ? kEnded : number)};
  } catch (const Corruption& error) {
    throw Corruption(fmt::format("entry {}, {}: {}", entry.seq, name_of(entry), error.what()));
  } catch (const Json::exception& error) {
    damaged(entry, error.what());
  }
}

std::string difference(const Entry& recorded, const Entry& recomputed) {
  if (recorded.kind != recomputed.kind || recorded.path != recomputed.path || recorded.attempt != recomputed.attempt)
    return fmt::format("recorded {}, recomputed {}", name_of(recorded), name_of(recomputed));
  if (recorded.data == recomputed.data) return {};

  const Said before = said(recorded), now = said(recomputed);
  if (before.due != now.due) return both(recorded, "due", before.due, now.due);
  if (before.timer != now.timer) return both(recorded, "timer", before.timer, now.timer);
  if (before.reason != now.reason) return both(recorded, "reason", before.reason, now.reason);
  if (before.state != now.state) return both(recorded, "state", before.state, now.state);
  // Inputs are compared by their hashes alone: a short one is there for people, and rule 2 of
  // engine/README.md compares no texts.
  const auto is_digest = [](std::string_view input) { return input.substr(0, 8) == R"({"size":)"; };
  if ((is_digest(before.input) || is_digest(now.input)) && before.input != now.input) {
    const auto shown = [&](std::string_view input) { return is_digest(input) ? input : "a short text"; };
    return both(recorded, "input", shown(before.input), shown(now.input));
  }
  return {};
}

}  // namespace flowrun
