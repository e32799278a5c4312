// The rules of redirects: which statuses are one, how the request goes on, and what may follow it to another host.
// Pure.
#pragma once

#include <string>

namespace flowrun {

/// scheme://host:port of |url|, in small letters, without the port that its scheme means anyway.
std::string host_of(const std::string& url);

/// The status is one that sends a request elsewhere, if the answer says where.
bool is_redirect(long status);

/// Whether a request that is redirected by |status| goes on as a GET without a body.
bool becomes_get(long status, const std::string& method);

/// Whether the header |name|, in small letters, may follow a request to another host: it says nothing about who asks.
/// Any other header may be a key.
bool may_change_hosts(const std::string& name);

}  // namespace flowrun
