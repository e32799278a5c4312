// Reads for_each.
#include <fmt/format.h>

#include <algorithm>

#include "engine/expression/advice.h"
#include "engine/reader/readers.h"
#include "engine/steps/for_each.h"

namespace flowrun {
namespace {

constexpr double kMostItems = 1e6;  // flowrun-workflow(5), "Limits"

/// Refuses a name that the language binds, or a for_each around this one.
void check_as(Reading& reading, const Node& node, const std::string& as) {
  static const std::vector<std::string> kOwn{"input",  "vars",  "steps", "status", "run", "secrets",
                                             "item",   "index", "key",   "error",  "now", "uuid",
                                             "random", "polls", "env",   "__loc__"};
  if (std::find(kOwn.begin(), kOwn.end(), as) != kOwn.end()) {
    reading.error("E105", node.at, as.size(), fmt::format("`${}` means something already", as), "choose another name");
  } else if (reading.names().is_bound(as)) {
    reading.error("E206", node.at, as.size(), fmt::format("`{}` hides the `as` of a for_each around it", as),
                  "choose another name");
  }
}

constexpr std::string_view kStream = "stdin";

/// Reads what a for_each over standard input may say, and refuses what it may not.
void read_stream(Reading& reading, ForEachStep& step, const Node& node, const Member& items) {
  step.stream = true;
  reading.index().streams.emplace_back(&step, items.value.at);
  StreamFormat& format = reading.index().stream_format;
  if (const Node* key = node.find("split")) {
    const std::vector<std::string> words(std::begin(kStreamFormats), std::end(kStreamFormats));
    const auto word = std::find(words.begin(), words.end(), reading.values().word(*key, "split", words));
    if (word != words.end()) format = static_cast<StreamFormat>(word - words.begin());
  }
  for (const char* name : {"key", "batch", "collect"})
    if (const Member* key = node.member(name))
      reading.error(
          "E107", key->at, key->key.size(), fmt::format("`{}` does not go with the items of standard input", name),
          std::string_view(name) == "collect" ? "its output is how many there were; outputs are in the journal"
                                              : "items are handed out one by one, as they come");
  if (ends_early(step.join))
    reading.error("E107", node.member("join")->at, 4, "items of standard input have no winner: more may come",
                  "choose all, best_effort, tolerate or at_least");
}

void check_items(Reading& reading, const Node& items) {
  bool number = items.kind == Node::Kind::Integer || items.kind == Node::Kind::Float;
  if (items.kind == Node::Kind::Null || items.kind == Node::Kind::Boolean || items.kind == Node::Kind::Float ||
      (number && items.text[0] == '-')) {
    reading.error("E208", items.at, items.text.size(), "for_each needs a list, a map or a count");
    return;
  }
  if (number && items.json().get<double>() > kMostItems)
    reading.error("E008", items.at, items.text.size(), "for_each takes at most 1,000,000 items");
  if (items.is_string() && items.text.find("${") == std::string::npos) {
    reading.error("E208", items.at, items.text.size(), "for_each needs a list, a map or a count, not text",
                  advice_on_bare(items.text));
    return;
  }
}

}  // namespace

std::unique_ptr<CommonStep> read_for_each(Reading& reading, const Node& node) {
  auto step = std::make_unique<ForEachStep>();
  read_group(reading, *step, node);
  Reading::Within inherited = inherit_fail_fast(reading, *step);
  const Member& items = *node.member("for_each");
  if (items.value.is_string() && items.value.text == kStream) {
    read_stream(reading, *step, node, items);
  } else {
    check_items(reading, items.value);
    step->items = reading.values().value(items.value);
    if (const Member* split = node.member("split"))
      reading.error("E107", split->at, split->key.size(), "`split` says how standard input falls into items",
                    "write for_each: stdin");
  }
  step->items.each([&](const Expression& expression, bool whole) {
    if (whole && items.value.is_scalar())
      reading.uses().must_be(expression, {"array", "object", "integer", "number"},
                             "for_each needs a list, a map or a count", "split it: ${{ {} | split(\",\") }}");
  });
  if (const Node* key = node.find("concurrency")) step->concurrency = reading.values().count(*key, "concurrency", 1);
  if (const Node* key = node.find("batch")) step->batch = reading.values().count(*key, "batch", 1);
  std::vector<std::string> bound{"item", "index", "key"};
  if (const Node* key = node.find("as")) {
    step->as = reading.values().name(*key, "as");
    check_as(reading, *key, step->as);
    bound.push_back(step->as);
  }
  NamesInScope::Binding item(reading.names(), bound);
  if (const Node* key = node.find("key")) step->key = reading.values().text(*key);
  const Node* body = node.find("do");
  if (!body) {
    reading.error("E110", items.at, items.key.size(), "for_each needs `do`: what is to run for each item",
                  "for example do: { exec: [echo, \"${ $item }\"] }");
    return step;
  }
  Reading::Within each(reading, [&](ReadingContext& context) {
    context.in_unsized_for_each = !step->concurrency.written();
    context.in_for_each = true;
  });
  // `collect` sees the inner steps, and the output of the item as `.`.
  std::unique_ptr<GraphStep> of_item = reading.body(*body, "do", [&] {
    NamesInScope::Binding output(reading.names(), {"."});
    if (const Node* key = node.find("collect")) step->collect = reading.values().value(*key);
  });
  if (of_item) of_item->of_item = true;
  step->body = std::move(of_item);
  return step;
}

}  // namespace flowrun
