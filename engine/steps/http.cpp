#include "engine/steps/http.h"

#include "engine/steps/form_parts.h"
#include "engine/steps/request_headers.h"
#include "engine/steps/request_url.h"
#include "engine/steps/url.h"

namespace flowrun {
namespace {

/// Evaluates the parts of a request, one after the other. The first mistake is kept.
class Parts {
 public:
  Parts(const FrameScope& scope, Evaluator& evaluator) : scope_(scope), evaluator_(evaluator) {}

  /// Null after a mistake.
  Value value(const ValueTemplate& written) { return evaluated(written); }
  /// Empty when it is not written, and after a mistake.
  std::string text(const std::optional<TextTemplate>& written, const char* name) {
    if (!written) return {};
    auto text = as_text(evaluated(*written), name);
    return text ? *std::move(text) : (keep(std::move(text.failure())), std::string());
  }
  Duration span(const Setting<Duration>& written, Duration default_value, const char* name) {
    auto span = resolve(written, scope_, evaluator_, default_value, name);
    return span ? *span : (keep(std::move(span.failure())), default_value);
  }
  void keep(Failure mistake) {
    if (!failure) failure = std::move(mistake);
  }

  std::optional<Failure> failure;

 private:
  Value evaluated(const auto& written) {
    if (failure) return {};
    Evaluation evaluation = written.evaluate(scope_, evaluator_);
    return evaluation ? *std::move(evaluation) : (keep(std::move(evaluation.failure())), Value());
  }

  const FrameScope& scope_;
  Evaluator& evaluator_;
};

/// The body of a request, with the header that says what it is.
class RequestBody {
 public:
  RequestBody(HttpRequest& request, RequestHeaders& headers) : request_(request), headers_(headers) {}

  void json(const Value& value, bool names_secrets) {
    if (names_secrets)
      set(json_text_with_placeholders(value.json()));
    else
      request_.body = value.text();
    headers_.add_default("Content-Type", "application/json");
  }
  std::optional<Failure> form(const Value& value) {
    auto form = form_encoded(value.json());
    if (!form) return std::move(form.failure());
    set(*std::move(form));
    headers_.add_default("Content-Type", "application/x-www-form-urlencoded");
    return std::nullopt;
  }
  void text(SecretText text) {
    set(std::move(text));
    headers_.add_default("Content-Type", "text/plain; charset=utf-8");
  }
  std::optional<Failure> multipart(const Value& value) { return append_parts(request_, value.json()); }
  void file(SecretText name) {
    request_.body_file = std::move(name.text);
    headers_.add_default("Content-Type", "application/octet-stream");
  }

 private:
  void set(SecretText made) {
    for (const Placeholder& placeholder : made.placeholders)
      request_.placeholders.push_back({TaskPlaceholder::In::Body, 0, placeholder});
    request_.body = std::move(made.text);
  }

  HttpRequest& request_;
  RequestHeaders& headers_;
};

}  // namespace

/// In this order, as the answers of jq are journaled in it: URL, query, headers, auth, body, key, what curl is told.
Fallible<Effect::Request> HttpStep::resolve(const FrameScope& scope, Evaluator& evaluator, const Frame&,
                                            const std::string& key, const std::string& next) const {
  HttpRequest request;
  request.method = method;
  auto built = build_url(url, scope, evaluator);
  if (!built) return std::move(built.failure());
  SecretText whole_url = *std::move(built);
  Parts parts(scope, evaluator);

  if (!next.empty() && paginate->query.empty()) {
    // The server's own URL is complete: what `query` says is in it, or has become something else.
    request.origin_url = std::move(whole_url.text);
    whole_url = {next, {}};
  } else if (Value values = parts.value(query); values.json().is_object()) {
    if (auto bad = append_query(whole_url, values.json())) return *bad;
  }
  if (!next.empty() && !paginate->query.empty()) whole_url = with_parameter(whole_url, paginate->query, next);

  RequestHeaders collected;
  if (Value values = parts.value(headers); values.json().is_object())
    for (const auto& [name, value] : values.json().items()) collected.add(name, Value(value));
  collected.add_auth(parts.value(auth).json(), auth.names_secrets());

  RequestBody sent(request, collected);
  const Value body_value = body == Body::None ? Value() : parts.value(content);
  if (body == Body::Json) sent.json(body_value, content.names_secrets());
  if (body == Body::Form)
    if (auto bad = sent.form(body_value)) return *bad;
  if (body == Body::Multipart)
    if (auto bad = sent.multipart(body_value)) return *bad;
  if (body == Body::Text || body == Body::File) {
    auto text = as_secret_text(body_value, body == Body::Text ? "text" : "file");
    if (!text)
      parts.keep(std::move(text.failure()));
    else if (body == Body::Text)
      sent.text(*std::move(text));
    else
      sent.file(*std::move(text));
  }
  if (idempotency == Key::Own) {
    collected.add_default("Idempotency-Key", Value::string(parts.text(own_key, "idempotency_key")));
  } else if (idempotency == Key::Auto && (method == "POST" || method == "PATCH")) {
    collected.add_default("Idempotency-Key", Value::string(key));
  }
  request.expect = expect;
  request.response = response;
  request.max_response = max_response;
  request.max_redirects = max_redirects;
  request.ca = parts.text(ca, "tls.ca");
  request.cert = parts.text(cert, "tls.cert");
  request.key = parts.text(key_file, "tls.key");
  request.verify = verify;
  request.proxy = parts.text(proxy, "proxy");
  request.unix_socket = parts.text(unix_socket, "unix");
  request.connect_timeout = parts.span(connect_timeout, request.connect_timeout, "connect_timeout");
  request.idle_timeout = parts.span(idle_timeout, request.idle_timeout, "idle_timeout");
  if (collected.failure) return *collected.failure;
  if (parts.failure) return *parts.failure;

  for (const Placeholder& placeholder : whole_url.placeholders)
    request.placeholders.push_back({TaskPlaceholder::In::Url, 0, placeholder});
  request.url = std::move(whole_url.text);
  request.headers = std::move(collected.list);
  request.placeholders.insert(request.placeholders.end(), collected.placeholders.begin(), collected.placeholders.end());
  const std::string folder = folder_of(scope.frame());
  for (std::string* file : files_of(request))
    if (file->front() != '/') *file = folder + "/" + *file;
  return Request(std::move(request));
}

std::unique_ptr<Frame> HttpStep::frame(Context& context, Frame* parent, std::string path) const {
  return effect_frame(context, parent, *this, *this, *this, std::move(path));
}

}  // namespace flowrun
