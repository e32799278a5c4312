#include "engine/executor/transfer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "engine/executor/http.h"

namespace flowrun {
namespace {

constexpr std::size_t kMostErrorBody = 64 * 1024;  // of an answer that is an error, kept in it

std::string lower(std::string_view text) {
  std::string small(text);
  std::transform(small.begin(), small.end(), small.begin(), [](unsigned char c) { return std::tolower(c); });
  return small;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::strchr(" \t\r\n", text.front())) text.remove_prefix(1);
  while (!text.empty() && std::strchr(" \t\r\n", text.back())) text.remove_suffix(1);
  return text;
}

std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  std::size_t length = size * count;
  const HttpRequest& request = transfer.request();
  if (transfer.file.is_open()) {
    if (!transfer.file.write(bytes, length)) {
      transfer.file_broken = true;
      return 0;
    }
    return length;
  }
  if (request.response == HttpRequest::Response::None && transfer.body.size() + length > kMostErrorBody) return length;
  if (transfer.body.size() + length > static_cast<std::size_t>(request.max_response)) {
    transfer.too_large = true;
    return 0;
  }
  transfer.body.append(bytes, length);
  return length;
}

std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  std::string_view line(bytes, size * count);
  if (line.substr(0, 5) == "HTTP/") transfer.headers.clear();  // a redirect's, or a 1xx's, are not the answer's
  std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return line.size();
  transfer.headers.emplace_back(lower(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
  return line.size();
}

/// Before the request goes out. libcurl sends again, on its own, what a server read from a reused connection and did
/// not answer; a second effect is worse than an error.
int on_send(void* self, char*, char*, int, int) {
  auto& transfer = *static_cast<Transfer*>(self);
  long redirects = 0;
  curl_easy_getinfo(transfer.easy, CURLINFO_REDIRECT_COUNT, &redirects);
  if (transfer.sent && redirects == transfer.redirects_seen) {
    transfer.sent_twice = true;
    return CURL_PREREQFUNC_ABORT;
  }
  transfer.sent = true;
  transfer.redirects_seen = redirects;
  return CURL_PREREQFUNC_OK;
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

std::string base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3), '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                  static_cast<int>(bytes.size()));
  return text;
}

bool is_utf8(const std::string& text) {
  try {
    (void)Json(text).dump();
    return true;
  } catch (const Json::exception&) {
    return false;
  }
}

}  // namespace

BodyFile::~BodyFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(digest_));
}

bool BodyFile::open(const std::string& path) {
  descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  digest_ = EVP_MD_CTX_new();
  return descriptor_ >= 0 && EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(digest_), EVP_sha256(), nullptr) == 1;
}

bool BodyFile::write(const char* bytes, std::size_t count) {
  EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(digest_), bytes, count);
  size_ += count;
  while (count > 0) {
    ssize_t written = ::write(descriptor_, bytes, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes += written;
    count -= static_cast<std::size_t>(written);
  }
  return true;
}

std::string BodyFile::close(const std::string& name) {
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(digest_), sum, &length);
  // What the journal will call complete has to be on the disk.
  fdatasync(descriptor_);
  ::close(descriptor_);
  descriptor_ = -1;
  std::string hex;
  for (unsigned int i = 0; i < length; ++i) hex += fmt::format("{:02x}", sum[i]);
  std::string json = "{\"path\":";
  append_json_string(json, name);
  return json + fmt::format(",\"size\":{},\"sha256\":\"{}\"}}", size_, hex);
}

Transfer::~Transfer() {
  curl_slist_free_all(header_list);
  if (upload) std::fclose(upload);
}

std::string Transfer::prepare(CURL* handle, const std::string& run_dir) {
  easy = handle;
  const HttpRequest& asked = request();
  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy, CURLOPT_URL, asked.url.c_str());
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, trouble);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#ifdef CURLOPT_QUICK_EXIT
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#elif LIBCURL_VERSION_NUM >= 0x075700
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, asked.max_redirects > 0 ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, static_cast<long>(asked.max_redirects));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, this);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(asked.connect_timeout.count()));
  if (task.timeout)
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(1, task.timeout->count())));
  if (asked.idle_timeout.count() > 0) {
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>((asked.idle_timeout.count() + 999) / 1000));
  }
  if (!asked.verify) {
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (!asked.ca.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, asked.ca.c_str());
  if (!asked.cert.empty()) curl_easy_setopt(easy, CURLOPT_SSLCERT, asked.cert.c_str());
  if (!asked.key.empty()) curl_easy_setopt(easy, CURLOPT_SSLKEY, asked.key.c_str());
  if (!asked.proxy.empty()) curl_easy_setopt(easy, CURLOPT_PROXY, asked.proxy.c_str());

  bool accepts = false, has_agent = false;
  for (const auto& [name, value] : asked.headers) {
    accepts = accepts || lower(name) == "accept";
    has_agent = has_agent || lower(name) == "user-agent";
    // libcurl takes `Name;` for a header without a value.
    header_list = curl_slist_append(header_list, (value.empty() ? name + ";" : name + ": " + value).c_str());
  }
  if (!accepts) header_list = curl_slist_append(header_list, "Accept: application/json, */*;q=0.5");
  if (!has_agent) header_list = curl_slist_append(header_list, "User-Agent: flowrun/" FLOWRUN_VERSION);
  header_list = curl_slist_append(header_list, "Expect:");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, header_list);

  if (!asked.body_file.empty()) {
    upload = std::fopen(asked.body_file.c_str(), "rbe");
    struct stat status {};
    if (!upload || fstat(fileno(upload), &status) != 0 || !S_ISREG(status.st_mode))
      return fmt::format("cannot read the file {}: {}", asked.body_file, std::strerror(errno ? errno : EISDIR));
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_READDATA, upload);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(status.st_size));
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, asked.method.c_str());
  } else if (asked.body || asked.method == "POST") {
    const std::string empty;
    const std::string& content = asked.body ? *asked.body : empty;
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(content.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, asked.body ? asked.body->c_str() : "");
    if (asked.method != "POST") curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, asked.method.c_str());
  } else if (asked.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (asked.method != "GET") {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, asked.method.c_str());
  }
  if (asked.response == HttpRequest::Response::File) {
    file_name = fmt::format("body-{:016x}-{}", std::hash<std::string>{}(task.path), task.attempt);
    if (!file.open(run_dir + "/" + file_name))
      return fmt::format("cannot write the answer to {}/{}: {}", run_dir, file_name, std::strerror(errno));
  }
  return "";
}

