#include "engine/executor/via.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>

#include "engine/executor/spawn.h"

namespace flowrun {
namespace {

constexpr std::string_view kForgetful[] = {"ssh", "rsh", "docker", "podman", "nerdctl", "kubectl",
                                           "oc",  "lxc", "incus",  "sudo",   "doas",    "systemd-run"};
/// Behind these a shell reads the words, put together with blanks.
constexpr std::string_view kWithShell[] = {"ssh", "rsh"};

/// Options of doors whose value is the names of variables to hand on.
constexpr std::string_view kByName[] = {"-e", "-E", "--env", "--setenv", "--preserve-env", "SendEnv", "-oSendEnv"};

// An item that is longer comes by `stdin` where every variable is a word.
constexpr std::size_t kLongestItem = 8 * 1024;

/// Whether a word of |via| is the name of one of |programs|, with or without its folder.
bool has_program(const std::vector<std::string>& via, const auto& programs) {
  return std::any_of(via.begin(), via.end(), [&](std::string_view word) {
    return std::find(std::begin(programs), std::end(programs), word.substr(word.rfind('/') + 1)) != std::end(programs);
  });
}

std::string for_shell(const std::string& word) {
  std::string text = "'";
  for (const char c : word) c == '\'' ? text += "'\\''" : text += c;
  return text + "'";
}

/// Whether |names|, with commas between them, has |name|.
bool lists(std::string_view names, std::string_view name) {
  for (;;) {
    const std::size_t comma = names.find(',');
    if (names.substr(0, comma) == name) return true;
    if (comma == std::string_view::npos) return false;
    names.remove_prefix(comma + 1);
  }
}

}  // namespace

bool is_forgetful(const std::vector<std::string>& via) { return has_program(via, kForgetful); }

bool hands_on(const std::vector<std::string>& via, std::string_view name) {
  for (std::size_t i = 1; i < via.size(); ++i)
    for (const std::string_view option : kByName) {
      const std::string_view word = via[i];
      if (via[i - 1] == option && lists(word, name)) return true;
      if (!word.starts_with(option)) continue;
      const std::string_view rest = word.substr(option.size());
      if (lists(rest.starts_with('=') ? rest.substr(1) : rest, name)) return true;
    }
  return false;
}

std::vector<std::string> argv_via(const Process& process, const std::vector<std::string>& argv,
                                  const std::vector<std::string>& variables) {
  const std::vector<std::string>& via = process.via;
  std::vector<std::string> behind;
  if (is_forgetful(via)) {
    for (const TaskPlaceholder& secret : process.placeholders)
      if (secret.in == TaskPlaceholder::In::Variable && !hands_on(via, process.env[secret.index].first))
        throw std::runtime_error(fmt::format(
            "the variable {0} has a secret in it, which is not to stand in the command line of {1}; give it "
            "by `stdin`, or let {1} hand it on by its name, such as `-e {0}`",
            process.env[secret.index].first, via.front()));
    if (argv.front().find('=') != std::string::npos)
      throw std::runtime_error(
          fmt::format("a program with `=` in its name, {}, can not be started by `via`", argv.front()));
    behind.push_back("env");
    for (const auto& [name, value] : process.env)
      if (!value) behind.insert(behind.end(), {"-u", name});
    for (const std::string& variable : variables) {
      const std::string_view name = std::string_view(variable).substr(0, variable.find('='));
      const bool long_item = name == "FLOWRUN_ITEM" && variable.size() > kLongestItem;
      if (!long_item && !hands_on(via, name)) behind.push_back(variable);
    }
  }
  behind.insert(behind.end(), argv.begin(), argv.end());
  std::vector<std::string> all = via;
  if (!has_program(via, kWithShell)) {
    all.insert(all.end(), std::make_move_iterator(behind.begin()), std::make_move_iterator(behind.end()));
    return all;
  }
  std::size_t size = 0;
  for (const std::string& word : behind) size += all.emplace_back(for_shell(word)).size() + 1;
  // The shell of the other side gets all words as one.
  if (size > kLongestArgument)
    throw std::runtime_error(
        fmt::format("the command and its variables have {} bytes behind {}, where {} fit; give long texts by `stdin`",
                    size, via.front(), kLongestArgument));
  return all;
}

}  // namespace flowrun
