// libcurl, libcrypto and zlib, loaded when the first request needs them: they and what they need in turn take 5 ms,
// which a workflow without HTTP need not pay. Knows only what they are called.
#pragma once

#include <curl/curl.h>
#include <openssl/evp.h>
#include <zlib.h>

namespace flowrun {

/// Their functions, as their manuals describe them.
struct Web {
  decltype(&::curl_easy_cleanup) curl_easy_cleanup;
  decltype(&::curl_easy_getinfo) curl_easy_getinfo;
  decltype(&::curl_easy_header) curl_easy_header;
  decltype(&::curl_easy_init) curl_easy_init;
  decltype(&::curl_easy_nextheader) curl_easy_nextheader;
  decltype(&::curl_easy_setopt) curl_easy_setopt;
  decltype(&::curl_easy_strerror) curl_easy_strerror;
  decltype(&::curl_global_init) curl_global_init;
  decltype(&::curl_multi_add_handle) curl_multi_add_handle;
  decltype(&::curl_multi_cleanup) curl_multi_cleanup;
  decltype(&::curl_multi_info_read) curl_multi_info_read;
  decltype(&::curl_multi_init) curl_multi_init;
  decltype(&::curl_multi_remove_handle) curl_multi_remove_handle;
  decltype(&::curl_multi_setopt) curl_multi_setopt;
  decltype(&::curl_multi_socket_action) curl_multi_socket_action;
  decltype(&::curl_slist_append) curl_slist_append;
  decltype(&::curl_slist_free_all) curl_slist_free_all;
  decltype(&::EVP_DigestFinal_ex) EVP_DigestFinal_ex;
  decltype(&::EVP_DigestInit_ex) EVP_DigestInit_ex;
  decltype(&::EVP_DigestUpdate) EVP_DigestUpdate;
  decltype(&::EVP_MD_CTX_free) EVP_MD_CTX_free;
  decltype(&::EVP_MD_CTX_new) EVP_MD_CTX_new;
  decltype(&::EVP_sha256) EVP_sha256;
  decltype(&::PKCS5_PBKDF2_HMAC) PKCS5_PBKDF2_HMAC;
  decltype(&::inflate) inflate;
  decltype(&::inflateEnd) inflateEnd;
  decltype(&::inflateInit2_) inflateInit2_;
  decltype(&::inflateReset) inflateReset;
};

/// Loads them at the first call, from any thread. Throws Error(Internal) where they are not installed or too old.
const Web& web();

}  // namespace flowrun
