#include "engine/executor/processes.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

namespace flowrun {
namespace {

std::string whole(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

/// Numbers that name entries of |folder|.
std::vector<int> numbers_in(const char* folder) {
  std::vector<int> numbers;
  DIR* entries = opendir(folder);
  if (!entries) return numbers;
  while (const dirent* entry = readdir(entries))
    if (int number = std::atoi(entry->d_name); number > 0) numbers.push_back(number);
  closedir(entries);
  return numbers;
}

}  // namespace

std::optional<ProcessState> state_of(int pid) {
  const std::string stat = whole("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t behind = stat.rfind(')');  // the name before it may hold anything
  if (behind == std::string::npos) return std::nullopt;
  std::istringstream fields(stat.substr(behind + 1));
  ProcessState found;
  char state = 0;
  fields >> state >> found.parent >> found.group;
  std::string skipped;
  for (int i = 0; i < 14; ++i) fields >> skipped;
  int threads = 0;
  fields >> threads;
  // A program whose first thread has ended shows as a zombie, too, while others of it go on.
  found.dead = state == 'X' || (state == 'Z' && threads <= 1);
  return found;
}

std::vector<int> all_processes() { return numbers_in("/proc"); }

std::string environment_of(int pid) { return whole("/proc/" + std::to_string(pid) + "/environ"); }

std::optional<std::string> variable(const std::string& environment, const std::string& name) {
  const std::string wanted = name + "=";
  for (std::size_t at = 0; at < environment.size();) {
    const std::size_t end = std::min(environment.find('\0', at), environment.size());
    if (environment.compare(at, wanted.size(), wanted) == 0)
      return environment.substr(at + wanted.size(), end - at - wanted.size());
    at = end + 1;
  }
  return std::nullopt;
}

std::string command_of(int pid) {
  std::string command = whole("/proc/" + std::to_string(pid) + "/cmdline");
  std::replace(command.begin(), command.end(), '\0', ' ');
  if (!command.empty()) command.pop_back();  // each argument has one behind it
  return command;
}

bool group_lives(int group) {
  const std::vector<int> pids = all_processes();
  return pids.empty() || std::any_of(pids.begin(), pids.end(), [group](int pid) {
           const auto state = state_of(pid);
           return state && state->group == group && !state->dead;
         });
}

bool has_children_elsewhere() {
  const std::vector<int> threads = numbers_in("/proc/self/task");
  if (threads.empty()) return true;
  for (int thread : threads) {
    const std::string file = "/proc/self/task/" + std::to_string(thread) + "/children";
    std::ifstream in(file);
    if (!in && access(file.c_str(), F_OK) != 0 &&
        access(("/proc/self/task/" + std::to_string(thread)).c_str(), F_OK) == 0)
      return true;  // a kernel without CONFIG_PROC_CHILDREN
    for (int child = 0; in >> child;)
      if (getsid(child) != getsid(0)) return true;
  }
  return false;
}

}  // namespace flowrun
