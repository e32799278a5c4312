#include "engine/steps/words.h"

#include <fmt/format.h>

namespace flowrun {
namespace {

std::optional<Failure> append_argument(std::vector<std::string>& words, const Json& json, std::string_view code) {
  auto text = as_text(Value(json), code);
  if (!text) return std::move(text.failure());
  std::string argument = *std::move(text);
  if (argument.find('\0') != std::string::npos)
    return Failure{"expression", fmt::format("`{}` has a zero byte in it; no argument can", code)};
  words.push_back(std::move(argument));
  return std::nullopt;
}

}  // namespace

std::optional<Failure> add_words(std::vector<std::string>& words, const std::vector<TextTemplate>& list,
                                 const char* key, const FrameScope& scope, Evaluator& evaluator) {
  for (const TextTemplate& one : list) {
    if (const std::string* text = one.literal(); text && text->find('\0') == std::string::npos) {
      words.push_back(*text);
      continue;
    }
    Evaluation evaluation = one.evaluate(scope, evaluator);
    if (!evaluation) return std::move(evaluation.failure());
    const Json& json = evaluation->json();
    std::string code = one.is_one_expression() ? one.expression().code() : key;
    if (json.is_array()) {
      for (const Json& element : json)
        if (auto failure = append_argument(words, element, code)) return failure;
    } else if (auto failure = append_argument(words, json, code)) {
      return failure;
    }
  }
  return std::nullopt;
}

}  // namespace flowrun
