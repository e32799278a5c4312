#include "engine/steps/paginate.h"

#include <fmt/format.h>

#include "engine/steps/link.h"
#include "engine/steps/url.h"

namespace flowrun {
namespace {

Failure refuse_page(std::string message) { return {"expect", std::move(message)}; }

/// What stands in the page, not made a URL yet; empty: nothing.
Fallible<std::string> said_next(const PagePolicy& policy, const Json& raw, const FrameScope& scope,
                                Evaluator& evaluator) {
  if (!policy.next) {
    const Json& headers = raw.at("headers");
    auto found = next_link(headers.contains("link") ? headers.at("link").get<std::string>() : "");
    if (!found) return std::move(found.failure());
    return found->value_or("");
  }
  Evaluation evaluation = policy.next->evaluate(scope, evaluator);
  if (!evaluation) return std::move(evaluation.failure());
  const Value& value = *evaluation;
  if (value.is_null()) return std::string();
  if (!value.json().is_string() && !value.json().is_number())
    return Failure{"expression",
                   fmt::format("`next` is {}; it is a text, or null behind the last page", value.json().type_name())};
  return as_text(value, "paginate.next");
}

}  // namespace

Fallible<std::string> next_page(const PagePolicy& policy, const Value& raw, const std::string& asked,
                                const FrameScope& scope, Evaluator& evaluator) {
  auto said = said_next(policy, raw.json(), scope, evaluator);
  auto* next = std::get_if<std::string>(&said);
  if (!next || next->empty()) return said;
  std::string here = asked;
  if (policy.query.empty()) {
    const std::string url = raw.json().at("url").get<std::string>();
    std::string absolute = resolve_reference(url, *next);
    bool web = absolute.starts_with("http://") || absolute.starts_with("https://");
    if (!web || absolute.find_first_of(std::string("\r\n \t\0", 5)) != absolute.npos)
      return refuse_page(fmt::format("the next page is `{}`, which is not an http or https URL", *next));
    *next = std::move(absolute);
    if (here != *next) here = without_fragment(url);
  }
  // A server that answers with the same page again and again would never come to an end.
  if (here == *next) return refuse_page(fmt::format("the page says that it is followed by itself: `{}`", *next));
  return said;
}

}  // namespace flowrun
