// What a transfer sends: the options, headers and body of its request for libcurl, also after redirects. Knows nothing
// of the answer.
#pragma once

#include <cstddef>
#include <cstdio>
#include <optional>
#include <string>

#include "engine/executor/libcurl.h"
#include "engine/executor/mask.h"
#include "engine/model/outcome.h"
#include "engine/model/task.h"

namespace flowrun {

class OutgoingRequest {
 public:
  /// |task| and |mask| outlive it. REQUIRES: the secrets of |task| are not filled in yet.
  OutgoingRequest(const Task& task, const Mask& mask);
  ~OutgoingRequest();
  OutgoingRequest(const OutgoingRequest&) = delete;
  OutgoingRequest& operator=(const OutgoingRequest&) = delete;

  /// As the task has it.
  const HttpRequest& asked() const { return std::get<HttpRequest>(*task_.work); }
  /// Of the request now, after redirects.
  const std::string& method() const { return method_; }
  /// The URL without secrets, after redirects.
  const std::string& shown_url() const { return shown_url_; }
  bool is_redirected() const { return redirects_ > 0; }
  /// How messages name it.
  std::string name() const;
  bool sends_body() const;
  /// The handle has options now that the next transfer must not see.
  bool unusual() const { return unusual_; }

  /// Sets the options of |easy|. A failure: why the request can not go out. Call when the secrets are filled in.
  std::optional<Failure> prepare(CURL* easy);
  /// Sets the options for going to |where|, as an answer with |status| and |location| says. Not empty: why the request
  /// can not go there.
  std::string redirect(CURL* easy, long status, const std::string& where, const std::string& location);

 private:
  std::string prepare_headers(CURL* easy);
  std::string prepare_body(CURL* easy);
  std::string prepare_form(CURL* easy);
  bool has_secret(TaskPlaceholder::In in, std::size_t index = 0) const;
  bool has_secret_in_body() const;

  const Task& task_;
  const Mask& mask_;
  std::string url_, method_, shown_url_;
  curl_slist* headers_ = nullptr;
  std::FILE* upload_ = nullptr;
  curl_mime* form_ = nullptr;
  bool with_body_ = true;  ///< a redirect may have dropped it
  bool unusual_ = false;
  int redirects_ = 0;
};

}  // namespace flowrun
