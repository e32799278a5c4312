#include "engine/language/other_words.h"

#include <span>
#include <unordered_map>

#include "engine/language/keys.h"

namespace flowrun {
namespace {

/// A word that stands within the map, or as the value, of |key|.
struct Row {
  std::string_view key, word;
  const char* advice;
};

std::string advice_in(std::span<const Row> rows, std::string_view key, std::string_view word) {
  for (const Row& row : rows)
    if (row.key == key && row.word == word) return row.advice;
  return "";
}

}  // namespace

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
      {"max_parallel", "use `concurrency`"},
      {"workers", "use `concurrency`"},
      {"rate_limit", "use `limit`; its pool stands at the top: limits: { api: { rate: 50/s } }"},
      {"throttle", "use `limit`; its pool stands at the top: limits: { api: { rate: 50/s } }"},
      {"data", "use `json`, `form`, `text`, `file` or `multipart`"},
      {"params", "use `query`"},
      {"status", "use `expect`, for example `expect: { status: 201 }`"},
      {"insecure", "use `tls: { verify: false }`"},
      {"register", "what a step puts out is `$steps.NAME`, without being asked"},
      {"parse", "use `response: json`, of processes `capture: json`"},
      {"always", "use `finally` at the top, or `after` for a step that runs however another ends"},
      {"allow_failures", "use `join: { tolerate: 2 }`, of a single step `continue_on_error`"},
      {"dir", "use `cwd`"},
      {"variables", "use `vars` at the top, of processes `env`"},
      {"vars", "it stands at the top; for a value of its own make a step `set`"},
      {"sh", "use `shell`"},
      {"bash", "use `shell`; it is run by bash"},
      {"curl", "use `http`, for example `http: GET https://host/path`"},
      {"each", "use `for_each`"},
      {"include", "use `workflow`"},
      {"assert", "use `fail` with `if`"},
      {"approve", "use `wait`"},
      {"max_concurrent", "use `concurrency`"},
      {"wrapper", "use `via`, for example `via: [nice, -n, 10]`"},
      {"prefix", "use `via`, for example `via: [nice, -n, 10]`"},
      {"launcher", "use `via`, for example `via: [srun, -n1]`"},
      {"runs-on", "use `via`, for example `via: [ssh, build7]`"},
      {"runs_on", "use `via`, for example `via: [ssh, build7]`"},
      {"host", "use `via`, for example `via: [ssh, build7]`"},
      {"ssh", "use `shell` or `exec`, and `via: [ssh, HOST]`"},
      {"docker", "use `shell` or `exec`, and `via: [docker, run, --rm, IMAGE]`"},
      {"timeout-minutes", "use `timeout`, for example `timeout: 5m`"},
      {"outputs", "use `output`"},
      {"catch", "use `fallback`"},
      {"rescue", "use `fallback`"},
      {"rollback", "use `undo`"},
      {"compensate", "use `undo`"},
      {"compensation", "use `undo`"},
      {"compete", "use `race`"},
      {"retries", "did you mean `retry`? for example `retry: { attempts: 3 }`"},
      {"retires", "did you mean `retry`? for example `retry: { attempts: 3 }`"},
      {"attempt_timeout", "use `timeout`"},
      {"upload", "use `file`, or `multipart` for a form with files"},
      {"body", "use `json`, `form`, `text`, `file` or `multipart`"},
      {"matrix", "use `for_each`; jq makes products: ${ [{os: (\"a\", \"b\"), n: (1, 2)}] }"},
      {"uses", "use `workflow`"},
      {"while", "write repeat: { while: ... }, or use `poll` to wait for something"},
      {"max_attempts", "use `retry: { attempts: 3 }`"},
      {"maxRetries", "use `retry: { attempts: 3 }`"},
      {"environment", "use `env`"},
      {"args", "write `exec: [PROGRAM, ARG, ...]`"},
      {"loop", "use `for_each`, or `repeat` where each round needs what the last one put out"},
      {"until", "write repeat: { until: ... }, or poll: { until: ... } to wait for something"},
      {"pagination", "use `paginate`, for example `paginate: { next: link }`"},
      {"pages", "use `paginate`, for example `paginate: { next: link }`"},
      {"paging", "use `paginate`, for example `paginate: { next: link }`"},
      {"follow", "use `paginate`, for example `paginate: { next: link }`"},
      {"next", "write `paginate: { next: ... }`"},
      {"cursor", "write `paginate: { next: \"${ .body.cursor }\", query: cursor }`"},
      {"on_error", "use `fallback`"},
      {"working_directory", "use `cwd`"},
      {"workdir", "use `cwd`"},
      {"allow-failure", "use `continue_on_error`"},
      {"type", "the kind is the key itself: `http`, `shell`, `exec`, ..."},
      {"url", "write `http: [METHOD] URL`"},
      {"method", "write `http: [METHOD] URL`"},
      {"steps", "use `sequence`, `parallel` or `do`"},
  };
  if (word == "env" && kind == kHttp) return "for a header use `headers`";
  if ((word == "body" || word == "data") && (kind & kProcess)) return "use `stdin`";
  const bool of_width = word == "max_parallel" || word == "workers" || word == "max-parallel" || word == "parallelism";
  if (of_width && (kind & (kHttp | kProcess))) return "use `limit`; `concurrency` is of for_each and of the whole run";
  if (word == "run" && kind != 0) return "a step has one kind; make two steps of it";
  auto found = others.find(word);
  return found == others.end() ? "" : found->second;
}

