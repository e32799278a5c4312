// Reads shell and exec.
#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "engine/expression/pattern.h"
#include "engine/reader/readers.h"
#include "engine/steps/process.h"

namespace flowrun {
namespace {

/// `write [ls, -l]` for `ls -l`. A line with quotes or other words of a shell gets a general form: no guess.
std::string as_list(const std::string& line) {
  static const Pattern kWords(R"(\s*[\w./:=@%+-]+(\s+[\w./:=@%+-]+)*\s*)");
  if (!kWords.whole(line)) return "write [PROGRAM, ARG, ...]";
  std::string list;
  std::istringstream words(line);
  for (std::string word; words >> word;) list += (list.empty() ? "" : ", ") + word;
  return "write [" + list + "]";
}

/// The texts of |list|; errors call one of them |what|.
std::vector<TextTemplate> texts(Reading& reading, const Node& list, const char* what) {
  std::vector<TextTemplate> all;
  for (const Node& item : list.items) {
    if (item.kind == Node::Kind::Null) {
      reading.error("E102", item.at, item.text.size(), fmt::format("{} is null", what), "write \"\" for an empty one");
    } else {
      all.push_back(reading.values().text(item));
    }
  }
  return all;
}

void read_via(Reading& reading, ProcessStep& step, const Node& via) {
  if (via.is_string() && via.text == "none") {
    step.via.emplace();
  } else if (via.is_string()) {
    reading.error("E102", via.at, via.text.size(), "`via` takes a list: a program and its arguments, or none",
                  via.text.starts_with("${") ? fmt::format("write [\"{}\"]", via.text) : as_list(via.text));
  } else if (reading.is(via, Node::Kind::List, "via", "a list: a program and its arguments, or none")) {
    step.via = texts(reading, via, "a word of `via`");
  }
}

/// Options of shell and exec.
void read_process(Reading& reading, ProcessStep& step, const Node& node) {
  {
    Reading::Within secrets(reading, allow_secrets);
    if (const Node* key = node.find("env"))
      if (reading.is(*key, Node::Kind::Map, "env", "a map of names to values")) step.env = reading.values().value(*key);
    if (const Node* key = node.find("stdin")) step.input = reading.values().value(*key);
  }
  if (const Node* key = node.find("inherit_env")) {
    if (key->is_list()) {
      step.inherit = Process::Inherit::Listed;
      for (const Node& item : key->items) step.inherited.push_back(reading.values().plain_text(item, "inherit_env"));
    } else if (reading.is(*key, Node::Kind::Boolean, "inherit_env", "true, false or a list of names")) {
      step.inherit = key->json().get<bool>() ? Process::Inherit::All : Process::Inherit::None;
    }
  }
  if (const Node* key = node.find("cwd")) step.cwd = reading.values().text(*key);
  if (const Node* key = node.find("via")) read_via(reading, step, *key);
  if (const Node* key = node.find("capture")) {
    const std::vector<std::string> words{"text", "json", "jsonl", "lines", "none", "file", "base64"};
    std::string word = reading.values().word(*key, "capture", words);
    step.capture = static_cast<Process::Capture>(std::find(words.begin(), words.end(), word) - words.begin());
  }
  if (const Node* key = node.find("success_codes")) {
    step.success_codes.clear();
    std::vector<Node> items = key->is_list() ? key->items : std::vector<Node>{*key};
    for (const Node& item : items) {
      auto code = reading.values().plain_count(item, "success_codes", 0);
      if (code && *code > 255) reading.error("E102", item.at, item.text.size(), "an exit code is at most 255");
      if (code) step.success_codes.push_back(static_cast<int>(std::min<std::int64_t>(*code, 255)));
    }
  }
  if (const Node* key = node.find("kill_grace")) step.kill_grace = reading.values().duration(*key, "kill_grace");
  if (const Node* key = node.find("leave"); key && reading.is(*key, Node::Kind::Boolean, "leave", "true or false"))
    step.leave = key->json().get<bool>();
  if (const Node* key = node.find("max_output"))
    if (auto size = reading.values().size(*key, "max_output")) step.max_output = *size;
  read_work(reading, step, node, {"exit", "killed", "timeout"});
  read_effect(reading, step, step, node);
  read_memo(reading, step, node);
  // A limit that is written says how many run at once.
  const bool sized = step.limit && step.limit->max > 0;
  step.shares_cpus = reading.context().in_unsized_for_each && !sized;
  step.follows_file = !reading.context().in_for_each && !sized;
}

}  // namespace

std::unique_ptr<CommonStep> read_shell(Reading& reading, const Node& node) {
  auto step = std::make_unique<ProcessStep>();
  const Node& script = *node.find("shell");
  if (reading.is(script, Node::Kind::String, "shell", "a script")) step->script = script.text;
  if (script.text.empty() && script.is_string()) reading.error("E102", script.at, 1, "the script is empty");
  if (const Node* key = node.find("interpreter"); key && reading.is(*key, Node::Kind::List, "interpreter", "a list")) {
    step->interpreter.clear();
    for (const Node& item : key->items) step->interpreter.push_back(reading.values().plain_text(item, "interpreter"));
    if (step->interpreter.empty()) reading.error("E102", key->at, 1, "the interpreter is missing", "for example [sh]");
  }
  read_process(reading, *step, node);
  return step;
}

std::unique_ptr<CommonStep> read_exec(Reading& reading, const Node& node) {
  auto step = std::make_unique<ProcessStep>();
  const Node& list = *node.find("exec");
  if (list.is_string()) {
    reading.error("E102", list.at, list.text.size(), "`exec` takes a list: the program and its arguments",
                  as_list(list.text) + ", or use `shell`");
  } else if (reading.is(list, Node::Kind::List, "exec", "a list: the program and its arguments")) {
    if (list.items.empty()) reading.error("E102", list.at, 1, "the program is missing");
    step->arguments = texts(reading, list, "an argument");
  }
  read_process(reading, *step, node);
  return step;
}

}  // namespace flowrun
