// Reads retry, poll, deadline and on_crash: when a step tries again.
#include <fmt/format.h>

#include <algorithm>

#include "engine/expression/pattern.h"
#include "engine/language/keys.h"
#include "engine/reader/readers.h"
#include "engine/steps/effect.h"

namespace flowrun {
namespace {

bool is_error_pattern(const std::string& text) {
  static const Pattern kNumbered(R"(http\.[1-5]([0-9][0-9]|xx)|exit\.[0-9]{1,3})");
  return std::find(error_types().begin(), error_types().end(), text) != error_types().end() || kNumbered.whole(text);
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
  if (const Node* key = node.find("attempts")) retry.attempts = reading.values().count(*key, "attempts", 1);
  if (const Node* key = node.find("delay")) retry.delay = reading.values().duration(*key, "delay");
  if (const Node* key = node.find("backoff")) retry.backoff = reading.values().number(*key, "backoff");
  if (const Node* key = node.find("max_delay")) retry.max_delay = reading.values().duration(*key, "max_delay");
  if (const Node* key = node.find("jitter"))
    retry.jitter = reading.values().word(*key, "jitter", {"full", "none"}) == "full";
  if (const Node* key = node.find("on")) {
    retry.only_unsent = false;
    retry.on.clear();
    std::vector<Node> items = key->is_list() ? key->items : std::vector<Node>{*key};
    for (const Node& item : items) {
      if (!is_error_pattern(item.text)) {
        std::string near = nearest(item.text, error_types());
        // `on: 503`, as other tools have it.
        if (is_error_pattern("http." + item.text)) near = "http." + item.text;
        reading.error(
            "E102", item.at, item.text.size(), fmt::format("`{}` is no type of error", item.text),
            near.empty() ? "for example transient, http.503, exit.75, timeout" : "did you mean `" + near + "`?");
      }
      retry.on.push_back(item.text);
    }
  }
  if (const Node* key = node.find("if")) {
    NamesInScope::Binding raw(reading.names(), {".", "error"});
    retry.condition = reading.values().condition_expression(*key);
  }
}

void read_poll(Reading& reading, RetrySettings& settings, const Node& step, const Node& node) {
  if (!reading.is(node, Node::Kind::Map, "poll", "a map such as { until: ${ .body.done }, every: 10s }")) return;
  reading.only(node, names_within("poll"), "`poll`");
  PollPolicy& poll = settings.poll.emplace();
  {
    RawBinding raw(reading, step);
    if (const Node* key = node.find("until")) poll.until = reading.values().condition_expression(*key);
    if (const Node* key = node.find("fail_if")) poll.fail_if = reading.values().condition_expression(*key);
  }
  if (const Node* key = node.find("every")) poll.every = reading.values().duration(*key, "every");
  if (const Node* key = node.find("backoff")) poll.backoff = reading.values().number(*key, "backoff");
  if (const Node* key = node.find("max_every")) poll.max_every = reading.values().duration(*key, "max_every");
  if (const Node* key = node.find("attempts")) poll.attempts = reading.values().count(*key, "attempts", 1);
  if (const Node* key = node.find("errors"))
    poll.errors_fail = reading.values().word(*key, "errors", {"retry", "fail"}) == "fail";
}

}  // namespace

void read_work(Reading& reading, RetrySettings& settings, const Node& node, std::vector<std::string> retry_on) {
  settings.retry.on = std::move(retry_on);
  if (const Node* key = node.find("retry")) read_retry(reading, settings.retry, *key);
  if (const Node* key = node.find("poll")) read_poll(reading, settings, node, *key);
  if (const Node* key = node.find("deadline")) settings.deadline = reading.values().duration(*key, "deadline");
}

void read_effect(Reading& reading, Step& step, Effect& effect, const Node& node) {
  if (const Node* key = node.find("limit")) step.limit = read_limit(reading, *key);
  if (const Node* key = node.find("on_crash")) {
    std::string word = reading.values().word(*key, "on_crash", {"rerun", "ask", "fail"});
    effect.on_crash = word == "ask" ? OnCrash::Ask : word == "fail" ? OnCrash::Fail : OnCrash::Rerun;
  }
}

}  // namespace flowrun
