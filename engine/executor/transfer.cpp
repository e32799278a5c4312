#include "engine/executor/transfer.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <functional>
#include <iterator>

#include "engine/executor/capture.h"
#include "engine/model/encode.h"

namespace flowrun {

namespace {

std::string lower(std::string_view text) {
  std::string small(text);
  std::transform(small.begin(), small.end(), small.begin(), [](unsigned char c) { return std::tolower(c); });
  return small;
}

}  // namespace

std::string host_of(const std::string& url) {
  std::size_t begin = url.find("://");
  if (begin == std::string::npos) return url;
  std::string host = lower(std::string_view(url).substr(0, url.find_first_of("/?#", begin + 3)));
  const std::size_t scheme = begin + 3;
  if (std::size_t at = host.rfind('@'); at != std::string::npos && at >= scheme) host.erase(scheme, at + 1 - scheme);
  for (std::string_view usual : {"http://:80", "https://:443"})
    if (std::string_view port = usual.substr(usual.rfind(':'));
        usual.starts_with(host.substr(0, scheme)) && host.ends_with(port))
      host.erase(host.size() - port.size());
  return host;
}

namespace {

constexpr std::size_t kMostErrorBody = 64 * 1024;  // of an answer that is an error, kept in it
constexpr int kMostHeaders = 1000;                 // of an answer, kept

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::strchr(" \t\r\n", text.front())) text.remove_prefix(1);
  while (!text.empty() && std::strchr(" \t\r\n", text.back())) text.remove_suffix(1);
  return text;
}

std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  std::size_t length = size * count;
  const HttpRequest& request = transfer.request();
  long status = transfer.status();
  if (transfer.redirected()) return length;
  bool good = transfer.expected(status);
  transfer.size += static_cast<std::int64_t>(length);
  // An error's answer is for people, and what is too long for them is cut.
  if (!good || request.response == HttpRequest::Response::None) {
    std::size_t kept = std::min(length, kMostErrorBody - std::min(kMostErrorBody, transfer.body.size()));
    transfer.body.append(bytes, kept);
    transfer.body_cut = transfer.body_cut || kept < length;
    return length;
  }
  if (transfer.size > request.max_response) {
    transfer.too_large = true;
    return 0;
  }
  if (transfer.file.is_open()) {
    std::string_view safe = transfer.file_mask->pass({bytes, length});
    transfer.file_broken = !transfer.file.write(safe.data(), safe.size());
    return transfer.file_broken ? 0 : length;
  }
  transfer.body.append(bytes, length);
  return length;
}

std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
  std::string_view line(bytes, size * count);
  bool& headed = static_cast<Transfer*>(self)->headed;
  if (line.substr(0, 5) == "HTTP/") headed = false;  // a 1xx has been before it
  if (trimmed(line).empty()) headed = true;
  return line.size();
}

/// Before the request goes out. libcurl sends again, on its own, what a server read from a reused connection and did
/// not answer; a second effect is worse than an error.
int on_send(void* self, char*, char*, int, int) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (transfer.sent_here) {
    transfer.sent_twice = true;
    return CURL_PREREQFUNC_ABORT;
  }
  transfer.sent = transfer.sent_here = true;
  return CURL_PREREQFUNC_OK;
}

curl_socket_t open_socket(void* sockets, curlsocktype, curl_sockaddr* address) {
  return static_cast<Sockets*>(sockets)->open(address->family, address->socktype, address->protocol);
}

int close_socket(void* sockets, curl_socket_t socket) {
  static_cast<Sockets*>(sockets)->close(socket);
  return 0;
}

/// Headers that may follow a request to another host: what says nothing about who asks. Any other may be a key.
bool may_change_hosts(const std::string& name) {
  static const char* const kHarmless[] = {
      "accept",           "accept-charset",      "accept-language", "cache-control", "content-encoding",
      "content-language", "content-type",        "idempotency-key", "if-match",      "if-modified-since",
      "if-none-match",    "if-unmodified-since", "pragma",          "range",         "user-agent"};
  return std::any_of(std::begin(kHarmless), std::end(kHarmless), [&](const char* known) { return name == known; });
}

Failure named(const char* type, std::string message) { return {type, std::move(message), "", 0, {}}; }

