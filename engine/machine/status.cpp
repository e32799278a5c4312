#include "engine/machine/status.h"

#include <algorithm>

namespace flowrun {
namespace {

Json error_of(const Settled& settled) { return settled.failure ? to_json(*settled.failure) : Json(); }

Json items_of(const std::vector<ChildStatus>& children) {
  Json items = Json::array();
  for (std::size_t i = 0; i < children.size(); ++i) {
    const Settled& settled = children[i].settled;
    const bool started = settled.started_at != Instant{};
    items.push_back({{"index", i},
                     {"key", children[i].name},
                     {"item", children[i].item.json()},
                     {"ok", settled.state == State::Succeeded},
                     {"state", to_string(settled.state)},
                     {"output", settled.output.json()},
                     {"error", error_of(settled)},
                     {"attempts", settled.attempts},
                     {"duration_ms", started ? settled.took.count() : 0}});
  }
  return items;
}

Json branches_of(const std::vector<ChildStatus>& children) {
  Json branches = Json::object();
  for (const ChildStatus& child : children) branches[child.name] = status_json(child.settled, "");
  return branches;
}

Json failed_of(const std::vector<ChildStatus>& children, bool items) {
  Json failed = Json::array();
  for (const ChildStatus& child : children) {
    if (child.settled.state != State::Failed) continue;
    Json one{{"index", child.index}, {"key", child.name}, {"error", error_of(child.settled)}};
    if (items) one["item"] = child.item.json();
    failed.push_back(std::move(one));
  }
  return failed;
}

/// Of those that came to an end of their own.
Json order_of(const std::vector<ChildStatus>& children) {
  std::vector<const ChildStatus*> ended;
  for (const ChildStatus& child : children)
    if (child.settled.state == State::Succeeded || child.settled.state == State::Failed) ended.push_back(&child);
  std::sort(ended.begin(), ended.end(), [](const ChildStatus* a, const ChildStatus* b) { return a->order < b->order; });
  Json names = Json::array();
  for (const ChildStatus* child : ended) names.push_back(child->name);
  return names;
}

}  // namespace

void GroupStatus::show(Json& status, std::string_view field) const {
  auto wanted = [&](std::string_view name) { return field.empty() || field == name; };
  if (wanted("counts")) status["counts"] = counts;
  if (winner && wanted("winner")) status["winner"] = *winner;
  if (of == Of::Body) return;
  if (of == Of::Branches && wanted("branches")) status["branches"] = branches_of(children);
  if (of == Of::Items && wanted("items")) status["items"] = items_of(children);
  if (!tells_order) return;
  if (of != Of::Stream && wanted("order")) status["order"] = order_of(children);
  if (wanted("failed")) status["failed"] = failed_of(children, of != Of::Branches);
}

Json status_json(const Settled& settled, std::string_view field) {
  Json status = Json::object();
  auto wanted = [&](std::string_view name) { return field.empty() || field == name; };
  if (wanted("state")) status["state"] = to_string(settled.state);
  if (wanted("ok")) status["ok"] = settled.state == State::Succeeded;
  if (wanted("output")) status["output"] = settled.output.json();
  if (wanted("error")) status["error"] = error_of(settled);
  if (wanted("attempts")) status["attempts"] = settled.attempts;
  if (settled.started_at != Instant{}) {
    if (wanted("started_at")) status["started_at"] = timestamp(settled.started_at);
    if (wanted("finished_at")) status["finished_at"] = timestamp(settled.ended_at);
    if (wanted("duration_ms")) status["duration_ms"] = settled.took.count();
  }
  if (settled.more)
    for (const auto& [name, value] : settled.more->items())
      if (wanted(name)) status[name] = value;
  if (settled.group) settled.group->show(status, field);
  return status;
}

Fallible<Value> output_of(const Settled& settled, const std::string& name) {
  if (settled.state == State::Succeeded) return settled.output;
  if (settled.lets_through()) return Value();
  return Failure{"expression",
                 "$steps." + name + " has no output: the step is " + std::string(to_string(settled.state))};
}

}  // namespace flowrun
