#include "engine/executor/transfer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iterator>
#include <utility>

#include "engine/model/encode.h"
#include "engine/model/time.h"

namespace flowrun {
namespace {

int on_close_socket(void* sockets, curl_socket_t socket) {
  static_cast<Sockets*>(sockets)->close(socket);
  return 0;
}

Failure named(const char* type, std::string message) { return {type, std::move(message)}; }

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

std::size_t Transfer::on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  transfer.stirred_ = true;
  return transfer.response_.take_body({bytes, size * count}) ? size * count : 0;
}

std::size_t Transfer::on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  transfer.stirred_ = true;
  return transfer.response_.take_header({bytes, size * count}) ? size * count : 0;
}

/// Before the request goes out. libcurl sends again, on its own, what a server read from a reused connection and did
/// not answer; a second effect is worse than an error.
int Transfer::on_send(void* self, char*, char*, int, int) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (transfer.sent_here_) {
    transfer.sent_twice_ = true;
    return CURL_PREREQFUNC_ABORT;
  }
  transfer.sent_ = transfer.sent_here_ = transfer.stirred_ = true;
  return CURL_PREREQFUNC_OK;
}

curl_socket_t Transfer::on_open_socket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(self);
  transfer.located_ = true;
  return transfer.sockets_->open(address->family, address->socktype, address->protocol);
}

void Transfer::set_common_options() {
  auto set = [this](CURLoption option, auto value) { set_option(easy, option, value); };
  set(CURLOPT_NOSIGNAL, 1L);
  // Else stopping a transfer during a slow lookup of a name holds the loop up until that has an answer.
  set(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  // Redirects are followed by us (redirect.h): libcurl would keep the method of a custom request, and hand headers
  // it does not know to be keys to another host.
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_WRITEFUNCTION, on_body);
  set(CURLOPT_HEADERFUNCTION, on_header);
  set(CURLOPT_PREREQFUNCTION, on_send);
  set(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
  set(CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
  set(CURLOPT_CLOSESOCKETDATA, sockets_);
  // The variable is OpenSSL's; libcurl's command heeds it, its library does not.
  if (const char* ca = std::getenv("SSL_CERT_FILE"); ca && *ca) set(CURLOPT_CAINFO, ca);
  // An empty one keeps libcurl from looking for the variables before each request.
  if (!proxy_in_environment()) set(CURLOPT_PROXY, "");
}

bool Transfer::take_handle(CURL* idle, Sockets& sockets) {
  sockets_ = &sockets;
  easy = idle ? idle : libcurl().curl_easy_init();
  if (easy && !idle) set_common_options();
  return easy;
}

CURL* Transfer::give_handle_back(bool good) {
  CURL* handle = std::exchange(easy, nullptr);
  if (good && !request_.unusual()) {
    // The one option that libcurl would use without a transfer.
    set_option(handle, CURLOPT_ERRORBUFFER, nullptr);
    return handle;
  }
  libcurl().curl_easy_cleanup(handle);
  return nullptr;
}

std::optional<Failure> Transfer::prepare(const RunFolder& folder, bool crowded) {
  auto set = [this](CURLoption option, auto value) { set_option(easy, option, value); };
  set(CURLOPT_ERRORBUFFER, error_text_);
  set(CURLOPT_WRITEDATA, this);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_PREREQDATA, this);
  set(CURLOPT_OPENSOCKETDATA, this);
  // Each transfer in flight has a buffer of its own.
  set(CURLOPT_BUFFERSIZE, crowded ? 2048L : 16384L);
  if (auto failure = request_.prepare(easy)) return failure;
  return response_.prepare(easy, folder);
}

bool Transfer::prepare_redirect() {
  char* where = nullptr;
  libcurl().curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &where);
  bad_redirect_ = request_.redirect(easy, response_.status(), where ? where : "",
                                    std::string(response_.header("location").value_or("")));
  if (!bad_redirect_.empty()) return false;
  response_.start_over();
  sent_here_ = false;
  error_text_[0] = 0;
  return true;
}

bool Transfer::may_connect_again(CURLcode code, WorkClock& clock) {
  if (sent_here_ || exceeded_ != Limit::None) return false;
  if (code != CURLE_OPERATION_TIMEDOUT && code != CURLE_COULDNT_CONNECT && code != CURLE_COULDNT_RESOLVE_HOST)
    return false;
  const WorkClock::duration now = clock.lost();
  if (std::exchange(lost, now) == now) return false;
  error_text_[0] = 0;
  return true;
}

