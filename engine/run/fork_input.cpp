#include "engine/run/fork_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "engine/model/secret_text.h"
#include "engine/model/value.h"

namespace flowrun {
namespace {

constexpr std::array kPlaces{"FLOWRUN_INDEX", "FLOWRUN_KEY"};
constexpr std::size_t kMostTold = 3;  // differences of one step
constexpr std::size_t kWidest = 40;   // of a value
constexpr int kDeepestLook = 32;      // maps and lists in each other that are looked into

Json parsed(std::string_view text) { return Json::parse(text, nullptr, false); }

/// A member as it is meant: the JSON that a body holds, not its text.
Json opened(const Json& json) {
  if (!json.is_string()) return json;
  const auto& text = json.get_ref<const std::string&>();
  if (text.empty() || (text.front() != '{' && text.front() != '[')) return json;
  Json inner = parsed(text);
  return inner.is_discarded() ? json : inner;
}

std::string shown(const Json* json) {
  if (!json) return "absent";
  const bool placed = json->is_object() && json->size() == 1 && json->begin().key().starts_with("$");
  return shortened(placed ? shown_secret_text(*json) : Value(*json).text(), kWidest);
}

class Differences {
 public:
  void compare(const std::string& name, const Json* was, const Json* is, int depth = 0) {
    if (list.size() >= kMostTold || (was && is && *was == *is)) return;
    if (was && is && depth < kDeepestLook) {
      const Json before = opened(*was), now = opened(*is);
      if (before.is_object() && now.is_object()) return members(name, before, now, depth + 1);
      if (before.is_array() && now.is_array() && before.size() == now.size()) {
        for (std::size_t i = 0; i < now.size(); ++i)
          compare(fmt::format("{}[{}]", name, i), &before[i], &now[i], depth + 1);
        return;
      }
    }
    list.push_back(fmt::format("`{}` was {}, is {}", name, shown(was), shown(is)));
  }

  std::vector<std::string> list;

 private:
  void members(const std::string& name, const Json& was, const Json& is, int depth) {
    // What stands around the values of a request says nothing to its writer.
    const bool around = name.empty() || name == "body" || name == "env" || name == "headers";
    auto within = [&](const std::string& member) { return around ? member : name + "." + member; };
    for (const auto& [member, value] : was.items())
      compare(within(member), &value, is.contains(member) ? &is[member] : nullptr, depth);
    for (const auto& [member, value] : is.items())
      if (!was.contains(member)) compare(within(member), nullptr, &value, depth);
  }
};

/// |input| of a process without the words of `via`: where it ran is not what it was asked. What is written in the file
/// is compared as such. The rest stays as it is written.
std::string without_via(std::string_view input) {
  // In a text the quotes would stand behind backslashes.
  const std::size_t begin = input.find(R"(],"via":[)");
  if (begin == std::string_view::npos) return std::string(input);
  bool quoted = false;
  std::size_t end = input.find('[', begin) + 1;
  for (; end < input.size() && (quoted || input[end] != ']'); ++end) {
    if (input[end] == '"') quoted = !quoted;
    if (input[end] == '\\') ++end;
  }
  return std::string(input.substr(0, begin)).append(input.substr(std::min(end, input.size())));
}

}  // namespace

std::string comparable_input(std::string_view written) {
  const std::string input = without_via(written);
  if (std::none_of(kPlaces.begin(), kPlaces.end(),
                   [&](const char* name) { return input.find(name) != std::string_view::npos; }))
    return input;
  Json json = parsed(input);
  if (!json.is_object() || !json.contains("env") || !json["env"].is_object() || !json.contains("argv")) return input;
  const std::string command = json["argv"].dump(-1, ' ', false, Json::error_handler_t::replace);
  for (const char* name : kPlaces)
    if (command.find(name) == std::string::npos) json["env"].erase(name);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string input_difference(std::string_view was, std::string_view is) {
  const Json before = parsed(was), now = parsed(is);
  if (!before.is_object() || !now.is_object()) return "";
  // Of a large input the journal has but a hash.
  if (before.contains("xxh3") || now.contains("xxh3")) return "";
  Differences differences;
  differences.compare("", &before, &now);
  std::string text;
  for (const std::string& one : differences.list) text += (text.empty() ? "" : "; ") + one;
  return text;
}

}  // namespace flowrun
