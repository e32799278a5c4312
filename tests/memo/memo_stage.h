// A folder with a workflow, a journal and a log of what ran, for the tests of memo.
#pragma once

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "engine/model/value.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test {

class MemoStage {
 public:
  const TempDir dir;
  const std::string journal = dir.path("j.db");

  /// What runs is written to `log` by `>> "$LOG"`.
  std::string write(const std::string& steps, const std::string& more = "input: { who: ann }\n") const {
    return dir.write("w.yaml", "flowrun: 1\n" + more + "env: { LOG: " + dir.path("log") + " }\nsteps:\n" + steps);
  }
  Ran operator()(std::vector<std::string> args, const HowToRun& how = {}) const {
    return flowrun(journal, std::move(args), how);
  }
  Ran start(const std::string& id, std::vector<std::string> more = {}) const {
    std::vector<std::string> args{"run", dir.path("w.yaml"), "--id", id};
    args.insert(args.end(), more.begin(), more.end());
    return (*this)(args);
  }
  /// What has run since this was last asked.
  std::string ran() const {
    const std::string all = dir.read("log");
    std::string fresh = all.substr(std::min(seen_, all.size()));
    seen_ = all.size();
    return fresh;
  }
  /// What is noted of the newest end of |step| in |run|: {run, seq, ...} or {miss}.
  Json note(const std::string& run, const std::string& step) const {
    Json note;
    std::istringstream lines((*this)({"journal", "show", run, "--json"}).out);
    for (std::string line; std::getline(lines, line);) {
      const Json entry = Json::parse(line);
      if (entry["kind"] == "ended" && entry.value("path", "") == step)
        note = entry["data"].value("memo", Json::object());
    }
    return note;
  }
  std::string miss(const std::string& run, const std::string& step) const { return note(run, step).value("miss", ""); }
  std::string store() const { return journal + "-memo/1"; }
  /// Contents that are kept.
  std::vector<std::string> kept_files() const {
    std::vector<std::string> names;
    if (std::filesystem::exists(store()))
      for (const auto& entry : std::filesystem::directory_iterator(store()))
        if (entry.path().filename().string().starts_with("f-")) names.push_back(entry.path().string());
    return names;
  }

 private:
  mutable std::size_t seen_ = 0;
};

}  // namespace flowrun::test
