// flowrun version.
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/render.h"
#include "engine/machine/machine.h"

namespace flowrun::cli {

void add_version(Command& app, Context& context) {
  auto json = std::make_shared<bool>(false);
  Command* command = app.add_subcommand("version", "The version");
  command->add_flag("--json", *json, "As JSON");
  command->callback([&context, json] {
    context.chosen = [json] {
      if (*json) {
        print_result(Json{{"flowrun", FLOWRUN_VERSION}, {"semantics", Machine::kSemantics}}.dump() + "\n");
      } else {
        print_result(fmt::format("flowrun {}\n", FLOWRUN_VERSION));
      }
      return 0;
    };
  });
}

}  // namespace flowrun::cli
