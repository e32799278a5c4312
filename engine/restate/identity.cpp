#include "engine/restate/identity.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/executor/libcurl.h"
#include "engine/model/error.h"
#include "engine/model/value.h"

namespace flowrun::restate {
namespace {

constexpr std::string_view kPrefix = "publickeyv1_";
constexpr std::string_view kBase58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
constexpr std::string_view kBase64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t kLongestToken = 8 << 10;

bool verifies(const unsigned char* key, std::size_t length, std::string_view text, std::string_view signature) {
  const Libcrypto& crypto = libcrypto();
  EVP_PKEY* pkey = crypto.EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key, length);
  EVP_MD_CTX* context = crypto.EVP_MD_CTX_new();
  const auto bytes = [](std::string_view of) { return reinterpret_cast<const unsigned char*>(of.data()); };
  const bool good = pkey && context && crypto.EVP_DigestVerifyInit(context, nullptr, nullptr, nullptr, pkey) == 1 &&
                    crypto.EVP_DigestVerify(context, bytes(signature), signature.size(), bytes(text), text.size()) == 1;
  crypto.EVP_MD_CTX_free(context);
  crypto.EVP_PKEY_free(pkey);
  return good;
}

/// The object that a part of a token is; null: it is none.
Json object_from(std::string_view part) {
  std::string text;
  if (!from_base64url(part, text)) return nullptr;
  Json json = Json::parse(text, nullptr, false);
  return json.is_object() ? json : Json(nullptr);
}

bool is_audience(const Json& audience, std::string_view path) {
  if (audience.is_array())
    return std::any_of(audience.begin(), audience.end(), [&](const Json& one) { return is_audience(one, path); });
  return audience.is_string() && audience.get_ref<const std::string&>() == path;
}

}  // namespace

Identity::Identity(const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    std::string bytes;
    if (!key.starts_with(kPrefix))
      throw Error(Problem::Usage, fmt::format("`{}` is no public key of a Restate server: it begins with {}; the "
                                              "server logs its own when it starts",
                                              key, kPrefix));
    if (!from_base58(std::string_view(key).substr(kPrefix.size()), 32, bytes) || bytes.size() != 32)
      throw Error(Problem::Usage, fmt::format("`{}` is no public key of a Restate server: behind {} stand 32 bytes in "
                                              "base58",
                                              key, kPrefix));
    Key& into = keys_.emplace_back();
    std::copy(bytes.begin(), bytes.end(), into.begin());
  }
  if (!keys_.empty()) libcrypto();
}

std::string Identity::refusal(std::string_view path, std::string_view scheme, std::string_view token,
                              Instant now) const {
  if (keys_.empty()) return "";
  if (scheme.empty()) return "the request is not signed, and this worker has --key";
  if (scheme != "v1") return "the request is signed in a way that this worker does not know";
  const std::size_t first = token.find('.'), last = token.rfind('.');
  if (first == std::string_view::npos || first == last || token.size() > kLongestToken)
    return "the signature of the request is no token";
  const Json header = object_from(token.substr(0, first));
  const Json claims = object_from(token.substr(first + 1, last - first - 1));
  std::string signature;
  if (header.is_null() || claims.is_null() || !from_base64url(token.substr(last + 1), signature))
    return "the signature of the request is no token";
  if (header.value("alg", Json()) != "EdDSA") return "the signature of the request is none of EdDSA";
  const bool known = std::any_of(keys_.begin(), keys_.end(), [&](const Key& key) {
    return verifies(key.data(), key.size(), token.substr(0, last), signature);
  });
  if (!known) return "no key of this worker fits the signature of the request";
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  const Json from = claims.value("nbf", Json()), until = claims.value("exp", Json());
  if (!from.is_number_integer() || !until.is_number_integer() || from.get<std::int64_t>() > seconds ||
      until.get<std::int64_t>() < seconds)
    return "the signature of the request is of another time; are the clocks of server and worker right?";
  if (!is_audience(claims.value("aud", Json()), signed_path(path)))
    return "the signature of the request is for another path";
  return "";
}

bool from_base58(std::string_view text, std::size_t most, std::string& bytes) {
  bytes.clear();
  std::string low;  // the number, the lowest byte first
  for (const char c : text) {
    const std::size_t digit = kBase58.find(c);
    if (digit == std::string_view::npos) return false;
    unsigned carry = static_cast<unsigned>(digit);
    for (char& byte : low) {
      carry += static_cast<unsigned>(static_cast<unsigned char>(byte)) * 58;
      byte = static_cast<char>(carry & 0xff);
      carry >>= 8;
    }
    for (; carry > 0; carry >>= 8) low += static_cast<char>(carry & 0xff);
    if (low.size() > most) return false;
  }
  const std::size_t zeros = std::min(text.find_first_not_of(kBase58.front()), text.size());
  if (zeros + low.size() > most) return false;
  bytes.assign(zeros, '\0');
  bytes.append(low.rbegin(), low.rend());
  return true;
}

bool from_base64url(std::string_view text, std::string& bytes) {
  bytes.clear();
  if (text.size() % 4 == 1) return false;
  unsigned bits = 0, count = 0;
  for (const char c : text) {
    const std::size_t digit = kBase64Url.find(c);
    if (digit == std::string_view::npos) return false;
    bits = (bits << 6 | static_cast<unsigned>(digit)) & 0xffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xff);
  }
  return (bits & ((1u << count) - 1)) == 0;  // one text for each bytes
}

std::string_view signed_path(std::string_view path) {
  path = path.substr(0, path.find('?'));
  std::size_t slashes[3] = {std::string_view::npos, std::string_view::npos, std::string_view::npos};
  std::size_t end = path.size();
  for (std::size_t& slash : slashes) {
    slash = end == 0 ? std::string_view::npos : path.rfind('/', end - 1);
    if (slash == std::string_view::npos) break;
    end = slash;
  }
  if (slashes[2] != std::string_view::npos && path.substr(slashes[2], slashes[1] - slashes[2]) == "/invoke")
    return path.substr(slashes[2]);
  if (slashes[0] != std::string_view::npos && path.substr(slashes[0]) == "/discover") return path.substr(slashes[0]);
  return path;
}

}  // namespace flowrun::restate
