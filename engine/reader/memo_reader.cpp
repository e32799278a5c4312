// Reads memo, reads and writes: what an earlier run may have done already.
#include <fmt/format.h>

#include "engine/reader/readers.h"
#include "engine/steps/http.h"
#include "engine/steps/process.h"

namespace flowrun {
namespace {

/// Refuses |memo| where a result that is not there anew would be none.
void check_memo(Reading& reading, const Effect& effect, const Node& of_step, const Member& memo) {
  auto against = [&](const std::string& other, const char* why, const char* suggestion) {
    reading.error("E106", memo.at, memo.key.size(), fmt::format("`memo` and `{}`: {}", other, why), suggestion);
  };
  const auto* http = dynamic_cast<const HttpStep*>(&effect);
  const auto* process = dynamic_cast<const ProcessStep*>(&effect);
  const bool of_file = (http && http->response == HttpRequest::Response::File) ||
                       (process && process->capture == Process::Capture::File);
  if (of_file)
    against(http ? "response: file" : "capture: file", "that file belongs to the run that made it",
            http ? "leave `response` out, or `memo`" : "write a file of your own, and name it in `writes`");
  if (of_step.find("paginate")) against("paginate", "pages of several runs would be mixed", "leave `memo` out");
  if (of_step.find("undo"))
    against("undo", "what is taken from an earlier run was not done by this one, which would undo it",
            "leave one of them out");
  if (of_step.find("poll")) against("poll", "what was enough then may not be enough now", "poll in a step before it");
  if (process && process->leave)
    against("leave", "nothing runs when a result is taken, so nothing is left running", "leave one of them out");
  const bool changes = http && http->method != "GET" && http->method != "HEAD" && http->method != "OPTIONS";
  const Node* unsafe = of_step.find("memo_unsafe");
  const bool meant = unsafe && reading.values().plain_boolean(*unsafe, "memo_unsafe").value_or(true);
  if (changes && !meant)
    reading.error(
        "E106", memo.at, memo.key.size(),
        fmt::format("`memo` of a {}: when a result is taken, nothing is sent, and nothing changes there", http->method),
        "leave `memo` out, or say `memo_unsafe: true` when the request only asks");
}

std::vector<TextTemplate> names_of_files(Reading& reading, const Node& node, const char* key) {
  std::vector<TextTemplate> names;
  for (const Node& one : node.is_list() ? node.items : std::vector<Node>{node}) {
    if (one.is_string() && !one.text.empty()) {
      names.push_back(reading.values().text(one));
    } else {
      reading.error(
          "E102", one.at, std::max<std::size_t>(1, one.text.size()),
          fmt::format("`{}` takes names of files, not {}", key, one.is_string() ? "an empty text" : one.kind_name()),
          std::string_view(key) == "reads" ? "for example [src/*.c, Makefile]" : "for example [out/app]");
    }
  }
  return names;
}

}  // namespace

void read_memo(Reading& reading, Effect& effect, const Node& node) {
  const Member* memo = node.member("memo");
  for (const char* name : {"memo_unsafe", "reads", "writes"})
    if (const Member* key = node.member(name); key && !memo)
      reading.error("E110", key->at, key->key.size(), fmt::format("`{}` without `memo`", name),
                    "say with `memo` how old a result may be that is taken, for example memo: 7d");
  if (!memo) return;
  reading.index().memo = true;
  MemoSettings& settings = effect.memo.emplace();
  if (memo->value.kind == Node::Kind::Boolean)
    reading.error("E102", memo->value.at, memo->value.text.size(), "`memo` says how old a result may be",
                  "for example memo: 7d");
  else
    settings.at_most = reading.values().duration(memo->value, "memo");
  if (const Node* key = node.find("reads")) settings.reads = names_of_files(reading, *key, "reads");
  if (const Node* key = node.find("writes")) {
    settings.writes = names_of_files(reading, *key, "writes");
    for (const Node& one : key->is_list() ? key->items : std::vector<Node>{*key})
      if (one.is_string() && one.text.find("${") == one.text.npos && one.text.find_first_of("*?") != one.text.npos)
        reading.error("E102", one.at, one.text.size(),
                      "`writes` takes names, no patterns: a file that was there before would be kept as well",
                      "name each file; a list of expressions may make the names");
  }
  check_memo(reading, effect, node, *memo);
}

}  // namespace flowrun
