#include "engine/scenario/test_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

#include "engine/executor/secrets.h"
#include "engine/jq/jq.h"
#include "engine/model/error.h"
#include "engine/run/step_paths.h"
#include "engine/scenario/scenario_reader.h"

namespace flowrun {
namespace {

namespace fs = std::filesystem;

bool is_wanted(const std::string& filter, const std::string& name) {
  if (filter.empty()) return true;
  if (!is_pattern(filter)) return name.find(filter) != std::string::npos;
  return is_like(filter, name);
}

/// A file that was read and found good.
struct Readied {
  ScenarioFile scenarios;
  Source source;  ///< of the scenarios
  std::string workflow_text;
  Texts sub_workflows;
  std::vector<const Scenario*> wanted;
};

/// A workflow for one thread: its values belong to that.
struct Desk {
  const Readied* of = nullptr;
  std::optional<Loaded> loaded;
  std::unique_ptr<Jq> jq;
  std::optional<WorkflowPlaces> places;

  void prepare(const Readied& file) {
    if (of == &file) return;
    of = &file;
    Diagnostics none({file.scenarios.workflow, file.workflow_text});
    places.reset();
    loaded = load(file.scenarios.workflow, none, nullptr, Lints::No, false, &file.sub_workflows);
    if (!loaded) throw Error(Problem::Internal, "a workflow that was good is not: " + none.text());
    jq = make_jq(loaded->programs);
    places.emplace(loaded->workflow, file.scenarios.workflow);
  }
};

/// Reads |file|. Nothing when something keeps it from being played, which is told in |played|.
std::unique_ptr<Readied> ready(const std::string& file, const TestOptions& options, Jq& jq, PlayedFile& played) {
  auto readied = std::make_unique<Readied>();
  played.read.push_back(file);
  try {
    played.mistakes = Diagnostics({file, read_file(file, false)});
  } catch (const Error& unreadable) {
    played.mistakes.error("E009", {}, 1, unreadable.what());
    return nullptr;
  }
  auto scenarios = read_scenarios(file, played.mistakes);
  if (!scenarios) return nullptr;
  readied->scenarios = *std::move(scenarios);
  readied->source = played.mistakes.source();
  const std::string& workflow = readied->scenarios.workflow;
  played.workflow = workflow;
  played.read.push_back(workflow);
  const Place& named = readied->scenarios.workflow_place;
  try {
    readied->workflow_text = read_file(workflow, false);
  } catch (const Error& unreadable) {
    played.mistakes.error("E305", named.at, static_cast<int>(named.length), unreadable.what());
    return nullptr;
  }
  Diagnostics found({workflow, readied->workflow_text});
  const std::optional<Loaded> loaded = load(workflow, found, &jq);
  if (!loaded) {
    played.mistakes.error("E305", named.at, static_cast<int>(named.length),
                          fmt::format("workflow {} is not valid ({})", workflow, found.summary()));
    played.mistakes.include(std::move(found));
    return nullptr;
  }
  readied->sub_workflows = loaded->sources;
  for (const auto& [path, text] : loaded->sources)
    played.read.push_back((fs::path(workflow).parent_path() / path).lexically_normal().string());
  check_names(readied->scenarios, *loaded, played.mistakes);
  if (!played.mistakes.ok()) return nullptr;
  for (const Scenario& scenario : readied->scenarios.scenarios)
    if (is_wanted(options.filter, scenario.name)) readied->wanted.push_back(&scenario);
  return readied;
}

/// What is to be played, and who has taken what.
class Line {
 public:
  struct Task {
    const Readied* file;
    std::size_t number;  ///< of the scenario among those that are wanted
    PlayedScenario* played;
  };

  Line(std::vector<Task> tasks, std::function<bool()> stop)
      : tasks_(std::move(tasks)), stop_(std::move(stop)), over_(tasks_.size()) {}

