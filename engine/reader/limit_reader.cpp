// Reads `limits` at the top and `limit` of a step.
#include <fmt/format.h>

#include <cstdlib>

#include "engine/expression/pattern.h"
#include "engine/language/keys.h"
#include "engine/reader/rate.h"
#include "engine/reader/readers.h"

namespace flowrun {
namespace {

constexpr std::int64_t kFastest = 1000000;  // the dates of so many starts are kept

}  // namespace

bool parse_rate(const std::string& text, Limit& limit) {
  static const Pattern kRate("0*([1-9][0-9]{0,6})/([smh])");
  const auto found = kRate.whole(text);
  if (!found) return false;
  std::int64_t rate = std::atoll(std::string((*found)[1]).c_str());
  if (rate > kFastest) return false;
  limit.rate = rate;
  limit.per = (*found)[2] == "s"   ? std::chrono::seconds(1)
              : (*found)[2] == "m" ? std::chrono::minutes(1)
                                   : std::chrono::hours(1);
  limit.rate_text = text;
  return true;
}

void read_pool(Reading& reading, const Member& member, const std::string& file) {
  auto pool = std::make_unique<Limit>();
  pool->name = member.key;
  pool->path = "limits." + member.key + (file.empty() ? "" : " of " + file);
  reading.check_name(member.key, member.at, "a limit", false);
  auto read_max = [&](const Node& node, const char* what) {
    if (auto count = reading.values().plain_count(node, what, 1)) pool->max = static_cast<std::size_t>(*count);
  };
  const Node& node = member.value;
  if (!node.is_map()) {
    if (parse_rate(node.text, *pool)) {
      reading.error("E102", node.at, node.text.size(), "a limit is a count or a map",
                    fmt::format("write {{ rate: {} }}", node.text));
    } else {
      read_max(node, "a limit");
    }
  } else {
    reading.only(node, names_within("limits"), "a limit");
    const Node* max = node.find("max");
    const Node* rate = node.find("rate");
    if (max) read_max(*max, "max");
    if (const Node* shared = node.find("shared"))
      pool->shared = reading.values().plain_boolean(*shared, "shared").value_or(false);
    if (!max && !rate)
      reading.error("E110", member.at, member.key.size(), fmt::format("limit `{}` bounds nothing", member.key),
                    "for example { max: 8, rate: 50/s }");
    if (rate && rate->is_string() && rate->text.find("${") != std::string::npos) {
      reading.values().plain_text(*rate, "rate");
    } else if (rate && !parse_rate(rate->text, *pool)) {
      reading.error("E102", rate->at, rate->text.size(), "`rate` must be starts in a second, a minute or an hour",
                    fmt::format("at most {} of them, for example 50/s, 300/m or 1000/h", kFastest));
    }
  }
  reading.index().limits.push_back(std::move(pool));
}

const Limit* read_limit(Reading& reading, const Node& node) {
  if (!node.is_string() || node.text.find("${") != std::string::npos) {
    auto count = reading.values().plain_count(node, "limit", 1);
    if (!count) return nullptr;
    auto own = std::make_unique<Limit>();
    own->max = static_cast<std::size_t>(*count);
    reading.index().limits.push_back(std::move(own));
    return reading.index().limits.back().get();
  }
  std::vector<std::string> names;
  for (const auto& known : reading.index().limits) {
    if (!known->name.empty() && known->name == node.text) return known.get();
    if (!known->name.empty()) names.push_back(known->name);
  }
  if (Limit rate; parse_rate(node.text, rate)) {
    reading.error("E102", node.at, node.text.size(), "`limit` must be a count, or the name of a pool of `limits`",
                  fmt::format("a rate needs a pool: limits: {{ NAME: {{ rate: {} }} }} beside `steps`", node.text));
    return nullptr;
  }
  std::string near = nearest(node.text, names);
  reading.error("E204", node.at, node.text.size(), fmt::format("there is no `{}` in `limits`", node.text),
                near.empty() ? "say beside `steps` how much it lets through, for example limits: { api: 8 }"
                             : "did you mean `" + near + "`?");
  return nullptr;
}

}  // namespace flowrun
