// The connection under a request, for what the HTTP library does not offer: to break it, and to see it end.
#pragma once

#include <httplib.h>

namespace shop {

/// Ends the connection of |request| without a byte of an answer.
void break_off(const httplib::Request& request);

/// Blocks until the client of |request| has gone.
void wait_until_gone(const httplib::Request& request);

}  // namespace shop
