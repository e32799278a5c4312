// A key with which a test signs requests as a server of Restate does.
#pragma once

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "engine/model/value.h"

namespace flowrun::test {

inline std::string base58(const std::string& bytes) {
  static constexpr char kDigits[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  std::string digits;  // the lowest first
  for (const char byte : bytes) {
    unsigned carry = static_cast<unsigned char>(byte);
    for (char& digit : digits) {
      carry += static_cast<unsigned>(digit) << 8;
      digit = static_cast<char>(carry % 58);
      carry /= 58;
    }
    for (; carry > 0; carry /= 58) digits += static_cast<char>(carry % 58);
  }
  const std::size_t zeros = std::min(bytes.find_first_not_of('\0'), bytes.size());
  std::string text(zeros, kDigits[0]);
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) text += kDigits[static_cast<int>(*digit)];
  return text;
}

inline std::string base64url(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  unsigned bits = 0, count = 0;
  for (const char byte : bytes) {
    bits = (bits << 8 | static_cast<unsigned char>(byte)) & 0xffff;
    for (count += 8; count >= 6; count -= 6) text += kDigits[bits >> (count - 6) & 63];
  }
  if (count > 0) text += kDigits[bits << (6 - count) & 63];
  return text;
}

class SigningKey {
 public:
  SigningKey() : key_(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")) {
    if (!key_) throw std::runtime_error("libcrypto makes no key");
  }
  ~SigningKey() { EVP_PKEY_free(key_); }
  SigningKey(const SigningKey&) = delete;
  SigningKey& operator=(const SigningKey&) = delete;

  /// As a server logs it.
  std::string name() const {
    unsigned char bytes[32];
    std::size_t size = sizeof bytes;
    EVP_PKEY_get_raw_public_key(key_, bytes, &size);
    return "publickeyv1_" + base58(std::string(reinterpret_cast<char*>(bytes), size));
  }
  std::string token(const Json& claims, const std::string& algorithm = "EdDSA") const {
    const Json header{{"typ", "JWT"}, {"alg", algorithm}, {"kid", name()}};
    const std::string text = base64url(header.dump()) + "." + base64url(claims.dump());
    unsigned char signature[64];
    std::size_t size = sizeof signature;
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key_);
    EVP_DigestSign(context, signature, &size, reinterpret_cast<const unsigned char*>(text.data()), text.size());
    EVP_MD_CTX_free(context);
    return text + "." + base64url(std::string_view(reinterpret_cast<char*>(signature), size));
  }

 private:
  EVP_PKEY* key_;
};

}  // namespace flowrun::test
