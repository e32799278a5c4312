#include "engine/scenario/sent_request.h"

#include <algorithm>
#include <cctype>

#include "engine/model/json_text.h"
#include "engine/run/history.h"

namespace flowrun {
namespace {

constexpr std::size_t kWidth = 100;

bool is_secret(const Json& json) {
  return json.is_object() && (json.contains("$secret") || json.contains("$text") || json.contains("$basic"));
}

/// |json| with stars where secrets go.
Json without_secrets(const Json& json) {
  if (is_secret(json)) return shown_secret_text(json);
  Json shown = json;
  if (json.is_structured())
    for (Json& member : shown) member = without_secrets(member);
  return shown;
}

/// |text| as the list or object that it is the text of, else as it is.
Json opened(const Json& text) {
  if (!text.is_string()) return text;
  auto json = json_of(text.get_ref<const std::string&>());
  return json && json->is_structured() ? *std::move(json) : text;
}

}  // namespace

Json sent_json(const Task& task) {
  Task whole = task;
  whole.idempotency_key.clear();  // else its header is left out
  Json sent = without_secrets(Json::parse(to_json_text(whole)));
  for (const char* text : {"body", "stdin"})
    if (sent.contains(text)) sent[text] = opened(sent[text]);
  if (!sent.contains("headers")) return sent;
  Json headers = Json::object();
  for (const auto& [name, value] : sent["headers"].items()) {
    std::string small = name;
    std::transform(small.begin(), small.end(), small.begin(), [](unsigned char c) { return std::tolower(c); });
    headers[small] = value;
  }
  sent["headers"] = std::move(headers);
  return sent;
}

std::string sent_text(const Task& task) { return preview_of_input(Json::parse(to_json_text(task)), kWidth); }

}  // namespace flowrun
