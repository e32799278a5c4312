#include "cli/jq_option.h"

#include <fmt/format.h>

#include <sstream>

#include "engine/model/error.h"
#include "engine/model/value.h"

namespace flowrun::cli {

// The line break ends a comment.
JqOption::JqOption(const std::string& expression) : program_{"[" + expression + "\n]"}, jq_(make_jq()) {
  if (expression.find_first_not_of(" \t\n") == std::string::npos)
    throw Error(Problem::Usage, "--jq: the expression is empty; for example --jq .run");
  // By itself first: `a] + [b` is none.
  for (const std::string& error : jq_->check({{expression}, program_}))
    if (!error.empty()) throw Error(Problem::Usage, fmt::format("--jq: `{}`: {}", expression, error));
}

std::string JqOption::of(std::string_view json) {
  std::string text;
  std::istringstream in{std::string(json)};
  while (in >> std::ws && in.peek() != std::istringstream::traits_type::eof()) {
    Json value;
    try {
      in >> value;
    } catch (const Json::exception&) {
      throw Error(Problem::Impossible, "--jq is for JSON, and this is printed as text");
    }
    const Answer answer = jq_->evaluate({program_, {{".", Value(std::move(value))}}});
    if (!answer.ok()) throw Error(Problem::Impossible, "--jq: " + answer.error);
    for (const Json& one : answer.value.json())
      text +=
          (one.is_string() ? one.get<std::string>() : one.dump(-1, ' ', false, Json::error_handler_t::replace)) + "\n";
  }
  return text;
}

}  // namespace flowrun::cli
