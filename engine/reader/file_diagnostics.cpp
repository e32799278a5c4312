#include "engine/reader/file_diagnostics.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>

#include "engine/language/keys.h"
#include "engine/language/other_words.h"

namespace flowrun {
namespace {

constexpr std::size_t kMostListed = 12;  // names; a longer list is for the manual

bool is_name(const std::string& text) {
  if (text.empty() || text.size() > 64 || !(text[0] >= 'a' && text[0] <= 'z')) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

/// The advice for |word| in a step, when it leads to one of |known|; else empty.
std::string advice_among(const std::string& word, const std::vector<std::string>& known) {
  const std::string advice = advice_for(word, 0);
  bool leads = std::any_of(known.begin(), known.end(),
                           [&](const std::string& one) { return advice.starts_with("use `" + one + "`"); });
  return leads ? advice : "";
}

}  // namespace

std::string name_like(const std::string& text) {
  std::string good;
  for (char c : text)
    good += std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::tolower(static_cast<unsigned char>(c)))
                                                        : '_';
  if (good.empty() || !(good[0] >= 'a' && good[0] <= 'z')) good = "s_" + good;
  return good.substr(0, 64);
}

std::string suggested(const std::string& word, const std::vector<std::string>& known) {
  const std::string near = nearest(word, known);
  if (!near.empty()) return "did you mean `" + near + "`?";
  if (known.empty() || known.size() > kMostListed) return "";
  std::string all;
  for (const std::string& one : known) all += (all.empty() ? "`" : ", `") + one + "`";
  return (known.size() == 1 ? "there is " : "there are ") + all;
}

FileDiagnostics::FileDiagnostics(Diagnostics& diagnostics, std::string folder)
    : diagnostics_(diagnostics), folder_(std::move(folder)) {
  for (const Diagnostic& finding : diagnostics.all()) {
    if (finding.code == "E003" || finding.code == "E005") broken_lines_.insert(finding.at.line);
    if (finding.code == "E001") unreadable_.emplace(finding.at.line, finding.at.column);
  }
}

void FileDiagnostics::error(const char* code, Position at, std::size_t length, std::string message,
                            std::string suggestion) {
  if (unreadable_.count({at.line, at.column}) > 0) return;
  diagnostics_.error(code, at, static_cast<int>(std::clamp<std::size_t>(length, 1, 200)), std::move(message),
                     std::move(suggestion));
}

bool FileDiagnostics::is(const Node& node, Node::Kind kind, const char* what, const char* wanted) {
  if (node.kind == kind) return true;
  error("E102", node.at, node.text.size(), fmt::format("`{}` must be {}, not {}", what, wanted, node.kind_name()));
  return false;
}

void FileDiagnostics::check_name(const std::string& name, Position at, const char* what, bool reserve_kinds) {
  if (reserve_kinds && kind_bit(name) && !(kind_bit(name) & kinds_with(kNamesToo))) {
    error("E105", at, name.size(), fmt::format("{} can not be called `{}`: that is a kind of step", what, name),
          "choose another name");
  } else if (reserve_kinds && (name == "on_failure" || name == "finally")) {
    error("E105", at, name.size(), fmt::format("{} can not be called `{}`", what, name),
          "a handler of that name stands beside `steps`");
  } else if (!is_name(name)) {
    error("E105", at, name.size(),
          fmt::format("`{}` is no name for {}: a-z, 0-9 and _, at most 64, a letter first", name, what),
          "use " + name_like(name));
  }
}

void FileDiagnostics::only(const Node& map, const std::vector<std::string>& known, const char* what) {
  for (const Member& member : map.members) {
    if (member.key.rfind("x-", 0) == 0 || std::find(known.begin(), known.end(), member.key) != known.end()) continue;
    std::string advice = advice_within(std::string_view(what).substr(1, std::string_view(what).size() - 2), member.key);
    if (advice.empty()) advice = advice_among(member.key, known);
    error("E101", member.at, member.key.size(), fmt::format("unknown key `{}` in {}", member.key, what),
          advice.empty() ? suggested(member.key, known) : advice);
  }
}

void FileDiagnostics::must_exist(const Node& node, const std::string& path, const char* code) {
  if (path.empty() || path.find("${") != std::string::npos) return;
  struct stat status {};
  std::string whole = path[0] == '/' ? path : folder_ + "/" + path;
  if (stat(whole.c_str(), &status) != 0)
    error(code, node.at, node.text.size(), fmt::format("there is no file {}", whole));
}

}  // namespace flowrun
