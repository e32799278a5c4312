#include "cli/entry_text.h"

#include <fmt/format.h>

#include "cli/memo_text.h"
#include "engine/model/entry_reading.h"
#include "engine/model/json_text.h"
#include "engine/run/history.h"

namespace flowrun::cli {
namespace {

/// Cuts values to |width| columns.
class Describer {
 public:
  Describer(const Entry& entry, bool full)
      : entry_(entry), full_(full), width_(full ? std::string::npos - 8 : 100), line_{"", entry.path, ""} {
    line_.what = to_string(entry.kind);
  }

  EntryLine line() {
    switch (entry_.kind) {
      case EntryKind::RunStarted:
        started(as<RunStarted>(entry_));
        break;
      case EntryKind::RunResumed:
        resumed(as<RunResumed>(entry_));
        break;
      case EntryKind::RunReopened:
        of_run("reopened", entry_.path);
        add_place(as<RunReopened>(entry_).on);
        break;
      case EntryKind::TaskReserved:
      case EntryKind::ReservePlace:
      case EntryKind::Evaluated:
        line_.news = false;
        break;
      case EntryKind::TaskEnded:
      case EntryKind::LateEnd:
        ended(as<TaskEnded>(entry_).result);
        break;
      case EntryKind::TaskInterrupted:
        add("stopped while suspending; will run again");
        break;
      case EntryKind::TaskWithdrawn:
        line_.news = false;
        add("had no place and has not begun");
        break;
      case EntryKind::TimerFired:
        fired(as<TimerFired>(entry_).timer);
        break;
      case EntryKind::SuspendRequested: {
        const int signal = as<SuspendRequested>(entry_).signal;
        line_.news = false;
        of_run("suspend", signal ? fmt::format("signal {}", signal) : "nothing to do but to wait");
        break;
      }
      case EntryKind::SignalReceived:
        signal(as<SignalReceived>(entry_));
        break;
      case EntryKind::CancelRequested:
        cancelled(as<CancelRequested>(entry_));
        break;
      case EntryKind::UndoRequested:
        of_run("undo", "by " + as<UndoRequested>(entry_).by);
        break;
      case EntryKind::RunFrozen:
        of_run("frozen",
               to_display(as<RunFrozen>(entry_).span) + "; flowrun did not run, and limits of work do not count that");
        break;
      case EntryKind::SecretRead:
        secret_read(as<SecretRead>(entry_));
        break;
      case EntryKind::StartTask:
        start(as<StartTask>(entry_).task);
        break;
      case EntryKind::StopTask:
        add(as<StopTask>(entry_).reason);
        break;
      case EntryKind::WithdrawWaiting:
        line_.news = false;
        if (entry_.path.empty()) of_run("withdraw", "");
        add("what waits for a place is not to begin");
        break;
      case EntryKind::ArmTimer:
        timer(as<ArmTimer>(entry_));
        break;
      case EntryKind::StepSettled:
        settled(as<StepSettled>(entry_));
        break;
      case EntryKind::ItemsChosen:
        line_.news = false;
        add(fmt::format("{} items", as<ItemsChosen>(entry_).count));
        break;
      case EntryKind::ItemsArrived:
        arrived(as<ItemsArrived>(entry_));
        break;
      case EntryKind::RunSuspended:
        line_.news = false;
        of_run("suspended", "");
        break;
      case EntryKind::RunEnded:
        run_ended(as<RunEnded>(entry_).outcome);
        break;
      case EntryKind::SignalAwaited:
        waits(as<SignalAwaited>(entry_));
        break;
      case EntryKind::ChildStarted:
        child(as<ChildStarted>(entry_));
        break;
    }
    return std::move(line_);
  }

 private:
  void of_run(std::string what, std::string detail) {
    line_.what = "run";
    line_.step = std::move(what);
    line_.detail = std::move(detail);
  }
  void add(const std::string& more) {
    if (more.empty()) return;
    if (!line_.detail.empty()) line_.detail += "  ";
    line_.detail += more;
  }
  void arrived(const ItemsArrived& fact) {
    line_.news = false;
    add(fmt::format("{} items", fact.items.json().size()));
    if (fact.last) add("no more come");
  }
  void add_place(const std::string& on) {
    if (!on.empty()) add("on " + on);
  }
  void add_try() {
    if (entry_.attempt > 1) add(fmt::format("try {}", entry_.attempt));
  }
  void add_value() {
    if (!entry_.value.is_null()) add(one_line(entry_.value.text(), width_));
  }
  void add_failure(const std::optional<Failure>& failure) {
    if (failure) add(one_line(failure->type + ": " + failure->message, width_));
  }

  void started(const RunStarted& fact) {
    line_.news = false;
    of_run(fact.id, fact.forked_of.empty() ? "started" : "forked of " + fact.forked_of);
    add_place(fact.on);
  }

  void resumed(const RunResumed& fact) {
    of_run("resumed", "after " + to_display(fact.down));
    add_place(fact.on);
    if (fact.cancel) of_run("cancel", "by " + fact.cancel->by);
  }

