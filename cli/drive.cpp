#include "cli/drive.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "cli/open.h"
#include "cli/render.h"
#include "engine/steps/outline.h"

namespace flowrun::cli {
namespace {

constexpr Duration kPatience{1000};
constexpr Duration kLongSleep{60000};  // --no-wait: what sleeps longer is not waited for
constexpr int kPatientSignals = 2;     // what is said more often ends the process
constexpr Duration kAfterTerm{1000};   // between TERM and KILL when a drive is stopped

// The only state that signal handlers and the drive share.
std::atomic<int> g_signals{0};
std::atomic<int> g_last_signal{0};
std::atomic<Run*> g_run{nullptr};

extern "C" void on_signal(int signal) {
  g_last_signal = signal;
  if (++g_signals > kPatientSignals) {
    // Nobody obeys, perhaps for a long expression: as kill -9 would, and what is in the journal is safe.
    ::signal(signal, SIG_DFL);
    ::raise(signal);
  }
  if (Run* run = g_run) run->wake();
}

Instant wall() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

}  // namespace

void add_drive_options(Command& command, DriveOptions& options) {
  command.add_option("--grace", options.grace, "How long running steps may finish after an interrupt")
      ->type_name("D")
      ->shows_default();
  command.add_flag("--no-wait", options.no_wait, "When only waits, or sleeps over 60 s, remain, suspend and exit 4");
  command.add_option("--progress", options.progress, "Progress on standard error: auto, plain, none")
      ->one_of({"auto", "plain", "none"})
      ->envname("FLOWRUN_PROGRESS");
  command.add_flag("--json", options.json, "Print one JSON object at the end");
  command.add_option("--events", options.events, "Write each journal entry as a line of JSON, as it is committed")
      ->type_name("FILE|-");
}

Duration duration_option(const std::string& text, const char* option) {
  auto span = parse_duration(text);
  if (!span)
    throw Error(Problem::Usage, fmt::format("{} {} is no duration; write for example 30s or 5m", option, text));
  return *span;
}

Drive::Drive(const Context& context, const DriveOptions& options)
    : context_(context),
      options_(options),
      grace_(duration_option(options.grace, "--grace")),
      progress_(context.quiet || options.progress == "none"),
      events_(options.events.empty() ? nullptr : std::make_unique<EventStream>(options.events)),
      began_(wall()) {
  if (options.json && options.events == "-")
    throw Error(Problem::Usage, "--json and --events - both write to standard output; choose one");
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (signal == SIGHUP && before.sa_handler == SIG_IGN) continue;  // nohup
    sigaction(signal, &action, nullptr);
  }
}

void Tally::add(const Entry& entry) {
  auto says = [&](std::string_view text) { return entry.data.find(text) != std::string::npos; };
  bool good = false, bad = false;
  if (entry.kind == "ended") {
    good = entry.data.starts_with(R"({"ok":true)");
    bad = !good;
    if (says(R"("next":)")) good = false;  // a page that another follows
  } else if (entry.kind == "settled") {
    good = says(R"("state":"succeeded")");
    bad = says(R"("state":"failed")");
  } else if (entry.kind == "fired") {
    good = says(R"("timer":"sleep")");
  } else if (entry.kind == "timer" && says(R"("timer":"retry")")) {
    failed_.erase(entry.path);
  }
  if (bad) failed_.insert(entry.path);
  if (!good) return;
  if (!failed_.empty()) failed_.erase(entry.path);
  if (entry.path != last_ok_) ++ok_;
  last_ok_ = entry.path;
}

Drive::~Drive() { g_run = nullptr; }

Run::Observer Drive::observer() {
  return [this](const Entry& entry) {
    if (entry.kind == "run_started") {
      std::string id = Json::parse(entry.data).value("id", "");
      progress_.run(id);
      if (!context_.quiet) std::fprintf(stderr, "run %s\n", id.c_str());
    }
    if (events_) events_->write(entry);
    tally_.add(entry);
    progress_.entry(entry);
  };
}

void Drive::obey_signals(Run& run) {
  int seen = g_signals;
  if (seen > signals_seen_ && signals_seen_ == 0) {
    suspended_at_ = wall();
    run.suspend(g_last_signal);
    run.turn(Duration{0});  // takes in what has not begun
    const std::vector<Machine::InFlight> flights = run.machine().in_flight();
    const auto running = std::count_if(flights.begin(), flights.end(), [](const Machine::InFlight& flight) {
      return flight.wanted && !flight.interrupted && flight.attempt > 0;
    });
    if (running > 0)
      progress_.note(fmt::format("stopping: {} running {} may finish within {}; once more stops now", running,
                                 running == 1 ? "step" : "steps", spell(grace_)));
  }
  bool again = seen > 1 && seen > signals_seen_;
  signals_seen_ = seen;
  if (seen == 0 || interrupted_) return;
  if (again || wall() - suspended_at_ >= grace_) {
    interrupted_ = true;
    run.interrupt(kAfterTerm);
  }
}

