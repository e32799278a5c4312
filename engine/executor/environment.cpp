#include "engine/executor/environment.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <string_view>

#include "engine/executor/named_file.h"
#include "engine/executor/secrets.h"
#include "engine/executor/via.h"

extern char** environ;

namespace flowrun {
namespace {

std::string script_name(const Task& task) {
  // Paths hold characters that file names do not; a hash names them all, and the attempt keeps tries apart.
  return fmt::format("script-{:016x}-{}", std::hash<std::string>{}(task.path), task.attempt);
}

/// What every process is given, whatever is inherited or written in the workflow.
constexpr std::string_view kGiven[] = {"FLOWRUN_RUN_ID", "FLOWRUN_RUN_TOKEN", "FLOWRUN_RUN_DIR",
                                       "FLOWRUN_STEP",   "FLOWRUN_ATTEMPT",   "FLOWRUN_IDEMPOTENCY_KEY",
                                       "FLOWRUN_RERUN",  "FLOWRUN_OUTPUT",    "FLOWRUN_LEAVE",
                                       kOuterMarks,      kHeldPlaces};

bool is_given(std::string_view name) {
  return std::find(std::begin(kGiven), std::end(kGiven), name) != std::end(kGiven);
}

bool sets(const char* variable, const std::string& name) {
  return variable[0] == name[0] && std::strncmp(variable, name.c_str(), name.size()) == 0 &&
         variable[name.size()] == '=';
}

std::string assignment(std::string_view name, std::string_view value) {
  std::string text;
  text.reserve(name.size() + 1 + value.size());
  return text.append(name).append(1, '=').append(value);
}

bool listed(const std::vector<std::string>& names, const std::string& variable) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return sets(variable.c_str(), name); });
}

/// The kernel would cut there, silently.
void refuse_zero_bytes(const std::string& text, const std::string& what) {
  if (text.find('\0') != text.npos) throw std::runtime_error(what + " holds a zero byte; give such text by `stdin`");
}

/// The marks that our own processes are to carry beside those of this run: who runs this flowrun as a step finds them,
/// too. Empty: nobody does.
std::string outer_marks_of_ours() {
  const char* token = std::getenv("FLOWRUN_RUN_TOKEN");
  const char* step = std::getenv("FLOWRUN_STEP");
  if (!token || !step) return "";
  Json marks = Json::array();
  const char* outer = std::getenv(kOuterMarks);
  for (auto& [outer_token, outer_step] : outer_marks(outer ? outer : ""))
    marks.push_back({std::move(outer_token), std::move(outer_step)});
  marks.push_back({token, step});
  return marks.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> outer_marks(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> marks;
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_array()) return marks;
  for (const Json& mark : json)
    if (mark.is_array() && mark.size() == 2 && mark[0].is_string() && mark[1].is_string())
      marks.emplace_back(mark[0].get<std::string>(), mark[1].get<std::string>());
  return marks;
}

std::string output_name(const ExecutorOptions& options, std::uint64_t number) {
  // With the drive's token: whoever still writes to one of before a crash is not in the way.
  return fmt::format("{}{}-{}", kOutputName, options.token.substr(0, 8), number);
}

BaseEnvironment::BaseEnvironment(const ExecutorOptions& options)
    : of_run_{assignment("FLOWRUN_RUN_ID", options.run_id), assignment("FLOWRUN_RUN_TOKEN", options.token),
              assignment("FLOWRUN_RUN_DIR", options.run_dir)},
      held_(held_around()) {
  held_.insert(held_.end(), options.held.begin(), options.held.end());
  for (char** variable = environ; *variable; ++variable) {
    std::string_view text = *variable;
    std::string_view name = text.substr(0, text.find('='));
    // A flowrun that is a step is started behind the door already, and where the step is carried out.
    if (!is_given(name) && name != "FLOWRUN_VIA" && name != "FLOWRUN_ON" &&
        !(options.secrets && options.secrets->brought_by(name)))
      inherited_.emplace_back(text);
  }
  if (std::string outer = outer_marks_of_ours(); !outer.empty()) of_run_.push_back(assignment(kOuterMarks, outer));
}

void BaseEnvironment::set_inherited(std::string_view name, std::string_view value) {
  const std::string known(name);
  std::erase_if(inherited_, [&](const std::string& variable) { return sets(variable.c_str(), known); });
  inherited_.push_back(assignment(name, value));
}

