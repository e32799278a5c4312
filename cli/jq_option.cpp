#include "cli/jq_option.h"

#include <fmt/format.h>

#include <sstream>

#include "engine/model/diagnostics.h"
#include "engine/model/error.h"

namespace flowrun::cli {
namespace {

/// Of what is printed only `.` is known.
class Printed : public Scope {
 public:
  explicit Printed(Value value) : value_(std::move(value)) {}
  Fallible<Value> lookup(const Reference&) const override { return value_; }

 private:
  Value value_;
};

Expression compiled(const std::string& text, const std::string& code) {
  Diagnostics diagnostics({"--jq", code});
  Expression expression = Expression::compile(code, {1, 0}, diagnostics);
  if (!diagnostics.ok())
    throw Error(Problem::Usage, fmt::format("--jq: `{}`: {}", text, diagnostics.all().front().message));
  for (const Reference& reference : expression.references())
    if (reference.variable != ".")
      throw Error(Problem::Usage, fmt::format("--jq: `{}`: ${} is not known", text, reference.variable));
  return expression;
}

/// A list of what |text| gives. By itself first: `a] + [b` is no expression. The line break ends a comment.
Expression list_of(const std::string& text) {
  if (text.find_first_not_of(" \t\n") == std::string::npos)
    throw Error(Problem::Usage, "--jq: the expression is empty; for example --jq .run");
  compiled(text, " " + text);
  return compiled(text, " [" + text + "\n]");
}

}  // namespace

JqOption::JqOption(const std::string& text) : text_(text), all_(list_of(text)), jq_(make_jq()) {
  for (const std::string& error : jq_->check({{text}, {"[" + text + "\n]"}}))
    if (!error.empty()) throw Error(Problem::Usage, fmt::format("--jq: `{}`: {}", text, error));
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
    const Evaluation given = evaluate(all_, Printed(Value(std::move(value))), *jq_);
    if (!given) {
      // It names the whole list.
      const std::string& message = given.failure().message;
      throw Error(Problem::Impossible,
                  fmt::format("--jq: `{}`: {}", text_, message.substr(0, message.rfind(" in `["))));
    }
    for (const Json& one : given->json())
      text +=
          (one.is_string() ? one.get<std::string>() : one.dump(-1, ' ', false, Json::error_handler_t::replace)) + "\n";
  }
  return text;
}

}  // namespace flowrun::cli
