#include "engine/model/fault.h"

#ifdef FLOWRUN_FAULTS
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#endif

namespace flowrun {

#ifdef FLOWRUN_FAULTS
void fault_point(const char* name) {
  static const char* const wanted = std::getenv("FLOWRUN_FAULT");
  static int passes = 0;
  if (!wanted) return;
  const char* colon = std::strchr(wanted, ':');
  if (!colon || std::string(wanted, colon) != name) return;
  if (++passes == std::atoi(colon + 1)) kill(getpid(), SIGKILL);
}
#else
void fault_point(const char*) {}
#endif

}  // namespace flowrun
