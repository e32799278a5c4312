#include "cli/inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "cli/runs.h"
#include "engine/model/json_text.h"
#include "engine/run/clocks.h"

namespace flowrun::cli {
namespace {

/// `NAME=VALUE`, `NAME=@FILE`, `NAME=@-`, `NAME=@lines:FILE`.
void add_input(GivenInputs& given, const std::string& text) {
  std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw Error(Problem::Usage, fmt::format("-i {}: write NAME=VALUE", text));
  std::string name = text.substr(0, equals);
  std::string value = text.substr(equals + 1);
  if (value.rfind("@lines:", 0) == 0) {
    Json lines = Json::array();
    const std::string content = read_input_file(value.substr(7), "input " + name);
    std::istringstream in(std::string(without_mark(content)));
    for (std::string line; std::getline(in, line);) {
      if (line.ends_with('\r')) line.pop_back();
      if (!is_utf8(line))
        throw Error(
            Problem::Invalid,
            fmt::format("error: input {}: line {} of {} is not UTF-8; give bytes as base64, or the name of a file",
                        name, lines.size() + 1, value.substr(7)));
      lines.push_back(line);
    }
    std::erase_if(given.texts, [&](const auto& earlier) { return earlier.first == name; });
    given.values[name] = std::move(lines);
    return;
  }
  if (value.size() > 1 && value[0] == '@') value = read_input_file(value.substr(1), "input " + name);
  given.texts.emplace_back(std::move(name), std::move(value));
}

}  // namespace

void add_input_options(Command& command, InputOptions& options) {
  command.add_option("-i,--input", options.inputs, "An input: NAME=VALUE, NAME=@FILE, NAME=@-, NAME=@lines:FILE")
      ->type_name("NAME=VALUE")
      ->repeatable();
  command.add_option("--inputs", options.file, "All inputs as JSON or YAML; -i overrides")->type_name("FILE|-");
}

bool reads_stdin(const InputOptions& options) {
  return options.file == "-" || std::any_of(options.inputs.begin(), options.inputs.end(), [](const std::string& text) {
           return text.ends_with("=@-") || text.ends_with("=@lines:-");
         });
}

GivenInputs given_inputs(const InputOptions& options) {
  GivenInputs given;
  if (!options.file.empty()) {
    std::string text = read_input_file(options.file, "--inputs");
    Diagnostics diagnostics({options.file == "-" ? "standard input" : options.file, text});
    auto node = read_yaml(diagnostics);
    if (node && diagnostics.ok() && !node->is_map())
      diagnostics.error("E102", node->at, static_cast<int>(node->text.size()),
                        fmt::format("inputs must be a map of names to values, not {}", node->kind_name()),
                        "for example {\"order\": 7}");
    if (!node || !diagnostics.ok()) throw Error(Problem::Invalid, diagnostics.text() + "no input was taken from it");
    given.values = node->json();
  }
  for (const std::string& text : options.inputs) add_input(given, text);
  return given;
}

ResolvedInputs resolved_inputs(const Loaded& loaded, const GivenInputs& given, Evaluator& evaluator) {
  auto environment = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  };
  Instant now = wall_clock();
  return resolve_inputs(loaded, given, environment, evaluator, now);
}

}  // namespace flowrun::cli
