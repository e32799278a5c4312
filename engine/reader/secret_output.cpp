#include "engine/reader/secret_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "engine/language/keys.h"
#include "engine/reader/readers.h"
#include "engine/steps/effect.h"

namespace flowrun {
namespace {

/// What a step with a secret output may not have.
struct Against {
  const char* key;
  const char* value;  ///< null: any
  const char* why;
  const char* advice;
};
constexpr Against kAgainst[] = {
    {"returns", nullptr, "nobody looks at the output, so nobody can check it", "leave `returns` out"},
    {"poll", nullptr, "nobody looks at the output, so nobody can say when it is enough", "poll in a step before it"},
    {"paginate", nullptr, "nobody looks at the output, so nobody can say which page follows", "leave `paginate` out"},
    {"memo", nullptr, "a result that is kept for other runs lies on the disk", "leave `memo` out"},
    {"fallback", nullptr, "what stands in for it is not secret",
     "leave `fallback` out; the step that needs the output may have one"},
    {"on_crash", "ask", "the next drive carries the step out again, and does not ask", "leave `on_crash` out"},
    {"on_crash", "fail", "the next drive carries the step out again", "leave `on_crash` out"},
    {"response", "file", "a file lies on the disk", "leave `response` out"},
    {"capture", "file", "a file lies on the disk", "let it say its output, and leave `capture` out"},
};

/// Which part of a raw result |output| is, as a JSON pointer; nothing: it is more than a path.
std::optional<std::string> part_of(const ValueTemplate& output) {
  const std::vector<Expression> expressions = output.expressions();
  bool whole = false;
  output.each([&](const Expression&, bool is_whole) { whole = is_whole; });
  const Use* use = expressions.size() == 1 && whole ? expressions.front().plain_path() : nullptr;
  if (!use || use->reference.variable != ".") return std::nullopt;
  Json::json_pointer part;
  for (const Hop& hop : use->hops) {
    if (!is_written_out(hop)) return std::nullopt;
    part /= hop.name;
  }
  return part.to_string();
}

bool body_leads_to_secret(const Node& body, const std::vector<Hop>& hops, std::size_t from) {
  if (body.is_list()) return !body.items.empty() && leads_to_secret(body.items.back(), hops, from);
  const bool single = std::any_of(body.members.begin(), body.members.end(),
                                  [](const Member& member) { return kind_bit(member.key) != 0; });
  if (single) return leads_to_secret(body, hops, from);
  const Node* child = from < hops.size() && hops[from].kind == Hop::Kind::Field ? body.find(hops[from].name) : nullptr;
  return child && leads_to_secret(*child, hops, from + 1);
}

}  // namespace

bool is_written_out(const Hop& hop) {
  return hop.kind == Hop::Kind::Field || (hop.kind == Hop::Kind::Item && !hop.name.starts_with('-'));
}

bool has_secret_output(const Node& node) {
  const Node* secret = node.find("secret");
  return secret && secret->kind == Node::Kind::Boolean && secret->json().get<bool>();
}

bool leads_to_secret(const Node& node, const std::vector<Hop>& hops, std::size_t from) {
  if (has_secret_output(node)) return true;
  if (const Node* fallback = node.find("fallback"); fallback && leads_to_secret(*fallback, hops, from)) return true;
  if (node.find("output") || node.find("collect")) return false;
  if (const Node* steps = node.find("parallel")) return body_leads_to_secret(*steps, hops, from);
  if (const Node* steps = node.find("sequence")) return body_leads_to_secret(*steps, hops, from);
  if (const Node* steps = node.find("race"))
    return std::any_of(steps->members.begin(), steps->members.end(),
                       [&](const Member& one) { return leads_to_secret(one.value, hops, from); });
  if (const Node* ways = node.find("switch"))
    return std::any_of(ways->items.begin(), ways->items.end(), [&](const Node& way) {
      const Node* body = way.find("do");
      if (!body) body = way.find("else");
      return body && body_leads_to_secret(*body, hops, from);
    });
  const Node* body = node.find("do");
  if (!body) return false;
  if (!node.find("for_each")) return body_leads_to_secret(*body, hops, from);
  return from < hops.size() && hops[from].kind != Hop::Kind::Field && body_leads_to_secret(*body, hops, from + 1);
}

void read_secret_output(Reading& reading, CommonStep& step, const Node& node) {
  const Member* secret = node.member("secret");
  auto* effect = dynamic_cast<Effect*>(&step);
  if (!secret || !effect) return;
  step.secret = reading.values().plain_boolean(secret->value, "secret").value_or(false);
  if (!step.secret) return;
  reading.index().secret_outputs.push_back(step.name);
  for (const Against& one : kAgainst) {
    const Node* other = node.find(one.key);
    if (!other || (one.value && other->text != one.value)) continue;
    const std::string written = one.value ? fmt::format("{}: {}", one.key, one.value) : one.key;
    reading.error("E106", secret->at, secret->key.size(), fmt::format("`secret` and `{}`: {}", written, one.why),
                  one.advice);
  }
  if (effect->expect_condition)
    reading.error("E106", secret->at, secret->key.size(),
                  "`secret` and `expect.if`: nobody looks at the answer, so nobody can ask whether it is the right one",
                  "`expect.status` is looked at");
  if (!step.options.output) return;
  const Node& output = *node.find("output");
  if (auto part = part_of(*step.options.output)) {
    effect->secret_part = *std::move(part);
  } else {
    reading.error("E102", output.at, std::max<std::size_t>(1, output.text.size()),
                  "`output` of a step with `secret` is one path into what came back: nobody evaluates more",
                  "for example ${ .body.access_token }, or ${ .headers[\"x-auth-token\"] }");
  }
}

}  // namespace flowrun