Failure of_curl(CURLcode code, const std::string& what, const std::string& detail) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return named("dns", what + ": " + detail);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
      return named("tls", what + ": " + detail);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_HTTP2:
      return named("parse", what + ": " + detail);
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_READ_ERROR:
      return named("internal", what + ": " + detail);
    default:
      return named("connect", what + ": " + detail);
  }
}

/// What libcurl can unpack, as the header Accept-Encoding has it.
const std::string& encodings() {
  static const std::string names = [] {
    const int features = web().curl_version_info(CURLVERSION_NOW)->features;
    std::string list;
    for (const auto& [feature, name] :
         {std::pair{CURL_VERSION_LIBZ, "gzip"}, {CURL_VERSION_BROTLI, "br"}, {CURL_VERSION_ZSTD, "zstd"}})
      if (features & feature) list += (list.empty() ? "" : ", ") + std::string(name);
    return list;
  }();
  return names;
}

/// Whether one of the variables is there that make libcurl choose a proxy.
bool proxy_in_environment() {
  static const bool found = [] {
    static const char* const kVariables[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    return std::any_of(std::begin(kVariables), std::end(kVariables),
                       [](const char* name) { return std::getenv(name); });
  }();
  return found;
}

bool says_json(const std::string& content_type) { return content_type.find("json") != content_type.npos; }

}  // namespace

Transfer::~Transfer() {
  web().curl_slist_free_all(header_list);
  if (upload) std::fclose(upload);
}

void Transfer::conceal(const Mask& secrets) {
  mask = &secrets;
  shown_url = request().url;
  const TaskHoles& holes = request().holes;
  for (auto hole = holes.rbegin(); hole != holes.rend(); ++hole)
    if (hole->in == TaskHole::In::Url) shown_url.insert(hole->hole.at, "***");
}

bool Transfer::has_secret(TaskHole::In in, std::size_t index) const {
  const TaskHoles& holes = request().holes;
  return std::any_of(holes.begin(), holes.end(),
                     [&](const TaskHole& hole) { return hole.in == in && hole.index == index; });
}

std::string Transfer::shown_body() const { return mask->text(body, body_cut); }

template <typename Setting>
void Transfer::set(CURLoption option, Setting value) {
  web().curl_easy_setopt(easy, option, value);
}

void Transfer::set_usual() {
  set(CURLOPT_NOSIGNAL, 1L);
  // Else stopping a transfer during a slow lookup of a name holds the loop up until that has an answer.
  set(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  set(CURLOPT_ACCEPT_ENCODING, encodings().c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  // Redirects are followed by prepare_redirect: libcurl would keep the method of a custom request, and hand headers
  // it does not know to be keys to another host.
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_WRITEFUNCTION, on_body);
  set(CURLOPT_HEADERFUNCTION, on_header);
  set(CURLOPT_PREREQFUNCTION, on_send);
  set(CURLOPT_OPENSOCKETFUNCTION, open_socket);
  set(CURLOPT_OPENSOCKETDATA, sockets);
  set(CURLOPT_CLOSESOCKETFUNCTION, close_socket);
  set(CURLOPT_CLOSESOCKETDATA, sockets);
  // The variable is OpenSSL's; libcurl's command heeds it, its library does not.
  if (const char* ca = std::getenv("SSL_CERT_FILE"); ca && *ca) set(CURLOPT_CAINFO, ca);
  // An empty one keeps libcurl from looking for the variables before each request.
  if (!proxy_in_environment()) set(CURLOPT_PROXY, "");
}

bool Transfer::take_handle(CURL* idle, Sockets& of) {
  sockets = &of;
  easy = idle ? idle : web().curl_easy_init();
  if (easy && !idle) set_usual();
  return easy;
}

CURL* Transfer::give_handle_back(bool good) {
  CURL* handle = std::exchange(easy, nullptr);
  if (good && !unusual) {
    // The one option that libcurl would use without a transfer.
    web().curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, nullptr);
    return handle;
  }
  web().curl_easy_cleanup(handle);
  return nullptr;
}

