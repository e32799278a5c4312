// An answer that comes in pages, and where the next one is.
//
//     paginate: { next: link }
//     paginate: { next: "${ .body.cursor }", query: cursor, max_pages: 20 }
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "engine/language/template.h"
#include "engine/steps/setting.h"

namespace flowrun {

struct PagePolicy {
  std::optional<ValueTemplate> next;  ///< of the raw result; not there: the header `Link` says it
  std::string query;                  ///< the parameter that |next| is the value of; empty: it is a URL
  Setting<std::int64_t> max_pages{500};
};

/// What a step has so far.
struct Pages {
  std::vector<Value> outputs;
  std::string next;              ///< where the next page is, a URL or a value of the parameter; empty: not known
  std::size_t counted_from = 0;  ///< pages that were there before the step was reopened: not counted by `max_pages`

  std::int64_t current() const { return static_cast<std::int64_t>(outputs.size()) + 1; }
};

/// What the page with the raw result |raw| says comes next, as Pages::next; empty: it is the last. |asked| is where
/// this page was found. A Failure when that is no place for a page, or the page itself.
Fallible<std::string> next_page(const PagePolicy& policy, const Value& raw, const std::string& asked,
                                const FrameScope& scope, Evaluator& evaluator);

}  // namespace flowrun
