// Lints of work: what is done twice, how often it is tried, how long it may take, who can listen.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "engine/language/keys.h"
#include "engine/language/template.h"
#include "engine/lint/rules.h"
#include "engine/steps/http.h"
#include "engine/steps/process.h"

namespace flowrun::lint_rules {
namespace {

bool is_one_of(std::string_view word, const auto& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// The words of a name or of an argument: `deploy_eu`, `./deploy.sh` and `deploy-eu` have `deploy`.
bool has_word(std::string_view text, const auto& words) {
  std::size_t from = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && std::isalpha(static_cast<unsigned char>(text[i]))) continue;
    if (i > from && is_one_of(text.substr(from, i - from), words)) return true;
    from = i + 1;
  }
  return false;
}

// What is worse done twice than asked about.
constexpr std::array<std::string_view, 5> kOnceWords{"deploy", "publish", "pay", "send", "migrate"};

/// Patterns of `retry.on` with where they stand; none when `on` is not written.
std::vector<const Node*> retry_on(const WorkflowIndex& index, const IndexedStep& indexed) {
  std::vector<const Node*> patterns;
  const Member* retry = index.option(indexed, "retry");
  const Node* on = retry ? retry->value.find("on") : nullptr;
  if (on && !on->is_list()) patterns.push_back(on);
  if (on)
    for (const Node& item : on->items) patterns.push_back(&item);
  return patterns;
}

/// `retry` for `all` kinds may name errors of each.
bool written_for_all(const WorkflowIndex& index, const IndexedStep& indexed) {
  const Node* defaults = index.root.find("defaults");
  const Node* all = defaults ? defaults->find("all") : nullptr;
  return all && index.option(indexed, "retry") == all->member("retry");
}

bool tries_again(const RetryPolicy& retry) { return retry.attempts.expression || retry.attempts.value.value_or(1) > 1; }

/// The literal duration at |key| of |map|.
std::optional<Duration> duration_at(const Node* map, const char* key) {
  const Node* found = map ? map->find(key) : nullptr;
  return found && found->is_string() ? parse_duration(found->text) : std::nullopt;
}

void contradiction(Findings& findings, const Node* shorter_in, const char* shorter, const Node* longer_in,
                   const char* longer, const char* advice) {
  auto less = duration_at(shorter_in, shorter), more = duration_at(longer_in, longer);
  if (less && more && *less < *more)
    findings.add(*shorter_in->find(shorter),
                 fmt::format("`{}` is shorter than `{}`, which is {}", shorter, longer, to_string(*more)), advice);
}

/// Scheme, host and what follows of a URL as far as they are literal; a value that begins it is looked up.
std::string literal_begin(const WorkflowIndex& index, const TextTemplate& url) {
  std::string begin;
  for (const TextTemplate::Part& part : url.parts) {
    if (const auto* text = std::get_if<std::string>(&part)) {
      begin += *text;
      continue;
    }
    const std::vector<Reference>& names = std::get<Expression>(part).references();
    if (!begin.empty() || names.size() != 1) break;
    const Node* declared = names[0].variable == "input"  ? index.root.find("input")
                           : names[0].variable == "vars" ? index.root.find("vars")
                                                         : nullptr;
    const Node* value = declared ? declared->find(names[0].member) : nullptr;
    if (value && value->is_map()) value = value->find("default");
    if (!value || !value->is_string() || value->text.find("${") != std::string::npos) break;
    begin = value->text;
  }
  return begin;
}

/// The host of a URL that sends in clear text to another machine; empty: it does not, or that is not known.
std::string exposed_host(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return "";
  std::string host = url.substr(kScheme.size());
  host.resize(std::min(host.find_first_of("/?#"), host.size()));
  if (std::size_t user = host.rfind('@'); user != std::string::npos) host.erase(0, user + 1);
  if (host.starts_with("[::1]")) return "";
  if (!host.starts_with('[')) host.resize(std::min(host.find(':'), host.size()));
  bool loopback = host == "localhost" || host.ends_with(".localhost") || host.starts_with("127.");
  return loopback ? "" : host;
}

bool is_authorization(const std::string& header) {
  std::string lower = header;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower == "authorization" || lower == "proxy-authorization" || lower == "cookie";
}

}  // namespace

void unprotected_retry(const WorkflowIndex& index, Findings& findings) {
  for (const IndexedStep& indexed : index.steps) {
    auto* call = dynamic_cast<const HttpStep*>(indexed.step);
    if (!call || (call->method != "POST" && call->method != "PATCH") || call->idempotency != HttpStep::Key::None ||
        !tries_again(call->retry))
      continue;
    for (const Node* pattern : retry_on(index, indexed)) {
      if (pattern->text == "connect" || pattern->text == "dns") continue;
      findings.add(*pattern,
                   fmt::format("a {} that may have arrived is sent again, without a key that shows it", call->method),
                   "leave out `idempotency_key: none`, or try again on connect and dns only");
      break;
    }
  }
}