std::string Transfer::prepare(const std::string& run_dir, bool crowded) {
  const HttpRequest& asked = request();
  url = asked.url;
  method = asked.method;
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_ERRORBUFFER, trouble);
  set(CURLOPT_WRITEDATA, this);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_PREREQDATA, this);
  // Over TLS the handshake tells whether a connection can be shared; in clear text only the first answer would, and
  // waiting for that would make a chain of what should run side by side.
  set(CURLOPT_PIPEWAIT, asked.url.starts_with("https:") ? 1L : 0L);
  // Each transfer in flight has a buffer of its own.
  set(CURLOPT_BUFFERSIZE, crowded ? 2048L : 16384L);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(asked.connect_timeout.count()));
  set(CURLOPT_TIMEOUT_MS, task.timeout ? static_cast<long>(std::max<std::int64_t>(1, task.timeout->count())) : 0L);
  set(CURLOPT_LOW_SPEED_LIMIT, asked.idle_timeout.count() > 0 ? 1L : 0L);
  set(CURLOPT_LOW_SPEED_TIME, static_cast<long>((asked.idle_timeout.count() + 999) / 1000));
  unusual = !asked.verify || !asked.ca.empty() || !asked.cert.empty() || !asked.key.empty() || !asked.proxy.empty();
  if (!asked.verify) {
    set(CURLOPT_SSL_VERIFYPEER, 0L);
    set(CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (!asked.ca.empty()) set(CURLOPT_CAINFO, asked.ca.c_str());
  if (!asked.cert.empty()) set(CURLOPT_SSLCERT, asked.cert.c_str());
  if (!asked.key.empty()) set(CURLOPT_SSLKEY, asked.key.c_str());
  if (!asked.proxy.empty()) set(CURLOPT_PROXY, asked.proxy.c_str());
  if (std::string why = prepare_headers(); !why.empty()) return why;
  if (std::string why = prepare_body(); !why.empty()) return why;
  if (asked.response == HttpRequest::Response::File) {
    file_name = fmt::format("body-{:016x}-{}", std::hash<std::string>{}(task.path), task.attempt);
    if (!file.open(run_dir + "/" + file_name))
      return fmt::format("cannot write the answer to {}/{}: {}", run_dir, file_name, std::strerror(errno));
    file_mask.emplace(*mask);
  }
  return "";
}

std::string Transfer::prepare_headers() {
  curl_slist* list = nullptr;
  auto add = [&list](const std::string& line) { list = web().curl_slist_append(list, line.c_str()); };
  const std::string& home = request().home.empty() ? request().url : request().home;
  bool elsewhere = url != home && host_of(url) != host_of(home);
  bool accepts = false, has_agent = false, has_type = false, has_encoding = false;
  for (std::size_t i = 0; i < request().headers.size(); ++i) {
    const auto& [given, text] = request().headers[i];
    std::string name = lower(given);
    std::string value(trimmed(text));
    // Data that ends a line would go on as a header of its own.
    if (name.empty() || name.find_first_of(std::string_view("\r\n\0: ", 5)) != name.npos ||
        value.find_first_of(std::string_view("\r\n\0", 3)) != value.npos) {
      web().curl_slist_free_all(list);
      return fmt::format("the header {} can not be sent: it holds a line break, or its name is none",
                         Value::string(given).text());
    }
    bool secret = has_secret(TaskHole::In::Header, i) || has_secret(TaskHole::In::Basic, i);
    if (elsewhere && (secret || !may_change_hosts(name))) continue;
    accepts = accepts || name == "accept";
    has_agent = has_agent || name == "user-agent";
    has_encoding = has_encoding || name == "accept-encoding";
    if (name == "content-type") {
      if (!with_body) continue;
      has_type = true;
    }
    // libcurl takes `Name;` for a header without a value.
    add(value.empty() ? given + ";" : given + ": " + value);
  }
  if (!accepts) add("Accept: application/json, */*;q=0.5");
  if (!has_agent) add("User-Agent: flowrun/" FLOWRUN_VERSION);
  // libcurl would put each of its own headers together letter by letter, twice.
  if (!has_encoding && !encodings().empty()) add("Accept-Encoding: " + encodings());
  if (sends_body()) {
    // libcurl's own idea of both: to wait for the server's leave, and that every body is a form.
    add("Expect:");
    if (!has_type) add("Content-Type:");
  }
  set(CURLOPT_HTTPHEADER, list);
  web().curl_slist_free_all(header_list);
  header_list = list;
  return "";
}

bool Transfer::sends_body() const {
  const HttpRequest& asked = request();
  // RFC 9110, 8.6: a method that expects content says so even when there is none.
  return with_body &&
         (!asked.body_file.empty() || asked.body || method == "POST" || method == "PUT" || method == "PATCH");
}

std::string Transfer::prepare_body() {
  const HttpRequest& asked = request();
  // Each of GET, POST and UPLOAD takes back what the others and NOBODY have set.
  if (!sends_body()) {
    set(CURLOPT_HTTPGET, 1L);
    set(CURLOPT_CUSTOMREQUEST, method == "GET" || method == "HEAD" ? nullptr : method.c_str());
    if (method == "HEAD") set(CURLOPT_NOBODY, 1L);
    return "";
  }
  if (asked.body_file.empty()) {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(asked.body ? asked.body->size() : 0));
    set(CURLOPT_POSTFIELDS, asked.body ? asked.body->c_str() : "");
    set(CURLOPT_CUSTOMREQUEST, method == "POST" ? nullptr : method.c_str());
    return "";
  }
  unusual = true;
  if (upload) std::fclose(upload);
  errno = 0;
  upload = std::fopen(asked.body_file.c_str(), "rbe");
  struct stat about {};
  if (!upload || fstat(fileno(upload), &about) != 0 || !S_ISREG(about.st_mode))
    return fmt::format("cannot read the file {}: {}", asked.body_file,
                       errno ? std::strerror(errno) : "it is not a regular file");
  set(CURLOPT_UPLOAD, 1L);
  set(CURLOPT_READDATA, upload);
  set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(about.st_size));
  set(CURLOPT_CUSTOMREQUEST, method.c_str());
  return "";
}

