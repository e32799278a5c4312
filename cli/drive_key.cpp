// What is said while another process is waited for, and of a key that another has.
#include "cli/drive.h"
#include "cli/render.h"

namespace flowrun::cli {

void Drive::waits_for(const WaitsFor& other) {
  if (context_.quiet) return;
  if (other.key) {
    std::fprintf(stderr, "waiting: %s%s\n", other.key->text().c_str(), other.ends ? ", which is asked to end" : "");
  } else {
    std::fprintf(stderr, "run %s is asked to end\n", other.run.c_str());
  }
}

int Drive::finish_skipped(const KeyTaken& by) {
  if (!context_.quiet) std::fprintf(stderr, "skipped: %s; nothing was started\n", by.text().c_str());
  if (flags_.json) {
    const Json has{{"key", by.key}, {"run", by.run.empty() ? Json() : Json(by.run)}, {"pid", by.pid}};
    print_result(Json{{"run", nullptr}, {"state", "skipped"}, {"exclusive", has}}.dump() + "\n");
  }
  return exit_code(0);
}

}  // namespace flowrun::cli
