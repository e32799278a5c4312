#include "engine/steps/http.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/model/encode.h"
#include "engine/steps/url.h"

namespace flowrun {
namespace {

Failure refuse(std::string message) { return {"expression", std::move(message)}; }

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
      return refuse(fmt::format("`{}` gives `{}`, which would change the path of the URL", code, segment));
    begin = end + 1;
  }
  return std::nullopt;
}

std::optional<Failure> append_value(SecretText& url, const Value& value, std::string_view code) {
  Zone zone = zone_after(url);
  if (zone == Zone::Query && value.json().is_array())
    return refuse(fmt::format("`{}` is a list; `query:` repeats the name of a parameter for each of its values", code));
  if (zone == Zone::Path && value.json().is_array()) {
    bool first = true;
    for (const Json& segment : value.json()) {
      auto text = as_text(Value(segment), code);
      if (auto* failure = std::get_if<Failure>(&text)) return *failure;
      if (!first) url.text += '/';
      append_encoded(url.text, std::get<std::string>(text));
      first = false;
    }
    return std::nullopt;
  }
  auto text = as_secret_text(value, code);
  if (auto* failure = std::get_if<Failure>(&text)) return *failure;
  const SecretText& piece = std::get<SecretText>(text);
  const std::string& plain = piece.text;
  if (zone == Zone::Start) {
    url.append(piece);
  } else if (zone == Zone::Host) {
    bool clean = std::all_of(plain.begin(), plain.end(),
                             [](char c) { return (is_unreserved(c) && c != '_' && c != '~') || c == ':'; });
    if (!clean) return refuse(fmt::format("`{}` gives `{}`, which can not be part of a host", code, plain));
    url.append(piece, Placeholder::Form::Host, [](std::string& to, std::string_view part) { to += part; });
  } else {
    append_encoded(url, piece);
  }
  return std::nullopt;
}

std::optional<Failure> append_query(SecretText& url, const Json& query) {
  for (const auto& [name, value] : query.items()) {
    Json values = value.is_array() ? value : Json::array({value});
    for (const Json& one : values) {
      if (one.is_null()) continue;
      auto text = as_secret_text(Value(one), "query." + name);
      if (auto* failure = std::get_if<Failure>(&text)) return *failure;
      url.text += url.text.find('?') == std::string::npos ? '?' : '&';
      append_encoded(url.text, name);
      url.text += '=';
      append_encoded(url, std::get<SecretText>(text));
    }
  }
  return std::nullopt;
}

void place(TaskPlaceholders& into, TaskPlaceholder::In in, std::size_t index,
           const std::vector<Placeholder>& placeholders) {
  for (const Placeholder& placeholder : placeholders) into.push_back({in, index, placeholder});
}

/// Collects headers; the first mistake wins.
class Headers {
 public:
  void add(const std::string& name, const Value& value) {
    if (failure || value.is_null()) return;
    auto text = as_secret_text(value, "headers." + name);
    if (auto* bad = std::get_if<Failure>(&text)) {
      failure = *bad;
      return;
    }
    const auto& [plain, placeholders] = std::get<SecretText>(text);
    // What a secret is, only the executor can tell.
    std::string whole = plain;
    for (auto placeholder = placeholders.rbegin(); placeholder != placeholders.rend(); ++placeholder)
      whole.insert(placeholder->at, "x");
    if (std::string fault = header_fault(name, whole); !fault.empty()) {
      failure = refuse(std::move(fault));
      return;
    }
    add(name, plain, TaskPlaceholder::In::Header, placeholders);
  }
  void add(const std::string& name, std::string text, TaskPlaceholder::In in, const std::vector<Placeholder>& in_it) {
    place(placeholders, in, list.size(), in_it);
    list.emplace_back(name, std::move(text));
  }
  bool has(std::string_view name) const {
    return std::any_of(list.begin(), list.end(), [&](const auto& header) {
      return std::equal(header.first.begin(), header.first.end(), name.begin(), name.end(),
                        [](char a, char b) { return std::tolower(a) == std::tolower(b); });
    });
  }
  void add_default(const std::string& name, const Value& value) {
    if (!has(name)) add(name, value);
  }
  void add_default(const std::string& name, const char* value) { add_default(name, Value::string(value)); }