bool Transfer::overdue(WorkClock::time_point now) {
  if (task.timeout && now - begun >= *task.timeout) {
    exceeded_ = Limit::Timeout;
    return true;
  }
  if (!easy && now - begun >= asked().connect_timeout) {
    exceeded_ = Limit::ConnectTimeout;
    return true;
  }
  const Duration idle = asked().idle_timeout;
  if (idle.count() <= 0) return false;
  if (sent_here_ && request_.sends_body()) {
    curl_off_t sum = 0;
    libcurl().curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &sum);
    if (sum != std::exchange(uploaded_, sum)) stirred_ = true;
  }
  // Before the request goes out, the time to connect is bounded.
  if (std::exchange(stirred_, false) || !sent_here_) moved_ = now;
  if (now - moved_ < idle) return false;
  exceeded_ = Limit::IdleTimeout;
  return true;
}

WorkClock::time_point Transfer::look_at(WorkClock::time_point now) const {
  WorkClock::time_point next = WorkClock::time_point::max();
  if (task.timeout) next = begun + *task.timeout;
  // Waiting for another that looks the name of its host up is part of connecting.
  if (!easy) next = std::min<WorkClock::time_point>(next, begun + asked().connect_timeout);
  // Whether something moves is seen by looking: often enough to be exact to an eighth.
  const Duration idle = asked().idle_timeout;
  if (idle.count() > 0) next = std::min(next, now + std::clamp(idle / 8, Duration{10}, Duration{1000}));
  return next;
}

Failure Transfer::failure_of(CURLcode code) const {
  const std::string what = request_.name();
  if (!bad_redirect_.empty()) return named("parse", what + " " + bad_redirect_);
  if (sent_twice_)
    return named("connect", what + ": the connection was closed after the request was sent; it is not sent twice");
  if (auto failure = response_.failure(what)) return *failure;
  const std::string at_first = asked().method + " " + shortened(request_.shown_url(), 1000);
  switch (exceeded_) {
    case Limit::None:
      break;
    case Limit::Timeout:
      return named("timeout", fmt::format("{} timed out after {}", at_first, to_string(*task.timeout)));
    case Limit::ConnectTimeout:
      return named("connect", fmt::format("{}: another request to the host looks its name up, for longer than {}",
                                          at_first, to_string(asked().connect_timeout)));
    case Limit::IdleTimeout:
      return named("timeout",
                   fmt::format("{}: nothing has moved for {} (idle_timeout)", what, to_string(asked().idle_timeout)));
  }
  const std::string said = error_text_[0] ? error_text_ : libcurl().curl_easy_strerror(code);
  std::string detail = said;
  // It names the host.
  if (task.secret_output && request_.is_redirected())
    detail = std::string("where it was redirected to: ") + libcurl().curl_easy_strerror(code);
  if (code == CURLE_OPERATION_TIMEDOUT) return named(sent_here_ ? "timeout" : "connect", what + ": " + detail);
  // Of a header line beyond its limit libcurl says that memory is out, and of what is no chunk that it was not
  // received.
  if (code == CURLE_OUT_OF_MEMORY && sent_here_ && !response_.headed())
    return named("parse", what + ": a line of the answer's header is too long");
  if (code == CURLE_RECV_ERROR && response_.headed() && said.find("chunk") != said.npos)
    return named("parse", what + ": the body of the answer is not in chunks as its header says: " + detail);
  return named(type_of(code), what + ": " + detail);
}

Result Transfer::failed(Failure failure, WorkClock::time_point now) const {
  Result result;
  result.failure = std::move(failure);
  result.took = std::chrono::duration_cast<Duration>(now - begun);
  result.began = began;
  result.sent = sent_;
  return result;
}

Result Transfer::result(CURLcode code, WorkClock::time_point now) {
  if (!bad_redirect_.empty() || !response_.complete(code)) {
    // A connection that ends amid the headers is no error to libcurl.
    Result result = failed(failure_of(code == CURLE_OK ? CURLE_RECV_ERROR : code), now);
    // What was refused for its length was an answer all the same.
    if (response_.too_long() || !bad_redirect_.empty()) result.code = static_cast<int>(response_.status());
    return result;
  }
  Result result = response_.result(request_.name(), request_.method(), request_.shown_url(),
                                   std::chrono::duration_cast<Duration>(now - begun));
  result.began = began;
  result.sent = sent_;
  return result;
}

}  // namespace flowrun
