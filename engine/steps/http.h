// One HTTP call.
//
//     http: POST ${ $vars.api }/payments
//     json: { amount: "${ $steps.order.total }" }
//     retry: { attempts: 5 }
#pragma once

#include "engine/language/template.h"
#include "engine/steps/effect.h"

namespace flowrun {

class HttpStep final : public CommonStep, public RetrySettings, public Effect {
 public:
  enum class Body { None, Json, Form, Text, File, Multipart };
  enum class Key { Auto, None, Own };

  std::unique_ptr<Frame> frame(Context& context, Frame* parent, std::string path) const override;
  Fallible<Request> resolve(const FrameScope& scope, Evaluator& evaluator, const Frame& frame, const std::string& key,
                            const std::string& next) const override;
  const char* default_output() const override { return "body"; }
  bool keyed() const override { return idempotency == Key::Auto && (method == "POST" || method == "PATCH"); }

  std::string method = "GET";
  TextTemplate url;       ///< without the method
  ValueTemplate query;    ///< object
  ValueTemplate headers;  ///< object of texts
  ValueTemplate auth;     ///< object with `bearer`, `basic` or `header`; null: none
  Body body = Body::None;
  ValueTemplate content;  ///< of `json`, `form`, `text`, `file` or `multipart`
  std::vector<StatusRange> expect{{200, 299}};
  HttpRequest::Response response = HttpRequest::Response::Auto;
  std::int64_t max_response = 8 << 20;
  int max_redirects = 10;
  std::optional<TextTemplate> ca, cert, key_file, proxy, unix_socket;
  bool verify = true;
  Setting<Duration> connect_timeout, idle_timeout;
  Key idempotency = Key::Auto;
  std::optional<TextTemplate> own_key;
};

}  // namespace flowrun
