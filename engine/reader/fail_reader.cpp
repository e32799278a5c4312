// Reads fail.
#include <fmt/format.h>

#include "engine/expression/pattern.h"
#include "engine/language/keys.h"
#include "engine/reader/readers.h"
#include "engine/steps/fail.h"

namespace flowrun {
namespace {

/// A type that a workflow gives to its own errors.
std::string raised_type(Reading& reading, const Node& node) {
  static const Pattern kType(R"([a-z][a-z0-9_]*(\.[a-z0-9_]+)*)");
  const std::string type = reading.values().plain_text(node, "type");
  if (type.empty() || type.find("${") != std::string::npos || type == "fail") return "fail";
  if (!kType.whole(type) || type.size() > 64)
    reading.error("E105", node.at, node.text.size(),
                  fmt::format("`{}` is no type of error: a-z, 0-9 and _, dots between them, at most 64", type),
                  "for example out_of_stock or stock.empty");
  else if (is_own_error(type))
    reading.error("E105", node.at, node.text.size(),
                  fmt::format("`{}` is a type of flowrun's own errors, and would be taken for one", type),
                  "give it another name, for example my_" + type);
  reading.index().raised.push_back(type);
  return type;
}

}  // namespace

std::unique_ptr<CommonStep> read_fail(Reading& reading, const Node& node) {
  auto step = std::make_unique<FailStep>();
  const Node& what = *node.find("fail");
  if (!what.is_map()) {
    step->message = reading.values().text(what);
    return step;
  }
  reading.only(what, names_within("fail"), "`fail`");
  const Node *type = what.find("type"), *message = what.find("message");
  if (!type && !message)
    reading.error("E110", what.at, 1, "`fail` needs a `message` or a `type`",
                  "for example { type: out_of_stock, message: none left }");
  if (type) step->type = raised_type(reading, *type);
  if (message) step->message = reading.values().text(*message);
  if (const Node* data = what.find("data")) step->data = reading.values().value(*data);
  return step;
}

}  // namespace flowrun
