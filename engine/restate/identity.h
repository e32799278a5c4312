// Who asks a worker: the signature that a Restate server puts on each request (scheme v1, a JSON Web Token with EdDSA,
// RFC 8037), against the public keys that a person has named. Knows headers; nothing of connections.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/time.h"

namespace flowrun::restate {

class Identity {
 public:
  /// |keys|: `publickeyv1_` and base58, as the server logs its own. Throws Error(Usage) for what is none, and
  /// Error(Impossible) where libcrypto is not there; without keys neither is looked for.
  explicit Identity(const std::vector<std::string>& keys);

  /// Why a request for |path| that says |scheme| and |token| is not to be answered; empty: one of the keys has signed
  /// it for this path and this time, or there are no keys.
  std::string refusal(std::string_view path, std::string_view scheme, std::string_view token, Instant now) const;

 private:
  using Key = std::array<unsigned char, 32>;

  std::vector<Key> keys_;
};

/// Bitcoin's alphabet. False: it is none, or stands for more than |most| bytes.
bool from_base58(std::string_view text, std::size_t most, std::string& bytes);
/// Without padding (RFC 4648, 5). False: it is none.
bool from_base64url(std::string_view text, std::string& bytes);
/// What a server signs of a path: from `/invoke/` or `/discover` on, whatever a proxy has put before it.
std::string_view signed_path(std::string_view path);

}  // namespace flowrun::restate
