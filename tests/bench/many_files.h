// As many open files as the kernel allows, for programs with a connection each.
#pragma once

#include <sys/resource.h>

inline void open_many_files() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}
