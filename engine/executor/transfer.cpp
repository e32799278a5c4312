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

#include "engine/executor/named_file.h"
#include "engine/model/encode.h"

namespace flowrun {

std::string host_of(const std::string& url) {
  std::size_t begin = url.find("://");
  if (begin == std::string::npos) return url;
  std::string host = in_small_letters(std::string_view(url).substr(0, url.find_first_of("/?#", begin + 3)));
  const std::size_t scheme = begin + 3;
  if (std::size_t at = host.rfind('@'); at != std::string::npos && at >= scheme) host.erase(scheme, at + 1 - scheme);
  for (std::string_view usual : {"http://:80", "https://:443"})
    if (std::string_view port = usual.substr(usual.rfind(':'));
        usual.starts_with(host.substr(0, scheme)) && host.ends_with(port))
      host.erase(host.size() - port.size());
  return host;
}

namespace {

constexpr int kMostHeaders = 1000;  // of an answer
constexpr std::size_t kMostHeaderBytes =
    256 * 1024;  // of them together; libcurl has limits like these, not all versions

std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  transfer.stirred = true;
  return transfer.take({bytes, size * count}) ? size * count : 0;
}

/// Why the header |line| leaves open where the body ends. |length| is the Content-Length of earlier lines. libcurl
/// takes the last of several, none that is too large, and unpacks for the transfer without a look at the end.
std::string framing_fault(std::string_view line, std::string& length) {
  // Most headers are something else.
  if (line.size() < 15 || !std::strchr("cCtT", line[0])) return "";
  const std::size_t colon = std::min(line.find(':'), line.size());
  const std::string name = in_small_letters(line.substr(0, colon));
  const std::string_view value = trimmed(line.substr(std::min(colon + 1, line.size())));
  if (name == "transfer-encoding" && in_small_letters(value) != "chunked" && in_small_letters(value) != "identity")
    return fmt::format("is sent as `{}`, and only `chunked` was offered", shortened(value, 40));
  if (name != "content-length") return "";
  if (value.empty() || value.size() > 18 || value.find_first_not_of("0123456789") != value.npos)
    return fmt::format("says that it is `{}` bytes long", shortened(value, 40));
  if (!length.empty() && length != value)
    return fmt::format("says that it is {} bytes long, and that it is {}", length, value);
  length = value;
  return "";
}

/// Whether the first line of an answer has a code of three digits. libcurl 8.14 takes the first three of many.
bool has_code(std::string_view line) {
  const std::size_t begin = std::min(line.find_first_of(" \t"), line.size());
  const std::size_t code = std::min(line.find_first_not_of(" \t", begin), line.size());
  const std::string_view rest = line.substr(code);
  const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  return digits == 3 && (digits == rest.size() || std::string_view(" \t\r\n").find(rest[digits]) != rest.npos);
}

std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  std::string_view line(bytes, size * count);
  transfer.stirred = true;
  transfer.header_bytes += line.size();
  if (++transfer.header_lines > 2 + kMostHeaders || transfer.header_bytes > kMostHeaderBytes)
    transfer.header_fault =
        fmt::format("has more than {} headers, or {} KiB of them", kMostHeaders, kMostHeaderBytes / 1024);
  else
    transfer.header_fault = line.substr(0, 5) == "HTTP/" && !has_code(line)
                                ? "has no status of three digits"
                                : framing_fault(line, transfer.content_length);
  if (!transfer.header_fault.empty()) return 0;
  if (line.substr(0, 5) == "HTTP/") {  // a 1xx has been before it
    transfer.headed = false;
    transfer.content_length.clear();
  }
  if (!trimmed(line).empty()) return line.size();
  transfer.headed = true;
  // Nobody has asked for another protocol. libcurl would wait for the end of it.
  transfer.switched = transfer.status() == 101;
  return transfer.switched ? 0 : line.size();
}

/// Before the request goes out. libcurl sends again, on its own, what a server read from a reused connection and did
/// not answer; a second effect is worse than an error.
int on_send(void* self, char*, char*, int, int) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (transfer.sent_here) {
    transfer.sent_twice = true;
    return CURL_PREREQFUNC_ABORT;
  }
  transfer.sent = transfer.sent_here = transfer.stirred = true;
  return CURL_PREREQFUNC_OK;
}

curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(self);
  transfer.located = true;
  return transfer.sockets->open(address->family, address->socktype, address->protocol);
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

/// CURLE_TOO_LARGE, which libcurl knows from 8.6 on: of lines and headers.
constexpr auto kTooLarge = static_cast<CURLcode>(100);

