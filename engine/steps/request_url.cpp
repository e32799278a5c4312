#include "engine/steps/request_url.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/steps/url.h"

namespace flowrun {
namespace {

Failure refuse_url(std::string message) { return {"expression", std::move(message)}; }

using flowrun::append_encoded;

void append_encoded(SecretText& out, const SecretText& text) {
  out.append(text, Placeholder::Form::Percent,
             [](std::string& to, std::string_view part) { flowrun::append_encoded(to, part); });
}

/// Where in a URL a value stands decides how it is written.
enum class Zone { Start, Host, Path, Query };

Zone zone_after(const SecretText& url) {
  const std::string& built = url.text;
  if (built.empty() && url.placeholders.empty()) return Zone::Start;
  std::size_t scheme = built.find("://");
  const bool behind_host = scheme == std::string::npos ||
                           (!url.placeholders.empty() && url.placeholders.front().at == 0) ||
                           built.find_first_of("/?#", scheme + 3) != std::string::npos;
  if (!behind_host) return Zone::Host;
  return built.find_first_of("?#") == std::string::npos ? Zone::Path : Zone::Query;
}

/// Dots alone would be taken out of the path again (RFC 3986, section 5.2.4), with the segment before them: only who
/// writes the URL may do that, not the value at |from| to |to|.
std::optional<Failure> changed_path(std::string_view url, std::size_t from, std::size_t to, std::string_view code) {
  std::string_view path = url.substr(0, url.find_first_of("?#"));
  for (std::size_t begin = path.rfind('/', from - 1) + 1; begin < std::min(to, path.size());) {
    std::size_t end = std::min(path.find('/', begin), path.size());
    std::string_view segment = path.substr(begin, end - begin);
    if (segment == "." || segment == "..")
      return refuse_url(fmt::format("`{}` gives `{}`, which would change the path of the URL", code, segment));
    begin = end + 1;
  }
  return std::nullopt;
}

std::optional<Failure> append_value(SecretText& url, const Value& value, std::string_view code) {
  Zone zone = zone_after(url);
  if (zone == Zone::Query && value.json().is_array())
    return refuse_url(
        fmt::format("`{}` is a list; `query:` repeats the name of a parameter for each of its values", code));
  if (zone == Zone::Path && value.json().is_array()) {
    bool first = true;
    for (const Json& segment : value.json()) {
      auto text = as_text(Value(segment), code);
      if (!text) return text.failure();
      if (!first) url.text += '/';
      append_encoded(url.text, *text);
      first = false;
    }
    return std::nullopt;
  }
  auto text = as_secret_text(value, code);
  if (!text) return text.failure();
  const SecretText& piece = *text;
  const std::string& plain = piece.text;
  if (zone == Zone::Start) {
    url.append(piece);
  } else if (zone == Zone::Host) {
    bool clean = std::all_of(plain.begin(), plain.end(),
                             [](char c) { return (is_unreserved(c) && c != '_' && c != '~') || c == ':'; });
    if (!clean) return refuse_url(fmt::format("`{}` gives `{}`, which can not be part of a host", code, plain));
    url.append(piece, Placeholder::Form::Host, [](std::string& to, std::string_view part) { to += part; });
  } else {
    append_encoded(url, piece);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Failure> append_query(SecretText& url, const Json& query) {
  for (const auto& [name, value] : query.items()) {
    Json values = value.is_array() ? value : Json::array({value});
    for (const Json& one : values) {
      if (one.is_null()) continue;
      auto text = as_secret_text(Value(one), "query." + name);
      if (!text) return text.failure();
      url.text += url.text.find('?') == std::string::npos ? '?' : '&';
      append_encoded(url.text, name);
      url.text += '=';
      append_encoded(url, *text);
    }
  }
  return std::nullopt;
}

Fallible<SecretText> form_encoded(const Json& form) {
  if (form.is_binary()) return refuse_url("`form` is a map; a secret can be a value in it");
  SecretText out{"?"};
  if (auto failure = append_query(out, form)) return *failure;
  // append_query writes `?` and `&`; the form is what stands behind the first two of them.
  std::size_t before = std::min<std::size_t>(2, out.text.size());
  out.text.erase(0, before);
  for (Placeholder& placeholder : out.placeholders) placeholder.at -= before;
  return out;
}

Fallible<SecretText> build_url(const TextTemplate& url, const Scope& scope, Evaluator& evaluator) {
  SecretText whole;
  std::string& built = whole.text;
  struct Inserted {
    std::size_t from, to;
    const Expression* by;
  };
  std::vector<Inserted> inserted;  // into the path
  for (const TextTemplate::Part& part : url.parts) {
    if (const auto* literal = std::get_if<std::string>(&part)) {
      // Blanks around a URL mean nothing.
      built += *literal;
      if (whole.placeholders.empty() && built.find_first_not_of(" \t\n") == std::string::npos) built.clear();
      continue;
    }
    const Expression& expression = std::get<Expression>(part);
    Evaluation evaluation = expression.evaluate(scope, evaluator);
    if (!evaluation) return std::move(evaluation.failure());
    const std::size_t from = built.size();
    const bool in_path = zone_after(whole) == Zone::Path;
    if (auto failure = append_value(whole, *evaluation, expression.code())) return *failure;
    if (in_path) inserted.push_back({from, built.size(), &expression});
  }
  for (const Inserted& value : inserted)
    if (auto failure = changed_path(built, value.from, value.to, value.by->code())) return *failure;
  // What stands behind `#` never leaves the client.
  built.resize(without_fragment(built).size());
  std::erase_if(whole.placeholders, [&](const Placeholder& placeholder) { return placeholder.at > built.size(); });
  std::size_t least = whole.placeholders.empty() ? 0 : whole.placeholders.back().at;
  while (built.size() > least && std::string_view(" \t\n").find(built.back()) != std::string_view::npos)
    built.pop_back();
  // Of what a secret begins, only the executor can tell.
  bool known = whole.placeholders.empty() || whole.placeholders.front().at > 0;
  if (known && built.rfind("http://", 0) != 0 && built.rfind("https://", 0) != 0)
    return refuse_url(fmt::format("`{}` is not an http or https URL", built));
  if (built.find_first_of(std::string("\r\n \t\0", 5)) != std::string::npos)
    return refuse_url(fmt::format("the URL `{}` has a blank or line break in it", built));
  return whole;
}

}  // namespace flowrun
