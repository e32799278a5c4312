#include "engine/steps/http.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/steps/url.h"

namespace flowrun {
namespace {

Failure refuse(std::string message) { return {"expression", std::move(message), "", 0, {}}; }

/// Where in a URL a value stands decides how it is written.
enum class Zone { Start, Host, Behind };

Zone zone_after(std::string_view built) {
  if (built.empty()) return Zone::Start;
  std::size_t scheme = built.find("://");
  if (scheme == std::string_view::npos) return Zone::Behind;
  return built.find_first_of("/?#", scheme + 3) == std::string_view::npos ? Zone::Host : Zone::Behind;
}

std::optional<Failure> append_value(std::string& url, const Value& value, std::string_view code) {
  Zone zone = zone_after(url);
  if (zone == Zone::Behind && value.json().is_array()) {
    bool first = true;
    for (const Json& segment : value.json()) {
      auto text = as_text(Value(segment), code);
      if (auto* failure = std::get_if<Failure>(&text)) return *failure;
      if (!first) url += '/';
      append_encoded(url, std::get<std::string>(text));
      first = false;
    }
    return std::nullopt;
  }
  auto text = as_text(value, code);
  if (auto* failure = std::get_if<Failure>(&text)) return *failure;
  const std::string& plain = std::get<std::string>(text);
  if (zone == Zone::Start) {
    url += plain;
  } else if (zone == Zone::Host) {
    bool clean = std::all_of(plain.begin(), plain.end(),
                             [](char c) { return (is_unreserved(c) && c != '_' && c != '~') || c == ':'; });
    if (!clean) return refuse(fmt::format("`{}` gives `{}`, which can not be part of a host", code, plain));
    url += plain;
  } else if (plain == "." || plain == "..") {
    // Dots alone would be taken out of the path again (RFC 3986, section 5.2.4), with the segment before them.
    return refuse(fmt::format("`{}` gives `{}`, which would change the path of the URL", code, plain));
  } else {
    append_encoded(url, plain);
  }
  return std::nullopt;
}

std::optional<Failure> append_query(std::string& url, const Json& query) {
  for (const auto& [name, value] : query.items()) {
    Json values = value.is_array() ? value : Json::array({value});
    for (const Json& one : values) {
      if (one.is_null()) continue;
      auto text = as_text(Value(one), "query." + name);
      if (auto* failure = std::get_if<Failure>(&text)) return *failure;
      url += url.find('?') == std::string::npos ? '?' : '&';
      append_encoded(url, name);
      url += '=';
      append_encoded(url, std::get<std::string>(text));
    }
  }
  return std::nullopt;
}

std::string base64(std::string_view bytes) {  // RFC 4648, section 4; for `basic`
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    for (std::size_t j = 0; j < 4; ++j) out += i + j <= bytes.size() ? kDigits[group >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

/// Collects headers; the first mistake wins.
class Headers {
 public:
  void add(const std::string& name, const Value& value) {
    if (failure || value.is_null()) return;
    auto text = as_text(value, "headers." + name);
    if (auto* bad = std::get_if<Failure>(&text)) {
      failure = *bad;
      return;
    }
    const std::string& plain = std::get<std::string>(text);
    if ((name + plain).find_first_of(std::string("\r\n\0", 3)) != std::string::npos) {
      failure = refuse("header `" + name + "` has a line break in it");
      return;
    }
    list.emplace_back(name, plain);
  }
  bool has(std::string_view name) const {
    return std::any_of(list.begin(), list.end(), [&](const auto& header) {
      return std::equal(header.first.begin(), header.first.end(), name.begin(), name.end(),
                        [](char a, char b) { return std::tolower(a) == std::tolower(b); });
    });
  }
  void add_default(const std::string& name, std::string value) {
    if (!has(name)) list.emplace_back(name, std::move(value));
  }

  std::vector<std::pair<std::string, std::string>> list;
  std::optional<Failure> failure;
};

void add_auth(Headers& headers, const Json& auth) {
  if (!auth.is_object()) return;
  if (auth.contains("bearer")) {
    auto token = as_text(Value(auth["bearer"]), "auth.bearer");
    if (auto* failure = std::get_if<Failure>(&token)) {
      headers.failure = *failure;
    } else {
      headers.add("Authorization", Value::string("Bearer " + std::get<std::string>(token)));
    }
  }
  if (auth.contains("basic")) {
    const Json& basic = auth["basic"];
    auto user = as_text(Value(basic.value("user", Json())), "auth.basic.user");
    auto password = as_text(Value(basic.value("password", Json())), "auth.basic.password");
    for (auto* part : {&user, &password})
      if (auto* failure = std::get_if<Failure>(part)) {
        headers.failure = *failure;
        return;
      }
    headers.add("Authorization",
                Value::string("Basic " + base64(std::get<std::string>(user) + ":" + std::get<std::string>(password))));
  }
  if (auth.contains("header"))
    for (const auto& [name, value] : auth["header"].items()) headers.add(name, Value(value));
}

std::variant<std::string, Failure> form_encoded(const Json& form) {
  std::string out = "?";
  if (auto failure = append_query(out, form)) return *failure;
  // append_query writes `?` and `&`; the form is what stands behind the first of them.
  return out.size() > 2 ? out.substr(2) : std::string();
}

}  // namespace

std::variant<std::string, Failure> build_url(const TextTemplate& url, const Scope& scope, Evaluator& evaluator) {
  std::string built;
  for (const TextTemplate::Part& part : url.parts) {
    if (const auto* literal = std::get_if<std::string>(&part)) {
      // Blanks around a URL mean nothing.
      built += *literal;
      if (built.find_first_not_of(" \t\n") == std::string::npos) built.clear();
      continue;
    }
    const Expression& expression = std::get<Expression>(part);
    Evaluation evaluation = expression.evaluate(scope, evaluator);
    if (auto* failure = std::get_if<Failure>(&evaluation)) return std::move(*failure);
    if (auto failure = append_value(built, std::get<Value>(evaluation), expression.code())) return *failure;
  }
  while (!built.empty() && std::string_view(" \t\n").find(built.back()) != std::string_view::npos) built.pop_back();
  if (built.rfind("http://", 0) != 0 && built.rfind("https://", 0) != 0)
    return refuse(fmt::format("`{}` is not an http or https URL", built));
  if (built.find_first_of(std::string("\r\n \t\0", 5)) != std::string::npos)
    return refuse(fmt::format("the URL `{}` has a blank or line break in it", built));
  return built;
}

std::variant<EffectStep::Work, Failure> HttpStep::resolve(const FrameScope& scope, Evaluator& evaluator, const Frame&,
                                                          const std::string& key, const std::string& next) const {
  HttpRequest request;
  request.method = method;
  auto built = build_url(url, scope, evaluator);
  if (auto* failure = std::get_if<Failure>(&built)) return std::move(*failure);
  request.url = std::get<std::string>(std::move(built));

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
    request.home = std::exchange(request.url, next);
  } else if (Value values = evaluated(query); values.json().is_object()) {
    if (auto bad = append_query(request.url, values.json())) return *bad;
  }
  if (!next.empty() && !paginate->query.empty()) request.url = with_parameter(request.url, paginate->query, next);

  Headers collected;
  if (Value values = evaluated(headers); values.json().is_object())
    for (const auto& [name, value] : values.json().items()) collected.add(name, Value(value));
  add_auth(collected, evaluated(auth).json());

  Value body_value = body == Body::None ? Value() : evaluated(content);
  switch (body) {
    case Body::None:
      break;
    case Body::Json:
      request.body = body_value.text();
      collected.add_default("Content-Type", "application/json");
      break;
    case Body::Form: {
      auto form = form_encoded(body_value.json());
      if (auto* bad = std::get_if<Failure>(&form)) return std::move(*bad);
      request.body = std::get<std::string>(std::move(form));
      collected.add_default("Content-Type", "application/x-www-form-urlencoded");
      break;
    }
    case Body::Text:
    case Body::File: {
      auto plain = as_text(body_value, body == Body::Text ? "text" : "file");
      if (auto* bad = std::get_if<Failure>(&plain)) {
        if (!failure) failure = std::move(*bad);
        break;
      }
      if (body == Body::Text) {
        request.body = std::get<std::string>(std::move(plain));
        collected.add_default("Content-Type", "text/plain; charset=utf-8");
      } else {
        request.body_file = std::get<std::string>(std::move(plain));
        collected.add_default("Content-Type", "application/octet-stream");
      }
      break;
    }
  }
  if (idempotency == Key::Own) {
    collected.add_default("Idempotency-Key", text(own_key, "idempotency_key"));
  } else if (idempotency == Key::Auto && (method == "POST" || method == "PATCH")) {
    collected.add_default("Idempotency-Key", key);
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
  request.headers = std::move(collected.list);
  const std::string& folder = scope.frame().machine().run().folder;
  for (std::string* file : {&request.body_file, &request.ca, &request.cert, &request.key})
    if (!file->empty() && file->front() != '/') *file = folder + "/" + *file;
  return Work(std::move(request));
}

}  // namespace flowrun