void retry_without_key(const WorkflowIndex& index, Findings& findings) {
  // Only where something elsewhere is plainly changed: most scripts may simply run again.
  static constexpr std::array<std::string_view, 9> kEffects{"deploy",   "publish", "pay",    "send",  "migrate",
                                                            "sendmail", "charge",  "refund", "notify"};
  for (const IndexedStep& indexed : index.steps) {
    auto* process = dynamic_cast<const ProcessStep*>(indexed.step);
    const Member* retry = index.option(indexed, "retry");
    if (!process || !retry || !tries_again(process->retry)) continue;
    std::string text = process->script.value_or("");
    for (const TextTemplate& argument : process->arguments)
      if (!argument.parts.empty() && argument.constant()) text += std::get<std::string>(argument.parts.front()) + " ";
    bool posts = has_word(text, std::array<std::string_view, 1>{"curl"}) &&
                 (text.find(" -X") != std::string::npos || text.find(" --request") != std::string::npos ||
                  text.find(" -d") != std::string::npos || text.find(" --data") != std::string::npos);
    if (!posts && !has_word(indexed.step->name, kOnceWords) && !has_word(text, kEffects)) continue;
    bool passes = text.find("FLOWRUN_IDEMPOTENCY_KEY") != std::string::npos ||
                  text.find("dempotency") != std::string::npos || text.find("FLOWRUN_ATTEMPT") != std::string::npos;
    if (!passes)
      findings.add(*retry, fmt::format("{} may do twice what it does elsewhere", indexed.said_name),
                   "pass \"$FLOWRUN_IDEMPOTENCY_KEY\" on, which is the same in every try");
  }
}

void effect_after_crash(const WorkflowIndex& index, Findings& findings) {
  for (const IndexedStep& indexed : index.steps) {
    auto* process = dynamic_cast<const ProcessStep*>(indexed.step);
    if (!process || index.option(indexed, "on_crash")) continue;
    // A step that stands by itself is called what the step around it is called.
    const IndexedStep* named = &indexed;
    while (named->body && named->body->form == GraphStep::Form::Single && named->around >= 0)
      named = &index.steps[static_cast<std::size_t>(named->around)];
    if (!has_word(named->step->name, kOnceWords)) continue;
    const std::string script = process->script.value_or("");
    if (script.find("FLOWRUN_RERUN") != std::string::npos ||
        script.find("FLOWRUN_IDEMPOTENCY_KEY") != std::string::npos)
      continue;
    findings.add(*indexed.node->member(indexed.step->kind),
                 fmt::format("{} runs again when a crash has cut it off", named->said_name),
                 "say on_crash: ask when twice is worse than a question, or on_crash: rerun when it is not");
  }
}

void contradictory_times(const WorkflowIndex& index, Findings& findings) {
  // Only what is written in one place: a step may well be shorter than the defaults.
  std::vector<const Node*> places;
  for (const IndexedStep& indexed : index.steps)
    if (indexed.kind & kWork) places.push_back(indexed.node);
  if (const Node* defaults = index.root.find("defaults"))
    for (const Member& group : defaults->members) places.push_back(&group.value);
  for (const Node* place : places) {
    contradiction(findings, place, "deadline", place, "timeout", "a deadline is for all tries, a timeout for one");
    contradiction(findings, place, "timeout", place, "connect_timeout", "a timeout is for the whole try");
    if (const Node* poll = place->find("poll"); poll && poll->is_map()) {
      contradiction(findings, place, "deadline", poll, "every", "there is never a second poll; make `every` shorter");
      contradiction(findings, poll, "max_every", poll, "every", "make `max_every` the longer one");
    }
    const Node* retry = place->find("retry");
    if (!retry || !retry->is_map()) continue;
    contradiction(findings, place, "deadline", retry, "delay",
                  "there may never be a second try; make the delay shorter");
    contradiction(findings, retry, "max_delay", retry, "delay", "make `max_delay` the longer one");
  }
}

