#include "engine/scenario/expected_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "engine/language/template.h"

namespace flowrun {
namespace {

constexpr std::size_t kShown = 120;  // of a value in a message
constexpr std::size_t kMost = 20;    // places of one value that are told

std::string shown(const Json& value) {
  return shortened(value.dump(-1, ' ', false, Json::error_handler_t::replace), kShown);
}

/// `.` and nothing else.
class DotScope : public Scope {
 public:
  explicit DotScope(const Json& dot) : dot_(dot) {}
  Fallible<Value> lookup(const Reference& reference) const override {
    if (reference.variable == ".") return dot_;
    return Failure{"expression", fmt::format("there is no `${}` here", reference.variable)};
  }

 private:
  const Value dot_;
};

/// `.who`, `["first name"]`
std::string below_key(const std::string& at, const std::string& key) {
  const auto is_word = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
  const bool word = !key.empty() && std::isdigit(static_cast<unsigned char>(key[0])) == 0 &&
                    std::all_of(key.begin(), key.end(), is_word);
  return word ? at + "." + key : fmt::format("{}[{}]", at, shown(Json(key)));
}

bool has_expression(const Node& node) { return node.is_string() && node.text.find("${") != std::string::npos; }

/// The text of |node| as it is compiled; its own diagnostics have nothing to tell by now.
TextTemplate compiled(const Node& node) {
  Diagnostics ignored({});
  return TextTemplate::compile(node, ignored);
}

class Comparison {
 public:
  Comparison(Match match, Evaluator& evaluator) : match_(match), evaluator_(evaluator) {}

  void compare(const Node& expected, const Json& got, const std::string& path) {
    if (found.size() >= kMost) return;
    if (has_expression(expected)) return ask(expected, got, path);
    if (expected.is_map() && got.is_object()) return members(expected, got, path);
    if (expected.is_list() && got.is_array()) return items(expected, got, path);
    const Json wanted = expected.json();
    if (wanted != got) tell(expected, path, shown(got), "expected " + shown(wanted));
  }

  std::vector<Mismatch> found;

 private:
  void tell(const Node& expected, const std::string& path, std::string got, std::string wanted) {
    const std::size_t length = expected.is_scalar() ? expected.text.size() : 1;
    found.push_back({expected.at, std::max<std::size_t>(length, 1), path, std::move(got), std::move(wanted)});
  }

  void ask(const Node& expected, const Json& got, const std::string& path) {
    const TextTemplate text = compiled(expected);
    if (const std::string* literal = text.literal()) {
      if (got != Json(*literal)) tell(expected, path, shown(got), "expected " + shown(Json(*literal)));
      return;
    }
    const Evaluation holds = text.expression().condition(DotScope(got), evaluator_);
    if (holds && holds->json().get<bool>()) return;
    tell(expected, path, shown(got),
         holds ? "expected that this holds of it" : "expected that this holds of it: " + holds.failure().message);
  }

  void members(const Node& expected, const Json& got, const std::string& path) {
    for (const Member& member : expected.members) {
      const std::string below = below_key(path, member.key);
      const auto there = got.find(member.key);
      if (there != got.end()) {
        compare(member.value, *there, below);
      } else if (match_ == Match::Partial && member.value.kind == Node::Kind::Null) {
        continue;  // it is not to be there
      } else {
        found.push_back({member.at, member.key.size(), below, "",
                         has_expression(member.value) ? "expected that this holds of it"
                                                      : "expected " + shown(member.value.json())});
      }
    }
    if (match_ == Match::Partial) return;
    for (const auto& [key, value] : got.items())
      if (!expected.find(key)) tell(expected, below_key(path, key), shown(value), "expected nothing there");
  }

  void items(const Node& expected, const Json& got, const std::string& path) {
    const std::size_t both = std::min(expected.items.size(), got.size());
    for (std::size_t i = 0; i < both; ++i) compare(expected.items[i], got[i], fmt::format("{}[{}]", path, i));
    if (expected.items.size() == got.size()) return;
    if (both < got.size())
      tell(expected, fmt::format("{}[{}]", path, both), shown(got[both]),
           fmt::format("expected {} of them, not {}", expected.items.size(), got.size()));
    else
      tell(expected.items[both], fmt::format("{}[{}]", path, both), "",
           fmt::format("expected {} of them, not {}", expected.items.size(), got.size()));
  }

  const Match match_;
  Evaluator& evaluator_;
};

}  // namespace

void check_expected(const Node& expected, Diagnostics& diagnostics) {
  for (const Node& item : expected.items) check_expected(item, diagnostics);
  for (const Member& member : expected.members) check_expected(member.value, diagnostics);
  if (!has_expression(expected)) return;
  const std::size_t before = diagnostics.errors();
  const TextTemplate text = TextTemplate::compile(expected, diagnostics);
  if (diagnostics.errors() > before || text.literal()) return;
  const auto length = static_cast<int>(std::min<std::size_t>(expected.text.size(), 200));
  if (!text.is_one_expression())
    return diagnostics.error("E102", expected.at, length, "what is expected is a value, or one expression",
                             "for example ${ startswith(\"P-\") }; `$${` is a `${` of the text");
  for (const Reference& reference : text.expression().references())
    if (reference.variable != ".")
      diagnostics.error("E204", expected.at, length, fmt::format("`${}` is not known here", reference.variable),
                        "the value that came is `.`, and nothing else is seen");
}

std::vector<Mismatch> mismatches(const Node& expected, const Json& got, Match match, Evaluator& evaluator) {
  Comparison comparison(match, evaluator);
  comparison.compare(expected, got, "");
  return std::move(comparison.found);
}

}  // namespace flowrun
