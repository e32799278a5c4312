#include "engine/executor/secret_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "engine/model/path.h"

namespace flowrun {
namespace {

/// What of |result| may be seen of a step whose output is secret.
void conceal(Result& result) {
  result.value = result.ok() ? concealed_output() : Value();
  if (!result.failure || result.failure->type != "parse") return;
  // The message quotes what it could not read.
  result.failure->message = "what came back is not what `response` or `capture` asks for; it is secret, and not shown";
  result.failure->detail = Value();
}

}  // namespace

void SecretSteps::remember(const Task& task) { known_[task.path] = task; }

std::vector<std::string> SecretSteps::missing(const Task& task) const {
  std::set<std::string> paths;
  for (const TaskPlaceholder& one : placeholders_of(task))
    if (const auto path = path_of_secret(one.placeholder.secret); path && !outputs_.has(*path)) paths.emplace(*path);
  return {paths.begin(), paths.end()};
}

SecretSteps::Then SecretSteps::admit(Task task) {
  Then then;
  begin_or_wait(std::move(task), false, then);
  return then;
}

void SecretSteps::begin_or_wait(Task task, bool again, Then& then) {
  if (task.secret_output && !again) remember(task);
  const std::vector<std::string> paths = missing(task);
  // Two attempts of one step would be known by one path.
  const bool follows_itself = !again && is_read_again(task.path);
  if (paths.empty() && !follows_itself) return then.begin.push_back(std::move(task));
  const auto number = line_ ? line_->add(task.path, task.attempt) : std::nullopt;
  waiting_.push_back({std::move(task), number, again});
  for (const std::string& path : paths) {
    if (is_read_again(path)) continue;
    const auto known = known_.find(path);
    if (known == known_.end()) {
      fail_waiting(path, {"secret", "nobody knows how to read it again"}, then);
      continue;
    }
    Task reads = known->second;
    reads.strict = false;
    // To the old key its server may give the old answer, which has expired.
    if (!reads.idempotency_key.empty())
      set_idempotency_key(reads, fmt::format("{}-{}", reads.idempotency_key, drive_.substr(0, 8)));
    read_again_[path] = reads.attempt;
    begin_or_wait(std::move(reads), true, then);
  }
}

void SecretSteps::begin_ready(Then& then) {
  for (std::size_t i = 0; i < waiting_.size();) {
    const Task& task = waiting_[i].task;
    const auto again = read_again_.find(task.path);
    const bool follows_itself = again != read_again_.end() && !waiting_[i].again;
    if (!missing(task).empty() || follows_itself) {
      ++i;
    } else {
      then.begin.push_back(take_out(waiting_.begin() + static_cast<std::ptrdiff_t>(i)));
    }
  }
}

void SecretSteps::fail_waiting(const std::string& path, const Failure& failure, Then& then) {
  for (std::size_t i = 0; i < waiting_.size();) {
    const std::vector<std::string> paths = missing(waiting_[i].task);
    if (std::find(paths.begin(), paths.end(), path) == paths.end()) {
      ++i;
      continue;
    }
    const Task task = take_out(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    Result result;
    // Of the same type: what may pass is tried again.
    result.failure = Failure{failure.type,
                             fmt::format("the secret output of {} could not be read again: {}", path, failure.message)};
    result.sent = false;
    then.happened.push_back({{}, TaskEnded{task.path, task.attempt, std::move(result)}});
  }
}

std::vector<Task> SecretSteps::take(std::vector<Event>& happened, std::size_t from) {
  Then then;
  for (std::size_t i = from; i < happened.size(); ++i) {
    auto* ended = std::get_if<TaskEnded>(&happened[i].fact);
    if (!ended) continue;
    const auto again = read_again_.find(ended->path);
    const bool was_read_again = again != read_again_.end() && again->second == ended->attempt;
    const auto known = known_.find(ended->path);
    if (known == known_.end()) continue;
    Result& result = ended->result;
    const SecretOutput& wanted = *known->second.secret_output;
    if (result.ok()) outputs_.keep(ended->path, part_of(result.value, wanted));
    conceal(result);
    if (!was_read_again) continue;
    const std::string path = ended->path;
    const std::optional<Failure> failure = result.failure;
    read_again_.erase(again);
    if (failure && failure->type == "cancelled")
      happened.erase(happened.begin() + static_cast<std::ptrdiff_t>(i--));  // nobody waits for it any more
    else
      happened[i].fact = SecretRead{path, ended->attempt, result.took, failure};
    if (failure) fail_waiting(path, *failure, then);
    begin_ready(then);
    std::move(then.happened.begin(), then.happened.end(), std::back_inserter(happened));
    then.happened.clear();
  }
  return std::move(then.begin);
}

Task SecretSteps::take_out(std::deque<Waiting>::iterator which) {
  if (which->number) line_->remove(*which->number);
  Task task = std::move(which->task);
  waiting_.erase(which);
  return task;
}

void SecretSteps::give_up() {
  for (std::size_t i = waiting_.size(); i-- > 0;)
    if (waiting_[i].again) read_again_.erase(take_out(waiting_.begin() + static_cast<std::ptrdiff_t>(i)).path);
}

std::optional<Task> SecretSteps::withdraw(const std::string& path, int attempt) {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& one) {
    return !one.again && one.task.path == path && one.task.attempt == attempt;
  });
  if (found == waiting_.end()) return std::nullopt;
  return take_out(found);
}

std::vector<Task> SecretSteps::withdraw_below(const std::string& path) {
  std::vector<Task> tasks;
  for (std::size_t i = 0; i < waiting_.size();)
    if (!waiting_[i].again && is_below(waiting_[i].task.path, path))
      tasks.push_back(take_out(waiting_.begin() + static_cast<std::ptrdiff_t>(i)));
    else
      ++i;
  return tasks;
}

}  // namespace flowrun
