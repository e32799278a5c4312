#include "engine/steps/form_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "engine/language/template.h"
#include "engine/model/json_text.h"

namespace flowrun {
namespace {

Failure mistake(std::string message) { return Failure{"expression", std::move(message)}; }

/// What would end a header of a part, or is refused by who reads it.
bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

class Fields {
 public:
  explicit Fields(HttpRequest& request) : request_(request) {}

  std::optional<Failure> add(const std::string& name, const Json& value) {
    if (name.empty() || has_control(name)) return mistake("`multipart` has a field without a name that can be sent");
    if (value.is_null()) return std::nullopt;
    if (!value.is_array()) return add_one(name, value);
    for (const Json& one : value) {
      if (one.is_array()) return mistake(fmt::format("`multipart.{}` has a list within a list", name));
      if (auto bad = add(name, one)) return bad;
    }
    return std::nullopt;
  }

 private:
  std::optional<Failure> add_one(const std::string& name, const Json& value) {
    FormPart part;
    part.name = name;
    if (!value.is_object()) return add_text(std::move(part), value);
    const Json* content = nullptr;
    bool as_json = false;
    for (const auto& [key, inner] : value.items()) {
      if (key == "filename" || key == "type") {
        auto text = as_text(Value(inner), fmt::format("multipart.{}.{}", name, key));
        if (!text) return std::move(text.failure());
        if (has_control(*text))
          return mistake(fmt::format("`multipart.{}.{}` has a character that can not be sent", name, key));
        (key == "type" ? part.type : part.filename) = *std::move(text);
        continue;
      }
      if (key != "file" && key != "text" && key != "json")
        return mistake(
            fmt::format("`multipart.{}` has `{}`; there are file, text, json, filename and type", name, key));
      if (content)
        return mistake(fmt::format("`multipart.{}` has two contents: it takes one of file, text, json", name));
      content = &inner;
      as_json = key == "json";
      if (key != "file") continue;
      auto file = as_text(Value(inner), fmt::format("multipart.{}.file", name));
      if (!file) return std::move(file.failure());
      if (file->empty()) return mistake(fmt::format("`multipart.{}.file` names no file", name));
      part.file = *std::move(file);
    }
    if (!content) return mistake(fmt::format("`multipart.{}` has no content: it takes one of file, text, json", name));
    if (!part.file.empty()) {
      if (part.type.empty()) part.type = "application/octet-stream";
      request_.parts.push_back(std::move(part));
      return std::nullopt;
    }
    if (!as_json) return add_text(std::move(part), *content);
    if (part.type.empty()) part.type = "application/json";
    add_part(std::move(part), json_text_with_placeholders(*content));
    return std::nullopt;
  }

  std::optional<Failure> add_text(FormPart part, const Json& value) {
    auto text = as_secret_text(Value(value), fmt::format("multipart.{}", part.name));
    if (!text) return std::move(text.failure());
    if (part.type.empty() && !part.filename.empty()) part.type = "text/plain; charset=utf-8";
    add_part(std::move(part), *std::move(text));
    return std::nullopt;
  }

  void add_part(FormPart part, SecretText text) {
    for (const Placeholder& placeholder : text.placeholders)
      request_.placeholders.push_back({TaskPlaceholder::In::Part, request_.parts.size(), placeholder});
    part.text = std::move(text.text);
    request_.parts.push_back(std::move(part));
  }

  HttpRequest& request_;
};

}  // namespace

std::optional<Failure> append_parts(HttpRequest& request, const Json& fields) {
  if (!fields.is_object() && !fields.is_array()) return mistake("`multipart` must be a map of fields, or a list");
  Fields into(request);
  if (fields.is_array())
    for (const Json& one : fields) {
      if (!one.is_object() || !one.contains("name") || !one["name"].is_string())
        return mistake("a part in the list of `multipart` has no `name`");
      Json part = one;
      part.erase("name");
      if (auto bad = into.add(one["name"].get<std::string>(), part)) return bad;
    }
  else
    for (const auto& [name, value] : fields.items())
      if (auto bad = into.add(name, value)) return bad;
  if (request.parts.empty()) return mistake("`multipart` has no field, and such a body has at least one");
  return std::nullopt;
}

}  // namespace flowrun
