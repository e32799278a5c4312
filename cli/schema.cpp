// flowrun schema: the language as a JSON Schema, for editors.
#include "cli/commands.h"
#include "cli/render.h"
#include "engine/language/language_schema.h"

namespace flowrun::cli {

void add_schema(Command& app, Context& context) {
  Command* command = app.add_subcommand("schema", "The language as a JSON Schema, for editors");
  command->callback([&context] {
    context.chosen = [] {
      print_result(language_schema().dump() + "\n");
      return 0;
    };
  });
}

}  // namespace flowrun::cli
