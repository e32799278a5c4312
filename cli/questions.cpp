#include "cli/questions.h"

#include "engine/journal/typed_command.h"

namespace flowrun::cli {

std::string answer_command(const std::string& journal, const std::string& run, const std::string& path,
                           const std::string& signal, const AnswerData& data) {
  std::vector<std::string> words{"approve", run, signal};
  // Items of a for_each mostly wait side by side.
  if (path.find('[') != std::string::npos) words.insert(words.end(), {"--step", path});
  if (const auto found = data.find(signal); found != data.end() && !found->second.empty())
    words.insert(words.end(), {"--data", found->second});
  return typed_command(words, journal);
}

}  // namespace flowrun::cli