  std::vector<std::pair<std::string, std::string>> list;
  TaskPlaceholders placeholders;
  std::optional<Failure> failure;
};

/// |text| behind |before|, as a value of a header.
Value behind(const char* before, const SecretText& text) {
  SecretText whole{before};
  whole.append(text);
  return whole.placeholders.empty() ? Value::string(whole.text) : Value(to_json(whole));
}

void add_basic(Headers& headers, const Json& basic) {
  auto user = as_secret_text(Value(basic.value("user", Json())), "auth.basic.user");
  auto password = as_secret_text(Value(basic.value("password", Json())), "auth.basic.password");
  for (auto* part : {&user, &password})
    if (auto* failure = std::get_if<Failure>(part)) {
      headers.failure = *failure;
      return;
    }
  SecretText both = std::get<SecretText>(user);
  if (both.text.find(':') != both.text.npos) {
    headers.failure = refuse("`auth.basic.user` has a `:` in it, which ends the user (RFC 7617)");
    return;
  }
  both.text += ':';
  both.append(std::get<SecretText>(password));
  if (both.placeholders.empty())
    headers.add("Authorization", Value::string("Basic " + base64(both.text)));
  else
    headers.add("Authorization", both.text, TaskPlaceholder::In::Basic, both.placeholders);
}

/// |optional|: an optional secret is what authenticates, and without it nobody does.
/// A header of that name goes before, as with curl.
void add_auth(Headers& headers, const Json& auth, bool optional) {
  if (!auth.is_object() || headers.has("Authorization")) return;
  if (auth.contains("bearer") && !(optional && auth["bearer"].is_null())) {
    auto token = as_secret_text(Value(auth["bearer"]), "auth.bearer");
    if (auto* failure = std::get_if<Failure>(&token)) {
      headers.failure = *failure;
    } else {
      headers.add("Authorization", behind("Bearer ", std::get<SecretText>(token)));
    }
  }
  if (auth.contains("basic") && !(optional && auth["basic"].value("password", Json()).is_null()))
    add_basic(headers, auth["basic"]);
  if (auth.contains("header"))
    for (const auto& [name, value] : auth["header"].items()) headers.add(name, Value(value));
}

Fallible<SecretText> form_encoded(const Json& form) {
  if (form.is_binary()) return refuse("`form` is a map; a secret can be a value in it");
  SecretText out{"?"};
  if (auto failure = append_query(out, form)) return *failure;
  // append_query writes `?` and `&`; the form is what stands behind the first two of them.
  std::size_t before = std::min<std::size_t>(2, out.text.size());
  out.text.erase(0, before);
  for (Placeholder& placeholder : out.placeholders) placeholder.at -= before;
  return out;
}

}  // namespace

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
    if (auto* failure = std::get_if<Failure>(&evaluation)) return std::move(*failure);
    const std::size_t from = built.size();
    const bool in_path = zone_after(whole) == Zone::Path;
    if (auto failure = append_value(whole, std::get<Value>(evaluation), expression.code())) return *failure;
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
    return refuse(fmt::format("`{}` is not an http or https URL", built));
  if (built.find_first_of(std::string("\r\n \t\0", 5)) != std::string::npos)
    return refuse(fmt::format("the URL `{}` has a blank or line break in it", built));
  return whole;
}

