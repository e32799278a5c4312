// Reads retry, poll, deadline, on_crash, pool and weight: when a step tries again, who carries it out, what it takes.
#include <fmt/format.h>

#include <algorithm>

#include "engine/expression/pattern.h"
#include "engine/language/keys.h"
#include "engine/reader/readers.h"
#include "engine/steps/effect.h"

namespace flowrun {
namespace {

constexpr std::int64_t kHeaviest = 100'000;  // as many places as -j may give

bool is_numbered(const std::string& text) {
  static const Pattern kNumbered(R"(http\.[1-5]([0-9][0-9]|xx)|exit\.[0-9]{1,3})");
  return kNumbered.whole(text).has_value();
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
    retry.on = read_error_types(reading, *key, error_types(), 0);
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

/// The name of workers becomes the name of a service, so it is literal and as plain as the name of a run.
void read_pool_name(Reading& reading, Effect& effect, const Node& node) {
  static const Pattern kName("[a-z][a-z0-9_-]{0,63}");
  const std::string name = reading.values().plain_text(node, "pool");
  if (kName.whole(name)) {
    effect.pool = name;
  } else if (node.is_string() && name.find("${") == name.npos) {
    reading.error("E105", node.at, name.size(),
                  fmt::format("`{}` is no name of a pool: a-z, 0-9, _ and -, at most 64, a letter first", name),
                  "for example gpu; the workers of `flowrun worker --name gpu` are meant");
  }
}

}  // namespace

std::vector<std::string> read_error_types(Reading& reading, const Node& node, const std::vector<std::string>& known,
                                          std::size_t raised_from) {
  const std::vector<std::string>& all = reading.index().raised;
  const std::vector<std::string> raised(all.begin() + static_cast<std::ptrdiff_t>(raised_from), all.end());
  auto is_raised = [&](const std::string& text) {
    return std::any_of(raised.begin(), raised.end(),
                       [&](const std::string& type) { return type == text || type.starts_with(text + "."); });
  };
  std::vector<std::string> types;
  const std::vector<Node> items = node.is_list() ? node.items : std::vector<Node>{node};
  for (const Node& item : items) {
    const std::string& text = item.text;
    types.push_back(text);
    if (std::find(known.begin(), known.end(), text) != known.end() || is_numbered(text) || is_raised(text)) continue;
    std::vector<std::string> names = known;
    names.insert(names.end(), raised.begin(), raised.end());
    std::string near = nearest(text, names);
    // `on: 503`, as other tools have it.
    if (is_numbered("http." + text)) near = "http." + text;
    static const Pattern kWord(R"([a-z][a-z0-9_]*(\.[a-z0-9_]+)*)");
    const bool word = item.is_scalar() && kWord.whole(text) && !text.starts_with("http.") && !text.starts_with("exit.");
    reading.error(word ? "E204" : "E102", item.at, text.size(), fmt::format("`{}` is no type of error", text),
                  !near.empty() ? "did you mean `" + near + "`?"
                  : std::find(all.begin(), all.end(), text) != all.end()
                      ? "the `fail` that has it is not within this step"
                      : "for example transient, http.503, exit.75, timeout, or the `type` of a `fail` within it");
  }
  return types;
}

void read_work(Reading& reading, RetrySettings& settings, const Node& node, std::vector<std::string> retry_on) {
  settings.retry.on = std::move(retry_on);
  if (const Node* key = node.find("retry")) read_retry(reading, settings.retry, *key);
  if (const Node* key = node.find("poll")) read_poll(reading, settings, node, *key);
  if (const Node* key = node.find("deadline")) settings.deadline = reading.values().duration(*key, "deadline");
}

void read_effect(Reading& reading, Step& step, Effect& effect, const Node& node) {
  if (const Node* key = node.find("limit")) step.limit = read_limit(reading, *key);
  if (const Node* key = node.find("weight"))
    if (auto weight = reading.values().plain_count(*key, "weight", 1))
      step.weight = static_cast<std::size_t>(std::min<std::int64_t>(*weight, kHeaviest));
  if (const Node* key = node.find("pool")) read_pool_name(reading, effect, *key);
  reading.index().pools.insert(effect.pool);
  if (const Node* key = node.find("on_crash")) {
    std::string word = reading.values().word(*key, "on_crash", {"rerun", "ask", "fail"});
    effect.on_crash = word == "ask" ? OnCrash::Ask : word == "fail" ? OnCrash::Fail : OnCrash::Rerun;
  }
}

}  // namespace flowrun
