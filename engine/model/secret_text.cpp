#include "engine/model/secret_text.h"

#include "engine/model/json_text.h"

namespace flowrun {
namespace {

constexpr std::string_view kOfStep = "$steps.";
constexpr const char* kForms[] = {"", "percent", "json", "host"};  // by the numbers of Placeholder::Form

void append_inside_string(std::string& out, std::string_view text) {
  std::string quoted;
  append_json_string(quoted, text);
  out.append(quoted, 1, quoted.size() - 2);
}

void append_json(SecretText& out, const Json& json) {
  if (auto text = secret_text_from(json)) {
    out.text += '"';
    out.append(*text, Placeholder::Form::Json, append_inside_string);
    out.text += '"';
  } else if (json.is_array()) {
    out.text += '[';
    for (std::size_t i = 0; i < json.size(); ++i) {
      if (i > 0) out.text += ',';
      append_json(out, json[i]);
    }
    out.text += ']';
  } else if (json.is_object()) {
    out.text += '{';
    for (auto member = json.begin(); member != json.end(); ++member) {
      if (member != json.begin()) out.text += ',';
      append_json_string(out.text, member.key());
      out.text += ':';
      append_json(out, *member);
    }
    out.text += '}';
  } else {
    out.text += json.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
}

}  // namespace

Json to_json(const SecretText& text) {
  Json placeholders = Json::array();
  for (const Placeholder& placeholder : text.placeholders)
    placeholders.push_back(Json::array({placeholder.at, placeholder.secret, placeholder.within}));
  // The text as bytes: it need not be UTF-8.
  Json bytes = Json::binary(std::vector<std::uint8_t>(text.text.begin(), text.text.end()));
  return Json::binary(Json::to_cbor(Json::array({std::move(bytes), std::move(placeholders)})));
}

std::optional<SecretText> secret_text_from(const Json& json) {
  if (!json.is_binary()) return std::nullopt;
  Json parts = Json::from_cbor(json.get_binary());
  SecretText text;
  const Json::binary_t& bytes = parts[0].get_binary();
  text.text.assign(bytes.begin(), bytes.end());
  for (const Json& placeholder : parts[1])
    text.placeholders.push_back({placeholder[0].get<std::size_t>(), placeholder[1].get<std::string>(),
                                 Placeholder::Form::Plain, placeholder[2].get<std::string>()});
  return text;
}

std::string secret_name_of(std::string_view path) { return std::string(kOfStep) += path; }

std::optional<std::string_view> path_of_secret(std::string_view name) {
  if (!name.starts_with(kOfStep)) return std::nullopt;
  return name.substr(kOfStep.size());
}

namespace {

Json part_of_secret(const Json& json, const auto& part) {
  SecretText text = *secret_text_from(json);
  std::string& within = text.placeholders.at(0).within;
  within = (Json::json_pointer(within) / part).to_string();
  return to_json(text);
}

}  // namespace

Json member_of_secret(const Json& json, std::string_view key) { return part_of_secret(json, std::string(key)); }
Json item_of_secret(const Json& json, std::int64_t index) {
  return part_of_secret(json, static_cast<std::size_t>(index));
}

SecretText json_text_with_placeholders(const Json& json) {
  SecretText text;
  append_json(text, json);
  return text;
}

void append_secret_text(std::string& out, std::string_view text, const std::vector<Placeholder>& placeholders,
                        const char* key) {
  if (placeholders.empty()) return append_json_string(out, text);
  auto append_placeholder = [&](const Placeholder& placeholder) {
    ObjectWriter object(out);
    object.text("$secret", placeholder.secret);
    object.text_if("at", placeholder.within);
    object.text_if("as", kForms[static_cast<std::size_t>(placeholder.form)]);
  };
  if (text.empty() && placeholders.size() == 1) return append_placeholder(placeholders.front());
  ObjectWriter object(out);
  object.member(key) += '[';
  std::size_t from = 0;
  bool first = true;
  auto append_part = [&](std::string_view part) {
    if (part.empty()) return;
    if (!first) out += ',';
    append_json_string(out, part);
    first = false;
  };
  for (const Placeholder& placeholder : placeholders) {
    append_part(text.substr(from, placeholder.at - from));
    if (!first) out += ',';
    append_placeholder(placeholder);
    first = false;
    from = placeholder.at;
  }
  append_part(text.substr(from));
  out += ']';
}

std::string shown_secret_text(const Json& written) {
  if (written.is_string()) return written.get<std::string>();
  if (!written.is_object() || written.empty()) return "";
  if (written.contains("$secret")) return "***";
  std::string shown;
  for (const Json& part : written.front()) shown += shown_secret_text(part);
  return shown;
}

}  // namespace flowrun