/// The types of what libcurl says; what is not here has to do with the connection.
const char* type_of(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return "dns";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
      return "tls";
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_FILESIZE_EXCEEDED:  // Content-Length does not fit in 63 bits
    case CURLE_RANGE_ERROR:
    case CURLE_HTTP2:
    case CURLE_WRITE_ERROR:  // ours are told apart before; these are of who unpacks
    case kTooLarge:
      return "parse";
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_READ_ERROR:
      return "internal";
    default:
      return "connect";
  }
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

}  // namespace

Transfer::~Transfer() {
  libcurl().curl_slist_free_all(header_list);
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

template <typename Setting>
void Transfer::set(CURLoption option, Setting value) {
  libcurl().curl_easy_setopt(easy, option, value);
}

void Transfer::set_usual() {
  set(CURLOPT_NOSIGNAL, 1L);
  // Else stopping a transfer during a slow lookup of a name holds the loop up until that has an answer.
  set(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  // Redirects are followed by prepare_redirect: libcurl would keep the method of a custom request, and hand headers
  // it does not know to be keys to another host.
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_WRITEFUNCTION, on_body);
  set(CURLOPT_HEADERFUNCTION, on_header);
  set(CURLOPT_PREREQFUNCTION, on_send);
  set(CURLOPT_OPENSOCKETFUNCTION, open_socket);
  set(CURLOPT_CLOSESOCKETFUNCTION, close_socket);
  set(CURLOPT_CLOSESOCKETDATA, sockets);
  // The variable is OpenSSL's; libcurl's command heeds it, its library does not.
  if (const char* ca = std::getenv("SSL_CERT_FILE"); ca && *ca) set(CURLOPT_CAINFO, ca);
  // An empty one keeps libcurl from looking for the variables before each request.
  if (!proxy_in_environment()) set(CURLOPT_PROXY, "");
}

bool Transfer::take_handle(CURL* idle, Sockets& of) {
  sockets = &of;
  easy = idle ? idle : libcurl().curl_easy_init();
  if (easy && !idle) set_usual();
  return easy;
}

CURL* Transfer::give_handle_back(bool good) {
  CURL* handle = std::exchange(easy, nullptr);
  if (good && !unusual) {
    // The one option that libcurl would use without a transfer.
    libcurl().curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, nullptr);
    return handle;
  }
  libcurl().curl_easy_cleanup(handle);
  return nullptr;
}

std::optional<Failure> Transfer::prepare(const RunFolder& folder, bool crowded) {
  const HttpRequest& asked = request();
  url = asked.url;
  method = asked.method;
  set(CURLOPT_URL, sendable_url(url).c_str());
  set(CURLOPT_ERRORBUFFER, trouble);
  set(CURLOPT_WRITEDATA, this);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_PREREQDATA, this);
  set(CURLOPT_OPENSOCKETDATA, this);
  // Over TLS the handshake tells whether a connection can be shared; in clear text only the first answer would, and
  // waiting for that would make a chain of what should run side by side.
  set(CURLOPT_PIPEWAIT, asked.url.starts_with("https:") ? 1L : 0L);
  // Each transfer in flight has a buffer of its own.
  set(CURLOPT_BUFFERSIZE, crowded ? 2048L : 16384L);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(asked.connect_timeout.count()));
  unusual = !asked.verify || !asked.ca.empty() || !asked.cert.empty() || !asked.key.empty() || !asked.proxy.empty();
  if (!asked.verify) {
    set(CURLOPT_SSL_VERIFYPEER, 0L);
    set(CURLOPT_SSL_VERIFYHOST, 0L);
  }
  // libcurl opens them when it connects, and would wait for who writes to a pipe.
  const char* usual = asked.url.starts_with("https:") ? std::getenv("SSL_CERT_FILE") : nullptr;
  for (const std::string& given : {asked.ca, asked.cert, asked.key, std::string(usual ? usual : "")})
    if (std::string what = given.empty() ? "" : not_regular(given); !what.empty())
      return named("internal", fmt::format("cannot read the file {}: {}", given, what));
  if (!asked.ca.empty()) set(CURLOPT_CAINFO, asked.ca.c_str());
  if (!asked.cert.empty()) set(CURLOPT_SSLCERT, asked.cert.c_str());
  if (!asked.key.empty()) set(CURLOPT_SSLKEY, asked.key.c_str());
  if (!asked.proxy.empty()) set(CURLOPT_PROXY, asked.proxy.c_str());
  if (std::string why = prepare_headers(); !why.empty()) return named("expression", std::move(why));
  if (std::string why = prepare_body(); !why.empty()) return named("internal", std::move(why));
  if (asked.response == HttpRequest::Response::File) {
    const std::string name = fmt::format("body-{:016x}-{}", std::hash<std::string>{}(task.path), task.attempt);
    if (!file.open(folder, name))
      return named("internal",
                   fmt::format("cannot write the answer to {}/{}: {}", folder.path(), name, std::strerror(errno)));
    file_mask.emplace(*mask);
  }
  return std::nullopt;
}

