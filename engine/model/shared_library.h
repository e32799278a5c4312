// Loads a shared library while the program runs, and finds its functions by name. Knows no library by itself.
#pragma once

#include <dlfcn.h>

#include <string>

namespace flowrun {

/// Stays loaded for as long as the process lives: a library may have threads of its own. Any thread.
class SharedLibrary {
 public:
  /// |name| as the dynamic linker looks for it, for example `libz.so.1`.
  explicit SharedLibrary(const char* name) : handle_(dlopen(name, RTLD_NOW | RTLD_LOCAL)) {
    if (!handle_) error_ = dlerror();
  }

  bool loaded() const { return handle_ != nullptr; }
  /// Why the library could not be loaded.
  const std::string& error() const { return error_; }
  /// Sets |function| to the library's function |name|. Not empty: why the library has none. REQUIRES: loaded().
  template <typename Function>
  std::string find(Function*& function, const char* name) const {
    function = reinterpret_cast<Function*>(dlsym(handle_, name));
    return function ? "" : dlerror();
  }

 private:
  void* handle_;
  std::string error_;
};

}  // namespace flowrun
