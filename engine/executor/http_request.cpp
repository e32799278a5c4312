#include "engine/executor/http_request.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "engine/executor/answer.h"
#include "engine/executor/named_file.h"
#include "engine/executor/redirect.h"
#include "engine/model/encode.h"

namespace flowrun {

OutgoingRequest::OutgoingRequest(const Task& task, const Mask& mask) : task_(task), mask_(mask) {
  method_ = asked().method;
  shown_url_ = asked().url;
  const TaskPlaceholders& placeholders = asked().placeholders;
  for (auto placeholder = placeholders.rbegin(); placeholder != placeholders.rend(); ++placeholder)
    if (placeholder->in == TaskPlaceholder::In::Url) shown_url_.insert(placeholder->placeholder.at, "***");
}

OutgoingRequest::~OutgoingRequest() {
  if (headers_) libcurl().curl_slist_free_all(headers_);
  if (form_) libcurl().curl_mime_free(form_);
  if (upload_) std::fclose(upload_);
}

std::string OutgoingRequest::name() const {
  const std::string& socket = asked().unix_socket;
  return fmt::format("{} {}{}", method_, shortened(shown_url_, 1000), socket.empty() ? "" : " by " + socket);
}

bool OutgoingRequest::has_secret(TaskPlaceholder::In in, std::size_t index) const {
  const TaskPlaceholders& placeholders = asked().placeholders;
  return std::any_of(placeholders.begin(), placeholders.end(), [&](const TaskPlaceholder& placeholder) {
    return placeholder.in == in && placeholder.index == index;
  });
}

bool OutgoingRequest::has_secret_in_body() const {
  const TaskPlaceholders& placeholders = asked().placeholders;
  return std::any_of(placeholders.begin(), placeholders.end(), [](const TaskPlaceholder& placeholder) {
    return placeholder.in == TaskPlaceholder::In::Body || placeholder.in == TaskPlaceholder::In::Part;
  });
}

std::optional<Failure> OutgoingRequest::prepare(CURL* easy) {
  const HttpRequest& request = asked();
  auto set = [easy](CURLoption option, auto value) { set_option(easy, option, value); };
  auto failure = [](const char* type, std::string message) { return Failure{type, std::move(message)}; };
  url_ = request.url;
  set(CURLOPT_URL, sendable_url(url_).c_str());
  // Over TLS the handshake tells whether a connection can be shared; in clear text only the first answer would, and
  // waiting for that would make a chain of what should run side by side.
  set(CURLOPT_PIPEWAIT, request.url.starts_with("https:") ? 1L : 0L);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout.count()));
  unusual_ = !request.verify || !request.ca.empty() || !request.cert.empty() || !request.key.empty() ||
             !request.proxy.empty() || !request.unix_socket.empty();
  if (!request.verify) {
    set(CURLOPT_SSL_VERIFYPEER, 0L);
    set(CURLOPT_SSL_VERIFYHOST, 0L);
  }
  // libcurl opens them when it connects, and would wait for who writes to a pipe.
  const char* ca_file = request.url.starts_with("https:") ? std::getenv("SSL_CERT_FILE") : nullptr;
  for (const std::string& given : {request.ca, request.cert, request.key, std::string(ca_file ? ca_file : "")})
    if (std::string what = given.empty() ? "" : not_regular(given); !what.empty())
      return failure("internal", fmt::format("cannot read the file {}: {}", given, what));
  if (!request.ca.empty()) set(CURLOPT_CAINFO, request.ca.c_str());
  if (!request.cert.empty()) set(CURLOPT_SSLCERT, request.cert.c_str());
  if (!request.key.empty()) set(CURLOPT_SSLKEY, request.key.c_str());
  if (!request.proxy.empty()) set(CURLOPT_PROXY, request.proxy.c_str());
  if (!request.unix_socket.empty()) {
    if (request.unix_socket.size() >= sizeof sockaddr_un::sun_path)
      return failure("internal", fmt::format("cannot use the socket {}: its name is longer than {} bytes",
                                             request.unix_socket, sizeof sockaddr_un::sun_path - 1));
    set(CURLOPT_UNIX_SOCKET_PATH, request.unix_socket.c_str());
    set(CURLOPT_PROXY, "");
  }
  if (std::string why = prepare_headers(easy); !why.empty()) return failure("expression", std::move(why));
  if (std::string why = prepare_body(easy); !why.empty()) return failure("internal", std::move(why));
  return std::nullopt;
}

