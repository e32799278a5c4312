// What is said of the key that a run needs and another has.
#include "cli/drive.h"
#include "cli/render.h"

namespace flowrun::cli {

void Drive::waits_for_key(const KeyTaken& by, bool ends) {
  if (context_.quiet) return;
  std::fprintf(stderr, "waiting: %s%s\n", by.text().c_str(), ends ? ", which is asked to end" : "");
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
