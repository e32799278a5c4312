#include "engine/executor/libcurl.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <string>

#include "engine/model/error.h"

namespace flowrun {
namespace {

class Library {
 public:
  explicit Library(const char* name) : handle_(dlopen(name, RTLD_NOW | RTLD_LOCAL)) {
    if (!handle_) throw Error(Problem::Internal, fmt::format("HTTP needs a library that is not there: {}", dlerror()));
  }
  template <typename Function>
  void find(Function*& function, const char* name) const {
    function = reinterpret_cast<Function*>(dlsym(handle_, name));
    if (!function) throw Error(Problem::Internal, fmt::format("HTTP needs a newer library: {}", dlerror()));
  }

 private:
  void* handle_;  // never closed: threads of theirs may live as long as the process
};

Web load() {
  Web web{};
  Library curl(FLOWRUN_LIBCURL), crypto(FLOWRUN_LIBCRYPTO), zlib("libz.so.1");
#define FIND(library, name) library.find(web.name, #name)
  FIND(curl, curl_easy_cleanup);
  FIND(curl, curl_easy_getinfo);
  FIND(curl, curl_easy_header);
  FIND(curl, curl_easy_init);
  FIND(curl, curl_easy_nextheader);
  FIND(curl, curl_easy_setopt);
  FIND(curl, curl_easy_strerror);
  FIND(curl, curl_global_init);
  FIND(curl, curl_multi_add_handle);
  FIND(curl, curl_multi_cleanup);
  FIND(curl, curl_multi_info_read);
  FIND(curl, curl_multi_init);
  FIND(curl, curl_multi_remove_handle);
  FIND(curl, curl_multi_setopt);
  FIND(curl, curl_multi_socket_action);
  FIND(curl, curl_slist_append);
  FIND(curl, curl_slist_free_all);
  FIND(crypto, EVP_DigestFinal_ex);
  FIND(crypto, EVP_DigestInit_ex);
  FIND(crypto, EVP_DigestUpdate);
  FIND(crypto, EVP_MD_CTX_free);
  FIND(crypto, EVP_MD_CTX_new);
  FIND(crypto, EVP_sha256);
  FIND(crypto, PKCS5_PBKDF2_HMAC);
  FIND(zlib, inflate);
  FIND(zlib, inflateEnd);
  FIND(zlib, inflateInit2_);
  FIND(zlib, inflateReset);
#undef FIND
  web.curl_global_init(CURL_GLOBAL_DEFAULT);
  return web;
}

}  // namespace

const Web& web() {
  static const Web loaded = load();
  return loaded;
}

}  // namespace flowrun
