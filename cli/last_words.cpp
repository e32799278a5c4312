#include "cli/last_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/render.h"

namespace flowrun::cli {
namespace {

constexpr std::size_t kLineWidth = 200;
constexpr std::size_t kMostLeaves = 3;

std::vector<Failure> causes_of(const Failure& failure) {
  std::vector<Failure> causes;
  const Json& detail = failure.detail.json();
  if (!detail.is_object() || !detail.contains("causes") || !detail["causes"].is_array()) return causes;
  for (const Json& cause : detail["causes"])
    if (cause.is_object()) causes.push_back(failure_from(cause));
  return causes;
}

/// Those in |failure| that are not there for others.
void collect(const Failure& failure, std::vector<Failure>& leaves) {
  std::vector<Failure> causes = causes_of(failure);
  for (const Failure& cause : causes) collect(cause, leaves);
  if (causes.empty()) leaves.push_back(failure);
}

}  // namespace

std::string own_words(const Failure& failure, std::size_t most, const std::string& indent) {
  std::string text;
  const Json& detail = failure.detail.json();
  if (!detail.is_object()) return text;
  if (auto http = detail.find("http"); http != detail.end() && http->is_object()) {
    const Json body = http->value("body", Json());
    std::string shown = body.is_string() ? body.get<std::string>()
                        : body.is_null() ? ""
                                         : body.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (!shown.empty()) text += fmt::format("{}{}\n", indent, one_line(shown, kLineWidth));
  }
  auto tail = detail.find("stderr_tail");
  if (tail == detail.end() || !tail->is_string()) return text;
  std::vector<std::string> lines;
  const std::string said = tail->get<std::string>();
  for (std::size_t from = 0; from < said.size();) {
    std::size_t end = std::min(said.find('\n', from), said.size());
    lines.push_back(said.substr(from, end - from));
    from = end + 1;
  }
  for (std::size_t i = lines.size() - std::min(most, lines.size()); i < lines.size(); ++i)
    text += fmt::format("{}| {}\n", indent, one_line(lines[i], kLineWidth));
  return text;
}

std::string last_words(const Failure& failure, std::size_t most, const std::string& indent) {
  std::vector<Failure> leaves;
  collect(failure, leaves);
  if (leaves.size() == 1) return own_words(leaves.front(), most, indent);
  std::string text;
  for (std::size_t i = 0; i < std::min(kMostLeaves, leaves.size()); ++i) {
    const Failure& leaf = leaves[i];
    text += fmt::format("{}{}: {} {}\n", indent, leaf.step.empty() ? "run" : leaf.step, leaf.type,
                        one_line(leaf.message, kLineWidth));
    text += own_words(leaf, std::max<std::size_t>(most / kMostLeaves, 1), indent);
  }
  return text;
}

}  // namespace flowrun::cli