Fallible<EffectStep::Request> HttpStep::resolve(const FrameScope& scope, Evaluator& evaluator, const Frame&,
                                                const std::string& key, const std::string& next) const {
  HttpRequest request;
  request.method = method;
  auto built = build_url(url, scope, evaluator);
  if (auto* failure = std::get_if<Failure>(&built)) return std::move(*failure);
  SecretText whole_url = std::get<SecretText>(std::move(built));

  std::optional<Failure> failure;
  auto evaluated = [&](const auto& what) -> Value {
    if (failure) return {};
    Evaluation evaluation = what.evaluate(scope, evaluator);
    if (auto* bad = std::get_if<Failure>(&evaluation)) {
      failure = std::move(*bad);
      return {};
    }
    return std::get<Value>(std::move(evaluation));
  };
  auto text = [&](const std::optional<TextTemplate>& what, const char* name) -> std::string {
    if (!what) return {};
    auto plain = as_text(evaluated(*what), name);
    if (auto* bad = std::get_if<Failure>(&plain)) {
      if (!failure) failure = std::move(*bad);
      return {};
    }
    return std::get<std::string>(std::move(plain));
  };
  auto span = [&](const Setting<Duration>& setting, Duration otherwise, const char* name) -> Duration {
    auto resolved = flowrun::resolve(setting, scope, evaluator, otherwise, name);
    if (auto* bad = std::get_if<Failure>(&resolved)) {
      if (!failure) failure = std::move(*bad);
      return otherwise;
    }
    return std::get<Duration>(resolved);
  };

  if (!next.empty() && paginate->query.empty()) {
    // The server's own URL is complete: what `query` says is in it, or has become something else.
    request.origin_url = std::move(whole_url.text);
    whole_url = {next, {}};
  } else if (Value values = evaluated(query); values.json().is_object()) {
    if (auto bad = append_query(whole_url, values.json())) return *bad;
  }
  if (!next.empty() && !paginate->query.empty()) whole_url = with_parameter(whole_url, paginate->query, next);

  Headers collected;
  if (Value values = evaluated(headers); values.json().is_object())
    for (const auto& [name, value] : values.json().items()) collected.add(name, Value(value));
  add_auth(collected, evaluated(auth).json(), auth.names_secrets());

  auto set_body = [&](SecretText&& made) {
    place(request.placeholders, TaskPlaceholder::In::Body, 0, made.placeholders);
    request.body = std::move(made.text);
  };
  Value body_value = body == Body::None ? Value() : evaluated(content);
  switch (body) {
    case Body::None:
      break;
    case Body::Json:
      if (content.names_secrets())
        set_body(json_text_with_placeholders(body_value.json()));
      else
        request.body = body_value.text();
      collected.add_default("Content-Type", "application/json");
      break;
    case Body::Form: {
      auto form = form_encoded(body_value.json());
      if (auto* bad = std::get_if<Failure>(&form)) return std::move(*bad);
      set_body(std::get<SecretText>(std::move(form)));
      collected.add_default("Content-Type", "application/x-www-form-urlencoded");
      break;
    }
    case Body::Text:
    case Body::File: {
      auto plain = as_secret_text(body_value, body == Body::Text ? "text" : "file");
      if (auto* bad = std::get_if<Failure>(&plain)) {
        if (!failure) failure = std::move(*bad);
        break;
      }
      if (body == Body::Text) {
        set_body(std::get<SecretText>(std::move(plain)));
        collected.add_default("Content-Type", "text/plain; charset=utf-8");
      } else {
        request.body_file = std::get<SecretText>(std::move(plain)).text;
        collected.add_default("Content-Type", "application/octet-stream");
      }
      break;
    }
  }
  if (idempotency == Key::Own) {
    collected.add_default("Idempotency-Key", Value::string(text(own_key, "idempotency_key")));
  } else if (idempotency == Key::Auto && (method == "POST" || method == "PATCH")) {
    collected.add_default("Idempotency-Key", Value::string(key));
  }
  request.expect = expect;
  request.response = response;
  request.max_response = max_response;
  request.max_redirects = max_redirects;
  request.ca = text(ca, "tls.ca");
  request.cert = text(cert, "tls.cert");
  request.key = text(key_file, "tls.key");
  request.verify = verify;
  request.proxy = text(proxy, "proxy");
  request.connect_timeout = span(connect_timeout, request.connect_timeout, "connect_timeout");
  request.idle_timeout = span(idle_timeout, request.idle_timeout, "idle_timeout");
  if (collected.failure) return *collected.failure;
  if (failure) return *failure;
  place(request.placeholders, TaskPlaceholder::In::Url, 0, whole_url.placeholders);
  request.url = std::move(whole_url.text);
  request.headers = std::move(collected.list);
  request.placeholders.insert(request.placeholders.end(), collected.placeholders.begin(), collected.placeholders.end());
  const std::string folder = folder_of(scope.frame());
  for (std::string* file : {&request.body_file, &request.ca, &request.cert, &request.key})
    if (!file->empty() && file->front() != '/') *file = folder + "/" + *file;
  return Request(std::move(request));
}

}  // namespace flowrun
