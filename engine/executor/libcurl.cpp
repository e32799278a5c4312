#include "engine/executor/libcurl.h"

#include <fmt/format.h>

#include <string>

#include "engine/model/error.h"
#include "engine/model/shared_library.h"

namespace flowrun {
namespace {

/// |package|: of Debian.
SharedLibrary load(const char* name, const char* package) {
  SharedLibrary library(name);
  if (!library.loaded())
    throw Error(Problem::Impossible, fmt::format("HTTP needs {}, which can not be loaded; install it (on Debian: "
                                                 "apt-get install {}): {}",
                                                 name, package, library.error()));
  return library;
}

template <typename Function>
void bind(const SharedLibrary& library, Function*& function, const char* name) {
  if (const std::string why = library.find(function, name); !why.empty())
    throw Error(Problem::Impossible, fmt::format("HTTP needs a newer library: {}", why));
}

Libcurl load_libcurl() {
  Libcurl functions{};
  const SharedLibrary library = load(FLOWRUN_LIBCURL, "libcurl4");
#define BIND(name) bind(library, functions.name, #name);
  FLOWRUN_LIBCURL_FUNCTIONS(BIND)
  functions.curl_global_init(CURL_GLOBAL_DEFAULT);
  return functions;
}

Libcrypto load_libcrypto() {
  Libcrypto functions{};
  const SharedLibrary library = load(FLOWRUN_LIBCRYPTO, "libssl3");
  FLOWRUN_LIBCRYPTO_FUNCTIONS(BIND)
  return functions;
}

Zlib load_zlib() {
  Zlib functions{};
  const SharedLibrary library = load("libz.so.1", "zlib1g");
  FLOWRUN_ZLIB_FUNCTIONS(BIND)
#undef BIND
  return functions;
}

}  // namespace

const Libcurl& libcurl() {
  static const Libcurl loaded = load_libcurl();
  return loaded;
}

const Libcrypto& libcrypto() {
  static const Libcrypto loaded = load_libcrypto();
  return loaded;
}

const Zlib& zlib() {
  static const Zlib loaded = load_zlib();
  return loaded;
}

}  // namespace flowrun