long Transfer::status() const {
  long number = 0;
  web().curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &number);
  return number;
}

bool Transfer::redirected() const {
  if (request().max_redirects <= 0) return false;
  long number = status();
  bool moved = number == 301 || number == 302 || number == 303 || number == 307 || number == 308;
  return moved && header("location");
}

std::string Transfer::prepare_redirect() {
  char* next = nullptr;
  web().curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &next);
  std::string where = next ? next : "";
  std::string scheme = lower(where.substr(0, where.find(':')));
  if (scheme != "http" && scheme != "https")
    return bad_redirect = fmt::format("is sent to {}, not by http", *header("location"));
  if (redirects >= request().max_redirects)
    return bad_redirect = fmt::format("is sent on more than {} times", request().max_redirects);
  ++redirects;
  long number = status();
  // RFC 9110, 15.4: after 303 one looks at the result; 301 and 302 do so to a POST by old custom.
  if ((number == 303 && method != "HEAD") || ((number == 301 || number == 302) && method == "POST")) {
    method = "GET";
    with_body = false;
  }
  if (with_body && host_of(where) != host && has_secret(TaskHole::In::Body))
    return bad_redirect = "is sent to another host, which must not get the secret in its body";
  url = where;
  shown_url = mask->text(url);
  sent_here = false;
  headed = false;
  trouble[0] = 0;
  set(CURLOPT_URL, url.c_str());
  if (task.timeout) {
    auto passed = std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - begun);
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(1, (*task.timeout - passed).count())));
  }
  if (std::string why = prepare_headers(); !why.empty()) return bad_redirect = why;
  if (std::string why = prepare_body(); !why.empty()) return bad_redirect = why;
  return "";
}

std::optional<std::string_view> Transfer::header(const char* name) const {
  curl_header* found = nullptr;
  if (web().curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK) return std::nullopt;
  return trimmed(found->value);
}

bool Transfer::expected(long number) const {
  const auto& ranges = request().expect;
  return ranges.empty() || std::any_of(ranges.begin(), ranges.end(), [&](const StatusRange& range) {
           return number >= range.first && number <= range.last;
         });
}

Failure Transfer::failure_of(CURLcode code) const {
  std::string what = method + " " + shown_url;
  std::string detail = trouble[0] ? trouble : web().curl_easy_strerror(code);
  if (!bad_redirect.empty()) return named("parse", what + " " + bad_redirect);
  if (sent_twice)
    return named("connect", what + ": the connection was closed after the request was sent; it is not sent twice");
  if (too_large)
    return named("parse",
                 fmt::format("{}: the answer is longer than max_response ({} bytes)", what, request().max_response));
  if (file_broken) return named("internal", what + ": the answer can not be written to the run's folder");
  if (code == CURLE_OPERATION_TIMEDOUT) {
    if (task.timeout && std::chrono::steady_clock::now() - begun >= *task.timeout)
      return named("timeout", fmt::format("{} timed out after {}", what, spell(*task.timeout)));
    if (!sent_here) return named("connect", what + ": " + detail);
    return named("timeout", what + ": " + detail);
  }
  return of_curl(code, what, detail);
}

