#include "engine/language/keys.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "engine/model/diagnostics.h"

namespace flowrun {

const std::vector<Key>& step_keys() {
  static const std::vector<Key> keys{
#define KIND(name, constant, traits, type, default_text, doc) {#name, constant, type, default_text, doc},
#include "engine/language/kinds.def"
#undef KIND

      {"id", kEvery, "name", "", "the name of a step in a list"},
      {"if", kEvery, "boolean", "true", "runs only when this holds; evaluated when the edges are satisfied"},
      {"needs", kEvery, "list of names", "", "success edges that the data does not show"},
      {"after", kEvery, "list of names", "", "settled edges that the data does not show"},
      {"delay", kEvery, "duration", "0s", "starts that much later"},
      {"timeout", kEvery, "duration", "none", "one try; of a group: the whole group"},
      {"deadline", kWork, "duration", "none", "all tries and the waits between them"},
      {"retry", kWork, "map or none", "by kind", "what is tried again, how often, how soon"},
      {"fallback", kEvery, "fallback", "", "runs when this one failed; its output stands in"},
      {"on", kEvery, "error type or list", "any error", "of a fallback: for which errors it is"},
      {"continue_on_error", kEvery, "boolean", "false", "a failure is recorded but not counted"},
      {"output", kEvery & ~kLog, "any", "by kind", "maps the raw result to the output"},
      {"on_crash", kHttp | kProcess, "rerun, ask or fail", "by kind",
       "what becomes of an attempt that a crash cut off"},
      {"name", kEvery, "literal text", "", "for display"},
      {"description", kEvery, "literal text", "", "for display"},
      {"join", kJoining, "policy", "all", "when the group is done, and whether it succeeded"},
      {"fail_fast", kJoining | kSequence, "true, false, drain", "drain", "what a failure stops"},

      {"query", kHttp, "map", "", "query parameters"},
      {"headers", kHttp, "map", "", "request headers"},
      {"auth", kHttp, "map or none", "none", "bearer, basic or header"},
      {"json", kHttp, "any", "", "a JSON body"},
      {"form", kHttp, "map or expression", "", "a form body"},
      {"text", kHttp, "text", "", "a text body"},
      {"file", kHttp, "path", "", "a body streamed from a file"},
      {"multipart", kHttp, "parts of a form", "", "a form body with files, multipart/form-data"},
      {"expect", kHttp, "status or map", "2xx", "what counts as success"},
      {"response", kHttp, "auto, json, text, base64, none, file or jsonl", "auto", "how the answer is read"},
      {"max_response", kHttp, "size", "8MiB", "the longest answer"},
      {"follow_redirects", kHttp, "literal count or boolean", "10", "how many redirects are followed"},
      {"tls", kHttp, "map", "", "ca, cert, key, verify"},
      {"proxy", kHttp, "URL", "environment", "the proxy"},
      {"unix", kHttp, "path", "", "a socket in the file system instead of TCP"},
      {"connect_timeout", kHttp, "duration", "5s", "until connected"},
      {"idle_timeout", kHttp, "duration", "30s", "without a byte moving"},
      {"idempotency_key", kHttp, "text", "auto", "the Idempotency-Key of POST and PATCH: auto, none or your own"},

      {"env", kProcess, "map", "", "variables; null removes one"},
      {"inherit_env", kProcess, "literal boolean or list of texts", "true",
       "which of flowrun's own variables are passed on"},
      {"cwd", kProcess, "path", "the workflow's", "where the process runs"},
      {"stdin", kProcess, "any", "empty", "its standard input"},
      {"via", kProcess, "list of arguments or none", "$FLOWRUN_VIA", "what starts it elsewhere: [ssh, build7]"},
      {"capture", kProcess, "text, json, jsonl, lines, none, file or base64", "text", "how its output is read"},
      {"success_codes", kProcess, "exit code or list", "[0]", "exit codes that count as success"},
      {"kill_grace", kProcess, "duration", "5s", "between TERM and KILL"},
      {"leave", kProcess, "literal boolean", "false", "what it leaves running is meant to stay"},
      {"max_output", kProcess, "size", "1MiB", "the most that is captured"},
      {"interpreter", kShell, "list of texts", "[bash, -euo, pipefail]", "what runs the script"},

      {"do", kForEach | kRepeat, "body", "", "what runs for each item, or in each round"},
      {"as", kForEach, "name", "", "another name for $item"},
      {"key", kForEach, "text", "by item", "what names an item in the journal"},
      {"concurrency", kForEach, "count", "16", "items in flight"},
      {"batch", kForEach, "count", "", "items are handed out in lists of so many"},
      {"split", kForEach, "lines, json or nul", "lines", "what ends an item of stdin"},
      {"collect", kForEach, "any", "output of do", "the output of an item"},

      {"pool", kHttp | kProcess, "name of a pool", "", "which workers carry it out, when `--on` says that others do"},
      {"memo", kHttp | kProcess, "duration", "", "so old a result of an earlier run may be that is taken instead"},
      {"memo_unsafe", kHttp, "literal boolean", "false", "memo also of a request that changes something"},
      {"reads", kHttp | kProcess, "path or list of paths", "", "patterns of files whose content counts for memo"},
      {"writes", kProcess, "path or list of paths", "", "files that memo keeps and puts back"},
      {"secret", kHttp | kProcess, "literal boolean", "false",
       "its output is in no journal, file or message; steps get it as they get a secret"},
      {"limit", kHttp | kProcess, "count or name", "", "attempts at once over all items"},
      {"weight", kHttp | kProcess, "literal count", "1",
       "places that an attempt takes, of `limit`, `concurrency` and -j"},
      {"poll", kWork, "map", "", "repeats until something holds"},
      {"paginate", kHttp, "map", "", "follows an answer that comes in pages"},
      {"undo", kUndoable, "step", "", "compensates this step when its scope fails"},
      {"undo_on", kUndoable, "succeeded or started", "succeeded", "what there is to undo"},
      {"atomic", kJoining | kSequence | kSwitch | kRepeat, "literal boolean", "false",
       "a scope of undos: when it fails, what was done in it is undone"},
      {"returns", kEvery, "schema", "", "the shape of the output"},
      {"with", kWorkflow, "map", "", "inputs of a sub-workflow"},
      {"level", kLog, "debug, info, warn or error", "info", "how much it matters"},
      {"prompt", kWait, "text", "", "what a person is asked"},
      {"accept", kWait, "schema", "", "the shape of a signal"},
  };
  return keys;
}

const std::vector<Key>& top_keys() {
  static const std::vector<Key> keys{
      {"flowrun", 0, "1", "required", "version of the language"},
      {"name", 0, "name of a run", "name of the file", "part of the run's id; `-` is allowed"},
      {"description", 0, "literal text", "", "shown by list and show"},
      {"version", 0, "text", "", "shown by list and show"},
      {"input", 0, "map of inputs", "{}", "the declared inputs"},
      {"vars", 0, "map of values", "{}", "constants, evaluated once at the start"},
      {"env", 0, "map", "{}", "added to the environment of every process"},
      {"cwd", 0, "literal text", "folder of the file", "where relative paths start and processes run"},
      {"secrets", 0, "map of secrets", "{}", "values that are never stored"},
      {"limits", 0, "map of limits", "{}", "named pools that steps share by `limit`"},
      {"defaults", 0, "map", "{}", "defaults of options for all, http, shell, exec"},
      {"concurrency", 0, "literal count", "64", "attempts running at once in this run"},
      {"exclusive", 0, "key or map", "none", "of all runs with this key one at a time is driven"},
      {"timeout", 0, "duration", "none", "of `steps`"},
      {"fail_fast", 0, "true, false, drain", "drain", "what a failure stops; groups inherit it"},
      {"on_signal", 0, "suspend or cancel", "suspend", "what becomes of the run at Ctrl-C, TERM and HUP"},
      {"steps", 0, "body", "required", "what is to be done"},
      {"output", 0, "any", "none", "result of the run"},
      {"on_failure", 0, "body", "", "runs when the run failed"},
      {"finally", 0, "body", "", "runs at every end"},
      {"lint_ignore", 0, "list of codes", "[]", "warnings and hints that are not told"},
  };
  return keys;
}

const std::vector<InnerKey>& inner_keys() {
  static const std::vector<InnerKey> keys{
      {"retry", "attempts", "count", "3", "the first try included"},
      {"retry", "delay", "duration", "500ms", "before the second try"},
      {"retry", "backoff", "number", "2", "by which each further wait is multiplied"},
      {"retry", "max_delay", "duration", "30s or delay", "the longest wait"},
      {"retry", "jitter", "full or none", "full", "whether a wait is a random part of that"},
      {"retry", "on", "error type or list", "by kind", "what is tried again"},
      {"retry", "if", "boolean", "true", "asked of each failure"},
      {"fail", "type", "literal text", "fail", "type of the error, which `on` of a fallback or of `retry` names"},
      {"fail", "message", "text", "the type", "what people read"},
      {"fail", "data", "any", "", "what is known besides: $error.data"},
      {"limits", "max", "literal count", "no bound", "attempts at once"},
      {"limits", "rate", "N/s, N/m or N/h", "no bound", "starts in any second, minute or hour"},
      {"limits", "shared", "literal boolean", "false", "counted over all runs that share the journal"},
      {"exclusive", "key", "text", "required", "what no two runs have at once"},
      {"exclusive", "when_taken", "wait, skip, fail or replace", "wait", "what a run does while another has the key"},
      {"poll", "until", "boolean", "success", "what is waited for"},
      {"poll", "fail_if", "boolean", "false", "what will never come right"},
      {"poll", "every", "duration", "5s", "between two polls"},
      {"poll", "backoff", "number", "1", "by which each further wait is multiplied"},
      {"poll", "max_every", "duration", "none", "the longest wait"},
      {"poll", "attempts", "count", "no limit", "the most polls"},
      {"poll", "errors", "retry or fail", "retry", "what an error that may pass means"},
      {"paginate", "next", "link or one expression", "required", "where the next page is; null: there is none"},
      {"paginate", "query", "literal text", "", "the parameter that `next` is the value of; else it is a URL"},
      {"paginate", "max_pages", "count", "500", "more are a failure"},
      {"auth", "bearer", "text", "", "Authorization: Bearer"},
      {"auth", "basic", "{user, password}", "", "Authorization: Basic"},
      {"auth", "header", "{NAME: value}", "", "a header of your choice"},
      {"expect", "status", "status or list", "2xx", "which statuses are a success"},
      {"expect", "if", "boolean", "true", "asked of the raw result"},
      {"tls", "ca", "path", "system", "whom to trust"},
      {"tls", "cert", "path", "", "the client's certificate"},
      {"tls", "key", "path", "", "its key"},
      {"tls", "verify", "literal boolean", "true", "whether the server's certificate is checked"},
      {"multipart", "name", "text", "", "of the field, in a list of them"},
      {"multipart", "file", "path", "", "a file that is streamed"},
      {"multipart", "text", "text", "", "a text"},
      {"multipart", "json", "any", "", "any value, as JSON"},
      {"multipart", "filename", "text", "of the file", "the name that the other side sees"},
      {"multipart", "type", "text", "by the file's name", "its Content-Type"},
      {"join", "at_least", "count or percent", "", "when all have settled, so many have succeeded"},
      {"join", "tolerate", "count or percent", "", "at most so many have failed"},
      {"join", "quorum", "count or percent", "", "done at so many successes; the rest is cancelled"},
      {"secrets", "env", "literal text", "", "an environment variable"},
      {"secrets", "file", "literal text", "", "a file, relative to `cwd`"},
      {"secrets", "command", "list of texts", "", "a program and its arguments, which prints it"},
      {"secrets", "input", "literal text", "", "an input to which the file that runs this one gives a secret"},
      {"secrets", "optional", "literal boolean", "false", "null when it is not there"},
      {"switch", "if", "boolean", "", "whether this way is taken"},
      {"switch", "do", "body", "", "what this way does"},
      {"switch", "else", "body", "", "the last way"},
      {"repeat", "carry", "any", "null", "what the first round sees as $carry"},
      {"repeat", "while", "boolean", "", "whether another round follows; asked before it"},
      {"repeat", "until", "boolean", "", "whether that was the last round; asked after it"},
      {"repeat", "at_most", "literal count", "1000", "rounds"},
      {"defaults", "all", "map", "", "for every kind"},
      {"defaults", "http", "map", "", "for http"},
      {"defaults", "shell", "map", "", "for shell"},
      {"defaults", "exec", "map", "", "for exec"},
  };
  return keys;
}

std::vector<std::string> names_within(std::string_view key) {
  std::vector<std::string> names;
  for (const InnerKey& inner : inner_keys())
    if (key == inner.within) names.push_back(inner.name);
  return names;
}

namespace {

const Key* find_in(const std::unordered_map<std::string_view, const Key*>& keys, std::string_view name) {
  auto found = keys.find(name);
  return found == keys.end() ? nullptr : found->second;
}

std::unordered_map<std::string_view, const Key*> by_name(const std::vector<Key>& keys) {
  std::unordered_map<std::string_view, const Key*> map;
  for (const Key& key : keys) map.emplace(key.name, &key);
  return map;
}

}  // namespace

const Key* find_key(std::string_view name) {
  static const auto keys = by_name(step_keys());
  return find_in(keys, name);
}

const Key* find_top_key(std::string_view name) {
  static const auto keys = by_name(top_keys());
  return find_in(keys, name);
}

const std::vector<std::string>& all_kinds() {
  static const std::vector<std::string> names{
#define KIND(name, constant, traits, type, default_text, doc) #name,
#include "engine/language/kinds.def"
#undef KIND
  };
  return names;
}

std::uint32_t kind_bit(std::string_view name) {
  auto found = std::find(all_kinds().begin(), all_kinds().end(), name);
  return found == all_kinds().end() ? 0 : 1u << (found - all_kinds().begin());
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

bool may_have_default(const Key& key) {
  static constexpr std::array<std::string_view, 22> kOwn{
      "secret",  "memo",   "memo_unsafe", "reads", "writes",      "id", "if",  "needs",   "after", "fallback", "undo",
      "undo_on", "atomic", "do",          "name",  "description", "as", "key", "collect", "with",  "split",    "on"};
  return std::find(kOwn.begin(), kOwn.end(), key.name) == kOwn.end() && kind_bit(key.name) == 0;
}

const std::vector<std::string>& join_words() {
  static const std::vector<std::string> words{"all", "best_effort", "first_success", "first_completed"};
  return words;
}

const std::vector<std::string>& error_types() {
  static const std::vector<std::string> types{"transient",
                                              "any",
                                              "connect",
                                              "dns",
                                              "tls",
                                              "timeout",
                                              "http",
                                              "expect",
                                              "returns",
                                              "parse",
                                              "exit",
                                              "killed",
                                              "spawn",
                                              "fail",
                                              "crash",
                                              "cancelled",
                                              "secret",
                                              "writes",
                                              "child",
                                              "restate",
                                              "restate.unreachable",
                                              "restate.service",
                                              "restate.size",
                                              "restate.killed",
                                              "restate.refused",
                                              "restate.worker",
                                              "restate.answer"};
  return types;
}

const std::vector<std::string>& caught_types() {
  static const std::vector<std::string> types = [] {
    std::vector<std::string> all = error_types();
    all.insert(all.end(), {"deadline", "rejected", "group", "repeat", "expression", "limit", "internal"});
    return all;
  }();
  return types;
}

bool is_own_error(std::string_view type) {
  const std::string_view family = type.substr(0, type.find('.'));
  return std::find(caught_types().begin(), caught_types().end(), family) != caught_types().end();
}

const std::vector<std::string>& http_methods() {
  static const std::vector<std::string> methods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  return methods;
}

bool is_reserved(std::string_view word) {
  static constexpr std::array<std::string_view, 10> kReserved{
      "schedule", "trigger", "container", "matrix", "while", "uses", "losers", "labels", "files", "stop_when"};
  return std::find(kReserved.begin(), kReserved.end(), word) != kReserved.end();
}

}  // namespace flowrun