void short_group_timeout(const WorkflowIndex& index, Findings& findings) {
  struct Longest {
    Duration time{0};
    const IndexedStep* step = nullptr;
    const char* key = "";
  };
  // From the inside out: what is inside a step stands behind it.
  std::vector<Longest> inside(index.steps.size());
  Longest top;
  auto judge = [&](const Node& limit, const Longest& longest) {
    auto time = limit.is_string() ? parse_duration(limit.text) : std::nullopt;
    if (time && longest.step && *time < longest.time)
      findings.add(limit,
                   fmt::format("this is over before the `{}` of {}, which is {} (line {})", longest.key,
                               longest.step->said_name, to_string(longest.time), longest.step->at.line),
                   "make one longer or the other shorter");
  };
  for (std::size_t i = index.steps.size(); i-- > 0;) {
    const IndexedStep& indexed = index.steps[i];
    const Node* own = indexed.node->find("timeout");
    if (own && inside[i].step) judge(*own, inside[i]);
    if (!indexed.body) continue;  // a fallback runs only when there is need
    // Nothing in a group outlives the group.
    Longest longest = own ? Longest{} : inside[i];
    for (const char* key : {"timeout", "deadline", "sleep", "delay"})
      if (auto time = duration_at(indexed.node, key); time && *time > longest.time) longest = {*time, &indexed, key};
    // The timeout of the run is not that of its handlers.
    bool handler = indexed.around < 0 && indexed.body != index.workflow.body.get();
    Longest& around = indexed.around < 0 ? top : inside[static_cast<std::size_t>(indexed.around)];
    if (!handler && longest.time > around.time) around = longest;
  }
  if (const Node* limit = index.root.find("timeout")) judge(*limit, top);
}

void endless_wait(const WorkflowIndex& index, Findings& findings) {
  if (index.root.find("timeout")) return;
  for (const IndexedStep& indexed : index.steps) {
    auto* work = dynamic_cast<const RetrySettings*>(indexed.step);
    const Member* poll = work && work->poll ? index.option(indexed, "poll") : nullptr;
    if (indexed.kind != kWait && !poll) continue;
    bool ends =
        poll ? work->deadline.written() || work->poll->attempts.written() : index.option(indexed, "timeout") != nullptr;
    for (int i = indexed.around; i >= 0 && !ends; i = index.steps[static_cast<std::size_t>(i)].around)
      ends = index.steps[static_cast<std::size_t>(i)].step->options.timeout.written();
    if (!ends && poll)
      findings.add(*poll, fmt::format("{} asks for ever when it never comes to be", indexed.said_name),
                   "say how long, for example deadline: 1h");
    if (!ends && !poll)
      findings.add(*indexed.node->member("wait"),
                   fmt::format("{} waits for ever when nobody answers", indexed.said_name),
                   "say how long, for example timeout: 24h");
  }
}

void hopeless_retry(const WorkflowIndex& index, Findings& findings) {
  static constexpr std::array<std::string_view, 3> kPassing{"http.408", "http.425", "http.429"};
  for (const IndexedStep& indexed : index.steps) {
    auto* work = dynamic_cast<const RetrySettings*>(indexed.step);
    // A condition may pick out what passes.
    if (!work || work->retry.condition || !tries_again(work->retry)) continue;
    bool http = indexed.kind == kHttp;
    for (const Node* pattern : retry_on(index, indexed)) {
      if (pattern->text == "any") {
        findings.add(*pattern, "`any` also tries again what fails every time",
                     http                        ? "say [transient], or what passes by itself"
                     : indexed.kind == kWorkflow ? "say [child], or [child, timeout]"
                                                 : "say which: exit.75, killed, timeout");
      } else if (http && (pattern->text == "http" || pattern->text == "http.4xx")) {
        findings.add(*pattern, fmt::format("`{}` also tries again what the server refuses every time", pattern->text),
                     "say [transient], which has 408, 425, 429 and what 5xx pass by themselves");
      } else if (http && pattern->text.starts_with("http.4") && !is_one_of(pattern->text, kPassing)) {
        findings.add(*pattern, fmt::format("{} is refused again when nothing else is sent", pattern->text.substr(5)),
                     "leave it out, or say in `retry.if` when it may pass");
      }
    }
  }
}

void impossible_retry(const WorkflowIndex& index, Findings& findings) {
  static constexpr std::array<std::string_view, 3> kOfProcess{"exit", "killed", "spawn"};
  static constexpr std::array<std::string_view, 5> kOfHttp{"connect", "dns", "tls", "http", "expect"};
  for (const IndexedStep& indexed : index.steps) {
    if (!(indexed.kind & kWork) || written_for_all(index, indexed)) continue;
    auto* process = dynamic_cast<const ProcessStep*>(indexed.step);
    for (const Node* pattern : retry_on(index, indexed)) {
      const std::string& text = pattern->text;
      std::string_view family = std::string_view(text).substr(0, text.find('.'));
      const bool sub = indexed.kind == kWorkflow;
      // A sub-workflow fails with whatever fails in it.
      bool never = !sub && (family == "child" || family == "fail" || !is_own_error(text) ||
                            (process && is_one_of(family, kOfHttp)) || (!process && is_one_of(family, kOfProcess)));
      never = never || family == "cancelled";
      if (process)
        for (int code : process->success_codes) never = never || text == fmt::format("exit.{}", code);
      if (never)
        findings.add(*pattern, fmt::format("`{}` never gives the error `{}`", indexed.step->kind, text),
                     sub       ? "whatever went wrong in it is `child`; it also gives timeout and returns"
                     : process ? "it gives exit, killed, timeout, parse and spawn"
                               : "it gives connect, dns, tls, timeout, http, expect and parse");
    }
  }
}