  /// Plays what nobody has taken yet, to the end.
  void work() {
    Desk desk;
    for (std::size_t i; (i = next_++) < tasks_.size();) {
      const Task& task = tasks_[i];
      std::exception_ptr trouble;
      try {
        if (stop_ && stop_()) throw Interrupted("stopped; not all scenarios were played");
        desk.prepare(*task.file);
        *task.played =
            play(*task.file->wanted[task.number], *desk.loaded, *desk.places, *desk.jq, task.file->source, stop_);
      } catch (...) {
        trouble = std::current_exception();
      }
      std::lock_guard lock(mutex_);
      over_[i] = true;
      if (trouble && !trouble_) trouble_ = trouble;
      changed_.notify_all();
    }
  }

  /// Until the first |count| are over. Throws what one of them has thrown.
  void wait(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      return trouble_ || std::all_of(over_.begin(), over_.begin() + static_cast<std::ptrdiff_t>(count),
                                     [](bool over) { return over; });
    });
    if (trouble_) std::rethrow_exception(trouble_);
  }

  /// Nobody takes any more.
  void stop() { next_ = tasks_.size(); }

 private:
  const std::vector<Task> tasks_;
  const std::function<bool()> stop_;
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<bool> over_;
  std::exception_ptr trouble_;
};

/// Who works at a line. Ended and waited for at the end of its life.
class Workers {
 public:
  Workers(Line& line, int count) : line_(line) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([&line] { line.work(); });
  }
  ~Workers() {
    line_.stop();
    for (std::thread& thread : threads_) thread.join();
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

 private:
  Line& line_;
  std::vector<std::thread> threads_;
};

void cover(const Readied& file, PlayedFile& played) {
  Desk desk;
  desk.prepare(file);
  Exercised exercised;
  for (const PlayedScenario& scenario : played.scenarios) {
    History history;
    for (const Entry& entry : scenario.entries) history.add(entry);
    exercised.add(history);
  }
  played.coverage = coverage_of(*desk.places, exercised);
}

}  // namespace

bool is_test_file(const std::string& file) { return file.ends_with(".test.yaml") || file.ends_with(".test.yml"); }

std::vector<std::string> test_files(const std::vector<std::string>& named) {
  std::vector<std::string> files;
  for (const std::string& one : named) {
    std::error_code error;
    if (!fs::is_directory(one, error)) {
      files.push_back(one);
      continue;
    }
    std::vector<std::string> found;
    for (const auto& entry :
         fs::recursive_directory_iterator(one, fs::directory_options::skip_permission_denied, error))
      if (is_test_file(entry.path()) && entry.is_regular_file(error)) found.push_back(entry.path().lexically_normal());
    if (found.empty()) throw Error(Problem::Usage, fmt::format("there is no FILE.test.yaml in {}", one));
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

void play_files(const std::vector<std::string>& files, const TestOptions& options,
                const std::function<void(const PlayedFile&)>& done) {
  std::vector<PlayedFile> played;
  for (const std::string& file : files) played.push_back({file, "", Diagnostics({file, ""}), {}, {}, {}});
  std::vector<std::unique_ptr<Readied>> readied(files.size());
  {
    const std::unique_ptr<Jq> jq = make_jq();
    for (std::size_t i = 0; i < files.size(); ++i) readied[i] = ready(files[i], options, *jq, played[i]);
  }
  std::vector<Line::Task> tasks;
  std::vector<std::size_t> over;  // by file: how many tasks are over with it
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (readied[i]) {
      for (const Scenario* scenario : readied[i]->wanted)
        played[i].scenarios.push_back(
            {scenario->name, scenario->place.at, Diagnostics(readied[i]->source), false, Duration{0}, {}});
      for (std::size_t number = 0; number < played[i].scenarios.size(); ++number)
        tasks.push_back({readied[i].get(), number, &played[i].scenarios[number]});
    }
    over.push_back(tasks.size());
  }
  const auto most = static_cast<int>(std::min<std::size_t>(tasks.size(), static_cast<std::size_t>(options.jobs)));
  Line line(std::move(tasks), options.stop);
  const Workers workers(line, most);
  for (std::size_t i = 0; i < files.size(); ++i) {
    line.wait(over[i]);
    if (readied[i] && !played[i].scenarios.empty()) cover(*readied[i], played[i]);
    done(played[i]);
  }
}

}  // namespace flowrun
