// Text with holes where secrets go. It knows their names and never their values: those are the executor's.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/value.h"

namespace flowrun {

/// Where the value of a secret goes, and how it is written there.
struct Hole {
  enum class Form { Plain, Percent, Json, Host };  ///< Json: inside a string; Host: only what a host may hold
  std::size_t at = 0;                              ///< bytes of text before it
  std::string secret;
  Form form = Form::Plain;
  friend bool operator==(const Hole&, const Hole&) = default;
};

struct HoledText {
  std::string text;
  std::vector<Hole> holes{};  ///< in order

  static HoledText secret(const std::string& name) { return {"", {{0, name, Hole::Form::Plain}}}; }
  /// Appends |piece|: its text through |encode|(out, part), its holes in |form|.
  template <typename Encode>
  void append(const HoledText& piece, Hole::Form form, Encode encode) {
    std::size_t from = 0;
    for (const Hole& hole : piece.holes) {
      encode(text, std::string_view(piece.text).substr(from, hole.at - from));
      holes.push_back({text.size(), hole.secret, form});
      from = hole.at;
    }
    encode(text, std::string_view(piece.text).substr(from));
  }
  void append(const HoledText& piece) {
    append(piece, Hole::Form::Plain, [](std::string& out, std::string_view part) { out += part; });
  }
};

/// As a value while a task is put together. It is of the one type of nlohmann's that no JSON text and no answer of jq
/// can have, bytes: so no data can pass for a hole, whatever it says.
Json to_json(const HoledText& text);
/// Nothing when |json| is no such value.
std::optional<HoledText> holed_text_from(const Json& json);

/// |json| as compact JSON text; where it has holes, so has the text. The rest is written as Value::text() does.
HoledText json_text_with_holes(const Json& json);

/// For the journal: a string when there is no hole, {"$secret": NAME} when there is nothing else, and
/// {|key|: [TEXT, {"$secret": NAME, "as": FORM}, ...]}.
void append_holed_text(std::string& out, std::string_view text, const std::vector<Hole>& holes,
                       const char* key = "$text");
/// What append_holed_text has written, for people: secrets are `***`.
std::string shown_holed_text(const Json& written);

}  // namespace flowrun
