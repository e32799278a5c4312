// libcurl, libcrypto and zlib, each loaded when something first needs it, mostly a request: with what they need in turn
// they take 5 ms, which a workflow without HTTP need not pay. Knows only the names of their functions.
#pragma once

#include <curl/curl.h>
#include <openssl/evp.h>
#include <zlib.h>

namespace flowrun {

// The functions in use, each named here only. To use another one, add its name.
#define FLOWRUN_LIBCURL_FUNCTIONS(EACH) \
  EACH(curl_easy_cleanup)               \
  EACH(curl_easy_getinfo)               \
  EACH(curl_easy_header)                \
  EACH(curl_easy_init)                  \
  EACH(curl_easy_nextheader)            \
  EACH(curl_easy_setopt)                \
  EACH(curl_easy_strerror)              \
  EACH(curl_global_init)                \
  EACH(curl_mime_addpart)               \
  EACH(curl_mime_data)                  \
  EACH(curl_mime_filedata)              \
  EACH(curl_mime_filename)              \
  EACH(curl_mime_free)                  \
  EACH(curl_mime_init)                  \
  EACH(curl_mime_name)                  \
  EACH(curl_mime_type)                  \
  EACH(curl_multi_add_handle)           \
  EACH(curl_multi_cleanup)              \
  EACH(curl_multi_info_read)            \
  EACH(curl_multi_init)                 \
  EACH(curl_multi_perform)              \
  EACH(curl_multi_poll)                 \
  EACH(curl_multi_remove_handle)        \
  EACH(curl_multi_setopt)               \
  EACH(curl_multi_socket_action)        \
  EACH(curl_slist_append)               \
  EACH(curl_slist_free_all)
#define FLOWRUN_LIBCRYPTO_FUNCTIONS(EACH) \
  EACH(EVP_DigestFinal_ex)                \
  EACH(EVP_DigestInit_ex)                 \
  EACH(EVP_DigestUpdate)                  \
  EACH(EVP_DigestVerify)                  \
  EACH(EVP_DigestVerifyInit)              \
  EACH(EVP_MD_CTX_free)                   \
  EACH(EVP_MD_CTX_new)                    \
  EACH(EVP_PKEY_free)                     \
  EACH(EVP_PKEY_new_raw_public_key)       \
  EACH(EVP_sha256)                        \
  EACH(PKCS5_PBKDF2_HMAC)
#define FLOWRUN_ZLIB_FUNCTIONS(EACH) \
  EACH(inflate)                      \
  EACH(inflateEnd)                   \
  EACH(inflateInit2_)                \
  EACH(inflateReset)

#define FLOWRUN_MEMBER(name) decltype(&::name) name;
/// The libraries' functions, as their manuals describe them.
struct Libcurl {
  FLOWRUN_LIBCURL_FUNCTIONS(FLOWRUN_MEMBER)
};
struct Libcrypto {
  FLOWRUN_LIBCRYPTO_FUNCTIONS(FLOWRUN_MEMBER)
};
struct Zlib {
  FLOWRUN_ZLIB_FUNCTIONS(FLOWRUN_MEMBER)
};
#undef FLOWRUN_MEMBER

/// Each loads its library at the first call, from any thread, and throws Error(Impossible) where the library is not
/// installed or too old.
const Libcurl& libcurl();
const Libcrypto& libcrypto();
const Zlib& zlib();

/// Sets one option of a handle, whose type is that which the option's manual page names.
template <typename Value>
void set_option(CURL* easy, CURLoption option, Value value) {
  libcurl().curl_easy_setopt(easy, option, value);
}

}  // namespace flowrun
