#include "engine/language/keys.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "engine/language/diagnostics.h"

namespace flowrun {

const std::vector<Key>& step_keys() {
  static const std::vector<Key> keys{
      {"http", kHttp, "[METHOD] URL", "GET", "one HTTP call"},
      {"shell", kShell, "script", "", "a script, given to the interpreter; never interpolated"},
      {"exec", kExec, "list", "", "a program and its arguments, without a shell"},
      {"sleep", kSleep, "duration", "", "waits until a date that is set when it begins"},
      {"wait", kWait, "name", "", "waits for a signal", true},
      {"workflow", kWorkflow, "path", "", "runs another workflow", true},
      {"set", kSet, "any", "", "a value"},
      {"fail", kFail, "text", "", "fails with this text"},
      {"parallel", kParallel, "map of steps", "", "a graph with a join policy"},
      {"race", kRace, "map of steps", "", "the first success wins, the others are cancelled"},
      {"sequence", kSequence, "list of steps", "", "one after the other"},
      {"switch", kSwitch, "list of ways", "", "the first way whose condition holds"},
      {"for_each", kForEach, "list, map or count", "", "a body for each item"},

      {"id", kEvery, "name", "", "the name of a step in a list"},
      {"if", kEvery, "boolean", "true", "runs only when this holds; evaluated when the edges are satisfied"},
      {"needs", kEvery, "list of names", "", "success edges that the data does not show"},
      {"after", kEvery, "list of names", "", "settled edges that the data does not show"},
      {"delay", kEvery, "duration", "0s", "starts that much later"},
      {"timeout", kEvery, "duration", "none", "one try; of a group: the whole group"},
      {"deadline", kWork, "duration", "none", "all tries and the waits between them"},
      {"retry", kWork, "map or none", "by kind", "what is tried again, how often, how soon"},
      {"fallback", kEvery, "step", "", "runs when this one failed; its output stands in"},
      {"continue_on_error", kEvery, "boolean", "false", "a failure is recorded but not counted"},
      {"output", kEvery, "any", "by kind", "maps the raw result to the output"},
      {"on_crash", kHttp | kProcess, "rerun, ask or fail", "by kind",
       "what becomes of an attempt that a crash cut off"},
      {"name", kEvery, "text", "", "for display"},
      {"description", kEvery, "text", "", "for display"},
      {"join", kJoining, "policy", "all", "when the group is done, and whether it succeeded"},
      {"fail_fast", kJoining | kSequence, "true, false, drain", "drain", "what a failure stops"},

      {"query", kHttp, "map", "", "query parameters"},
      {"headers", kHttp, "map", "", "request headers"},
      {"auth", kHttp, "map or none", "none", "bearer, basic or header"},
      {"json", kHttp, "any", "", "a JSON body"},
      {"form", kHttp, "map", "", "a form body"},
      {"text", kHttp, "text", "", "a text body"},
      {"file", kHttp, "path", "", "a body streamed from a file"},
      {"expect", kHttp, "status or map", "2xx", "what counts as success"},
      {"response", kHttp, "word", "auto", "auto, json, text, base64, none or file"},
      {"max_response", kHttp, "size", "8MiB", "the longest answer"},
      {"follow_redirects", kHttp, "count or false", "10", "how many redirects are followed"},
      {"tls", kHttp, "map", "", "ca, cert, key, verify"},
      {"proxy", kHttp, "URL", "environment", "the proxy"},
      {"connect_timeout", kHttp, "duration", "5s", "until connected"},
      {"idle_timeout", kHttp, "duration", "30s", "without a byte moving"},
      {"idempotency_key", kHttp, "auto, none or text", "auto", "the Idempotency-Key of POST and PATCH"},

      {"env", kProcess, "map", "", "variables; null removes one"},
      {"inherit_env", kProcess, "boolean or list", "true", "which of flowrun's own variables are passed on"},
      {"cwd", kProcess, "path", "the workflow's", "where the process runs"},
      {"stdin", kProcess, "text or any", "empty", "its standard input"},
      {"capture", kProcess, "word", "text", "text, json, jsonl, lines, none or file"},
      {"success_codes", kProcess, "list", "[0]", "exit codes that count as success"},
      {"kill_grace", kProcess, "duration", "5s", "between TERM and KILL"},
      {"max_output", kProcess, "size", "1MiB", "the most that is captured"},
      {"interpreter", kShell, "list", "[bash, -euo, pipefail]", "what runs the script"},

      {"do", kForEach, "body", "", "what runs for each item"},
      {"as", kForEach, "name", "", "another name for $item"},
      {"key", kForEach, "text", "by item", "what names an item in the journal"},
      {"concurrency", kForEach, "count", "16", "items in flight"},
      {"batch", kForEach, "count", "", "items are handed out in lists of so many"},
      {"collect", kForEach, "any", "output of do", "the output of an item"},

      {"limit", kWork, "count or name", "", "attempts at once over all items", true},
      {"poll", kWork, "map", "", "repeats until something holds", true},
      {"paginate", kHttp, "map", "", "follows pages", true},
      {"undo", kEvery, "step", "", "compensates this step", true},
      {"undo_on", kEvery, "word", "", "when undo applies", true},
      {"atomic", kJoining | kSequence | kSwitch, "boolean", "", "undoes what is in it when it fails", true},
      {"returns", kEvery, "schema", "", "the shape of the output", true},
      {"with", kWorkflow, "map", "", "inputs of a sub-workflow", true},
      {"prompt", kWait, "text", "", "what a person is asked", true},
      {"accept", kWait, "schema", "", "the shape of a signal", true},
  };
  return keys;
}

const Key* find_key(std::string_view name) {
  static const auto by_name = [] {
    std::unordered_map<std::string_view, const Key*> map;
    for (const Key& key : step_keys()) map.emplace(key.name, &key);
    return map;
  }();
  auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : found->second;
}

std::uint32_t kind_bit(std::string_view name) {
  static constexpr std::array<std::string_view, 13> kKinds{"http",     "shell",  "exec",    "sleep",    "wait",
                                                           "workflow", "set",    "fail",    "parallel", "race",
                                                           "sequence", "switch", "for_each"};
  auto found = std::find(kKinds.begin(), kKinds.end(), name);
  return found == kKinds.end() ? 0 : 1u << (found - kKinds.begin());
}

std::string kind_names(std::uint32_t kinds) {
  std::string names;
  for (const Key& key : step_keys()) {
    std::uint32_t bit = kind_bit(key.name);
    if (!bit || !(kinds & bit)) continue;
    names += (names.empty() ? "" : ", ") + std::string(key.name);
  }
  return names;
}

std::string advice_for(std::string_view word, std::uint32_t kind) {
  // Words of make, GitHub Actions, Argo, Tekton, Ansible, GitLab, Step Functions and curl, and ours in the wrong place.
  static const std::unordered_map<std::string_view, const char*> others{
      {"run", "use `shell`"},
      {"command", "use `shell` or `exec`"},
      {"cmd", "use `shell` or `exec`"},
      {"script", "use `shell` or `exec`"},
      {"depends", "use `needs`"},
      {"depends_on", "use `needs`"},
      {"dependsOn", "use `needs`"},
      {"runAfter", "use `needs`"},
      {"when", "use `if`"},
      {"withItems", "use `for_each`"},
      {"with_items", "use `for_each`"},
      {"foreach", "use `for_each`"},
      {"for", "use `for_each`"},
      {"working-directory", "use `cwd`"},
      {"continue-on-error", "use `continue_on_error`"},
      {"ignore_errors", "use `continue_on_error`"},
      {"allow_failure", "use `continue_on_error`"},
      {"fail-fast", "use `fail_fast`"},
      {"max-parallel", "use `concurrency`"},
      {"parallelism", "use `concurrency`"},
      {"max_concurrent", "use `concurrency`"},
      {"timeout-minutes", "use `timeout`, for example `timeout: 5m`"},
      {"outputs", "use `output`"},
      {"catch", "use `fallback`"},
      {"rescue", "use `fallback`"},
      {"compete", "use `race`"},
      {"retries", "did you mean `retry`? for example `retry: { attempts: 3 }`"},
      {"attempt_timeout", "use `timeout`"},
      {"body", "use `json`, `form`, `text` or `file`"},
      {"url", "write `http: [METHOD] URL`"},
      {"method", "write `http: [METHOD] URL`"},
      {"steps", "use `sequence`, `parallel` or `do`"},
  };
  if (word == "env" && kind == kHttp) return "`env` is an option of shell and exec; for a header use `headers`";
  auto found = others.find(word);
  return found == others.end() ? "" : found->second;
}

bool is_reserved(std::string_view word) {
  static constexpr std::array<std::string_view, 14> kReserved{
      "memo",      "schedule", "trigger",   "container", "matrix", "while", "uses",
      "multipart", "losers",   "exclusive", "labels",    "secret", "files", "stop_when"};
  return std::find(kReserved.begin(), kReserved.end(), word) != kReserved.end();
}

}  // namespace flowrun
