#include "engine/executor/worker.h"

#include "engine/executor/children.h"
#include "engine/executor/http_transfers.h"

namespace flowrun {

Worker::Worker(PoolShared& shared)
    : shared_(shared),
      loop_(shared.clock),
      children_(std::make_unique<Children>(shared, loop_)),
      http_(std::make_unique<Http>(shared, loop_)),
      thread_([this] { run(); }) {}

Worker::~Worker() {
  post(Quit{});
  thread_.join();
}

void Worker::run() {
  for (;;) {
    const EventLoop::Turn turn = loop_.turn();
    http_->settle();
    if (turn.notified && !handle_commands()) return;
    if (!turn.complete) continue;
    for (const CatchUp& one : to_catch_up_) one.done->set_value();
    to_catch_up_.clear();
  }
}

bool Worker::handle_commands() {
  std::vector<Command> commands;
  commands_.take(commands);
  for (Command& command : commands) {
    if (auto* task = std::get_if<Task>(&command)) {
      begin(std::move(*task));
    } else if (const auto* stop = std::get_if<Stop>(&command)) {
      children_->stop(stop->path, stop->attempt);
      http_->stop(stop->path, stop->attempt);
      // It may have come into the line of what drives share after the run thread has looked there.
      bool freed = false;
      if (shared_.stop_waiting(stop->path, stop->attempt, freed) && freed) children_->fill_slots();
    } else if (const auto* all = std::get_if<StopAll>(&command)) {
      children_->stop_all(all->most);
      http_->stop_all();
      if (shared_.stop_all_waiting()) children_->fill_slots();
    } else if (std::holds_alternative<FillSlot>(command)) {
      children_->fill_slots();
    } else if (std::holds_alternative<AwaitToken>(command)) {
      children_->await_token();
    } else if (auto* catch_up = std::get_if<CatchUp>(&command)) {
      to_catch_up_.push_back(std::move(*catch_up));
    } else {
      children_->kill_all();
      return false;
    }
  }
  http_->settle();
  return true;
}

void Worker::begin(Task task) {
  if (std::holds_alternative<Process>(*task.work)) {
    children_->begin(std::move(task));
  } else {
    http_->begin(std::move(task));
  }
}

}  // namespace flowrun
