// Reads paginate.
#include <fmt/format.h>

#include "engine/language/keys.h"
#include "engine/reader/readers.h"
#include "engine/steps/http.h"

namespace flowrun {
namespace {

/// Refuses keys of |node| that `paginate` can not stand beside. REQUIRES: the rest of |step| is read.
void check_paginate(Reading& reading, const HttpStep& step, const Node& node, const Member& paginate) {
  auto against = [&](const std::string& other, const char* why, const char* suggestion) {
    reading.error("E106", paginate.at, paginate.key.size(), fmt::format("`paginate` with `{}`: {}", other, why),
                  suggestion);
  };
  if (node.find("poll"))
    against("poll", "one repeats a request until it is right, the other goes on to the next",
            "poll in a step before it");
  if (step.response == HttpRequest::Response::None || step.response == HttpRequest::Response::File)
    against(std::string("response: ") + (step.response == HttpRequest::Response::None ? "none" : "file"),
            "there is no page to put out", "leave `response` out");
}

}  // namespace

void read_paginate(Reading& reading, HttpStep& step, const Node& of_step) {
  const Member* member = of_step.member("paginate");
  if (!member) return;
  check_paginate(reading, step, of_step, *member);
  const Node& node = member->value;
  if (!node.is_map()) {
    bool link = node.is_string() && node.text == "link";
    reading.error("E102", node.at, node.text.size(), fmt::format("`paginate` must be a map, not {}", node.kind_name()),
                  link ? "write { next: link }"
                       : "for example { next: link }, or { next: \"${ .body.cursor }\", query: cursor }");
    return;
  }
  reading.only(node, names_within("paginate"), "`paginate`");
  PagePolicy& policy = step.paginate.emplace();
  const Node* next = node.find("next");
  bool link = next && next->is_string() && next->text == "link";
  if (!next) {
    reading.error("E110", node.at, 1, "`paginate` needs `next`: where the next page is",
                  "link, for the header Link, or an expression such as ${ .body.cursor }");
  } else if (!link) {
    RawBinding raw(reading, of_step);
    policy.next = reading.values().value(*next);
    std::size_t whole = 0, all = 0;
    policy.next->each([&](const Expression&, bool is_whole) {
      ++all;
      whole += is_whole ? 1 : 0;
    });
    if (!next->is_scalar() || all != 1 || whole != 1) {
      std::string near = next->is_string() ? nearest(next->text, {"link"}) : "";
      std::string suggestion =
          "for example ${ .body.next }; a text is made within: ${ \"/list?after=\\(.body.last)\" }";
      if (!near.empty()) suggestion = "did you mean `link`?";
      if (next->text.starts_with(".")) suggestion = "write ${ " + next->text + " }";
      reading.error("E102", next->at, next->text.size(), "`next` is `link` or one expression", suggestion);
    }
  }
  if (const Node* key = node.find("query")) {
    policy.query = reading.values().plain_text(*key, "query");
    if (policy.query.empty() && key->is_string())
      reading.error("E102", key->at, 1, "`query` is the name of a parameter, not empty", "for example cursor");
    if (link)
      reading.error("E106", key->at, key->text.size(), "`query` with `next: link`: a link is a whole URL",
                    "leave `query` out");
  }
  if (const Node* key = node.find("max_pages")) policy.max_pages = reading.values().count(*key, "max_pages", 1);
}

}  // namespace flowrun
