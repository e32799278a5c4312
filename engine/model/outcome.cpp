#include "engine/model/outcome.h"

#include <fmt/format.h>

#include <array>

#include "engine/model/error.h"

namespace flowrun {

namespace {

/// By the numbers of State.
constexpr std::array<std::string_view, 10> kStates = {"pending",   "running", "sleeping", "waiting",   "retrying",
                                                      "succeeded", "skipped", "failed",   "cancelled", "blocked"};
static_assert(static_cast<std::size_t>(State::Blocked) + 1 == kStates.size());

}  // namespace

std::string_view to_string(State state) { return kStates[static_cast<std::size_t>(state)]; }

State state_from(std::string_view name) {
  for (std::size_t i = 0; i < kStates.size(); ++i)
    if (kStates[i] == name) return static_cast<State>(i);
  throw Corruption(fmt::format("'{}' is not the state of a step", name));
}

Json to_json(const Failure& failure) {
  // Ours come last: a detail of the same name does not hide them.
  Json json = failure.detail.json().is_object() ? failure.detail.json() : Json::object();
  json["type"] = failure.type;
  json["message"] = failure.message;
  json["step"] = failure.step;
  json["attempt"] = failure.attempt;
  return json;
}

Failure failure_from(const Json& json) {
  try {
    Failure failure;
    failure.type = json.at("type").get<std::string>();
    failure.message = json.value("message", "");
    failure.step = json.value("step", "");
    failure.attempt = json.value("attempt", 0);
    Json detail = json;
    for (const char* ours : {"type", "message", "step", "attempt"}) detail.erase(ours);
    if (!detail.empty()) failure.detail = Value(std::move(detail));
    return failure;
  } catch (const Json::exception& error) {
    throw Corruption(fmt::format("this does not describe a failure: {}", error.what()));
  }
}

}  // namespace flowrun
