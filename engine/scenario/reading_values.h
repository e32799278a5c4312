// Values of a file of scenarios: text, durations, lists of steps. Each tells what is wrong with one; knows no key.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/reader/file_diagnostics.h"
#include "engine/scenario/scenario_file.h"

namespace flowrun {

class ScenarioValues {
 public:
  /// |findings| is lent.
  explicit ScenarioValues(FileDiagnostics& findings) : findings_(findings) {}

  static Place place_of(const Node& node) { return {node.at, std::max<std::size_t>(node.text.size(), 1)}; }
  static Place place_of(const Member& member) { return {member.at, member.key.size()}; }

  /// Nothing, or empty, after a mistake, which is told. |what|: the key.
  std::string text(const Node& node, const char* what);
  std::optional<Duration> duration(const Node& node, const char* what);
  std::optional<Instant> instant(const Node& node, const char* what);
  std::optional<std::int64_t> number(const Node& node, const char* what, std::int64_t least, std::int64_t most);
  std::string word(const Node& node, const char* what, const std::vector<std::string>& words);
  StepPattern step(const Node& node, const char* what);
  /// What a process says, or a body: text as it is, all else as JSON.
  std::string said(const Node& node);
  /// One of them, or a list of them.
  static std::vector<Node> one_or_more(const Node& node) {
    return node.is_list() ? node.items : std::vector<Node>{node};
  }

 private:
  FileDiagnostics& findings_;
};

}  // namespace flowrun
