#include "engine/expression/advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "engine/expression/pattern.h"
#include "engine/model/value.h"

namespace flowrun {
namespace {

struct Row {
  const char* pattern;  ///< of all that stands between the braces
  const char* ours;     ///< `$1` is the last name in it as a name of ours, `$2` the one before
  const char* remark = "";
};

// Words of GitHub Actions, Argo, Tekton, Ansible and Jinja. What is not among them has no sure translation.
constexpr std::array<Row, 8> kRows{{
    {R"(secrets\.([\w-]+))", "$secrets.$1"},
    {R"((?:steps|needs|tasks)\.([\w-]+)\.(?:outputs|outputs\.parameters|results)\.([\w-]+))", "$steps.$2.$1"},
    {R"((?:github\.event\.)?(?:inputs|params|inputs\.parameters|workflow\.parameters)\.([\w-]+))", "$input.$1"},
    {R"(env\.([\w-]+))", "$input.$1", "; an environment variable comes in by the `env:` of an input"},
    {R"((?:vars|values)\.([\w-]+))", "$vars.$1"},
    {R"((?:matrix|item)\.([\w-]+))", "$item.$1", " within a for_each"},
    {"item", "$item", " within a for_each"},
    {R"(([A-Za-z_]\w*))", "$input.$1"},
}};

std::string name_of_ours(std::string name) {
  for (char& c : name) c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

std::string translated(const std::string& inside) {
  for (const Row& row : kRows) {
    const auto found = Pattern(row.pattern).whole(inside);
    if (!found) continue;
    std::string ours = row.ours;
    for (std::size_t name = 1; name < found->size(); ++name) {
      const std::string place = "$" + std::to_string(found->size() - name);
      if (std::size_t at = ours.find(place); at != std::string::npos)
        ours.replace(at, place.size(), name_of_ours(std::string((*found)[name])));
    }
    return fmt::format("write `${{ {} }}`{}", ours, row.remark);
  }
  return "";
}

}  // namespace

std::string advice_on_braces(std::string_view written) {
  static const Pattern kBraces(R"((\$?)\{\{-?\s*([^]*?)\s*-?(?:\}\}|$))");
  static const Pattern kOutcome(R"([^]*\b(?:always|failure|success|cancelled)\(\)[^]*)");
  static const Pattern kObject(R"re("?\w+"?\s*:[^]*)re");
  const std::string text(written.substr(0, 200));
  const auto found = kBraces.whole(text);
  if (!found) return "an expression is written `${ jq }`";
  const std::string inside((*found)[2]);
  const bool dollar = !(*found)[1].empty();
  if (kOutcome.whole(inside))
    return "what became of a step is $status.STEP.ok; `after: [STEP]` starts whatever its outcome";
  if (dollar && kObject.whole(inside)) return fmt::format("an object of jq needs a blank: `${{ {{{}}} }}`", inside);
  std::string advice = translated(inside);
  if (advice.empty()) advice = "an expression is written `${ jq }`";
  // Other programs read templates, too: docker inspect -f, kubectl -o go-template.
  if (!dollar) advice += fmt::format("\nfor text with these braces write `${{ {} }}`", Json(text).dump());
  return advice;
}

std::string advice_on_bare(const std::string& text) {
  static const Pattern kReference(R"(\s*(\$(?:input|steps|status|vars|item|run|error)\b[^{}]*?)\s*)");
  const auto found = kReference.whole(text);
  return found ? fmt::format("write ${{ {} }}", (*found)[1]) : "";
}

}  // namespace flowrun
