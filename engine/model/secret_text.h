// Text with placeholders where secrets go. It knows their names and never their values: those are the executor's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/value.h"

namespace flowrun {

/// Where the value of a secret goes, and how it is written there.
struct Placeholder {
  enum class Form { Plain, Percent, Json, Host };  ///< Json: inside a string; Host: only what a host may hold
  std::size_t at = 0;                              ///< bytes of text before it
  std::string secret;  ///< its name; of the output of a step, which is secret, secret_name_of() its path
  Form form = Form::Plain;
  std::string within = {};  ///< which part of it, as a JSON pointer (RFC 6901); empty: all of it
  friend bool operator==(const Placeholder&, const Placeholder&) = default;
};

struct SecretText {
  std::string text;
  std::vector<Placeholder> placeholders{};  ///< in order

  static SecretText secret(const std::string& name) { return {"", {{0, name, Placeholder::Form::Plain}}}; }
  /// Appends |piece|: its text through |encode|(out, part), its placeholders in |form|.
  template <typename Encode>
  void append(const SecretText& piece, Placeholder::Form form, Encode encode) {
    std::size_t from = 0;
    for (const Placeholder& placeholder : piece.placeholders) {
      encode(text, std::string_view(piece.text).substr(from, placeholder.at - from));
      placeholders.push_back({text.size(), placeholder.secret, form, placeholder.within});
      from = placeholder.at;
    }
    encode(text, std::string_view(piece.text).substr(from));
  }
  void append(const SecretText& piece) {
    append(piece, Placeholder::Form::Plain, [](std::string& out, std::string_view part) { out += part; });
  }
};

/// The name of the secret output of the step at |path|. No declared secret has such a name.
std::string secret_name_of(std::string_view path);
/// The path in such a name; nothing: it is that of a declared secret.
std::optional<std::string_view> path_of_secret(std::string_view name);

/// As a value while a task is put together. It is of the one type of nlohmann's that no JSON text and no answer of jq
/// can have, bytes: so no data can pass for a placeholder, whatever it says.
Json to_json(const SecretText& text);
/// Nothing when |json| is no such value.
std::optional<SecretText> secret_text_from(const Json& json);

/// What stands for the member |key|, or the item |index|, of the secret that |json| stands for. REQUIRES: it stands for
/// the whole or a part of one secret output, and for nothing else.
Json member_of_secret(const Json& json, std::string_view key);
Json item_of_secret(const Json& json, std::int64_t index);

/// |json| as compact JSON text; where it has placeholders, so has the text. The rest is written as Value::text() does.
SecretText json_text_with_placeholders(const Json& json);

/// For the journal: a string when there is no placeholder, {"$secret": NAME} when there is nothing else, and
/// {|key|: [TEXT, {"$secret": NAME, "as": FORM}, ...]}.
void append_secret_text(std::string& out, std::string_view text, const std::vector<Placeholder>& placeholders,
                        const char* key = "$text");
/// What append_secret_text has written, for people: secrets are `***`.
std::string shown_secret_text(const Json& written);

}  // namespace flowrun