std::variant<Value, Failure> Transfer::body_value(const std::string& content_type) {
  using Response = HttpRequest::Response;
  Response response = request().response;
  if (file.is_open()) {
    std::string_view left = file_mask->rest();
    std::string about = file.write(left.data(), left.size()) ? file.close(file_name) : "";
    if (about.empty()) return named("internal", "the answer can not be written to the run's folder");
    return Value::from_text(std::move(about));
  }
  if (response == Response::None) return Value();
  if (response == Response::Base64) return Value::string(base64(body));
  if (response == Response::Json || (response == Response::Auto && says_json(content_type))) {
    if (body.empty() && response == Response::Auto) return Value();
    auto value = json_value(body, "");
    // The message shows how it begins.
    return std::holds_alternative<Value>(value)
               ? value
               : json_value(shown_body(), fmt::format("the answer to {} {}", method, shown_url));
  }
  return Value::string(response == Response::Text || is_utf8(body) ? shown_body() : base64(body));
}

/// As an object; a header that comes several times is one with commas (RFC 9110, 5.3).
std::string Transfer::header_json() const {
  Json object = Json::object();
  curl_header* each = nullptr;
  // libcurl looks for the next among all of them.
  for (int i = 0; i < kMostHeaders; ++i) {
    each = web().curl_easy_nextheader(easy, CURLH_HEADER | CURLH_TRAILER, -1, each);
    if (!each) break;
    std::string value(trimmed(each->value));
    Json& known = object[lower(each->name)];
    known = known.is_null() ? value : known.get<std::string>() + ", " + value;
  }
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// RFC 9110, 10.2.3: seconds or a date.
std::optional<Duration> Transfer::retry_after() const {
  const std::string after(header("retry-after").value_or(""));
  if (after.empty()) return std::nullopt;
  if (std::all_of(after.begin(), after.end(), [](unsigned char c) { return std::isdigit(c); })) {
    // Longer than a life is long enough.
    return std::chrono::seconds(std::stol(after.size() > 9 ? "999999999" : after));
  }
  std::time_t date = web().curl_getdate(after.c_str(), nullptr);
  if (date < 0) return std::nullopt;
  return std::chrono::seconds(std::max<std::time_t>(0, date - std::time(nullptr)));
}

Result Transfer::result(CURLcode code) {
  Result result;
  result.took = std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - begun);
  result.sent = sent;
  // A connection that ends amid the headers is no error to libcurl.
  if (code == CURLE_OK && !headed) code = CURLE_RECV_ERROR;
  if (code != CURLE_OK || !bad_redirect.empty()) {
    result.failure = failure_of(code);
    // What was refused for its length was an answer all the same.
    if (too_large || !bad_redirect.empty()) result.code = static_cast<int>(status());
    return result;
  }
  result.code = static_cast<int>(status());
  const std::string type = lower(header("content-type").value_or(""));
  if (!expected(result.code)) {
    // Shown as what it says it is, whatever `response` wants of a good answer.
    std::variant<Value, Failure> shown = Failure{};
    if (says_json(type)) shown = json_value(body, "");
    result.value = std::holds_alternative<Value>(shown) ? std::get<Value>(shown) : Value::string(shown_body());
    result.failure = Failure{fmt::format("http.{}", result.code),
                             fmt::format("{} {} answered {}", method, shown_url, result.code), "", 0,
                             Value::from_text(fmt::format("{{\"http\":{{\"status\":{},\"headers\":{},\"body\":{}}}}}",
                                                          result.code, header_json(), result.value.text()))};
    if (result.code == 429 || result.code == 503) result.retry_after = retry_after();
    return result;
  }
  auto value = body_value(type);
  if (auto* failure = std::get_if<Failure>(&value)) {
    result.failure = std::move(*failure);
    result.value = Value::string(shown_body());
    return result;
  }
  result.value = std::get<Value>(std::move(value));
  if (task.keep_raw) {
    std::string raw = fmt::format("{{\"status\":{},\"duration_ms\":{},\"attempt\":{},\"url\":", result.code,
                                  result.took.count(), task.attempt);
    append_json_string(raw, shown_url);
    raw += ",\"headers\":" + header_json() + ",\"body\":" + result.value.text() + "}";
    result.value = Value::from_text(std::move(raw));
  }
  return result;
}

}  // namespace flowrun
