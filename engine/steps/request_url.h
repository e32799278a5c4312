// The URL of a request, from templates and values: what is part of it stays one part, whatever is in it, and secrets
// get their places. Knows nothing of requests.
#pragma once

#include "engine/language/template.h"
#include "engine/model/secret_text.h"

namespace flowrun {

/// The URL with every value in its place: the first one as it is when it begins the URL, in the host only
/// `[A-Za-z0-9.:-]`, later ones percent-encoded as one segment or query value, lists as several segments.
Fallible<SecretText> build_url(const TextTemplate& url, const Scope& scope, Evaluator& evaluator);

/// Appends each member of |query| as a parameter, lists as several, null not at all.
std::optional<Failure> append_query(SecretText& url, const Json& query);

/// |form| as application/x-www-form-urlencoded.
Fallible<SecretText> form_encoded(const Json& form);

}  // namespace flowrun
