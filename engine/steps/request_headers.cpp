#include "engine/steps/request_headers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "engine/language/template.h"
#include "engine/model/encode.h"

namespace flowrun {
namespace {

Failure unsendable(std::string message) { return {"expression", std::move(message)}; }

/// |text| behind |before|, as a value of a header.
Value behind(const char* before, const SecretText& text) {
  SecretText whole{before};
  whole.append(text);
  return whole.placeholders.empty() ? Value::string(whole.text) : Value(to_json(whole));
}

}  // namespace

void RequestHeaders::add(const std::string& name, const Value& value) {
  if (failure || value.is_null()) return;
  auto text = as_secret_text(value, "headers." + name);
  if (!text) {
    failure = std::move(text.failure());
    return;
  }
  // What a secret is, only the executor can tell.
  std::string whole = text->text;
  for (auto placeholder = text->placeholders.rbegin(); placeholder != text->placeholders.rend(); ++placeholder)
    whole.insert(placeholder->at, "x");
  if (std::string fault = header_fault(name, whole); !fault.empty()) {
    failure = unsendable(std::move(fault));
    return;
  }
  add(name, text->text, TaskPlaceholder::In::Header, text->placeholders);
}

void RequestHeaders::add(const std::string& name, std::string text, TaskPlaceholder::In in,
                         const std::vector<Placeholder>& in_it) {
  for (const Placeholder& placeholder : in_it) placeholders.push_back({in, list.size(), placeholder});
  list.emplace_back(name, std::move(text));
}

bool RequestHeaders::has(std::string_view name) const {
  return std::any_of(list.begin(), list.end(), [&](const auto& header) {
    return std::equal(header.first.begin(), header.first.end(), name.begin(), name.end(),
                      [](char a, char b) { return std::tolower(a) == std::tolower(b); });
  });
}

/// A header of that name goes before, as with curl.
void RequestHeaders::add_auth(const Json& auth, bool optional) {
  if (!auth.is_object() || has("Authorization")) return;
  if (auth.contains("bearer") && !(optional && auth["bearer"].is_null())) add_bearer(auth["bearer"]);
  if (auth.contains("basic") && !(optional && auth["basic"].value("password", Json()).is_null()))
    add_basic(auth["basic"]);
  if (auth.contains("header"))
    for (const auto& [name, value] : auth["header"].items()) add(name, Value(value));
}

void RequestHeaders::add_bearer(const Json& token) {
  auto text = as_secret_text(Value(token), "auth.bearer");
  if (text)
    add("Authorization", behind("Bearer ", *text));
  else
    failure = std::move(text.failure());
}

void RequestHeaders::add_basic(const Json& basic) {
  auto user = as_secret_text(Value(basic.value("user", Json())), "auth.basic.user");
  auto password = as_secret_text(Value(basic.value("password", Json())), "auth.basic.password");
  if (!user || !password) {
    failure = std::move(user ? password.failure() : user.failure());
    return;
  }
  SecretText both = *std::move(user);
  if (both.text.find(':') != both.text.npos) {
    failure = unsendable("`auth.basic.user` has a `:` in it, which ends the user (RFC 7617)");
    return;
  }
  both.text += ':';
  both.append(*password);
  if (both.placeholders.empty())
    add("Authorization", Value::string("Basic " + base64(both.text)));
  else
    add("Authorization", both.text, TaskPlaceholder::In::Basic, both.placeholders);
}

}  // namespace flowrun