void unclear_undo(const WorkflowIndex& index, Findings& findings) {
  for (const IndexedStep& indexed : index.steps) {
    const Member* undo = indexed.node->member("undo");
    if (!undo || indexed.node->find("undo_on")) continue;
    bool in_race = false;
    for (int i = indexed.around; i >= 0 && !in_race; i = index.steps[static_cast<std::size_t>(i)].around)
      in_race = index.steps[static_cast<std::size_t>(i)].kind == kRace;
    if (in_race || (indexed.kind & kProcess))
      findings.add(*undo,
                   in_race ? "a loser of the race may have begun and is not undone"
                           : "a process that failed may have done half of it and is not undone",
                   "say undo_on: started, or undo_on: succeeded when that is meant");
  }
}

void missing_undo(const WorkflowIndex& index, Findings& findings) {
  // Whether the step stands in an atomic group, and no undo is written of it or of a step around it in there.
  auto uncovered = [&](const IndexedStep& step) {
    const IndexedStep* indexed = &step;
    for (;;) {
      if (indexed->node->find("undo") || !indexed->body) return false;
      if (indexed->body->options.atomic) return true;  // the body of an item
      if (indexed->around < 0) return false;
      indexed = &index.steps[static_cast<std::size_t>(indexed->around)];
      if (indexed->step->options.atomic) return true;
    }
  };
  for (const IndexedStep& indexed : index.steps) {
    auto* call = dynamic_cast<const HttpStep*>(indexed.step);
    bool changes = (indexed.kind & kProcess) ||
                   (call && call->method != "GET" && call->method != "HEAD" && call->method != "OPTIONS");
    if (changes && uncovered(indexed))
      findings.add(indexed, fmt::format("{} is in an atomic group and nothing undoes it", indexed.said_name),
                   "say with `undo` what does");
  }
}

void unchecked_tls(const WorkflowIndex& index, Findings& findings) {
  for (const IndexedStep& indexed : index.steps) {
    auto* call = dynamic_cast<const HttpStep*>(indexed.step);
    if (!call || call->verify) continue;
    if (const Member* tls = index.option(indexed, "tls"))
      findings.add(*tls->value.member("verify"),
                   "anybody on the way can answer: the server's certificate is not checked",
                   "name whom to trust instead, tls: { ca: FILE }");
  }
}

void secret_in_query(const WorkflowIndex& index, Findings& findings) {
  auto is_secret = [&](const Reference& reference) {
    if (reference.variable != "steps") return reference.variable == "secrets";
    return std::any_of(index.steps.begin(), index.steps.end(),
                       [&](const IndexedStep& one) { return one.step->secret && one.step->name == reference.member; });
  };
  auto tell = [&](const Expression& expression) {
    for (const Reference& reference : expression.references())
      if (is_secret(reference))
        findings.add(expression.at(), expression.code().size(),
                     "servers and proxies write the query of a URL into their logs", "send it by `headers` or `auth`");
  };
  for (const IndexedStep& indexed : index.steps) {
    auto* call = dynamic_cast<const HttpStep*>(indexed.step);
    if (!call) continue;
    for (const Expression& expression : call->query.expressions()) tell(expression);
    bool behind = false;
    for (const TextTemplate::Part& part : call->url.parts) {
      if (const auto* literal = std::get_if<std::string>(&part))
        behind = behind || literal->find('?') != std::string::npos;
      else if (behind)
        tell(std::get<Expression>(part));
    }
  }
}

void readable_auth(const WorkflowIndex& index, Findings& findings) {
  for (const IndexedStep& indexed : index.steps) {
    auto* call = dynamic_cast<const HttpStep*>(indexed.step);
    if (!call) continue;
    const Member* auth = index.option(indexed, "auth");
    bool tells = auth && auth->value.is_map();
    if (const Member* headers = index.option(indexed, "headers"); headers && !tells)
      tells = std::any_of(headers->value.members.begin(), headers->value.members.end(),
                          [](const Member& header) { return is_authorization(header.key); });
    if (!tells) continue;
    std::string host = exposed_host(literal_begin(index, call->url));
    if (!host.empty())
      findings.add(*indexed.node->find("http"), fmt::format("who listens on the way to {} reads the credentials", host),
                   "use https");
  }
}

}  // namespace flowrun::lint_rules
