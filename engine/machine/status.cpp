#include "engine/machine/status.h"

#include <algorithm>
#include <type_traits>

#include "engine/model/secret_text.h"

namespace flowrun {
namespace {

/// Adds |name| to |status| where it is seen; |make| makes all of it, or what the sight that it takes sees.
template <typename Make>
void put(Json& status, const Sight& sight, const char* name, Make make) {
  if (!sight.sees(name)) return;
  const Sight of = sight.of(name);
  if constexpr (std::is_invocable_v<Make, const Sight&>)
    status[name] = make(of);
  else
    status[name] = seen(Json(make()), of);
}

Json error_of(const Settled& settled, const Sight& sight) {
  return settled.failure ? seen(to_json(*settled.failure), sight) : Json();
}

/// |sight| is that of the list.
Json items_of(const std::vector<ChildStatus>& children, const Sight& sight) {
  Json items = Json::array();
  if (!sight.whole && !sight.members && sight.each.empty()) return items;
  const Sight each = sight.of("");
  for (std::size_t i = 0; i < children.size(); ++i) {
    const ChildStatus& child = children[i];
    const Settled& settled = child.settled;
    const bool started = settled.started_at != Instant{};
    Json item = Json::object();
    put(item, each, "index", [&] { return i; });
    put(item, each, "key", [&] { return child.name; });
    put(item, each, "item", [&](const Sight& of) { return seen(child.item, of); });
    put(item, each, "ok", [&] { return settled.state == State::Succeeded; });
    put(item, each, "state", [&] { return to_string(settled.state); });
    put(item, each, "output", [&](const Sight& of) { return seen(settled.output, of); });
    put(item, each, "error", [&](const Sight& of) { return error_of(settled, of); });
    put(item, each, "attempts", [&] { return settled.attempts; });
    put(item, each, "duration_ms", [&] { return started ? settled.took.count() : 0; });
    items.push_back(std::move(item));
  }
  return items;
}

Json branches_of(const std::vector<ChildStatus>& children, const Sight& sight) {
  Json branches = Json::object();
  for (const ChildStatus& child : children)
    if (sight.sees(child.name)) branches[child.name] = status_json(child.settled, sight.of(child.name));
  return branches;
}

Json failed_of(const std::vector<ChildStatus>& children, bool items, const Sight& sight) {
  Json failed = Json::array();
  if (!sight.whole && !sight.members && sight.each.empty()) return failed;
  const Sight each = sight.of("");
  for (const ChildStatus& child : children) {
    if (child.settled.state != State::Failed) continue;
    Json one = Json::object();
    put(one, each, "index", [&] { return child.index; });
    put(one, each, "key", [&] { return child.name; });
    put(one, each, "error", [&](const Sight& of) { return error_of(child.settled, of); });
    if (items) put(one, each, "item", [&](const Sight& of) { return seen(child.item, of); });
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

void GroupStatus::show(Json& status, const Sight& sight) const {
  put(status, sight, "counts", [&] { return counts; });
  if (winner) put(status, sight, "winner", [&] { return *winner; });
  if (of == Of::Body) return;
  if (of == Of::Branches)
    put(status, sight, "branches", [&](const Sight& seen) { return branches_of(children, seen); });
  if (of == Of::Items) put(status, sight, "items", [&](const Sight& seen) { return items_of(children, seen); });
  if (!tells_order) return;
  if (of != Of::Stream) put(status, sight, "order", [&] { return order_of(children); });
  put(status, sight, "failed", [&](const Sight& seen) { return failed_of(children, of != Of::Branches, seen); });
}

Json status_json(const Settled& settled, const Sight& sight) {
  Json status = Json::object();
  put(status, sight, "state", [&] { return to_string(settled.state); });
  put(status, sight, "ok", [&] { return settled.state == State::Succeeded; });
  put(status, sight, "output", [&](const Sight& of) { return seen(settled.output, of); });
  put(status, sight, "error", [&](const Sight& of) { return error_of(settled, of); });
  put(status, sight, "attempts", [&] { return settled.attempts; });
  if (settled.started_at != Instant{}) {
    put(status, sight, "started_at", [&] { return timestamp(settled.started_at); });
    put(status, sight, "finished_at", [&] { return timestamp(settled.ended_at); });
    put(status, sight, "duration_ms", [&] { return settled.took.count(); });
  }
  if (settled.more)
    for (const auto& [name, value] : settled.more->items())
      if (sight.sees(name)) status[name] = seen(value, sight.of(name));
  if (settled.group) settled.group->show(status, sight);
  return status;
}

Json status_json(const Settled& settled, const Reference& reference) {
  if (reference.sight) return status_json(settled, *reference.sight);
  if (reference.field.empty()) return status_json(settled, Sight::all());
  Sight field;
  field.fields[reference.field] = Sight::all();
  return status_json(settled, field);
}

Fallible<Value> output_of(const Settled& settled, const Step& step, std::string_view path) {
  if (step.secret && settled.state == State::Succeeded) return Value(to_json(SecretText::secret(secret_name_of(path))));
  return output_of(settled, step.name);
}

Fallible<Value> output_of(const Settled& settled, const std::string& name) {
  if (settled.state == State::Succeeded) return settled.output;
  if (settled.lets_through()) return Value();
  return Failure{"expression",
                 "$steps." + name + " has no output: the step is " + std::string(to_string(settled.state))};
}

}  // namespace flowrun