std::vector<const char*> BaseEnvironment::of(const Task& task, const Process& process, const std::string& output,
                                             const std::optional<HeldPlaces>& held,
                                             std::vector<std::string>& own) const {
  std::vector<const char*> env;
  env.reserve(inherited_.size() + process.env.size() + std::size(kGiven) + 1);
  if (process.inherit != Process::Inherit::None)
    for (const std::string& variable : inherited_)
      if (process.inherit == Process::Inherit::All || listed(process.inherited, variable))
        env.push_back(variable.c_str());

  // No string may move once |env| points to it.
  own.reserve(process.env.size() + std::size(kGiven) + 1);
  auto made = [&](std::string_view name, std::string_view value) {
    return own.emplace_back(assignment(name, value)).c_str();
  };
  const auto place_of = [&](const std::string& name) {
    return std::find_if(env.begin(), env.end(), [&](const char* variable) { return sets(variable, name); });
  };
  const auto put = [&](const std::string& name, const std::string& value) {
    const auto known = place_of(name);
    const char* text = made(name, value);
    known != env.end() ? * known = text : env.emplace_back(text);
  };
  // Before the workflow's own variables, which may say something else.
  if (!task.traceparent.empty()) put("TRACEPARENT", task.traceparent);
  for (const auto& [name, value] : process.env) {
    if (name.empty() || name.find('=') != name.npos)
      throw std::runtime_error("env: no variable can be named '" + name + "'");
    if (value) refuse_zero_bytes(*value, "the variable " + name);
    if (is_given(name)) continue;
    if (value) {
      put(name, *value);
    } else if (const auto known = place_of(name); known != env.end()) {
      env.erase(known);
    }
  }
  for (const std::string& variable : of_run_) env.push_back(variable.c_str());
  env.push_back(made("FLOWRUN_STEP", task.path));
  env.push_back(made("FLOWRUN_ATTEMPT", std::to_string(task.attempt)));
  env.push_back(made("FLOWRUN_IDEMPOTENCY_KEY", task.idempotency_key));
  env.push_back(made("FLOWRUN_RERUN", task.rerun > 0 ? "1" : "0"));
  env.push_back(made("FLOWRUN_OUTPUT", output));
  if (process.leave) env.push_back(made("FLOWRUN_LEAVE", "1"));
  if (held || !held_.empty()) {
    std::vector<HeldPlaces> all = held_;
    if (held) all.push_back(*held);
    env.push_back(made(kHeldPlaces, to_text(all)));
  }
  return env;
}

std::vector<std::string> BaseEnvironment::told(const std::vector<std::string>& own) const {
  std::vector<std::string> all = own;
  all.insert(all.end(), of_run_.begin(), of_run_.end());
  return all;
}

std::vector<const char*> BaseEnvironment::of_door(const Process& process, const std::vector<std::string>& told) const {
  std::vector<const char*> env;
  std::vector<std::string> names;
  for (const std::string& variable : told) {
    const std::string name = variable.substr(0, variable.find('='));
    if (!name.starts_with("FLOWRUN_") && !hands_on(process.via, name)) continue;
    env.push_back(variable.c_str());
    names.push_back(name);
  }
  for (const std::string& variable : inherited_)
    if (!listed(names, variable)) env.push_back(variable.c_str());
  return env;
}

std::vector<std::string> arguments_of(const RunFolder& folder, const Task& task, const Process& process,
                                      std::string& file) {
  std::vector<std::string> argv = process.argv;
  if (argv.empty()) throw std::runtime_error("there is no program to start");
  for (const std::string& argument : argv) refuse_zero_bytes(argument, "an argument");
  if (!process.script || argv.back().size() <= kLongestArgument) return argv;
  if (!process.via.empty())
    throw std::runtime_error(fmt::format(
        "the script has {} bytes, more than an argument can have, and a file would not be there by `via`; give it by "
        "`stdin`",
        argv.back().size()));
  file = script_name(task);
  const std::string path = folder.path() + "/" + file;
  const int script = folder.create(file);
  const bool written = script >= 0 && write_all(script, argv.back());
  if (script >= 0) close(script);
  if (!written) throw std::runtime_error(fmt::format("cannot write the script to {}: {}", path, std::strerror(errno)));
  argv.pop_back();
  argv.back() = path;  // where `-c` was
  return argv;
}

}  // namespace flowrun