std::string Transfer::prepare_headers() {
  curl_slist* list = nullptr;
  auto add = [&list](const std::string& line) { list = libcurl().curl_slist_append(list, line.c_str()); };
  const std::string& origin = request().home.empty() ? request().url : request().home;
  bool elsewhere = url != origin && host_of(url) != host_of(origin);
  bool accepts = false, has_agent = false, has_type = false, has_encoding = false;
  for (std::size_t i = 0; i < request().headers.size(); ++i) {
    const auto& [given, text] = request().headers[i];
    const std::string name = in_small_letters(given), value = text;
    if (std::string why = flowrun::header_fault(given, value); !why.empty()) {
      libcurl().curl_slist_free_all(list);
      return why;
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
  // gzip only: of the others libcurl can not tell when they are cut off.
  if (!has_encoding) add("Accept-Encoding: gzip");
  if (sends_body()) {
    // libcurl's own idea of both: to wait for the server's leave, and that every body is a form.
    add("Expect:");
    if (!has_type) add("Content-Type:");
  }
  set(CURLOPT_HTTPHEADER, list);
  libcurl().curl_slist_free_all(header_list);
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
  upload = nullptr;
  int descriptor = -1;
  if (std::string trouble = open_regular(asked.body_file, descriptor); !trouble.empty())
    return fmt::format("cannot read the file {}: {}", asked.body_file, trouble);
  upload = fdopen(descriptor, "rb");
  struct stat about {};
  if (!upload || fstat(descriptor, &about) != 0) return "libc is out of memory";
  set(CURLOPT_UPLOAD, 1L);
  set(CURLOPT_READDATA, upload);
  set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(about.st_size));
  set(CURLOPT_CUSTOMREQUEST, method.c_str());
  return "";
}

long Transfer::status() const {
  long number = 0;
  libcurl().curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &number);
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
  libcurl().curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &next);
  std::string where = next ? next : "";
  std::string scheme = in_small_letters(where.substr(0, where.find(':')));
  if (scheme != "http" && scheme != "https")
    return bad_redirect = fmt::format("is sent to `{}`, not by http", shortened(header("location").value_or(""), 200));
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
  headed = enough = false;
  header_lines = header_bytes = 0;
  content_length.clear();
  body.reset();
  trouble[0] = 0;
  set(CURLOPT_URL, sendable_url(url).c_str());
  if (std::string why = prepare_headers(); !why.empty()) return bad_redirect = why;
  if (std::string why = prepare_body(); !why.empty()) return bad_redirect = why;
  return "";
}

std::optional<std::string_view> Transfer::header(const char* name) const {
  curl_header* found = nullptr;
  if (libcurl().curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK) return std::nullopt;
  return trimmed(found->value);
}

bool Transfer::take(std::string_view bytes) {
  if (!body) {
    auto what = Body::For::Value;
    if (redirected())
      what = Body::For::Redirect;
    else if (!expects(request(), status()))
      what = Body::For::People;
    else if (request().response == HttpRequest::Response::None)
      what = Body::For::Nobody;
    body.emplace(what, header("content-encoding").value_or(""), request().max_response);
  }
  Unpacker::Sink sink;
  if (file.is_open())
    sink = [this](std::string_view piece) {
      std::string_view safe = file_mask->pass(piece);
      file_broken = !file.write(safe.data(), safe.size());
      return !file_broken;
    };
  enough = !body->take(bytes, sink);
  return !enough;
}

bool Transfer::complete(CURLcode code) const {
  if (code == CURLE_OK) return headed;
  return code == CURLE_WRITE_ERROR && headed && (switched || (enough && !file_broken && !(body && body->too_long())));
}

Failure Transfer::out_of_time(bool connecting) const {
  const std::string what = request().method + " " + shortened(shown_url, 1000);
  if (connecting)
    return named("connect", fmt::format("{}: another request to the host looks its name up, for longer than {}", what,
                                        spell(request().connect_timeout)));
  return named("timeout", fmt::format("{} timed out after {}", what, spell(*task.timeout)));
}

