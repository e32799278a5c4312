#include "engine/executor/secret_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "engine/model/path.h"

namespace flowrun {
namespace {

/// What of |result| may be seen of a step whose output is secret: how it ended, and nothing of what came back.
void conceal(Result& result) {
  result.value = result.ok() ? concealed_output() : Value();
  if (result.ok()) return;
  const Json detail = std::exchange(result.failure->detail, Value()).json();
  if (!detail.is_object()) return;
  if (detail.contains("http")) {
    result.failure->detail = Value(Json{{"http", {{"status", detail.at("http").value("status", Json())}}}});
  } else if (detail.contains("exit_code")) {
    result.failure->detail = Value(Json{{"exit_code", detail.at("exit_code")}});
    result.failure->message += "; what it said is secret, and not shown";
  }
}

}  // namespace

std::vector<std::string> SecretSteps::missing(const Task& task) const {
  std::set<std::string> paths;
  for (const TaskPlaceholder& one : placeholders_of(task))
    if (const auto path = path_of_secret(one.placeholder.secret); path && !outputs_.has(*path)) paths.emplace(*path);
  return {paths.begin(), paths.end()};
}

SecretSteps::Then SecretSteps::admit(Task task) {
  Then then;
  if (task.secret_output) remember(task);
  begin_or_wait(std::move(task), false, then);
  return then;
}

void SecretSteps::begin_or_wait(Task task, bool again, Then& then) {
  const std::vector<std::string> needs = missing(task);
  const bool follows = follows_itself(task, again);
  if (needs.empty() && !follows) return begin(std::move(task), again, then);
  for (const std::string& path : needs) ++needed_[path];
  if (task.secret_output) ++to_come_[task.path];
  if (again) ++reads_waiting_;
  Waiting& one = waiting_.emplace_back(Waiting{std::move(task), again, needs});
  if (line_ && !again) one.number = line_->add(one.task.path, one.task.attempt, LineKind::SecretOutput);
  for (const std::string& path : needs) read(path, then);
  // What the machine has asked for reads it as well.
  if (follows) stop_unneeded(then);
}

void SecretSteps::begin(Task task, bool again, Then& then) {
  if (task.secret_output) under_way_[task.path] = {task.attempt, again};
  then.begin.push_back(std::move(task));
}

void SecretSteps::read(const std::string& path, Then& then) {
  if (under_way_.contains(path) || to_come_.contains(path)) return;
  const auto known = known_.find(path);
  if (known == known_.end()) return fail_waiting(path, {"secret", "nobody knows how to read it again"}, then);
  Task task = known->second;
  task.strict = false;
  // Who waits for it may have all the places there are.
  task.shared.reset();
  if (auto* process = std::get_if<Process>(&*task.work)) process->weight = 0;
  // To the old key its server may give the old answer, which has expired.
  if (!task.idempotency_key.empty())
    set_idempotency_key(task, fmt::format("{}-{}", task.idempotency_key, drive_.substr(0, 8)));
  begin_or_wait(std::move(task), true, then);
}

void SecretSteps::go_on(Then& then) {
  std::set<std::string> wanted;
  for (std::size_t i = 0; i < waiting_.size();) {
    const Waiting& one = waiting_[i];
    // A read never meets an attempt of its step: it is begun only where none is under way or waits.
    bool ready = !follows_itself(one.task, one.again);
    for (const std::string& path : one.needs) {
      if (outputs_.has(path)) continue;
      ready = false;
      wanted.insert(path);
    }
    if (ready) {
      const bool again = one.again;
      begin(take_out(i), again, then);
    } else {
      ++i;
    }
  }
  for (const std::string& path : wanted) read(path, then);
}

void SecretSteps::stop_unneeded(Then& then) {
  for (std::size_t i = waiting_.size(); i-- > 0;)
    if (waiting_[i].again && !needed_.contains(waiting_[i].task.path)) take_out(i);
  for (auto& [path, one] : under_way_) {
    if (!one.again || one.stopping || (needed_.contains(path) && !to_come_.contains(path))) continue;
    one.stopping = true;
    then.stop.emplace_back(path, one.attempt);
  }
}

void SecretSteps::fail_waiting(const std::string& path, const Failure& failure, Then& then) {
  // Of the same type: what may pass is tried again.
  const Failure why{failure.type,
                    fmt::format("the secret output of {} could not be read again: {}", path, failure.message)};
  std::vector<std::string> reads;
  for (std::size_t i = 0; i < waiting_.size();) {
    const std::vector<std::string>& needs = waiting_[i].needs;
    if (std::find(needs.begin(), needs.end(), path) == needs.end()) {
      ++i;
      continue;
    }
    const bool again = waiting_[i].again;
    Task task = take_out(i);
    if (again) {
      reads.push_back(task.path);
      continue;
    }
    Result result;
    result.failure = why;
    result.sent = false;
    then.happened.push_back({{}, TaskEnded{task.path, task.attempt, std::move(result)}});
    then.ended.push_back(std::move(task));
  }
  for (const std::string& read : reads) fail_waiting(read, why, then);
}

bool SecretSteps::take_end(Event& event, Then& then) {
  auto& ended = std::get<TaskEnded>(event.fact);
  Result& result = ended.result;
  const SecretOutput& wanted = *known_.at(ended.path).secret_output;
  if (result.ok()) {
    const Value output = part_of(result.value, wanted);
    if (!wanted.within.empty() && output.is_null())
      result.failure = Failure{"expression", "`output` finds nothing in what came back; it is secret, and not shown"};
    else
      outputs_.keep(ended.path, output);
  }
  conceal(result);
  const auto found = under_way_.find(ended.path);
  if (found == under_way_.end() || found->second.attempt != ended.attempt) return true;
  const UnderWay was = found->second;
  under_way_.erase(found);
  if (result.failure && !was.stopping) fail_waiting(ended.path, *result.failure, then);
  if (!was.again) return true;
  if (result.failure && (was.stopping || result.failure->type == "cancelled")) return false;
  SecretRead read{ended.path, ended.attempt, result.took, result.failure};
  event.fact = std::move(read);
  return true;
}

SecretSteps::Then SecretSteps::take(std::vector<Event>& happened, std::size_t from) {
  Then then;
  if (known_.empty()) return then;
  bool news = false;
  std::vector<Event> told;
  for (std::size_t i = from; i < happened.size(); ++i) {
    Event& event = happened[i];
    bool tell = true;
    if (const auto* ended = std::get_if<TaskEnded>(&event.fact); ended && known_.contains(ended->path)) {
      news = true;
      tell = take_end(event, then);
    } else if (const auto* withdrawn = std::get_if<TaskWithdrawn>(&event.fact)) {
      const auto found = under_way_.find(withdrawn->path);
      if (found != under_way_.end() && found->second.attempt == withdrawn->attempt) {
        news = true;
        under_way_.erase(found);
      }
    }
    if (tell) told.push_back(std::move(event));
  }
  happened.resize(from);
  if (news) go_on(then);
  std::move(told.begin(), told.end(), std::back_inserter(happened));
  std::move(then.happened.begin(), then.happened.end(), std::back_inserter(happened));
  then.happened.clear();
  return then;
}

Task SecretSteps::take_out(std::size_t which) {
  const auto one = waiting_.begin() + static_cast<std::ptrdiff_t>(which);
  const auto count_down = [](std::map<std::string, std::size_t>& counts, const std::string& path) {
    if (const auto count = counts.find(path); --count->second == 0) counts.erase(count);
  };
  for (const std::string& path : one->needs) count_down(needed_, path);
  if (one->task.secret_output) count_down(to_come_, one->task.path);
  if (one->again) --reads_waiting_;
  if (one->number) line_->remove(*one->number);
  Task task = std::move(one->task);
  waiting_.erase(one);
  return task;
}

std::optional<Task> SecretSteps::withdraw(const std::string& path, int attempt, Then& then) {
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    const Waiting& one = waiting_[i];
    if (one.again || one.task.path != path || one.task.attempt != attempt) continue;
    Task task = take_out(i);
    stop_unneeded(then);
    return task;
  }
  return std::nullopt;
}

std::vector<Task> SecretSteps::withdraw_below(const std::string& path, Then& then) {
  std::vector<Task> tasks;
  for (std::size_t i = 0; i < waiting_.size();)
    if (!waiting_[i].again && is_below(waiting_[i].task.path, path))
      tasks.push_back(take_out(i));
    else
      ++i;
  stop_unneeded(then);
  return tasks;
}

}  // namespace flowrun