const std::string* Transfer::header(const char* name) const {
  for (const auto& [known, value] : headers)
    if (known == name) return &value;
  return nullptr;
}

bool Transfer::expected(long status) const {
  const auto& ranges = request().expect;
  return ranges.empty() || std::any_of(ranges.begin(), ranges.end(), [&](const StatusRange& range) {
           return status >= range.first && status <= range.last;
         });
}

Failure Transfer::failure_of(CURLcode code, const std::string& url) const {
  std::string what = request().method + " " + url;
  std::string detail = trouble[0] ? trouble : curl_easy_strerror(code);
  if (sent_twice)
    return named("connect", what + ": the connection was closed after the request was sent; it is not sent twice");
  if (too_large)
    return named("parse",
                 fmt::format("{}: the answer is longer than max_response ({} bytes)", what, request().max_response));
  if (file_broken) return named("internal", what + ": the answer can not be written to the run's folder");
  if (code == CURLE_OPERATION_TIMEDOUT) {
    if (!sent) return named("connect", fmt::format("{}: could not connect: {}", what, detail));
    return named("timeout", what + ": " + detail);
  }
  return of_curl(code, what, detail);
}

std::variant<Value, Failure> Transfer::body_value(const std::string& content_type) {
  using Response = HttpRequest::Response;
  Response response = request().response;
  if (response == Response::None) return Value();
  if (response == Response::Base64) return Value::string(base64(body));
  bool says_json = content_type.find("json") != std::string::npos;
  if (response == Response::Json || (response == Response::Auto && says_json)) {
    if (body.empty() && response == Response::Auto) return Value();
    if (!Json::accept(body))
      return named("parse", fmt::format("{} {}: the answer is not JSON: {}", request().method, request().url,
                                        body.substr(0, 60)));
    return Value::from_text(body);
  }
  return Value::string(is_utf8(body) ? body : base64(body));
}

Result Transfer::result(CURLcode code) {
  Result result;
  result.took = std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - begun);
  result.sent = sent;
  long status = 0;
  char* effective = nullptr;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &effective);
  std::string url = effective ? effective : request().url;
  if (code != CURLE_OK) {
    result.failure = failure_of(code, url);
    return result;
  }
  result.code = static_cast<int>(status);
  const std::string* content_type = header("content-type");
  bool good = expected(status);
  std::variant<Value, Failure> value = Value();
  if (file.is_open()) {
    value = Value::from_text(file.close(file_name));
  } else {
    value = body_value(content_type ? lower(*content_type) : "");
  }
  std::string header_json = "{";
  for (const auto& [name, text] : headers) {
    if (header_json.size() > 1) header_json += ',';
    append_json_string(header_json, name);
    header_json += ':';
    append_json_string(header_json, text);
  }
  header_json += '}';
  if (!good) {
    result.failure = named("", fmt::format("{} {} answered {}", request().method, url, status));
    result.failure->type = fmt::format("http.{}", status);
    if (body.size() > kMostErrorBody) body.resize(kMostErrorBody);
    Value shown = std::holds_alternative<Value>(value) && body.size() < kMostErrorBody ? std::get<Value>(value)
                                                                                       : Value::string(body);
    if (request().response == HttpRequest::Response::None) shown = Value::string(body);
    result.failure->detail = Value::from_text(
        fmt::format("{{\"http\":{{\"status\":{},\"headers\":{},\"body\":{}}}}}", status, header_json, shown.text()));
    result.value = std::move(shown);
    if (const std::string* after = header("retry-after"); after && (status == 429 || status == 503)) {
      if (!after->empty() &&
          std::all_of(after->begin(), after->end(), [](unsigned char c) { return std::isdigit(c); }) &&
          after->size() < 10) {
        result.retry_after = std::chrono::seconds(std::stol(*after));
      } else if (std::time_t date = curl_getdate(after->c_str(), nullptr); date > 0) {
        result.retry_after = std::chrono::seconds(std::max<std::time_t>(0, date - std::time(nullptr)));
      }
    }
    return result;
  }
  if (auto* failure = std::get_if<Failure>(&value)) {
    result.failure = std::move(*failure);
    return result;
  }
  result.value = std::get<Value>(std::move(value));
  if (task.keep_raw) {
    std::string raw = fmt::format("{{\"status\":{},\"duration_ms\":{},\"attempt\":{},\"url\":", status,
                                  result.took.count(), task.attempt);
    append_json_string(raw, url);
    raw += ",\"headers\":" + header_json + ",\"body\":" + result.value.text() + "}";
    result.value = Value::from_text(std::move(raw));
  }
  return result;
}

}  // namespace flowrun
