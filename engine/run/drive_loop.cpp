#include "engine/run/drive_loop.h"

#include <string.h>

#include <algorithm>
#include <chrono>

#include "engine/run/clocks.h"

namespace flowrun {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Duration kLongSleep{60000};  // --no-wait: what sleeps longer is not waited for
constexpr Duration kHurry{1000};       // the most between TERM and KILL when an end is asked for twice

int running_in(const Machine& machine) {
  const std::vector<InFlight> flights = machine.in_flight();
  return static_cast<int>(std::count_if(flights.begin(), flights.end(), [](const InFlight& flight) {
    return flight.wanted && !flight.interrupted && flight.attempt > 0;
  }));
}

/// The front end may wake the run for as long as this lives.
class Driving {
 public:
  Driving(Run& run, FrontEnd& front) : front_(front) { front_.drives(&run); }
  ~Driving() { front_.drives(nullptr); }
  Driving(const Driving&) = delete;
  Driving& operator=(const Driving&) = delete;

 private:
  FrontEnd& front_;
};

/// How far the end of a run has come that somebody asked for. Where the workflow wants so, the first time cancels it.
class Stop {
 public:
  Stop(Run& run, Duration grace, FrontEnd& front) : run_(run), grace_(grace), front_(front) {}

  /// Suspends the run, then interrupts it, as it is asked and as time passes.
  void obey() {
    const EndAsked end = front_.end_asked();
    if (end.times() == 0 || (asked_ == 0 && cancels(end))) return;
    if (asked_ == 0) {
      asked_at_ = Clock::now();
      run_.ask(SuspendRequested{end.signal});
      run_.turn(Duration{0});  // takes in what has not begun
      if (int running = running_in(run_.machine()); running > 0) front_.ends({Ending::How::Finishes, running, grace_});
    }
    asked_ = end.times();
    if (asked_ > 1 && !hurried_) {
      hurried_ = interrupted_ = true;
      run_.interrupt(kHurry);
    } else if (!interrupted_ && waited() >= grace_) {
      interrupted_ = true;
      run_.interrupt();
      if (int running = running_in(run_.machine()); running > 0) front_.ends({Ending::How::Told, running, kHurry});
    }
  }
  /// How long a turn may wait before obey() has to look again.
  Duration patience() const {
    const Duration most = front_.patience();
    return asked_ > 0 && !interrupted_ ? std::clamp(grace_ - waited(), Duration{1}, most) : most;
  }
  /// An end was asked for, and what runs has had its time.
  bool overdue() const { return asked_ > 0 && (interrupted_ || waited() >= grace_); }

 private:
  /// Whether the run is cancelled instead, now or since an earlier signal. That nobody reads any more ends nothing
  /// then: a signal goes to the reader, too.
  bool cancels(const EndAsked& end) {
    if (cancelled_at_ == 0 && end.signals > 0 && run_.machine().signals_cancel() &&
        run_.ask(CancelRequested{false, false, "SIG" + std::string(sigabbrev_np(end.signal))})) {
      cancelled_at_ = end.signals;
      front_.ends({Ending::How::Cancelled});
    }
    return cancelled_at_ > 0 && end.signals <= cancelled_at_;
  }
  Duration waited() const { return std::chrono::duration_cast<Duration>(Clock::now() - asked_at_); }

  Run& run_;
  const Duration grace_;
  FrontEnd& front_;
  int cancelled_at_ = 0;      ///< the signals there were when the run was cancelled; 0: it was not
  int asked_ = 0;             ///< how often it was when the run was suspended
  bool interrupted_ = false;  ///< what runs has been told to end
  bool hurried_ = false;      ///< and has little time for it
  Clock::time_point asked_at_{};
};

/// When the next timer is due that is no limit of something, by the wall clock.
std::optional<Instant> next_timer(const Machine& machine) {
  std::optional<Instant> next;
  for (const PendingTimer& timer : machine.timers().pending()) {
    bool bounds =
        timer.timer == TimerKind::Wait || timer.timer == TimerKind::Timeout || timer.timer == TimerKind::Deadline;
    if (!bounds && (!next || timer.due < *next)) next = timer.due;
  }
  return next;
}

/// Whether nothing is left that is worth waiting for: no attempt, and no timer that is due soon.
bool only_waits(const Run& run) {
  // A step that waits for a slot while nothing is in flight waits for the date of a limit.
  if (run.machine().in_flight_count() > 0 || run.machine().suspending()) return false;
  const auto next = next_timer(run.machine());
  const Instant now = wall_clock();
  return next ? *next - now > kLongSleep : run.machine().signals().awaiting() > 0;
}

/// Whether nothing can go on before more items of standard input come, and nobody gives any.
bool is_starved(const Run& run) {
  const Machine& machine = run.machine();
  const bool given = run.items() && run.items()->trouble().empty();
  return machine.stream() && machine.stream()->is_open() && !given && machine.phase() == Machine::Phase::Running &&
         machine.in_flight_count() == 0 && machine.signals().awaiting() == 0 && machine.pools().waiting() == 0 &&
         !next_timer(machine);
}

}  // namespace

void drive(Run& run, const DriveOptions& options, FrontEnd& front) {
  Driving driving(run, front);
  Stop stop(run, options.grace, front);
  bool full = false;
  for (;;) {
    stop.obey();
    if (!run.turn(stop.patience())) return;
    front.turned(run);
    const std::optional<std::vector<std::string>> unwritten = run.backlog().unwritten;
    if (unwritten.has_value() != full) front.disk(full = !full);
    if (unwritten && stop.overdue()) {
      std::string lost;
      for (const std::string& path : *unwritten) lost += " " + path;
      throw Error(Problem::Journal, "the disk is full and the journal could not be written" +
                                        (lost.empty() ? "" : "; results lost, these steps run again:" + lost));
    }
    if ((options.no_wait && only_waits(run)) || is_starved(run)) run.ask(SuspendRequested{0});
  }
}

}  // namespace flowrun