  void cancelled(const CancelRequested& fact) {
    of_run("cancel", "by " + fact.by);
    if (fact.undo) add("undo");
    if (fact.now) add("now");
  }

  void ended(const Result& result) {
    const bool late = entry_.kind == EntryKind::LateEnd;
    line_.what = late ? "late" : result.failure ? "failed" : result.again ? "not yet" : "ok";
    if (result.failure)
      add_failure(result.failure);
    else if (result.code >= 100)
      add(std::to_string(result.code));
    add(to_display(result.took));
    if (result.page > 0) {
      if (!result.next.empty()) line_.what = "page";
      add(fmt::format("page {}", result.page));
      const bool list = entry_.value.text().front() == '[';
      if (list) add(fmt::format("{} items", list_elements(entry_.value.text()).size()));
      if (list && !full_) return;
    } else {
      add_try();
    }
    if (result.taken) add("taken over");
    if (result.memo && result.is_taken()) add("from " + origin_text(*result.memo, entry_.at));
    if (!result.failure) add_value();
  }

  void secret_read(const SecretRead& fact) {
    line_.what = "reread";
    if (fact.failure) add_failure(fact.failure);
    add(to_display(fact.took));
  }

  void fired(TimerKind timer) {
    line_.detail = to_string(timer);
    line_.news = timer == TimerKind::Sleep || timer == TimerKind::Delay;
    if (line_.news) line_.what = "awake";
  }

  void signal(const SignalReceived& fact) {
    add(fact.name + " by " + fact.by);
    if (fact.rejected) add(one_line("rejected: " + *fact.rejected, width_));
    add_value();
  }

  void start(const Task& task) {
    const std::string_view text = input_of(entry_);
    const Json input = text.empty() ? Json::object() : Json::parse(text);
    line_.detail = preview_of_input(input, width_);
    if (task.page > 0)
      add(fmt::format("page {}", task.page));
    else
      add_try();
    if (task.rerun > 0) add(fmt::format("again, had begun before ({})", task.rerun));
    if (input.contains("size")) add(fmt::format("input of {} bytes", input["size"].get<std::int64_t>()));
  }

  void timer(const ArmTimer& decision) {
    const std::string span = to_display(decision.span);
    const std::string timer(to_string(decision.timer));
    switch (decision.timer) {
      case TimerKind::Retry:
        line_.what = "retry";
        line_.detail = fmt::format("{}, try {} in {}", decision.reason, entry_.attempt + 1, span);
        break;
      case TimerKind::Poll:
        line_.what = "poll";
        line_.detail = fmt::format("{} not yet, again in {}", entry_.attempt, span);
        break;
      case TimerKind::Limit:
        line_.news = false;
        line_.detail = fmt::format("{}, opens in {}", decision.reason, span);
        break;
      case TimerKind::Timeout:
      case TimerKind::Deadline:
      case TimerKind::Wait:
        line_.news = false;
        line_.detail = fmt::format("{} in {}", timer, span);
        break;
      case TimerKind::Sleep:
      case TimerKind::Delay:
        line_.what = timer;
        line_.detail = "for " + span;
        break;
    }
  }

  void settled(const StepSettled& decision) {
    const State state = decision.outcome.state;
    if (decision.kind == "log" && state == State::Succeeded && entry_.value.json().is_string()) {
      line_.what = decision.reason;
      return add(one_line(entry_.value.json().get<std::string>(), width_));
    }
    line_.what = state == State::Succeeded ? "ok" : to_string(state);
    line_.detail = decision.kind;
    add(decision.reason);
    add_failure(decision.outcome.failure);
    add_value();
  }

  void run_ended(const Outcome& outcome) {
    line_.news = false;
    of_run(std::string(to_string(outcome.state)), "");
    add_failure(outcome.failure);
    add_value();
  }

  void waits(const SignalAwaited& decision) {
    line_.what = "waits";
    line_.detail = "for " + decision.name;
    add(one_line(decision.prompt, width_));
  }

  void child(const ChildStarted& decision) {
    line_.what = "start";
    line_.detail = "workflow " + decision.file;
    add_try();
    add(one_line(entry_.value.text(), width_));
  }

  const Entry& entry_;
  const bool full_;
  const std::size_t width_;
  EntryLine line_;
};

}  // namespace

EntryLine describe(const Entry& entry, bool full) {
  return reading(entry, [&] { return Describer(entry, full).line(); });
}

Json entry_json(const Entry& entry) {
  Json json{{"seq", entry.seq}, {"at", timestamp(entry.at)}, {"kind", to_string(entry.kind)}, {"data", data_of(entry)}};
  if (!entry.path.empty()) json["path"] = entry.path;
  if (entry.attempt > 0) json["attempt"] = entry.attempt;
  if (!entry.value.is_null()) json["value"] = entry.value.json();
  return json;
}

}  // namespace flowrun::cli