std::string advice_within(std::string_view key, std::string_view word) {
  static constexpr Row kRows[]{
      {"retry", "max", "use `attempts`; the first try counts"},
      {"retry", "count", "use `attempts`; the first try counts"},
      {"retry", "times", "use `attempts`; the first try counts"},
      {"retry", "limit", "use `attempts`; the first try counts"},
      {"retry", "max_attempts", "use `attempts`"},
      {"retry", "interval", "use `delay`"},
      {"retry", "wait", "use `delay`"},
      {"poll", "interval", "use `every`"},
      {"poll", "delay", "use `every`"},
      {"poll", "while", "use `until`, which is what must hold in the end"},
      {"poll", "max", "use `attempts`"},
      {"poll", "timeout", "use `deadline` beside `poll`; `timeout` is of each try"},
      {"join", "any", "use `join: first_success`"},
      {"join", "majority", "use `quorum`, for example `join: { quorum: 51% }`"},
      // Where pages go by other names.
      {"paginate", "link", "write `next: link`"},
      {"paginate", "links", "write `next: link`"},
      {"paginate", "rel", "write `next: link`"},
      {"paginate", "url", "write `next: ${ .body.next }`, or where else the URL stands"},
      {"paginate", "next_url", "write `next: ${ .body.next_url }`, or where else the URL stands"},
      {"paginate", "cursor", "write `next: ${ .body.cursor }` and `query: cursor`"},
      {"paginate", "token", "write `next: ${ .body.token }` and `query: token`"},
      {"paginate", "next_token", "write `next: ${ .body.next_token }` and `query: token`"},
      {"paginate", "page", "write `next: ${ .page + 1 }` and `query: page`"},
      {"paginate", "param", "use `query`"},
      {"paginate", "parameter", "use `query`"},
      {"paginate", "limit", "use `max_pages`"},
      {"paginate", "max", "use `max_pages`"},
      {"paginate", "pages", "use `max_pages`"},
      {"paginate", "items", "the items of a page are the step's `output`, for example `output: ${ .body.items }`"},
      {"paginate", "output", "`output` stands beside `paginate`, and is asked of each page"},
      {"paginate", "until", "`next` ends it with null: next: ${ if .body.more then .body.cursor else null end }"},
  };
  return advice_in(kRows, key, word);
}

std::string advice_on_value(std::string_view key, std::string_view value) {
  static constexpr Row kRows[]{
      {"join", "any", "use `first_success`, or `first_completed` for whoever ends first"},
      {"join", "first", "use `first_success`, or `first_completed` for whoever ends first"},
      {"join", "majority", "use `join: { quorum: 51% }`"},
      {"join", "none", "use `best_effort`"},
      {"fail_fast", "never", "use `false`"},
      {"on_crash", "retry", "use `rerun`"},
      {"response", "raw", "use `text`, or `base64` for bytes"},
      {"response", "binary", "use `base64`, or `file`"},
      {"response", "ndjson", "use `jsonl`"},
      {"response", "lines", "use `jsonl`, or `text`"},
      {"capture", "raw", "use `text`, or `base64` for bytes"},
      {"capture", "binary", "use `base64`"},
      {"capture", "ndjson", "use `jsonl`"},
      {"capture", "all", "use `text`, or `lines` for a list"},
  };
  return advice_in(kRows, key, value);
}

std::string advice_at_top(std::string_view word) {
  static const std::unordered_map<std::string_view, const char*> others{
      {"inputs", "use `input`"},
      {"parameters", "use `input`"},
      {"params", "use `input`"},
      {"jobs", "use `steps`"},
      {"tasks", "use `steps`"},
      {"stages", "use `steps`"},
      {"outputs", "use `output`"},
      {"variables", "use `vars`"},
      {"always", "use `finally`"},
      {"workers", "use `concurrency`"},
      {"max_parallel", "use `concurrency`"},
      {"concurrency_group", "use `exclusive`, for example `exclusive: deploy`"},
      {"mutex", "use `exclusive`, for example `exclusive: deploy`"},
      {"lock", "use `exclusive`, for example `exclusive: deploy`"},
      {"singleton", "use `exclusive`, for example `exclusive: deploy`"},
      {"max_active_runs", "use `exclusive`, for example `exclusive: deploy`"},
      {"dir", "use `cwd`"},
      {"rate_limit", "use `limits: { api: { rate: 50/s } }`, and `limit: api` on the steps"},
      {"throttle", "use `limits: { api: { rate: 50/s } }`, and `limit: api` on the steps"},
      {"locals", "use `vars`"},
      {"on", "flowrun waits for nothing: call `flowrun run` from cron, a timer or CI"},
      {"schedule", "call `flowrun run --id` from cron or a systemd timer"},
      {"trigger", "call `flowrun run` from what triggers it"},
      {"environment", "use `env`"},
      {"working_directory", "use `cwd`"},
      {"max-parallel", "use `concurrency`"},
      {"fail-fast", "use `fail_fast`"},
      {"parallelism", "use `concurrency`"},
      {"max_concurrent", "use `concurrency`"},
      {"timeout-minutes", "use `timeout`, for example `timeout: 5m`"},
      {"catch", "use `on_failure`"},
      {"rescue", "use `on_failure`"},
      {"working-directory", "use `cwd`"},
      {"continue-on-error", "it is an option of a step, `continue_on_error`; steps stand below `steps:`"},
      {"title", "use `name` or `description`"},
  };
  auto found = others.find(word);
  if (found != others.end()) return found->second;
  return find_key(word) ? "it is a key of a step; steps stand below `steps:`" : "";
}

}  // namespace flowrun
