#include "engine/executor/environment.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <stdexcept>
#include <utility>

#include "engine/executor/secrets.h"

extern char** environ;

namespace flowrun {
namespace {

// execve(2): one argument, its end included, fits in 32 pages.
constexpr std::size_t kLongestArgument = 128 * 1024 - 1;

std::string file_name(const ExecutorOptions& options, const Task& task, const char* what) {
  // Paths hold characters that file names do not; a hash names them all, and the attempt keeps tries apart.
  return fmt::format("{}/{}-{:016x}-{}", options.run_dir, what, std::hash<std::string>{}(task.path), task.attempt);
}

bool sets(const std::string& variable, const std::string& name) {
  return variable.size() > name.size() && variable[name.size()] == '=' && variable.compare(0, name.size(), name) == 0;
}

void put(std::vector<std::string>& env, const std::string& name, const std::string* value) {
  auto known = std::find_if(env.begin(), env.end(), [&](const std::string& variable) { return sets(variable, name); });
  if (!value) {
    if (known != env.end()) env.erase(known);
  } else if (known != env.end()) {
    *known = name + "=" + *value;
  } else {
    env.push_back(name + "=" + *value);
  }
}

/// The kernel would cut there, silently.
void refuse_zero_bytes(const std::string& text, const std::string& what) {
  if (text.find('\0') != text.npos) throw std::runtime_error(what + " holds a zero byte; give such text by `stdin`");
}

}  // namespace

std::string output_file(const ExecutorOptions& options, const Task& task) { return file_name(options, task, "output"); }

std::vector<std::string> environment_of(const ExecutorOptions& options, const Task& task, const Process& process) {
  std::vector<std::string> env;
  if (process.inherit != Process::Inherit::None) {
    for (char** variable = environ; *variable; ++variable) {
      std::string text = *variable;
      std::string name = text.substr(0, text.find('='));
      if (options.secrets && options.secrets->brought_by(name)) continue;
      if (process.inherit == Process::Inherit::Listed) {
        if (std::find(process.inherited.begin(), process.inherited.end(), name) == process.inherited.end()) continue;
      }
      env.push_back(std::move(text));
    }
  }
  for (const auto& [name, value] : process.env) {
    if (name.empty() || name.find('=') != name.npos)
      throw std::runtime_error("env: no variable can be named '" + name + "'");
    if (value) refuse_zero_bytes(*value, "the variable " + name);
    put(env, name, value ? &*value : nullptr);
  }
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, std::string>>{
           {"FLOWRUN_RUN_ID", options.run_id},
           {"FLOWRUN_RUN_TOKEN", options.token},
           {"FLOWRUN_STEP", task.path},
           {"FLOWRUN_ATTEMPT", std::to_string(task.attempt)},
           {"FLOWRUN_IDEMPOTENCY_KEY", task.idempotency_key},
           {"FLOWRUN_RERUN", task.rerun > 0 ? "1" : "0"},
           {"FLOWRUN_RUN_DIR", options.run_dir},
           {"FLOWRUN_OUTPUT", output_file(options, task)},
       })
    put(env, name, &value);
  return env;
}

std::vector<std::string> arguments_of(const ExecutorOptions& options, const Task& task, const Process& process,
                                      std::string& file) {
  std::vector<std::string> argv = process.argv;
  if (argv.empty()) throw std::runtime_error("there is no program to start");
  for (const std::string& argument : argv) refuse_zero_bytes(argument, "an argument");
  if (!process.script || argv.back().size() <= kLongestArgument) return argv;
  file = file_name(options, task, "script");
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  chmod(file.c_str(), 0600);
  out << argv.back();
  out.close();
  if (!out) throw std::runtime_error("cannot write the script to " + file);
  argv.pop_back();
  argv.back() = file;  // where `-c` was
  return argv;
}

}  // namespace flowrun