Failure Transfer::failure_of(CURLcode code) const {
  std::string what = method + " " + shortened(shown_url, 1000);
  std::string detail = trouble[0] ? trouble : libcurl().curl_easy_strerror(code);
  if (!bad_redirect.empty()) return named("parse", what + " " + bad_redirect);
  if (sent_twice)
    return named("connect", what + ": the connection was closed after the request was sent; it is not sent twice");
  if (!header_fault.empty()) return named("parse", fmt::format("{}: the answer {}", what, header_fault));
  if (body && body->too_long())
    return named("parse",
                 fmt::format("{}: the answer is longer than {}({} bytes)", what,
                             body->most() == request().max_response ? "max_response " : "is taken in ", body->most()));
  if (file_broken) return named("internal", what + ": the answer can not be written to the run's folder");
  if (over == Over::Timeout || over == Over::Wait) return out_of_time(over == Over::Wait);
  if (over == Over::Idle)
    return named("timeout",
                 fmt::format("{}: nothing has moved for {} (idle_timeout)", what, spell(request().idle_timeout)));
  if (code == CURLE_OPERATION_TIMEDOUT) {
    if (!sent_here) return named("connect", what + ": " + detail);
    return named("timeout", what + ": " + detail);
  }
  // Of a header line beyond its limit libcurl says that memory is out, and of what is no chunk that it was not
  // received.
  if (code == CURLE_OUT_OF_MEMORY && sent_here && !headed)
    return named("parse", what + ": a line of the answer's header is too long");
  if (code == CURLE_RECV_ERROR && headed && detail.find("chunk") != detail.npos)
    return named("parse", what + ": the body of the answer is not in chunks as its header says: " + detail);
  return named(type_of(code), what + ": " + detail);
}

HttpAnswer Transfer::answer() const {
  HttpAnswer answer;
  answer.status = status();
  answer.method = method;
  answer.url = shown_url;
  answer.content_type = in_small_letters(header("content-type").value_or(""));
  answer.retry_after = header("retry-after").value_or("");
  if (!wants_headers(task, answer.status)) return answer;
  // Those of a 101 are of an answer that libcurl takes for the first of two.
  const unsigned origins = switched ? CURLH_1XX : CURLH_HEADER | CURLH_TRAILER;
  curl_header* each = nullptr;
  // libcurl looks for the next among all of them.
  while ((each = libcurl().curl_easy_nextheader(easy, origins, -1, each)))
    answer.headers.emplace_back(each->name, trimmed(each->value));
  return answer;
}

bool Transfer::overdue(WorkClock::time_point now) {
  if (task.timeout && now - begun >= *task.timeout) {
    over = Over::Timeout;
    return true;
  }
  if (!easy && now - begun >= request().connect_timeout) {
    over = Over::Wait;
    return true;
  }
  const Duration idle = request().idle_timeout;
  if (idle.count() <= 0) return false;
  if (sent_here && sends_body()) {
    curl_off_t sum = 0;
    libcurl().curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &sum);
    if (sum != std::exchange(uploaded, sum)) stirred = true;
  }
  // Before the request goes out, the time to connect is bounded.
  if (std::exchange(stirred, false) || !sent_here) moved = now;
  if (now - moved < idle) return false;
  over = Over::Idle;
  return true;
}

WorkClock::time_point Transfer::look_at(WorkClock::time_point now) const {
  WorkClock::time_point next = WorkClock::time_point::max();
  if (task.timeout) next = begun + *task.timeout;
  // Waiting for another that looks the name of its host up is part of connecting.
  if (!easy) next = std::min<WorkClock::time_point>(next, begun + request().connect_timeout);
  // Whether something moves is seen by looking: often enough to be exact to an eighth.
  const Duration idle = request().idle_timeout;
  if (idle.count() > 0) next = std::min(next, now + std::clamp(idle / 8, Duration{10}, Duration{1000}));
  return next;
}

Result Transfer::result(CURLcode code, WorkClock::time_point now) {
  if (!bad_redirect.empty() || !complete(code)) {
    Result result;
    result.took = std::chrono::duration_cast<Duration>(now - begun);
    result.began = began;
    result.sent = sent;
    // A connection that ends amid the headers is no error to libcurl.
    result.failure = failure_of(code == CURLE_OK ? CURLE_RECV_ERROR : code);
    // What was refused for its length was an answer all the same.
    if ((body && body->too_long()) || !bad_redirect.empty()) result.code = static_cast<int>(status());
    return result;
  }
  HttpAnswer said = answer();
  said.took = std::chrono::duration_cast<Duration>(now - begun);
  if (body) {
    body->finish();
    said.body = std::move(body->text());
    said.cut = body->cut();
    said.broken = body->broken();
  }
  if (file.is_open() && said.broken.empty() && expects(request(), said.status)) {
    std::string_view left = file_mask->rest();
    std::string about = file.write(left.data(), left.size()) ? file.close() : "";
    if (about.empty()) file_broken = true;
    said.file = Value::from_text(std::move(about));
  }
  Result result;
  if (file_broken) {
    result.took = said.took;
    result.code = static_cast<int>(said.status);
    result.failure = failure_of(CURLE_WRITE_ERROR);
  } else {
    result = result_of(task, said, *mask, std::chrono::floor<Duration>(std::chrono::system_clock::now()));
  }
  result.began = began;
  result.sent = sent;
  return result;
}

}  // namespace flowrun
