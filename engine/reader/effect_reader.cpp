// Reads http, shell and exec.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <sstream>

#include "engine/expression/pattern.h"
#include "engine/language/template.h"
#include "engine/model/encode.h"
#include "engine/reader/reading.h"
#include "engine/steps/http.h"
#include "engine/steps/process.h"

namespace flowrun {
namespace {

bool is_error_pattern(const std::string& text) {
  static const Pattern kNumbered(R"(http\.[1-5]([0-9][0-9]|xx)|exit\.[0-9]{1,3})");
  return std::find(error_types().begin(), error_types().end(), text) != error_types().end() || kNumbered.whole(text);
}

/// `write [ls, -l]` for `ls -l`; quotes and what a shell does with a line are not guessed at.
std::string as_list(const std::string& line) {
  static const Pattern kWords(R"(\s*[\w./:=@%+-]+(\s+[\w./:=@%+-]+)*\s*)");
  if (!kWords.whole(line)) return "write [PROGRAM, ARG, ...]";
  std::string list;
  std::istringstream words(line);
  for (std::string word; words >> word;) list += (list.empty() ? "" : ", ") + word;
  return "write [" + list + "]";
}

/// A condition where only an expression is evaluated: `if: false` is one, too.
std::optional<Expression> expression_of(const Setting<bool>& condition, const Node& node) {
  if (!condition.value) return condition.expression;
  Diagnostics none({});
  return Expression::compile(*condition.value ? "true" : "false", node.at, none);
}

void read_retry(Reading& reading, RetryPolicy& retry, const Node& node) {
  if (node.is_string() && node.text == "none") {
    retry.attempts = Setting<std::int64_t>(1);
    return;
  }
  if (!node.is_map()) {
    reading.error("E102", node.at, node.text.size(), "`retry` must be a map or none",
                  node.kind == Node::Kind::Integer
                      ? fmt::format("write {{ attempts: {} }}; the first try counts", node.text)
                      : "for example { attempts: 3 }");
    return;
  }
  reading.only(node, names_within("retry"), "`retry`");
  if (!retry.attempts.value || *retry.attempts.value < 2) retry.attempts = Setting<std::int64_t>(3);
  if (const Node* key = node.find("attempts")) retry.attempts = reading.count(*key, "attempts", 1);
  if (const Node* key = node.find("delay")) retry.delay = reading.duration(*key, "delay");
  if (const Node* key = node.find("backoff")) retry.backoff = reading.number(*key, "backoff");
  if (const Node* key = node.find("max_delay")) retry.max_delay = reading.duration(*key, "max_delay");
  if (const Node* key = node.find("jitter")) retry.jitter = reading.word(*key, "jitter", {"full", "none"}) == "full";
  if (const Node* key = node.find("on")) {
    retry.only_unsent = false;
    retry.on.clear();
    std::vector<Node> items = key->is_list() ? key->items : std::vector<Node>{*key};
    for (const Node& item : items) {
      if (!is_error_pattern(item.text)) {
        std::string near = nearest(item.text, error_types());
        reading.error(
            "E102", item.at, item.text.size(), fmt::format("`{}` is no type of error", item.text),
            near.empty() ? "for example transient, http.503, exit.75, timeout" : "did you mean `" + near + "`?");
      }
      retry.on.push_back(item.text);
    }
  }
  if (const Node* key = node.find("if")) {
    Reading::Binding raw(reading, {".", "error"});
    retry.condition = expression_of(reading.condition(*key), *key);
  }
}

void read_poll(Reading& reading, WorkStep& work, const Node& step, const Node& node) {
  if (!reading.is(node, Node::Kind::Map, "poll", "a map such as { until: ${ .body.done }, every: 10s }")) return;
  reading.only(node, names_within("poll"), "`poll`");
  PollPolicy& poll = work.poll.emplace();
  {
    Reading::RawBinding raw(reading, step);
    if (const Node* key = node.find("until")) poll.until = expression_of(reading.condition(*key), *key);
    if (const Node* key = node.find("fail_if")) poll.fail_if = expression_of(reading.condition(*key), *key);
  }
  if (const Node* key = node.find("every")) poll.every = reading.duration(*key, "every");
  if (const Node* key = node.find("backoff")) poll.backoff = reading.number(*key, "backoff");
  if (const Node* key = node.find("max_every")) poll.max_every = reading.duration(*key, "max_every");
  if (const Node* key = node.find("attempts")) poll.attempts = reading.count(*key, "attempts", 1);
  if (const Node* key = node.find("errors"))
    poll.errors_fail = reading.word(*key, "errors", {"retry", "fail"}) == "fail";
}

/// What of |node| a paginate can not be with; |step| is read but for its paginate.
void check_paginate(Reading& reading, const HttpStep& step, const Node& node, const Member& paginate) {
  auto against = [&](const std::string& other, const char* why, const char* suggestion) {
    reading.error("E106", paginate.at, paginate.key.size(), fmt::format("`paginate` with `{}`: {}", other, why),
                  suggestion);
  };
  if (node.find("poll"))
    against("poll", "one repeats a request until it is right, the other goes on to the next",
            "poll in a step before it");
  if (step.response == HttpRequest::Response::None || step.response == HttpRequest::Response::File)
    against(std::string("response: ") + (step.response == HttpRequest::Response::None ? "none" : "file"),
            "there is no page to put out", "leave `response` out");
}

void read_paginate(Reading& reading, HttpStep& step, const Node& of_step, const Node& node) {
  if (!node.is_map()) {
    bool link = node.is_string() && node.text == "link";
    reading.error("E102", node.at, node.text.size(), fmt::format("`paginate` must be a map, not {}", node.kind_name()),
                  link ? "write { next: link }"
                       : "for example { next: link }, or { next: \"${ .body.cursor }\", query: cursor }");
    return;
  }
  reading.only(node, names_within("paginate"), "`paginate`");
  PagePolicy& policy = step.paginate.emplace();
  const Node* next = node.find("next");
  bool link = next && next->is_string() && next->text == "link";
  if (!next) {
    reading.error("E110", node.at, 1, "`paginate` needs `next`: where the next page is",
                  "link, for the header Link, or an expression such as ${ .body.cursor }");
  } else if (!link) {
    Reading::RawBinding raw(reading, of_step);
    policy.next = reading.value(*next);
    std::size_t whole = 0, all = 0;
    policy.next->each([&](const Expression&, bool is_whole) {
      ++all;
      whole += is_whole ? 1 : 0;
    });
    if (!next->is_scalar() || all != 1 || whole != 1) {
      std::string near = next->is_string() ? nearest(next->text, {"link"}) : "";
      std::string suggestion =
          "for example ${ .body.next }; a text is made within: ${ \"/list?after=\\(.body.last)\" }";
      if (!near.empty()) suggestion = "did you mean `link`?";
      if (next->text.starts_with(".")) suggestion = "write ${ " + next->text + " }";
      reading.error("E102", next->at, next->text.size(), "`next` is `link` or one expression", suggestion);
    }
  }
  if (const Node* key = node.find("query")) {
    policy.query = reading.plain_text(*key, "query");
    if (policy.query.empty() && key->is_string())
      reading.error("E102", key->at, 1, "`query` is the name of a parameter, not empty", "for example cursor");
    if (link)
      reading.error("E106", key->at, key->text.size(), "`query` with `next: link`: a link is a whole URL",
                    "leave `query` out");
  }
  if (const Node* key = node.find("max_pages")) policy.max_pages = reading.count(*key, "max_pages", 1);
}

void read_expect(Reading& reading, HttpStep& step, const Node& whole, const Node& node) {
  auto add = [&](const Node& one) {
    static const Pattern kClass("([1-5])xx"), kOne("[1-5][0-9][0-9]"), kRange("([1-5][0-9][0-9])-([1-5][0-9][0-9])");
    if (one.text == "any") {
      step.expect.clear();
    } else if (kClass.whole(one.text)) {
      int first = (one.text[0] - '0') * 100;
      step.expect.push_back({first, first + 99});
    } else if (kOne.whole(one.text)) {
      step.expect.push_back({std::stoi(one.text), std::stoi(one.text)});
    } else if (auto found = kRange.whole(one.text); found && (*found)[1] <= (*found)[2]) {
      step.expect.push_back({std::stoi(std::string((*found)[1])), std::stoi(std::string((*found)[2]))});
    } else {
      reading.error("E102", one.at, one.text.size(), fmt::format("`expect` does not know `{}`", one.text),
                    "for example 200, 2xx, 200-204, [200, 404] or any");
    }
  };
  auto statuses = [&](const Node& what) {
    step.expect.clear();
    if (what.is_list()) {
      for (const Node& one : what.items) add(one);
    } else {
      add(what);
    }
  };
  if (!node.is_map()) return statuses(node);
  reading.only(node, names_within("expect"), "`expect`");
  if (const Node* key = node.find("status")) statuses(*key);
  if (const Node* key = node.find("if")) {
    Reading::RawBinding raw(reading, whole);
    step.expect_condition = expression_of(reading.condition(*key), *key);
  }
}

void read_url(Reading& reading, HttpStep& step, const Node& node) {
  if (!reading.is(node, Node::Kind::String, "http", "[METHOD] URL")) return;
  static const Pattern kMethod(R"(^(\s*([A-Za-z]+)\s+)\S)");
  Node url = node;
  std::size_t behind_method = 0;
  if (auto found = kMethod.first(node.text)) {
    step.method = (*found)[2];
    const std::vector<std::string>& methods = http_methods();
    if (std::find(methods.begin(), methods.end(), step.method) == methods.end()) {
      std::string upper = step.method;
      for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      std::string near = nearest(upper, methods);
      reading.error("E102", node.at, step.method.size(), fmt::format("no method `{}`", step.method),
                    near.empty() ? "GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS" : "did you mean `" + near + "`?");
    }
    behind_method = (*found)[1].size();
    url.text = node.text.substr(behind_method);
    if (!url.block) url.at.column += static_cast<int>(behind_method);
  }
  bool allowed = std::exchange(reading.secrets_allowed, true);
  step.url = reading.text(node, behind_method);
  reading.secrets_allowed = allowed;
  if (step.url.constant() && !step.url.parts.empty()) {
    const std::string& text = std::get<std::string>(step.url.parts.front());
    static const Pattern kWord("[A-Z]+");
    bool only_method = kWord.whole(text).has_value();
    if (text.rfind("http://", 0) != 0 && text.rfind("https://", 0) != 0)
      reading.error("E102", url.at, url.text.size(), fmt::format("`{}` is no http or https URL", text),
                    only_method || text.find("://") != std::string::npos ? "[METHOD] URL, for example GET https://..."
                    : text.starts_with('$')                              ? "an expression has braces: ${ " + text + " }"
                                                                         : "write https://" + text);
  } else if (url.text.find_first_not_of(" \t\n") == std::string::npos) {
    reading.error("E102", node.at, node.text.size(), "there is no URL", "[METHOD] URL, for example GET https://...");
  }
}

/// What is written of headers, and is wrong whatever the expressions in it give.
void check_headers(Reading& reading, const Node& headers) {
  for (const Member& header : headers.members) {
    const bool written = header.value.is_scalar() && header.value.text.find("${") == std::string::npos;
    if (std::string fault = header_fault(header.key, ""); !fault.empty())
      reading.error("E102", header.at, header.key.size(), fault, "leave it out");
    else if (fault = header_fault(header.key, written ? header.value.text : ""); !fault.empty())
      reading.error("E102", header.value.at, header.value.text.size(), fault);
  }
}

/// Options of shell and exec.
void read_process(Reading& reading, ProcessStep& step, const Node& node) {
  {
    bool allowed = std::exchange(reading.secrets_allowed, true);
    if (const Node* key = node.find("env"))
      if (reading.is(*key, Node::Kind::Map, "env", "a map of names to values")) step.env = reading.value(*key);
    if (const Node* key = node.find("stdin")) step.input = reading.value(*key);
    reading.secrets_allowed = allowed;
  }
  if (const Node* key = node.find("inherit_env")) {
    if (key->is_list()) {
      step.inherit = Process::Inherit::Listed;
      for (const Node& item : key->items) step.inherited.push_back(reading.plain_text(item, "inherit_env"));
    } else if (reading.is(*key, Node::Kind::Boolean, "inherit_env", "true, false or a list of names")) {
      step.inherit = key->json().get<bool>() ? Process::Inherit::All : Process::Inherit::None;
    }
  }
  if (const Node* key = node.find("cwd")) step.cwd = reading.text(*key);
  if (const Node* key = node.find("capture")) {
    const std::vector<std::string> words{"text", "json", "jsonl", "lines", "none", "file"};
    std::string word = reading.word(*key, "capture", words);
    step.capture = static_cast<Process::Capture>(std::find(words.begin(), words.end(), word) - words.begin());
  }
  if (const Node* key = node.find("success_codes")) {
    step.success_codes.clear();
    std::vector<Node> items = key->is_list() ? key->items : std::vector<Node>{*key};
    for (const Node& item : items) {
      auto code = reading.plain_count(item, "success_codes", 0);
      if (code && *code > 255) reading.error("E102", item.at, item.text.size(), "an exit code is at most 255");
      if (code) step.success_codes.push_back(static_cast<int>(std::min<std::int64_t>(*code, 255)));
    }
  }
  if (const Node* key = node.find("kill_grace")) step.kill_grace = reading.duration(*key, "kill_grace");
  if (const Node* key = node.find("leave"); key && reading.is(*key, Node::Kind::Boolean, "leave", "true or false"))
    step.leave = key->json().get<bool>();
  if (const Node* key = node.find("max_output"))
    if (auto size = reading.size(*key, "max_output")) step.max_output = *size;
  read_effect(reading, step, node, {"exit", "killed", "timeout"});
  // A written limit is a written width.
  const bool sized = step.limit && step.limit->max > 0;
  step.shares_cpus = reading.in_unsized_for_each && !sized;
  step.follows_file = !reading.in_for_each && !sized;
}

}  // namespace

void read_work(Reading& reading, WorkStep& step, const Node& node, std::vector<std::string> retry_on) {
  step.retry.on = std::move(retry_on);
  if (const Node* key = node.find("retry")) read_retry(reading, step.retry, *key);
  if (const Node* key = node.find("poll")) read_poll(reading, step, node, *key);
  if (const Node* key = node.find("deadline")) step.deadline = reading.duration(*key, "deadline");
}

void read_effect(Reading& reading, EffectStep& step, const Node& node, std::vector<std::string> retry_on) {
  read_work(reading, step, node, std::move(retry_on));
  if (const Node* key = node.find("limit")) step.limit = reading.limit(*key);
  if (const Node* key = node.find("on_crash")) {
    std::string word = reading.word(*key, "on_crash", {"rerun", "ask", "fail"});
    step.on_crash = word == "ask" ? OnCrash::Ask : word == "fail" ? OnCrash::Fail : OnCrash::Rerun;
  }
}

std::unique_ptr<LivingStep> read_http(Reading& reading, const Node& node) {
  auto step = std::make_unique<HttpStep>();
  reading.http = true;
  read_url(reading, *step, *node.find("http"));
  bool posts = step->method == "POST" || step->method == "PATCH";
  bool allowed = std::exchange(reading.secrets_allowed, true);
  for (auto [name, into] : {std::pair<const char*, ValueTemplate*>{"query", &step->query}, {"headers", &step->headers}})
    if (const Node* key = node.find(name))
      if (reading.is(*key, Node::Kind::Map, name, "a map")) *into = reading.value(*key);
  if (const Node* key = node.find("headers"); key && key->is_map()) check_headers(reading, *key);
  if (const Node* key = node.find("auth"); key && !(key->is_string() && key->text == "none")) {
    if (reading.is(*key, Node::Kind::Map, "auth", "a map or none")) {
      reading.only(*key, names_within("auth"), "`auth`");
      if (key->members.size() != 1) reading.error("E102", key->at, 1, "`auth` takes one of bearer, basic, header");
      if (const Node* basic = key->find("basic");
          basic && reading.is(*basic, Node::Kind::Map, "basic", "a map of `user` and `password`"))
        for (const char* part : {"user", "password"}) {
          const Node* given = basic->find(part);
          if (!given) {
            reading.error("E110", basic->at, 1, fmt::format("`basic` needs `{}`", part));
          } else if (part == std::string_view("user") && given->is_scalar() &&
                     given->text.find(':') != std::string::npos && given->text.find("${") == std::string::npos) {
            reading.error("E102", given->at, given->text.size(),
                          "a `:` in the user, which ends it: servers take the rest for the password");
          }
        }
      if (const Node* header = key->find("header"))
        if (reading.is(*header, Node::Kind::Map, "header", "{ NAME: value }")) check_headers(reading, *header);
      step->auth = reading.value(*key);
    }
  }
  const Member* body = nullptr;
  for (const auto& [name, kind] : {std::pair<const char*, HttpStep::Body>{"json", HttpStep::Body::Json},
                                   {"form", HttpStep::Body::Form},
                                   {"text", HttpStep::Body::Text},
                                   {"file", HttpStep::Body::File}}) {
    const Member* member = node.member(name);
    if (!member) continue;
    if (body) {
      reading.error("E106", member->at, member->key.size(),
                    fmt::format("two bodies, `{}` and `{}`: a request has one", body->key, member->key));
      continue;
    }
    body = member;
    step->body = kind;
    // The name of a file is journaled and told.
    bool also = std::exchange(reading.secrets_allowed, kind != HttpStep::Body::File);
    step->content = reading.value(member->value);
    reading.secrets_allowed = also;
    bool expression = member->value.is_string() && member->value.text.find("${") != std::string::npos;
    if (kind == HttpStep::Body::Form && !expression) reading.is(member->value, Node::Kind::Map, "form", "a map");
    bool text = kind == HttpStep::Body::Text || kind == HttpStep::Body::File;
    if (text && (!member->value.is_scalar() || member->value.kind == Node::Kind::Null))
      reading.is(member->value, Node::Kind::String, name, kind == HttpStep::Body::File ? "the path of a file" : "text");
  }
  if (body && (step->method == "GET" || step->method == "HEAD"))
    reading.error("E106", body->at, body->key.size(), fmt::format("a {} has no body", step->method),
                  "write http: POST URL");
  reading.secrets_allowed = allowed;
  if (const Node* key = node.find("idempotency_key")) {
    if (key->is_string() && key->text == "none") {
      step->idempotency = HttpStep::Key::None;
    } else if (!(key->is_string() && key->text == "auto")) {
      step->idempotency = HttpStep::Key::Own;
      step->own_key = reading.text(*key);
    }
  }
  if (const Node* key = node.find("expect")) read_expect(reading, *step, node, *key);
  if (const Node* key = node.find("response")) {
    const std::vector<std::string> words{"auto", "json", "text", "base64", "none", "file"};
    step->response = static_cast<HttpRequest::Response>(
        std::find(words.begin(), words.end(), reading.word(*key, "response", words)) - words.begin());
  }
  if (step->response == HttpRequest::Response::File) step->max_response = std::int64_t{64} << 30;
  if (const Node* key = node.find("max_response"))
    if (auto size = reading.size(*key, "max_response")) step->max_response = *size;
  if (const Node* key = node.find("follow_redirects")) {
    if (key->kind == Node::Kind::Boolean) {
      step->max_redirects = key->json().get<bool>() ? 10 : 0;
    } else if (key->is_string() && key->text.find("${") == std::string::npos) {
      reading.error("E102", key->at, key->text.size(),
                    fmt::format("`follow_redirects` must be a count, true or false, not `{}`", key->text));
    } else if (auto count = reading.plain_count(*key, "follow_redirects", 0)) {
      step->max_redirects = static_cast<int>(std::min<std::int64_t>(*count, 1000));
    }
  }
  if (const Node* tls = node.find("tls"); tls && reading.is(*tls, Node::Kind::Map, "tls", "a map")) {
    reading.only(*tls, names_within("tls"), "`tls`");
    for (auto [name, into] : {std::pair<const char*, std::optional<TextTemplate>*>{"ca", &step->ca},
                              {"cert", &step->cert},
                              {"key", &step->key_file}})
      if (const Node* key = tls->find(name)) {
        *into = reading.text(*key);
        reading.must_exist(*key, key->text, "E306");
      }
    if (const Node* key = tls->find("verify")) step->verify = reading.plain_boolean(*key, "verify").value_or(true);
  }
  if (const Node* key = node.find("proxy")) step->proxy = reading.text(*key);
  if (const Node* key = node.find("connect_timeout")) step->connect_timeout = reading.duration(*key, "connect_timeout");
  if (const Node* key = node.find("idle_timeout")) step->idle_timeout = reading.duration(*key, "idle_timeout");

  // Repeating a GET is harmless; a POST is repeated when nothing was sent, or with its key when the workflow asks for
  // it.
  bool keyed = step->idempotency != HttpStep::Key::None;
  bool repeats = node.find("retry") && keyed;
  step->retry.attempts = Setting<std::int64_t>(3);
  step->retry.only_unsent = posts && !repeats;
  if (posts && !keyed) step->on_crash = OnCrash::Ask;
  std::vector<std::string> on{"transient"};
  if (posts && !repeats) on = {"connect", "dns"};
  read_effect(reading, *step, node, std::move(on));
  if (const Member* member = node.member("paginate")) {
    check_paginate(reading, *step, node, *member);
    read_paginate(reading, *step, node, member->value);
  }
  return step;
}

std::unique_ptr<LivingStep> read_shell(Reading& reading, const Node& node) {
  auto step = std::make_unique<ProcessStep>();
  const Node& script = *node.find("shell");
  if (reading.is(script, Node::Kind::String, "shell", "a script")) step->script = script.text;
  if (script.text.empty() && script.is_string()) reading.error("E102", script.at, 1, "the script is empty");
  if (const Node* key = node.find("interpreter"); key && reading.is(*key, Node::Kind::List, "interpreter", "a list")) {
    step->interpreter.clear();
    for (const Node& item : key->items) step->interpreter.push_back(reading.plain_text(item, "interpreter"));
    if (step->interpreter.empty()) reading.error("E102", key->at, 1, "the interpreter is missing", "for example [sh]");
  }
  read_process(reading, *step, node);
  return step;
}

std::unique_ptr<LivingStep> read_exec(Reading& reading, const Node& node) {
  auto step = std::make_unique<ProcessStep>();
  const Node& list = *node.find("exec");
  if (list.is_string()) {
    reading.error("E102", list.at, list.text.size(), "`exec` takes a list: the program and its arguments",
                  as_list(list.text) + ", or use `shell`");
  } else if (reading.is(list, Node::Kind::List, "exec", "a list: the program and its arguments")) {
    if (list.items.empty()) reading.error("E102", list.at, 1, "the program is missing");
    for (const Node& item : list.items) {
      if (item.kind == Node::Kind::Null) {
        reading.error("E102", item.at, item.text.size(), "an argument is null", "write \"\" for an empty one");
      } else {
        step->arguments.push_back(reading.text(item));
      }
    }
  }
  read_process(reading, *step, node);
  return step;
}

}  // namespace flowrun