int Drive::finish(Run& run, bool printed) {
  g_run = &run;
  for (;;) {
    obey_signals(run);
    Duration patience = kPatience;
    if (signals_seen_ > 0 && !interrupted_)
      patience = std::clamp(grace_ - (wall() - suspended_at_), Duration{1}, kPatience);
    if (!run.turn(patience)) break;
    progress_.heartbeat(wall(), run.machine());
    if (run.disk_full()) {
      if (!told_full_)
        std::fprintf(
            stderr,
            "warning: the disk is full; nothing new is started, results wait in memory; make room and it goes on\n");
      told_full_ = true;
      if (signals_seen_ > 0 && (interrupted_ || wall() - suspended_at_ >= grace_)) {
        std::string lost;
        for (const std::string& path : run.unwritten()) lost += " " + path;
        throw Error(Problem::Journal, "the disk is full and the journal could not be written" +
                                          (lost.empty() ? "" : "; results lost, these steps run again:" + lost));
      }
    } else if (std::exchange(told_full_, false)) {
      std::fprintf(stderr, "note: there is room on the disk again; the run goes on\n");
    }
    // Who waits for a place while nothing is in flight waits for the date of a limit.
    if (options_.no_wait && !run.machine().work_in_flight() && !run.machine().suspending()) {
      auto next = run.next_timer();
      if (next ? *next - wall() > kLongSleep : run.machine().awaiting() > 0) run.suspend(0);
    }
  }
  g_run = nullptr;
  return report(run, printed && options_.events != "-");
}

int Drive::report(Run& run, bool printed) {
  const RunRecord& record = run.record();
  if (run.machine().phase() == Machine::Phase::Ended) return report_end(run, printed);
  std::fprintf(stderr, "suspended: flowrun resume %s goes on\n", record.id.c_str());
  if (options_.json) print_json(run);
  return signals_seen_ > 0 ? 128 + g_last_signal : 4;
}

int Drive::report_end(Run& run, bool printed) {
  const Outcome& outcome = run.machine().outcome();
  const RunRecord& record = run.record();
  if (!context_.quiet && options_.progress != "none")
    std::fprintf(stderr, "%s\n",
                 fmt::format("{} {:<9} {:<24} {}  {}  {} ok, {} failed", clock_text(wall()),
                             outcome.ok() ? "ok" : to_string(outcome.state), "run", record.id,
                             for_people(wall() - began_), tally_.ok(), tally_.failed())
                     .c_str());
  if (options_.json) {
    print_json(run);
  } else if (!printed) {
    // Standard output is somebody else's, or has had it before.
  } else if (run.loaded().workflow.has_output && (outcome.ok() || !outcome.output.is_null())) {
    print_result(result_text(outcome.output));
  } else if (outcome.ok() && !context_.quiet) {
    std::fprintf(stderr, "no `output` in the workflow; flowrun output %s --step NAME shows a step's\n",
                 record.id.c_str());
  }
  if (outcome.ok()) return 0;
  Failure failure = outcome.failure ? *outcome.failure : Failure{"internal", "it ended without saying why", "", 0, {}};
  std::vector<OutlineRow> rows = outline(run.loaded().workflow);
  const OutlineRow* row = find_row(rows, failure.step);
  History history = history_of(run.journal(), record);
  std::fputs(failure_text(record, failure, history, row).c_str(), stderr);
  return 1;
}

void Drive::print_json(Run& run) {
  const RunRecord& record = run.record();
  bool ended = run.machine().phase() == Machine::Phase::Ended;
  Json json{{"run", record.id}, {"duration_ms", (wall() - began_).count()}};
  json["state"] = ended ? std::string(to_string(run.machine().outcome().state)) : "suspended";
  json["output"] = ended ? run.machine().outcome().output.json() : Json();
  json["error"] = ended && run.machine().outcome().failure ? to_json(*run.machine().outcome().failure) : Json();
  History history = history_of(run.journal(), record);
  json["counts"] = history.counts();
  json["steps"] = Json::array();
  for (const StepHistory& step : history.steps()) json["steps"].push_back(step_json(step));
  print_result(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

int print_ended(const RunRecord& record, bool json) {
  if (json) {
    print_result(run_json(record).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  } else if (!record.output.is_null()) {
    print_result(result_text(record.output));
  }
  return record.state == "succeeded" ? 0 : 1;
}

}  // namespace flowrun::cli