std::string OutgoingRequest::prepare_headers(CURL* easy) {
  curl_slist* list = nullptr;
  auto add = [&list](const std::string& line) { list = libcurl().curl_slist_append(list, line.c_str()); };
  const std::string& origin = asked().origin_url.empty() ? asked().url : asked().origin_url;
  bool elsewhere = url_ != origin && host_of(url_) != host_of(origin);
  bool accepts = false, has_agent = false, has_type = false, has_encoding = false, has_trace = false;
  for (std::size_t i = 0; i < asked().headers.size(); ++i) {
    const auto& [given, text] = asked().headers[i];
    const std::string name = in_small_letters(given), value = text;
    if (std::string why = header_fault(given, value); !why.empty()) {
      libcurl().curl_slist_free_all(list);
      return why;
    }
    bool secret = has_secret(TaskPlaceholder::In::Header, i) || has_secret(TaskPlaceholder::In::Basic, i);
    if (elsewhere && (secret || !may_change_hosts(name))) continue;
    accepts = accepts || name == "accept";
    has_agent = has_agent || name == "user-agent";
    has_encoding = has_encoding || name == "accept-encoding";
    has_trace = has_trace || name == "traceparent";
    if (name == "content-type") {
      if (!with_body_) continue;
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
  if (!has_trace && !task_.traceparent.empty()) add("traceparent: " + task_.traceparent);
  if (sends_body()) {
    // libcurl's own idea of both: to wait for the server's leave, and that every body is a form.
    add("Expect:");
    if (!has_type && asked().parts.empty()) add("Content-Type:");
  }
  set_option(easy, CURLOPT_HTTPHEADER, list);
  libcurl().curl_slist_free_all(headers_);
  headers_ = list;
  return "";
}

bool OutgoingRequest::sends_body() const {
  const HttpRequest& request = asked();
  // RFC 9110, 8.6: a method that expects content says so even when there is none.
  return with_body_ && (!request.body_file.empty() || !request.parts.empty() || request.body || method_ == "POST" ||
                        method_ == "PUT" || method_ == "PATCH");
}

std::string OutgoingRequest::prepare_body(CURL* easy) {
  const HttpRequest& request = asked();
  auto set = [easy](CURLoption option, auto value) { set_option(easy, option, value); };
  // Each of GET, POST and UPLOAD takes back what the others and NOBODY have set.
  if (!sends_body()) {
    set(CURLOPT_HTTPGET, 1L);
    set(CURLOPT_CUSTOMREQUEST, method_ == "GET" || method_ == "HEAD" ? nullptr : method_.c_str());
    if (method_ == "HEAD") set(CURLOPT_NOBODY, 1L);
    return "";
  }
  if (!request.parts.empty()) return prepare_form(easy);
  if (request.body_file.empty()) {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body ? request.body->size() : 0));
    set(CURLOPT_POSTFIELDS, request.body ? request.body->c_str() : "");
    set(CURLOPT_CUSTOMREQUEST, method_ == "POST" ? nullptr : method_.c_str());
    return "";
  }
  unusual_ = true;
  if (upload_) std::fclose(upload_);
  upload_ = nullptr;
  int descriptor = -1;
  if (std::string trouble = open_regular(request.body_file, descriptor); !trouble.empty())
    return fmt::format("cannot read the file {}: {}", request.body_file, trouble);
  upload_ = fdopen(descriptor, "rb");
  struct stat about {};
  if (!upload_ || fstat(descriptor, &about) != 0) return "libc is out of memory";
  set(CURLOPT_UPLOAD, 1L);
  set(CURLOPT_READDATA, upload_);
  set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(about.st_size));
  set(CURLOPT_CUSTOMREQUEST, method_.c_str());
  return "";
}

std::string OutgoingRequest::prepare_form(CURL* easy) {
  unusual_ = true;
  const Libcurl& curl = libcurl();
  curl_mime* form = curl.curl_mime_init(easy);
  for (const FormPart& part : asked().parts) {
    curl_mimepart* field = curl.curl_mime_addpart(form);
    curl.curl_mime_name(field, part.name.c_str());
    if (part.file.empty()) {
      curl.curl_mime_data(field, part.text.data(), part.text.size());
    } else {
      // libcurl opens it when its turn comes, and would wait for who writes to a pipe.
      std::string what = not_regular(part.file);
      if (what.empty() && curl.curl_mime_filedata(field, part.file.c_str()) != CURLE_OK) what = "it can not be read";
      if (!what.empty()) {
        curl.curl_mime_free(form);
        return fmt::format("cannot read the file {}: {}", part.file, what);
      }
    }
    if (!part.filename.empty()) curl.curl_mime_filename(field, part.filename.c_str());
    if (!part.type.empty()) curl.curl_mime_type(field, part.type.c_str());
  }
  set_option(easy, CURLOPT_MIMEPOST, form);
  set_option(easy, CURLOPT_CUSTOMREQUEST, method_ == "POST" ? nullptr : method_.c_str());
  if (form_) curl.curl_mime_free(form_);
  form_ = form;
  return "";
}

std::string OutgoingRequest::redirect(CURL* easy, long status, const std::string& where, const std::string& location) {
  std::string scheme = in_small_letters(where.substr(0, where.find(':')));
  if (scheme != "http" && scheme != "https")
    return task_.secret_output ? "is sent elsewhere, not by http"
                               : fmt::format("is sent to `{}`, not by http", shortened(location, 200));
  if (redirects_ >= asked().max_redirects)
    return fmt::format("is redirected more than {} times", asked().max_redirects);
  ++redirects_;
  if (becomes_get(status, method_)) {
    method_ = "GET";
    with_body_ = false;
  }
  if (with_body_ && host_of(where) != host_of(asked().url) && has_secret_in_body())
    return "is sent to another host, which must not get the secret in its body";
  url_ = where;
  if (!task_.secret_output) shown_url_ = mask_.text(url_);  // where it leads is part of an answer
  set_option(easy, CURLOPT_URL, sendable_url(url_).c_str());
  if (std::string why = prepare_headers(easy); !why.empty()) return why;
  if (std::string why = prepare_body(easy); !why.empty()) return why;
  return "";
}

}  // namespace flowrun
