#include "engine/model/failure_text.h"

#include "engine/model/json_text.h"

namespace flowrun {

namespace {

bool is_own_member(std::string_view key) {
  return key == "type" || key == "message" || key == "step" || key == "attempt";
}

}  // namespace

void append_failure(std::string& out, const Failure& failure) {
  ObjectWriter object(out);
  object.text("type", failure.type);
  object.text("message", failure.message);
  object.text_if("step", failure.step);
  object.number_if("attempt", failure.attempt);
  if (failure.detail.is_null() || failure.detail.text()[0] != '{') return;
  for (ObjectReader detail(failure.detail.text()); detail.next();) {
    if (is_own_member(detail.key())) continue;
    std::string& member = object.next();
    member += '"';
    member += detail.key();
    member += "\":";
    member += detail.raw();
  }
}

Failure failure_from_text(std::string_view text) {
  Failure failure;
  std::string detail;
  for (ObjectReader member(text); member.next();) {
    if (member.key() == "type") {
      failure.type = member.text();
    } else if (member.key() == "message") {
      failure.message = member.text();
    } else if (member.key() == "step") {
      failure.step = member.text();
    } else if (member.key() == "attempt") {
      failure.attempt = member.integer();
    } else {
      detail += detail.empty() ? "{\"" : ",\"";
      detail += member.key();
      detail += "\":";
      detail += member.raw();
    }
  }
  if (!detail.empty()) failure.detail = Value::from_text(detail + '}');
  return failure;
}

}  // namespace flowrun
